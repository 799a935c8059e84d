#pragma once

#include <cstdint>
#include <string_view>

#include "state/user_state.h"

namespace bowerbird::serve {

/// Where a user stands, by what they did and when:
///
///   ""           nothing yet
///   dormant      nothing for 28 days
///   new          came within the last 7 days
///   resurrected  came back within the last 14 days, after 28 days or more without an action
///   core         acted on 8 days or more of the last 28
///   casual       everybody else
///
/// Days are those of UTC; of actions, those that the state holds.
std::string_view LifecycleOf(const state::UserState& user, int64_t now_us);

}  // namespace bowerbird::serve
