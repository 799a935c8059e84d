#include "rows/leaks.h"

#include <algorithm>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "signal/definition.h"

namespace bowerbird::rows {
namespace {

constexpr int64_t kUnknownUs = -1;
constexpr size_t kReadRecords = 1024;
constexpr size_t kReadBytes = 1u << 20;

/// -1 for what nobody knows; other errors stay.
absl::StatusOr<int64_t> OrUnknown(const absl::StatusOr<int64_t>& time_us) {
  if (absl::IsNotFound(time_us.status())) return kUnknownUs;
  return time_us;
}

}  // namespace

Leaks::Leaks(const config::Config& config, const VersionTimes& versions) : config_(config), versions_(versions) {}

absl::Status Leaks::ReadItemTables(const log::EventLog& log) {
  // Not in the lake: what retention has dropped is not known, and rows of it are refused.
  ASSIGN_OR_RETURN(log::Offset at, log.BeginOffset(log::Topic::kItemTables, 0));
  v1::ItemTableRecord table;
  while (true) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kItemTables, 0, at, kReadRecords, kReadBytes));
    for (const log::Record& record : read.records) {
      if (table.ParseFromString(record.value)) item_tables_[table.version()] = table.time_us();
    }
    if (read.records.empty()) return absl::OkStatus();
    at = read.next_offset;
  }
}

Leaks::Answer Leaks::Judge(int64_t known_until_us, int64_t time_us) {
  if (known_until_us == kUnknownUs) return Answer::kUnknown;
  return known_until_us > time_us ? Answer::kFuture : Answer::kFine;
}

absl::StatusOr<Leaks::Answer> Leaks::JudgeSnapshot(std::string_view version, int64_t time_us) {
  auto known = snapshots_.find(version);
  if (known == snapshots_.end()) {
    ASSIGN_OR_RETURN(const int64_t until_us, OrUnknown(versions_.snapshot(version)));
    known = snapshots_.emplace(version, until_us).first;
  }
  return Judge(known->second, time_us);
}

absl::StatusOr<Leaks::Answer> Leaks::JudgeRanker(std::string_view surface, std::string_view version, int64_t time_us) {
  const std::string name = fmt::format("{}/{}", surface, version);
  auto known = rankers_.find(name);
  if (known == rankers_.end()) {
    ASSIGN_OR_RETURN(const int64_t until_us, OrUnknown(versions_.ranker(surface, version)));
    known = rankers_.emplace(name, until_us).first;
  }
  return Judge(known->second, time_us);
}

absl::StatusOr<Leaks::Answer> Leaks::JudgeTable(const v1::ServedTable& table, int64_t time_us) {
  const std::string name = fmt::format("{}/{}", table.name(), table.version());
  auto known = tables_.find(name);
  if (known == tables_.end()) {
    ASSIGN_OR_RETURN(const int64_t since_us, OrUnknown(versions_.features(table.name(), table.version())));
    known = tables_.emplace(name, since_us).first;
  }
  // What the record itself says is looked at too: a manifest may have been made anew.
  if (known->second != kUnknownUs && table.as_of_us() > time_us + kToleranceUs) return Answer::kFuture;
  return Judge(known->second, time_us + kToleranceUs);
}

absl::StatusOr<std::string_view> Leaks::Find(const Request& request, const v1::ServedRecord& record) {
  const int64_t latest_us = request.time_us + kToleranceUs;
  if (request.folded_us > latest_us) return "future_offset";
  for (const v1::ServedSignal& signal : record.signals()) {
    // A client's clock may be ahead by as much as intake allows.
    if (signal::Definition::NewestUs(signal.value()) > latest_us + config_.collect.future_us_max)
      return "future_signal";
  }
  if (record.item_table() != 0) {
    const auto table = item_tables_.find(record.item_table());
    if (table == item_tables_.end()) return "unknown_item_table";
    if (table->second > latest_us) return "future_item_table";
  }
  if (!record.snapshot().empty()) {
    ASSIGN_OR_RETURN(const Answer snapshot, JudgeSnapshot(record.snapshot(), request.time_us));
    if (snapshot == Answer::kUnknown) return "unknown_snapshot";
    if (snapshot == Answer::kFuture) return "future_snapshot";
  }
  if (!record.ranker().empty()) {
    ASSIGN_OR_RETURN(const Answer ranker, JudgeRanker(record.request().surface(), record.ranker(), request.time_us));
    if (ranker == Answer::kUnknown) return "unknown_ranker";
    if (ranker == Answer::kFuture) return "future_ranker";
  }
  for (const v1::ServedTable& table : record.tables()) {
    ASSIGN_OR_RETURN(const Answer answer, JudgeTable(table, request.time_us));
    if (answer == Answer::kUnknown) return "unknown_features";
    if (answer == Answer::kFuture) return "future_features";
  }
  return "";
}

}  // namespace bowerbird::rows
