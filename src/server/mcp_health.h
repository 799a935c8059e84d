#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "app/app.h"

namespace bowerbird::server {

/// What an app's health is judged by.
struct HealthFacts {
  absl::Status health;  ///< App::Health
  std::vector<app::Gauge> gauges;
  bool lake_enabled = true;
  uint64_t disk_free_bytes = 0, disk_bytes = 0;
  std::string snapshot;  ///< version; empty: there is none
};

/// {"status": "ok" | "attention" | "down", "summary", "findings": [{"severity", "what"}], "numbers": {...}}: a sentence
/// for each thing that is wrong, and the numbers that it was judged by.
std::string HealthReport(const HealthFacts& facts);

}  // namespace bowerbird::server
