#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "catalog/keys.h"
#include "signal/definition.h"
#include "state/user_state.h"

namespace bowerbird::state {

class StateStore;

/// State::VisitUsers over what a store holds. Signals are read for a few hundred users at a time, after the users
/// themselves: a value may be newer than the record beside it by what was written meanwhile.
absl::Status VisitStoredUsers(const StateStore& store, const std::shared_ptr<const signal::Set>& signals,
                              uint32_t sequence_max, catalog::UserKey from,
                              const std::function<bool(const UserState&)>& visit);

}  // namespace bowerbird::state
