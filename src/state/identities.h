#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"
#include "state/partition.h"
#include "state/state.h"

namespace bowerbird::state {

/// State::Identities, of what `identity` says of each id.
absl::StatusOr<std::vector<State::Person>> CollectIdentities(
    catalog::UserKey key, std::string_view id,
    const std::function<absl::StatusOr<UserIdentity>(catalog::UserKey)>& identity);

}  // namespace bowerbird::state
