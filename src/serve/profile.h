#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "config/config.h"
#include "features/values.h"
#include "index/live_index.h"
#include "state/user_state.h"

namespace bowerbird::serve {

inline constexpr uint32_t kProfileActionsMax = 100;
/// The newest actions that short-term interests are made of, how fast they fade, and how many interests are said.
inline constexpr uint32_t kShortActionsMax = 200;
inline constexpr int64_t kShortHalfLifeUs = int64_t{86'400} * 1'000'000;
inline constexpr int kShortInterestsMax = 20;

/// The parts of a profile that may be asked for by themselves; the id, the times, the number of events and the
/// lifecycle are in every one.
struct ProfileParts {
  bool interests = true;  ///< short ones too
  bool signals = true, sequence = true, hidden = true, collections = true, embedding = true, segments = true;
  bool features = true;
};
/// Of names joined by commas; empty text: all. InvalidArgument with field `parts` (catalog::FromStatus): another name.
absl::StatusOr<ProfileParts> ParseProfileParts(std::string_view names);

/// What is understood of a user: interests (decayed category weights, strongest first, and their shares), long-term and
/// of the newest actions, where they stand (lifecycle.h), what each declared signal says, the newest actions first,
/// hidden items, collections, and the factor that the generators use. Items that the catalog no longer has are left
/// out: their ids are gone with them. A user without events gives an empty profile.
/// The parts that `parts` leaves out are empty, and cost nothing. `tables` as for segments.h. `profile` is empty
/// before.
void BuildProfile(const config::Config& config, const index::LiveView& view, const state::UserState& user,
                  int64_t now_us, ProfileParts parts, features::Values* tables, v1::ProfileResponse* profile);

/// An action as it is shown; `item` is its id. What the config no longer has (a type, a surface) stays empty.
void ShowAction(const config::Config& config, const state::Action& action, const std::string& item,
                v1::ProfileAction* out);

}  // namespace bowerbird::serve
