#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"

namespace bowerbird::state {

/// What the config says about item counters.
struct ItemLayout {
  int64_t bucket_us = 3'600'000'000;
  uint32_t buckets_max = 336;
  uint32_t BucketOf(int64_t time_us) const;  ///< time_us >= 0
};

/// Weights are summed as integers of 1/65,536, so that the order of the events does not matter.
inline constexpr double kItemWeightOne = 65536.0;
uint64_t ToItemWeight(double weight);

/// One counted event as its item sees it.
struct ItemEvent {
  enum class Kind : uint8_t { kNone, kImpression, kAction, kNegative };
  catalog::ItemKey item;
  uint64_t weight = 0;  ///< kAction, in 1/65,536
  uint32_t bucket = 0;
  Kind kind = Kind::kNone;
  uint32_t moved_s = 0;    ///< the user's first action on it in a row: when, in seconds; 0 otherwise
  catalog::ItemKey after;  ///< with moved_s: the item that the user had acted on before, or the default one
};

struct ItemSums {
  uint64_t impressions = 0, actions = 0, negatives = 0;
  uint64_t weight = 0;  ///< in 1/65,536
  void Add(const ItemSums& other);
  void Add(const ItemEvent& event);
};

/// An item's counters: sums since ever, and by time bucket for the newest `buckets_max` widths before its newest
/// bucket. Adding is commutative and associative, buckets that fall out included, so that any order and grouping of
/// events gives the same bytes.
struct ItemRecord {
  struct Bucket {
    uint32_t bucket = 0;
    ItemSums sums;
  };
  ItemSums total;
  std::vector<Bucket> buckets;  ///< ascending
  void Add(const ItemRecord& other, const ItemLayout& layout);
};

std::string EncodeItemRecord(const ItemRecord& record);
/// DataLoss: not the bytes of a record.
absl::StatusOr<ItemRecord> DecodeItemRecord(std::string_view bytes);

/// Sums events by item, items ascending. Sorts `events`.
std::vector<std::pair<catalog::ItemKey, ItemRecord>> SumByItem(std::vector<ItemEvent>* events,
                                                               const ItemLayout& layout);

}  // namespace bowerbird::state
