#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "index/live_index.h"
#include "state/user_state.h"

namespace bowerbird::serve {

inline constexpr uint32_t kCollectionItemsShown = 200;

/// The newest kCollectionItemsShown items of the user's collection, newest first, as the catalog has them, without
/// embeddings. What is withdrawn, unavailable or gone is left out. NotFound: the user has no collection of that name.
absl::StatusOr<v1::CollectionResponse> BuildCollection(const index::LiveView& view, const state::UserState& user,
                                                       std::string_view name);

}  // namespace bowerbird::serve
