#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/world/world.h"

namespace bowerbird::sim {

/// Shape of people's behaviour, measured alike on a world's history and on a real click log, so that the two can be
/// compared.
struct Behaviour {
  uint64_t users = 0;
  uint64_t sessions = 0;
  uint64_t clicks = 0;
  uint64_t items = 0;
  /// Clicks of a session that has any.
  double session_clicks_mean = 0;
  double session_clicks_p50 = 0;
  double session_clicks_p90 = 0;
  /// From the last click of a user's session to the first of the next one.
  double session_gap_h_p25 = 0;
  double session_gap_h_p50 = 0;
  double session_gap_h_p75 = 0;
  /// Between the clicks of a session.
  double click_gap_s_p50 = 0;
  double click_gap_s_mean = 0;
  /// Inequality of clicks over all items that were clicked, and over the 3,000 most clicked: 0 all alike, 1 one has
  /// all.
  double popularity_gini = 0;
  double popularity_gini_top = 0;
  /// Share of all clicks that the most clicked 1%, 10% and 50% of items have.
  double clicks_top_1 = 0;
  double clicks_top_10 = 0;
  double clicks_top_50 = 0;
  /// Clicks per impression at positions 1-4, 5-8, 9-12, 13-16, 17-24 and impressions per page there; empty without
  /// impressions.
  std::vector<double> click_rate_by_rank;
  std::vector<double> looks_by_rank;
  /// Share of clicks in the busiest and in the quietest hour of the day, times 24.
  double busiest_hour = 0;
  double quietest_hour = 0;
};

/// Collects clicks and impressions; any order of users, ascending time within a session.
class BehaviourMeter {
 public:
  void Click(uint64_t user, uint64_t session, uint64_t item, int64_t time_us);
  void Impression(uint32_t position);
  void ClickAt(uint32_t position);
  void Page();
  Behaviour Measure() const;

 private:
  struct OneClick {
    uint64_t user;
    uint64_t session;
    int64_t time_us;
    uint64_t item;
  };
  std::vector<OneClick> clicks_;
  std::vector<uint64_t> looks_ = std::vector<uint64_t>(25);
  std::vector<uint64_t> clicks_by_rank_ = std::vector<uint64_t>(25);
  uint64_t pages_ = 0;
};

/// Measures the world's history. Uses up World::History.
Behaviour MeasureWorld(world::World& world);

/// Measures the Globo.com click log, `folder`/clicks.csv.zst.
/// NotFound: no such file. InvalidArgument: another form; names the line.
absl::StatusOr<Behaviour> MeasureGlobo(const std::string& folder);

/// A table for people: the world beside the real log (left out when null).
std::string BehaviourTable(const Behaviour& world, const Behaviour* real);

}  // namespace bowerbird::sim
