#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "config/config.h"
#include "index/live_index.h"
#include "state/user_state.h"

namespace bowerbird::serve {

inline constexpr uint32_t kProfileActionsMax = 100;

/// What is understood of a user: interests (decayed category weights, strongest first, and their shares), the newest
/// actions first, hidden items, collections, and the factor that the generators use. Items that the catalog no longer
/// has are left out: their ids are gone with them. A user without events gives an empty profile.
v1::ProfileResponse BuildProfile(const config::Config& config, const index::LiveView& view,
                                 const state::UserState& user, int64_t now_us);

}  // namespace bowerbird::serve
