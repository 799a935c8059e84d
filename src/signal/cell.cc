#include "signal/cell.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/byte_codec.h"
#include "base/status_macros.h"
#include "signal/cell_table.h"
#include "signal/distinct_sketch.h"

namespace bowerbird::signal {
namespace {

constexpr uint64_t kTimeMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 1000;

struct Past {
  uint64_t time_ms = 0;
  std::string_view value;
  bool Before(const Past& other) const {
    return time_ms != other.time_ms ? time_ms > other.time_ms : value < other.value;
  }
};

/// False: damaged.
bool DecodePasts(std::string_view cell, std::vector<Past>* pasts) {
  base::Reader in(cell);
  while (!in.empty()) {
    Past past{in.Varint(), in.String()};
    if (!in.ok()) return false;
    if (!pasts->empty()) {
      if (past.time_ms > pasts->back().time_ms) return false;
      past.time_ms = pasts->back().time_ms - past.time_ms;
      if (past.Before(pasts->back())) return false;
    } else if (past.time_ms > kTimeMax) {
      return false;
    }
    pasts->push_back(past);
  }
  return true;
}

void AddPasts(uint32_t n, const std::vector<Past>& added, std::string* cell) {
  std::vector<Past> pasts;
  if (!DecodePasts(*cell, &pasts)) return;
  for (const Past& past : added) {
    const auto place = std::ranges::upper_bound(pasts, past, [](const Past& a, const Past& b) { return a.Before(b); });
    if (place == pasts.end() && pasts.size() >= n) continue;
    pasts.insert(place, past);
    if (pasts.size() > n) pasts.pop_back();
  }
  std::string bytes;
  uint64_t last = 0;
  for (const Past& past : pasts) {
    base::PutVarint(bytes.empty() ? past.time_ms : last - past.time_ms, &bytes);
    base::PutString(past.value, &bytes);
    last = past.time_ms;
  }
  *cell = std::move(bytes);
}

struct Ratio {
  std::string_view above, below;
};
Ratio Split(std::string_view cell) {
  base::Reader in(cell);
  Ratio ratio;
  if (cell.empty()) return ratio;
  ratio.above = in.String();
  ratio.below = in.rest();
  return ratio;
}
void Join(std::string_view above, std::string_view below, std::string* cell) {
  std::string bytes;
  base::PutString(above, &bytes);
  bytes.append(below);
  *cell = std::move(bytes);
}

uint32_t ValuesMax(const Shape& shape) { return 2 * shape.n; }

uint64_t TimeOf(std::string_view cell) { return cell.empty() ? 0 : base::Reader(cell).Varint(); }

void SetLater(uint64_t time_us, std::string* cell) {
  const uint64_t newest = std::max(time_us, TimeOf(*cell));
  cell->clear();
  base::PutVarint(newest, cell);
}

auto StrengthAt(const Shape& shape, int64_t as_of_us) {
  return [&shape, as_of_us](std::string_view counter) { return ReadCounter(shape.counter, counter, as_of_us); };
}

}  // namespace

void AddToCell(const Shape& shape, const Addend& addend, int64_t as_of_us, std::string* cell) {
  switch (shape.kind) {
    case Kind::kCount:
    case Kind::kDecayedSum:
      return AddToCounter(shape.counter, addend.amount, addend.time_us, cell);
    case Kind::kRatio: {
      const Ratio parts = Split(*cell);
      std::string above(parts.above), below(parts.below);
      if (addend.counts_of) AddToCounter(shape.counter, 1, addend.time_us, &above);
      if (addend.counts_on) AddToCounter(shape.counter, 1, addend.time_us, &below);
      return Join(above, below, cell);
    }
    case Kind::kLastN:
      return AddPasts(shape.n, {Past{static_cast<uint64_t>(addend.time_us) / 1000, addend.value}}, cell);
    case Kind::kTopK:
      return ChangeCell(
          ValuesMax(shape), addend.value,
          [&](std::string* counter) { AddToCounter(shape.counter, 1, addend.time_us, counter); },
          StrengthAt(shape, as_of_us), cell);
    case Kind::kDistinct:
      return AddDistinct(addend.value, cell);
    case Kind::kTimeSince:
      return SetLater(static_cast<uint64_t>(addend.time_us), cell);
  }
}

void MergeCell(const Shape& shape, std::string_view other, int64_t as_of_us, std::string* cell) {
  if (other.empty()) return;
  switch (shape.kind) {
    case Kind::kCount:
    case Kind::kDecayedSum:
      return MergeCounter(shape.counter, other, cell);
    case Kind::kRatio: {
      const Ratio parts = Split(*cell), more = Split(other);
      std::string above(parts.above), below(parts.below);
      MergeCounter(shape.counter, more.above, &above);
      MergeCounter(shape.counter, more.below, &below);
      return Join(above, below, cell);
    }
    case Kind::kLastN: {
      std::vector<Past> pasts;
      if (DecodePasts(other, &pasts)) AddPasts(shape.n, pasts, cell);
      return;
    }
    case Kind::kTopK:
      return ForEachCell(other, [&](std::string_view value, std::string_view counted) {
        ChangeCell(
            ValuesMax(shape), value, [&](std::string* counter) { MergeCounter(shape.counter, counted, counter); },
            StrengthAt(shape, as_of_us), cell);
      });
    case Kind::kDistinct:
      return MergeDistinct(other, cell);
    case Kind::kTimeSince:
      return SetLater(TimeOf(other), cell);
  }
}

double CellStrength(const Shape& shape, std::string_view cell, int64_t as_of_us) {
  switch (shape.kind) {
    case Kind::kCount:
    case Kind::kDecayedSum:
      return ReadCounter(shape.counter, cell, as_of_us);
    case Kind::kRatio:
      return ReadCounter(shape.counter, Split(cell).below, as_of_us);
    case Kind::kLastN:
    case Kind::kTimeSince:
      return static_cast<double>(TimeOf(cell));
    case Kind::kTopK: {
      double sum = 0;
      ForEachCell(cell, [&](std::string_view, std::string_view counter) {
        sum += ReadCounter(shape.counter, counter, as_of_us);
      });
      return sum;
    }
    case Kind::kDistinct:
      return CountDistinct(cell);
  }
  return 0;
}

Reading ReadCell(const Shape& shape, std::string_view cell, int64_t as_of_us) {
  Reading reading;
  switch (shape.kind) {
    case Kind::kCount:
    case Kind::kDecayedSum:
      reading.number = ReadCounter(shape.counter, cell, as_of_us);
      break;
    case Kind::kRatio: {
      const Ratio parts = Split(cell);
      const double below = ReadCounter(shape.counter, parts.below, as_of_us) + shape.prior_weight;
      const double above = ReadCounter(shape.counter, parts.above, as_of_us) + shape.prior * shape.prior_weight;
      if (below > 0) reading.number = above / below;
      break;
    }
    case Kind::kLastN: {
      std::vector<Past> pasts;
      if (!DecodePasts(cell, &pasts)) break;
      for (const Past& past : pasts) {
        const auto time_us = static_cast<int64_t>(past.time_ms * 1000);
        if (shape.window_us > 0 && as_of_us - time_us > shape.window_us) break;
        reading.items.push_back({std::string(past.value), 0, time_us});
      }
      break;
    }
    case Kind::kTopK:
      ForEachCell(cell, [&](std::string_view value, std::string_view counter) {
        const double count = ReadCounter(shape.counter, counter, as_of_us);
        if (count > 0) reading.items.push_back({std::string(value), count, 0});
      });
      std::ranges::stable_sort(reading.items, [](const auto& a, const auto& b) { return a.number > b.number; });
      if (reading.items.size() > shape.n) reading.items.resize(shape.n);
      break;
    case Kind::kDistinct:
      reading.number = CountDistinct(cell);
      break;
    case Kind::kTimeSince:
      if (cell.empty()) break;
      reading.number = static_cast<double>(std::max<int64_t>(as_of_us - static_cast<int64_t>(TimeOf(cell)), 0)) * 1e-6;
      break;
  }
  return reading;
}

absl::Status CheckCell(const Shape& shape, std::string_view cell) {
  absl::Status damaged = absl::DataLossError("signal cell: damaged");
  const auto check_counter = [&](std::string_view counter) { return CheckCounter(shape.counter, counter); };
  switch (shape.kind) {
    case Kind::kCount:
    case Kind::kDecayedSum:
      return check_counter(cell);
    case Kind::kRatio: {
      if (cell.empty()) return absl::OkStatus();
      base::Reader in(cell);
      RETURN_IF_ERROR(check_counter(in.String()));
      return in.ok() ? check_counter(in.rest()) : damaged;
    }
    case Kind::kLastN: {
      std::vector<Past> pasts;
      return DecodePasts(cell, &pasts) && pasts.size() <= shape.n ? absl::OkStatus() : damaged;
    }
    case Kind::kTopK:
      return CheckTable(ValuesMax(shape), cell, check_counter);
    case Kind::kDistinct:
      return CheckDistinct(cell);
    case Kind::kTimeSince: {
      base::Reader in(cell);
      const bool fits = cell.empty() || in.Varint() / 1000 < kTimeMax;
      return fits && in.ok() && in.empty() ? absl::OkStatus() : damaged;
    }
  }
  return damaged;
}

}  // namespace bowerbird::signal
