#include "signal/counter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/byte_codec.h"
#include "base/decay.h"
#include "signal/window_counts.h"

namespace bowerbird::signal {
namespace {

struct DecayedSum {
  double sum = 0;
  int64_t time_us = 0;
};

DecayedSum Decode(std::string_view bytes) {
  base::Reader in(bytes);
  DecayedSum decayed;
  decayed.sum = in.Fixed<double>();
  decayed.time_us = static_cast<int64_t>(in.Varint());
  return decayed;
}

/// A late amount adds what would be left of it by the newest time.
void AddDecayed(int64_t half_life_us, const DecayedSum& added, std::string* bytes) {
  DecayedSum total = added;
  if (!bytes->empty()) {
    const DecayedSum former = Decode(*bytes);
    total.time_us = std::max(former.time_us, added.time_us);
    total.sum = former.sum * base::DecayFactor(total.time_us - former.time_us, half_life_us) +
                added.sum * base::DecayFactor(total.time_us - added.time_us, half_life_us);
    constexpr double kMost = std::numeric_limits<double>::max();
    total.sum = std::clamp(total.sum, -kMost, kMost);
  }
  bytes->clear();
  base::PutFixed(total.sum, bytes);
  base::PutVarint(static_cast<uint64_t>(total.time_us), bytes);
}

uint64_t BucketOf(const CounterShape& shape, int64_t time_us) {
  return static_cast<uint64_t>(time_us) / static_cast<uint64_t>(shape.bucket_us);
}

}  // namespace

void AddToCounter(const CounterShape& shape, double amount, int64_t time_us, std::string* bytes) {
  if (shape.bucket_us > 0) return AddToBucket(BucketOf(shape, time_us), 1, bytes);
  if (shape.half_life_us > 0) return AddDecayed(shape.half_life_us, {amount, time_us}, bytes);
  const uint64_t count = bytes->empty() ? 1 : base::Reader(*bytes).Varint() + 1;
  bytes->clear();
  base::PutVarint(count, bytes);
}

void MergeCounter(const CounterShape& shape, std::string_view other, std::string* bytes) {
  if (other.empty()) return;
  if (shape.bucket_us > 0) return MergeWindowCounts(other, bytes);
  if (shape.half_life_us > 0) return AddDecayed(shape.half_life_us, Decode(other), bytes);
  const uint64_t count = base::Reader(other).Varint() + (bytes->empty() ? 0 : base::Reader(*bytes).Varint());
  bytes->clear();
  base::PutVarint(count, bytes);
}

double ReadCounter(const CounterShape& shape, std::string_view bytes, int64_t as_of_us) {
  if (bytes.empty()) return 0;
  if (shape.bucket_us > 0) {
    return static_cast<double>(WindowCount(bytes, BucketOf(shape, std::max<int64_t>(as_of_us, 0))));
  }
  if (shape.half_life_us > 0) {
    const DecayedSum decayed = Decode(bytes);
    return decayed.sum * base::DecayFactor(as_of_us - decayed.time_us, shape.half_life_us);
  }
  return static_cast<double>(base::Reader(bytes).Varint());
}

absl::Status CheckCounter(const CounterShape& shape, std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  if (shape.bucket_us > 0) return CheckWindowCounts(bytes);
  base::Reader in(bytes);
  bool fits = true;
  if (shape.half_life_us > 0) {
    fits = std::isfinite(in.Fixed<double>());
    fits = in.Varint() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) && fits;
  } else {
    fits = in.Varint() > 0;
  }
  return fits && in.ok() && in.empty() ? absl::OkStatus() : absl::DataLossError("counter: damaged");
}

}  // namespace bowerbird::signal
