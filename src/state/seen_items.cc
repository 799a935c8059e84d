#include "state/seen_items.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/byte_codec.h"
#include "state/growth.h"

namespace bowerbird::state {
namespace {

constexpr size_t kTailMax = 32;

bool ByItem(const SeenItem& a, const SeenItem& b) { return a.item < b.item; }

/// Where the item would lie among `size` sorted ones if they were spread evenly, which keyed hashes nearly are.
size_t Guess(catalog::ItemKey item, size_t size) {
  return static_cast<size_t>((static_cast<unsigned __int128>(item.value) * size) >> 64);
}

/// The first of `size` sorted items that is not below `item`: from the guess in steps that double, so that a few
/// neighboring lines of memory are read.
SeenItem* LowerBound(SeenItem* items, size_t size, catalog::ItemKey item) {
  const auto below = [item](const SeenItem& seen) { return seen.item < item; };
  size_t low = 0, high = size;
  if (size > 0) {
    const size_t guess = Guess(item, size);
    if (below(items[guess])) {
      low = guess + 1;
      for (size_t step = 4; low + step < size; low += step, step *= 2) {
        if (!below(items[low + step - 1])) {
          high = low + step - 1;
          break;
        }
      }
    } else {
      high = guess;
      for (size_t step = 4; high > step; high -= step, step *= 2) {
        if (below(items[high - step])) {
          low = high - step + 1;
          break;
        }
      }
    }
  }
  return std::partition_point(items + low, items + high, below);
}

}  // namespace

void MergeSeen(SeenItem* into, uint32_t time_s, uint32_t impressions) {
  into->time_s = std::max(into->time_s, time_s);
  const uint64_t count = uint64_t{into->count} + impressions;
  into->count = static_cast<uint32_t>(std::min<uint64_t>(count, std::numeric_limits<uint32_t>::max()));
}

SeenItem* SeenItems::Find(catalog::ItemKey item) {
  SeenItem* end = items_.data() + sorted_;
  SeenItem* place = LowerBound(items_.data(), sorted_, item);
  if (place != end && place->item == item) return place;
  SeenItem* last = items_.data() + items_.size();
  place = std::find_if(end, last, [item](const SeenItem& seen) { return seen.item == item; });
  return place == last ? nullptr : place;
}

void SeenItems::Mark(catalog::ItemKey item, uint32_t time_s, uint32_t impressions) {
  if (SeenItem* known = Find(item); known != nullptr) return MergeSeen(known, time_s, impressions);
  PushTightly({item, time_s, impressions}, &items_);
  if (items_.size() - sorted_ > kTailMax) SortTail();
  if (items_.size() >= kSeenMax + kSeenSweep) DropOldest();
}

void SeenItems::SortTail() {
  const auto tail = items_.begin() + static_cast<ptrdiff_t>(sorted_);
  std::sort(tail, items_.end(), ByItem);
  std::inplace_merge(items_.begin(), tail, items_.end(), ByItem);
  sorted_ = items_.size();
}

void SeenItems::DropOldest() {
  SortTail();
  std::vector<std::pair<uint32_t, uint64_t>> ages;
  ages.reserve(items_.size());
  for (const SeenItem& entry : items_) ages.emplace_back(entry.time_s, entry.item.value);
  std::nth_element(ages.begin(), ages.begin() + kSeenSweep, ages.end());
  const std::pair<uint32_t, uint64_t> oldest_kept = ages[kSeenSweep];
  std::erase_if(items_, [&](const SeenItem& entry) { return std::pair(entry.time_s, entry.item.value) < oldest_kept; });
  sorted_ = items_.size();
}

std::vector<SeenItem> SeenItems::Sorted() const {
  SeenItems copy = *this;
  copy.SortTail();
  return std::move(copy.items_);
}

void SeenItems::Prefetch(catalog::ItemKey item) const {
  if (items_.empty()) return;
  constexpr size_t kLine = 64 / sizeof(SeenItem);
  if (sorted_ > 0) {
    // The guess is off by some square root of the size.
    const size_t guess = Guess(item, sorted_);
    __builtin_prefetch(&items_[guess - std::min(guess, kLine)], 1);
    __builtin_prefetch(&items_[guess], 1);
    __builtin_prefetch(&items_[std::min(guess + kLine, sorted_ - 1)], 1);
  }
  for (size_t i = sorted_; i < items_.size(); i += kLine) __builtin_prefetch(&items_[i]);
}

void SeenItems::Encode(std::string* out) const {
  const std::vector<SeenItem> items = Sorted();
  base::PutVarint(items.size(), out);
  for (const SeenItem& entry : items) base::PutFixed(entry.item.value, out);
  base::DifferenceWriter times(out);
  for (const SeenItem& entry : items) times.Put(entry.time_s);
  for (const SeenItem& entry : items) base::PutVarint(entry.count, out);
}

void SeenItems::Decode(base::Reader* in) {
  items_.resize(in->Count(10));
  for (SeenItem& entry : items_) entry.item.value = in->Fixed<uint64_t>();
  base::DifferenceReader times(in);
  for (SeenItem& entry : items_) entry.time_s = times.Next();
  for (SeenItem& entry : items_) entry.count = static_cast<uint32_t>(in->Varint());
  // Damage must not pass for a sorted list.
  sorted_ = static_cast<size_t>(std::is_sorted_until(items_.begin(), items_.end(), ByItem) - items_.begin());
  if (sorted_ < items_.size()) SortTail();
}

}  // namespace bowerbird::state
