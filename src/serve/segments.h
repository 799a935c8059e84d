#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "features/values.h"
#include "state/user_state.h"

namespace bowerbird::serve {

/// Whether the user is in the segment as of `now_us`; users without events are in none. What nobody counted is 0 for a
/// count, a decayed sum and a distinct count, the prior for a ratio that has one, and absent for everything else.
///
/// A signal that the user's state was not folded with is absent, and so is what no table says. `tables` are those of
/// other teams, set to this user; null: there are none. Cost: one reading of each signal that the condition names, a
/// look-up in each table.
bool InSegment(const config::UserSegment& segment, const state::UserState& user, int64_t now_us,
               features::Values* tables);

/// The names of the segments that the user is in, in the order of the config; views of it.
std::vector<std::string_view> SegmentsOf(const config::Config& config, const state::UserState& user, int64_t now_us,
                                         features::Values* tables);

}  // namespace bowerbird::serve
