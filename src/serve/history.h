#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "config/config.h"
#include "index/live_index.h"
#include "state/user_state.h"

namespace bowerbird::serve {

inline constexpr uint32_t kHistoryActionsMax = 1'000, kHistoryActionsDefault = 100;
/// Actions that are looked at for one page, whatever is found among them: some thirty blocks, which lie side by side.
inline constexpr uint32_t kHistoryScanMax = 2'000;

/// State::VisitActions of the user.
using VisitActions = std::function<absl::StatusOr<uint64_t>(
    uint64_t before, const std::function<bool(uint64_t ordinal, const state::Action& action)>& visit)>;

/// A page of what the user did ever. InvalidArgument: an unknown event type, a limit above kHistoryActionsMax, or times
/// that leave nothing between them.
absl::StatusOr<v1::HistoryResponse> BuildHistory(const config::Config& config, const index::LiveView& view,
                                                 const v1::HistoryRequest& request, const VisitActions& actions);

}  // namespace bowerbird::serve
