#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "config/config.h"
#include "index/live_index.h"
#include "state/user_state.h"

namespace bowerbird::serve {

inline constexpr uint32_t kProfileActionsMax = 100;
/// The newest actions that short-term interests are made of, how fast they fade, and how many interests are said.
inline constexpr uint32_t kShortActionsMax = 200;
inline constexpr int64_t kShortHalfLifeUs = int64_t{86'400} * 1'000'000;
inline constexpr int kShortInterestsMax = 20;

/// What is understood of a user: interests (decayed category weights, strongest first, and their shares), long-term and
/// of the newest actions, where they stand (lifecycle.h), what each declared signal says, the newest actions first,
/// hidden items, collections, and the factor that the generators use. Items that the catalog no longer has are left
/// out: their ids are gone with them. A user without events gives an empty profile.
v1::ProfileResponse BuildProfile(const config::Config& config, const index::LiveView& view,
                                 const state::UserState& user, int64_t now_us);

}  // namespace bowerbird::serve
