#include "state/print_window.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include "base/byte_codec.h"
#include "state/growth.h"

namespace bowerbird::state {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;
// Shorter windows are looked through: they are a few lines of memory.
constexpr size_t kUnfilteredMax = 16;
// A word has 2 to 4 prints after it was built, and is built again with more than 6 on average: some 1% of the prints
// that are not there are looked for in vain.
constexpr size_t kPrintsAWord = 4, kPrintsAWordMax = 6;

uint32_t ClampToUint32(int64_t value) {
  return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, std::numeric_limits<uint32_t>::max()));
}

// Prints are chosen by nobody (hashes of client ids), but a filter must not rely on it: bits come from a product.
struct Place {
  size_t word;
  uint64_t bits;
};
Place PlaceOf(uint64_t print, size_t words) {
  const uint64_t mixed = print * 0x9e3779b97f4a7c15;
  const auto bit = [mixed](int shift) { return uint64_t{1} << ((mixed >> shift) & 63); };
  return {static_cast<size_t>((mixed >> 32) & (words - 1)), bit(2) | bit(8) | bit(14) | bit(20)};
}

}  // namespace

bool PrintWindow::Find(uint64_t print) const {
  return std::any_of(prints_.begin() + static_cast<ptrdiff_t>(first_), prints_.end(),
                     [print](const Print& p) { return p.print == print; });
}

bool PrintWindow::Contains(uint64_t print) const {
  if (size() <= kUnfilteredMax) return Find(print);
  if (filter_.empty()) BuildFilter();
  const Place place = PlaceOf(print, filter_.size());
  return (filter_[place.word] & place.bits) == place.bits && Find(print);
}

void PrintWindow::AddToFilter(uint64_t print) const {
  const Place place = PlaceOf(print, filter_.size());
  filter_[place.word] |= place.bits;
  ++filtered_;
}

void PrintWindow::BuildFilter() const {
  filter_.assign(std::bit_ceil(size()) / kPrintsAWord, 0);
  filtered_ = 0;
  for (size_t i = first_; i < prints_.size(); ++i) AddToFilter(prints_[i].print);
}

void PrintWindow::Add(uint64_t print, int64_t event_time_us, int64_t receive_time_us, uint32_t prints_max,
                      int64_t window_us) {
  const uint32_t now_h = ClampToUint32(receive_time_us / kHourUs);
  PushTightly({print, ClampToUint32(event_time_us / 1'000'000), now_h}, &prints_);
  const uint64_t window_h = window_us <= 0 ? std::numeric_limits<uint32_t>::max() : (window_us + kHourUs - 1) / kHourUs;
  while (size() > prints_max || (size() > 1 && prints_[first_].receive_time_h + window_h < now_h)) {
    dropped_until_s_ = static_cast<uint32_t>(std::max<uint64_t>(
        dropped_until_s_,
        std::min<uint64_t>(uint64_t{prints_[first_].event_time_s} + 1, std::numeric_limits<uint32_t>::max())));
    ++first_;
  }
  if (first_ > 16 && first_ >= size() / 4) {
    prints_.erase(prints_.begin(), prints_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
  if (size() <= kUnfilteredMax || filter_.empty()) {
    filter_.clear();
  } else if (filtered_ >= filter_.size() * kPrintsAWordMax) {
    BuildFilter();
  } else {
    AddToFilter(print);
  }
}

void PrintWindow::Forget(int64_t time_us) {
  *this = PrintWindow();
  dropped_until_s_ = ClampToUint32(time_us / 1'000'000);
}

bool PrintWindow::MayHaveDropped(int64_t event_time_us) const {
  return ClampToUint32(event_time_us / 1'000'000) < dropped_until_s_;
}

void PrintWindow::Prefetch(uint64_t print) const {
  if (!prints_.empty()) __builtin_prefetch(&prints_.back(), 1);
  if (!filter_.empty()) __builtin_prefetch(&filter_[PlaceOf(print, filter_.size()).word], 1);
}

void PrintWindow::Encode(std::string* out) const {
  base::PutVarint(size(), out);
  for (size_t i = first_; i < prints_.size(); ++i) base::PutFixed(prints_[i].print, out);
  base::DifferenceWriter event_times(out);
  for (size_t i = first_; i < prints_.size(); ++i) event_times.Put(prints_[i].event_time_s);
  base::DifferenceWriter receive_times(out);
  for (size_t i = first_; i < prints_.size(); ++i) receive_times.Put(prints_[i].receive_time_h);
  base::PutVarint(dropped_until_s_, out);
}

bool PrintWindow::Decode(base::Reader* in) {
  first_ = 0;
  prints_.resize(in->Count(10));
  for (Print& print : prints_) print.print = in->Fixed<uint64_t>();
  base::DifferenceReader event_times(in);
  for (Print& print : prints_) print.event_time_s = event_times.Next();
  base::DifferenceReader receive_times(in);
  for (Print& print : prints_) print.receive_time_h = receive_times.Next();
  dropped_until_s_ = static_cast<uint32_t>(in->Varint());
  filter_.clear();
  return in->ok();
}

}  // namespace bowerbird::state
