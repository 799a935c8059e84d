#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "blend/interleave.h"
#include "experiment/stats/preference.h"
#include "sim/world/world.h"

namespace bowerbird::sim::trial {

/// What a user's visits came to.
struct UserTotals {
  uint32_t visits = 0;
  double clicks = 0;
  double value = 0;    ///< of actions (ActionValue)
  double utility = 0;  ///< the truth
  /// Interleaved pages only: what the treatment's page would have been worth at the begin of each visit, less what the
  /// control's would have been (Session::WorthOf).
  double worth_difference = 0;
};

struct Browsed {
  std::vector<UserTotals> users;  ///< by number
  /// Interleaved pages only: a request each.
  std::vector<experiment::stats::RequestCredit> clicks, value;
  uint64_t visits = 0;
};

/// A user's ranking, best first; stays valid.
using RankingOf = absl::FunctionRef<std::span<const uint64_t>(world::UserNumber user)>;

/// Lets users of the history browse `world`, which is used up, until `until_us`: each page has the next `page` items of
/// their ranking that they were not shown before. With two rankings (control, treatment) pages are interleaved.
absl::StatusOr<Browsed> Browse(world::World world, int64_t until_us, uint32_t page, std::span<const RankingOf> rankings,
                               uint64_t seed);

}  // namespace bowerbird::sim::trial
