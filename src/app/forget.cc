#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/app.h"
#include "app/open_log.h"
#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "catalog/item_rules.h"
#include "catalog/problem.h"
#include "forget/redact.h"

namespace bowerbird::app {
namespace {

/// Ids that become the user while it is being forgotten are forgotten in another round.
constexpr int kRoundsMax = 3;
/// Whoever was forgotten before a restart does not wait for a whole interval once more.
constexpr int64_t kFirstRedactUs = 60'000'000;
constexpr int64_t kTickUs = 250'000;
constexpr int kGivesWay = 10;

}  // namespace

absl::StatusOr<uint32_t> App::ForgetUser(std::string_view id) {
  if (auto problem = catalog::CheckId(id, "id", config()->collect.id_bytes_max)) return catalog::ToStatus(*problem);
  const absl::MutexLock lock(&forget_mutex_);
  const uint32_t partitions = log_->PartitionCount(log::Topic::kEvents);
  const catalog::UserKey key = hasher_.User(id);
  uint32_t forgotten = 0;
  for (int round = 0; round < kRoundsMax; ++round) {
    // Twice: what one id hands over to another is appended by the fold.
    RETURN_IF_ERROR(state_->CatchUp());
    RETURN_IF_ERROR(state_->CatchUp());
    ASSIGN_OR_RETURN(const std::vector<state::State::Person> people, state_->Identities(key, id));
    if (round > 0 && people.size() == 1) break;
    std::vector<std::string> ids;
    std::vector<log::AppendRecord> records;
    for (const state::State::Person& person : people) {
      if (person.id.empty()) continue;
      ids.push_back(person.id);
      records.push_back(forget::ForgetRecord(person.key, person.id, options_.clock->NowUs(), partitions));
    }
    ASSIGN_OR_RETURN(const std::vector<log::Offset> offsets, catalog_intake_->ForgetUsers(ids, std::move(records)));
    for (size_t i = 0; i < ids.size(); ++i) {
      const catalog::UserKey one = hasher_.User(ids[i]);
      last_acknowledged_->Set(one, {catalog::PartitionOf(one, partitions), offsets[i]});
      engine_->Forget(one);
    }
    std::vector<features::RowKey> rows;
    rows.reserve(ids.size());
    for (const std::string& one : ids) rows.push_back(features::RowKey::Of(hasher_, one));
    RETURN_IF_ERROR(features_->RemoveUsers(rows).status());
    std::vector<catalog::UserKey> keys;
    keys.reserve(ids.size());
    for (const std::string& one : ids) keys.push_back(hasher_.User(one));
    RETURN_IF_ERROR(experiments_->Forget(keys));
    forgotten += static_cast<uint32_t>(ids.size());
  }
  RETURN_IF_ERROR(state_->CatchUp());
  return forgotten;
}

forget::Stores App::ForgetStores() {
  forget::Stores stores;
  stores.config = config();
  stores.hasher = hasher_;
  stores.log = log_.get();
  stores.history = history_.get();
  stores.lake = lake_.get();
  stores.state = state_.get();
  stores.catalog = catalog_.get();
  stores.folder = folder_;
  stores.audit_log = options_.dir + "/audit.log";
  stores.cancelled = [this] { return JobsCancelled(); };
  return stores;
}

absl::StatusOr<forget::RedactReport> App::Redact() {
  const absl::MutexLock lock(&redact_mutex_);
  RETURN_IF_ERROR(JobsCancelled());
  return forget::Redact(ForgetStores());
}

absl::StatusOr<forget::Traces> App::AuditUser(std::string_view id) {
  // What is being replaced just now would be found twice.
  const absl::MutexLock lock(&redact_mutex_);
  ASSIGN_OR_RETURN(forget::Traces traces, forget::FindTraces(ForgetStores(), std::string(id)));
  const auto tables = features_->Get();
  const features::RowKey row = features::RowKey::Of(hasher_, id);
  for (const features::NamedTable& table : tables->tables) {
    const auto versions =
        static_cast<uint64_t>(std::ranges::count_if(table.versions, [&](const features::Version& one) {
          return one.table->entity() == features::Entity::kUser && one.table->Find(row).has_value();
        }));
    if (versions > 0) traces.found.emplace_back(fmt::format("features {}", table.name), versions);
  }
  return traces;
}

void App::RedactLoop() {
  base::GiveWay(kGivesWay);
  const int64_t started_us = base::MonotonicUs();
  int64_t turn_us = 0;
  std::string last_problem;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kTickUs))) {
    const int64_t interval_us = config()->forget.interval_us, now_us = base::MonotonicUs();
    const bool due =
        turn_us == 0 ? now_us - started_us >= std::min(kFirstRedactUs, interval_us) : now_us - turn_us >= interval_us;
    if (!due) continue;
    const absl::Status done = Redact().status();
    turn_us = base::MonotonicUs();
    const std::string problem(done.message());
    if (!done.ok() && JobsCancelled().ok() && problem != last_problem) Warn(fmt::format("redact: {}", problem));
    last_problem = problem;
  }
}

absl::Status App::ApplyRetention() {
  const auto retention_us = Retention(*config());
  const auto events_us = retention_us.find(log::Topic::kEvents);
  if (events_us != retention_us.end()) {
    const uint32_t partitions = log_->PartitionCount(log::Topic::kEvents);
    const state::PartitionRange owned = node_.Owned(partitions);
    for (uint32_t p = 0; p < partitions; ++p) {
      if (!owned.Has(p)) continue;
      ASSIGN_OR_RETURN(const log::Offset goes,
                       log_->OffsetAtTime(log::Topic::kEvents, p, options_.clock->NowUs() - events_us->second));
      if (state_->FoldedOffset(p) < goes) return absl::OkStatus();  // the next turn comes
    }
    RETURN_IF_ERROR(state_->Flush());
  }
  if (config()->lake.enabled && node_.index == 0) RETURN_IF_ERROR(RunLake());
  return log_->ApplyRetention(options_.clock->NowUs());
}

}  // namespace bowerbird::app
