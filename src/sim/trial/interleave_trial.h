#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/preference.h"
#include "sim/trial/made_recipe.h"
#include "sim/world/world.h"

namespace bowerbird::sim::trial {

/// Pairs of recipes, each compared twice on the same users: by an A/B test and by interleaving.
struct InterleaveTrialOptions {
  uint64_t seed = 1;
  uint32_t pairs = 100;
  uint32_t items = 3600;
  uint32_t users = 3000;
  uint32_t days = 7;  ///< that each comparison lasts
  uint32_t page = 12;
};

/// What a comparison of two recipes by one way of counting actions says.
struct PairReading {
  experiment::stats::Preference interleaved;
  uint64_t users_interleaved = 0;  ///< that find a preference of that size with 80% power; 0: more than 1e15
  /// Actions a visit, the treatment's world less the control's, by user: what an A/B test looks for, known better than
  /// it could know, as each user is compared with themself.
  experiment::stats::Comparison ab_effect;
  /// Of both arms, that find this effect; where even its sign is unknown, that find the largest one which its interval
  /// allows: it takes at least so many.
  uint64_t users_ab = 0;
  uint64_t users_ab_cuped = 0;
};

struct PairReport {
  RecipePair pair;
  world::Family family = world::Family::kMixture;
  uint64_t users = 0, visits = 0;  ///< of the days
  double overlap = 0;              ///< share of a first page's items that both recipes have on it
  /// The truth: what a page of the treatment is worth more than one of the control to the same user at the same moment,
  /// mean over users of each user's visits.
  experiment::stats::Comparison truth;
  /// What users had of a visit, in utility, more in a world where all get the treatment than in one where all get the
  /// control: the truth with all that follows from it, and with the chance of what is looked at.
  experiment::stats::Comparison deployed;
  PairReading clicks, value;

  bool decided(PairReading PairReport::*reading) const;
  /// Whether the preference has the sign of the truth.
  bool same_sign(PairReading PairReport::*reading) const;
};

/// Makes worlds of each family, draws pairs (DrawPair, kinds in turn) and browses each world three times a pair, by the
/// control, the treatment and their interleaved pages, always from the same moment on.
///
/// Same     the same options give the same reports, on any number of threads.
/// Errors   InvalidArgument: an option is out of its range. FailedPrecondition: too few visits to compare.
/// Cost     with the defaults about a second of one core a pair.
absl::StatusOr<std::vector<PairReport>> RunInterleaveTrial(const InterleaveTrialOptions& options,
                                                           absl::FunctionRef<void(const std::string&)> progress);

}  // namespace bowerbird::sim::trial
