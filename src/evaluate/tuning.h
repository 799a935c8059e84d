#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluate/interaction.h"
#include "evaluate/ranker.h"
#include "learn/cf/co_occurrence.h"
#include "learn/cf/ials.h"
#include "learn/cf/interactions.h"

namespace bowerbird::evaluate {

/// The list length at which settings are compared, by NDCG.
inline constexpr uint32_t kTuningCutoff = 20;

/// Interactions in the forms that models take: the matrix and parallel arrays.
struct TrainingData {
  learn::cf::Interactions matrix;
  std::vector<uint32_t> users, items;
  std::vector<int64_t> times_us;
  std::vector<float> weights;

  static absl::StatusOr<TrainingData> Build(uint32_t user_count, uint32_t item_count,
                                            std::span<const Interaction> interactions);
};

/// What some users ought to be shown: their items in a held-out part.
struct Wanted {
  Wanted() = default;
  Wanted(Wanted&&) = default;
  Wanted& operator=(Wanted&&) = default;

  std::vector<uint32_t> users;                   // ascending; those with anything to find
  std::vector<std::span<const uint32_t>> items;  // ascending, one a user
  learn::cf::SparseRows rows;                    // owns them

  static absl::StatusOr<Wanted> Build(uint32_t user_count, uint32_t item_count, std::span<const Interaction> part);
  /// At most `count` of the users, drawn by `seed`.
  void Sample(size_t count, uint64_t seed);
};

/// Fits on `train` at one setting after the other and compares them on `wanted`, never seeing anything else; one line a
/// setting goes to `log`. The search walks along one setting at a time from defaults, so the optimum of the whole grid
/// is not promised.
struct TunedIals {
  learn::cf::IalsOptions options;
  double validation_ndcg = 0;
};
absl::StatusOr<TunedIals> TuneIals(const TrainingData& train, const Wanted& wanted, const learn::cf::IalsOptions& start,
                                   std::ostream& log);

struct TunedCoOccurrence {
  learn::cf::CoOccurrenceOptions options;
  double validation_ndcg = 0;
};
absl::StatusOr<TunedCoOccurrence> TuneCoOccurrence(const TrainingData& train, const Wanted& wanted,
                                                   const learn::cf::CoOccurrenceOptions& start, std::ostream& log);

}  // namespace bowerbird::evaluate
