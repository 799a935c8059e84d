#include "state/identities.h"

#include <algorithm>
#include <string>

#include "base/status_macros.h"
#include "state/user_record.h"

namespace bowerbird::state {

absl::StatusOr<std::vector<State::Person>> CollectIdentities(
    catalog::UserKey key, std::string_view id,
    const std::function<absl::StatusOr<UserIdentity>(catalog::UserKey)>& identity) {
  std::vector<State::Person> people = {{key, std::string(id)}};
  ASSIGN_OR_RETURN(UserIdentity at, identity(key));
  for (uint32_t hops = 0; hops < kMergeHopsMax && !at.becomes.empty(); ++hops) {
    people.front() = {at.becomes_key, at.becomes};
    ASSIGN_OR_RETURN(at, identity(at.becomes_key));
  }
  const auto known = [&](catalog::UserKey user) {
    return std::ranges::find(people, user, &State::Person::key) != people.end();
  };
  for (size_t next = 0; next < people.size(); ++next) {
    ASSIGN_OR_RETURN(const UserIdentity taken_in, identity(people[next].key));
    for (const catalog::UserKey source : taken_in.merged) {
      if (known(source)) continue;
      ASSIGN_OR_RETURN(const UserIdentity one, identity(source));
      if (!one.becomes.empty() && known(one.becomes_key)) people.push_back({source, one.id});
    }
  }
  // An id that became somebody by more steps than are followed.
  if (!known(key)) people.push_back({key, std::string(id)});
  return people;
}

}  // namespace bowerbird::state
