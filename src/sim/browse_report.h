#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/browse.h"

namespace bowerbird::sim {

/// A report with what only the caller can know.
struct JudgedReport {
  BrowseReport browse;
  std::string family;
  uint64_t seed = 0;
  /// All events that the engine acknowledged, the imported history included, and what its log holds.
  uint64_t events_acknowledged = 0;
  uint64_t events_in_log = 0;
};

/// What the report falls short of, a sentence each; empty when all holds:
///   the log holds exactly what was acknowledged; no request failed; no duplicate, hidden, withdrawn or unknown item
///   was shown; share of oracle >= .4 with its interval above 0; adapted >= .9 over at least 50 users.
std::vector<std::string> Shortfalls(const JudgedReport& report);

/// One JSON object on one line, without a newline.
std::string ReportJson(const JudgedReport& report);

/// A table for people.
std::string ReportTable(const JudgedReport& report);

}  // namespace bowerbird::sim
