#include "rows/identities.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "catalog/keys.h"
#include "rows/history.h"
#include "rows/user_history.h"

namespace bowerbird::rows {

absl::StatusOr<Identities> Identities::Read(const Scope& scope) {
  Identities identities;
  RETURN_IF_ERROR(identities.ReadBecomings(scope));
  std::vector<absl::flat_hash_set<uint64_t>> users(scope.ends.size());
  for (const auto& [id, becomings] : identities.becomings_) {
    for (const Becoming& becoming : becomings) {
      users[catalog::PartitionOf(catalog::UserKey(becoming.user), static_cast<uint32_t>(scope.ends.size()))].insert(
          becoming.user);
    }
  }
  for (uint32_t p = 0; p < users.size(); ++p) {
    if (!users[p].empty()) RETURN_IF_ERROR(identities.ReadEvents(scope, p, users[p]));
  }
  return identities;
}

absl::Status Identities::ReadBecomings(const Scope& scope) {
  v1::Event event;
  for (uint32_t p = 0; p < scope.ends.size(); ++p) {
    LogTimeUs log_us = 0;
    RETURN_IF_ERROR(ForEachRecord(*scope.log, log::Topic::kEvents, p, scope.begins[p], scope.ends[p],
                                  [&](const log::Record& record) {
                                    log_us = std::max(log_us, record.append_time_us);
                                    if (log_us > scope.to_us) return absl::CancelledError();
                                    if (!MayBecome(record.value) || !scope.ids->contains(UserKeyOf(record.value)))
                                      return absl::OkStatus();
                                    if (event.ParseFromString(record.value) && event.becomes_key() != 0)
                                      becomings_[event.user_key()].push_back({log_us, event.becomes_key()});
                                    return absl::OkStatus();
                                  }));
  }
  return absl::OkStatus();
}

absl::Status Identities::ReadEvents(const Scope& scope, uint32_t partition,
                                    const absl::flat_hash_set<uint64_t>& users) {
  struct User {
    UserHistory history;
    absl::flat_hash_map<uint64_t, LogTimeUs> impressions;  ///< by item: the last one
  };
  absl::flat_hash_map<uint64_t, User> folded;
  LogTimeUs log_us = 0;
  v1::Event event;
  return ForEachRecord(*scope.log, log::Topic::kEvents, partition, scope.begins[partition], scope.ends[partition],
                       [&](const log::Record& record) {
                         log_us = std::max(log_us, record.append_time_us);
                         if (log_us > scope.to_us) return absl::CancelledError();
                         const uint64_t key = UserKeyOf(record.value);
                         if (!users.contains(key) || !event.ParseFromString(record.value)) return absl::OkStatus();
                         User& user = folded[key];
                         auto counted = user.history.Fold(*scope.policy, *scope.objectives, partition,
                                                          static_cast<uint32_t>(scope.ends.size()), log_us, event);
                         if (!counted.has_value() || counted->item == 0 || log_us < scope.from_us)
                           return absl::OkStatus();
                         const auto seen = user.impressions.find(counted->item);
                         const bool own = seen != user.impressions.end() &&
                                          log_us - seen->second <= scope.objectives->window_us_max();
                         if (counted->impression) user.impressions[counted->item] = log_us;
                         events_[key].push_back({*std::move(counted), own});
                         return absl::OkStatus();
                       });
}

}  // namespace bowerbird::rows
