#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "bowerbird/v1/served.pb.h"
#include "config/config.h"
#include "log/event_log.h"
#include "rows/builder.h"
#include "rows/request.h"

namespace bowerbird::rows {

/// Finds what a served record cannot have known: everything in a row is compared with the time of its request.
///
/// Threads  one.
class Leaks {
 public:
  /// Clocks of one log and those who serve from it may differ by so much.
  static constexpr int64_t kToleranceUs = 1'000'000;

  /// Both outlive it.
  Leaks(const config::Config& config, const VersionTimes& versions);

  /// When each item table was made, from its topic.
  absl::Status ReadItemTables(const log::EventLog& log);
  /// The reason by which the row is refused, as builder.h lists them; empty: there is none.
  absl::StatusOr<std::string_view> Find(const Request& request, const v1::ServedRecord& record);

 private:
  /// Whether a version knew too much, or is not known; asked once each.
  enum class Answer : uint8_t { kFine, kFuture, kUnknown };
  absl::StatusOr<Answer> JudgeSnapshot(std::string_view version, int64_t time_us);
  absl::StatusOr<Answer> JudgeRanker(std::string_view surface, std::string_view version, int64_t time_us);
  absl::StatusOr<Answer> JudgeTable(const v1::ServedTable& table, int64_t time_us);
  static Answer Judge(int64_t known_until_us, int64_t time_us);

  const config::Config& config_;
  const VersionTimes& versions_;
  absl::flat_hash_map<uint64_t, int64_t> item_tables_;
  base::StringMap<int64_t> snapshots_, rankers_, tables_;  ///< -1: nobody knows
};

}  // namespace bowerbird::rows
