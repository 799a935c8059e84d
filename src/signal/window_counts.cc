#include "signal/window_counts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "base/byte_codec.h"

namespace bowerbird::signal {
namespace {

struct Bucket {
  uint64_t number = 0, count = 0;
};

/// Newest first.
class Buckets {
 public:
  static constexpr size_t kMax = kWindowBuckets + 1;

  /// False: damaged.
  bool Decode(std::string_view bytes) {
    base::Reader in(bytes);
    while (!in.empty()) {
      if (size_ == kMax) return false;
      Bucket& bucket = buckets_[size_];
      const uint64_t number = in.Varint();
      bucket.count = in.Varint();
      if (!in.ok() || bucket.count == 0) return false;
      if (size_ > 0 && (number == 0 || number > buckets_[size_ - 1].number)) return false;
      bucket.number = size_ == 0 ? number : buckets_[size_ - 1].number - number;
      ++size_;
    }
    return std::ranges::all_of(all(), [this](const Bucket& bucket) { return IsKept(bucket.number); });
  }

  void Add(uint64_t number, uint64_t count) {
    size_t at = 0;
    while (at < size_ && buckets_[at].number > number) ++at;
    if (at < size_ && buckets_[at].number == number) {
      buckets_[at].count += count;
      return;
    }
    // One place more than is kept.
    std::copy_backward(buckets_.begin() + static_cast<ptrdiff_t>(at), buckets_.begin() + static_cast<ptrdiff_t>(size_),
                       buckets_.begin() + static_cast<ptrdiff_t>(size_) + 1);
    buckets_[at] = {number, count};
    ++size_;
    while (size_ > 0 && !IsKept(buckets_[size_ - 1].number)) --size_;
  }

  void Encode(std::string* out) const {
    out->clear();
    for (size_t i = 0; i < size_; ++i) {
      base::PutVarint(i == 0 ? buckets_[0].number : buckets_[i - 1].number - buckets_[i].number, out);
      base::PutVarint(buckets_[i].count, out);
    }
  }

  std::span<const Bucket> all() const { return {buckets_.data(), size_}; }

 private:
  bool IsKept(uint64_t number) const { return size_ < 2 || number + kWindowBuckets > buckets_[1].number; }

  std::array<Bucket, kMax + 1> buckets_;
  size_t size_ = 0;
};

}  // namespace

void AddToBucket(uint64_t bucket, uint64_t count, std::string* bytes) {
  // Nearly always it is the newest bucket again.
  base::Reader in(*bytes);
  if (!bytes->empty() && in.Varint() == bucket) {
    const size_t from = bytes->size() - in.rest().size();
    const uint64_t sum = in.Varint() + count;
    const size_t to = bytes->size() - in.rest().size();
    std::string text;
    base::PutVarint(sum, &text);
    bytes->replace(from, to - from, text);
    return;
  }
  Buckets buckets;
  if (!buckets.Decode(*bytes)) return;
  buckets.Add(bucket, count);
  buckets.Encode(bytes);
}

void MergeWindowCounts(std::string_view other, std::string* bytes) {
  Buckets sum, more;
  if (!sum.Decode(*bytes) || !more.Decode(other)) return;
  for (const Bucket& bucket : more.all()) sum.Add(bucket.number, bucket.count);
  sum.Encode(bytes);
}

uint64_t WindowCount(std::string_view bytes, uint64_t bucket) {
  base::Reader in(bytes);
  uint64_t number = 0, sum = 0;
  for (bool first = true; !in.empty(); first = false) {
    number = first ? in.Varint() : number - in.Varint();
    const uint64_t count = in.Varint();
    if (number + kWindowBuckets <= bucket) break;
    if (number <= bucket) sum += count;
  }
  return sum;
}

absl::Status CheckWindowCounts(std::string_view bytes) {
  return Buckets().Decode(bytes) ? absl::OkStatus() : absl::DataLossError("window counts: damaged");
}

}  // namespace bowerbird::signal
