#include "sim/behaviour_report.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

namespace bowerbird::sim {
namespace {

constexpr uint32_t kRankEdges[] = {1, 5, 9, 13, 17, 25};
constexpr size_t kTopItems = 3000;

double Quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
  return values[at];
}

double Mean(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// `counts` descending.
double Gini(std::span<const uint64_t> counts) {
  double weighted = 0;
  double sum = 0;
  const auto n = static_cast<double>(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) {
    weighted += (n - 1 - 2 * static_cast<double>(i)) * static_cast<double>(counts[i]);
    sum += static_cast<double>(counts[i]);
  }
  return sum > 0 ? weighted / (n * sum) : 0;
}

double TopShare(std::span<const uint64_t> counts, double share) {
  const auto top = std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(counts.size())));
  uint64_t of_top = 0;
  uint64_t sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    sum += counts[i];
    if (i < top) of_top += counts[i];
  }
  return sum > 0 ? static_cast<double>(of_top) / static_cast<double>(sum) : 0;
}

}  // namespace

void BehaviourMeter::Click(uint64_t user, uint64_t session, uint64_t item, int64_t time_us) {
  clicks_.push_back({user, session, time_us, item});
}
void BehaviourMeter::Impression(uint32_t position) {
  if (position < looks_.size()) ++looks_[position];
}
void BehaviourMeter::ClickAt(uint32_t position) {
  if (position < clicks_by_rank_.size()) ++clicks_by_rank_[position];
}
void BehaviourMeter::Page() { ++pages_; }

Behaviour BehaviourMeter::Measure() const {
  Behaviour out;
  std::vector<OneClick> clicks = clicks_;
  std::sort(clicks.begin(), clicks.end(), [](const OneClick& a, const OneClick& b) {
    return std::tie(a.user, a.time_us, a.session, a.item) < std::tie(b.user, b.time_us, b.session, b.item);
  });
  absl::flat_hash_map<uint64_t, uint64_t> by_item;
  std::array<double, 24> by_hour{};
  std::vector<double> lengths;
  std::vector<double> session_gaps_h;
  std::vector<double> click_gaps_s;
  size_t session_begin = 0;
  for (size_t i = 0; i < clicks.size(); ++i) {
    ++by_item[clicks[i].item];
    by_hour[static_cast<size_t>(clicks[i].time_us / 3'600'000'000 % 24)] += 1;
    const bool same_user = i > 0 && clicks[i].user == clicks[i - 1].user;
    const double gap_s = same_user ? static_cast<double>(clicks[i].time_us - clicks[i - 1].time_us) / 1e6 : 0;
    if (!same_user) ++out.users;
    if (same_user && clicks[i].session == clicks[i - 1].session) {
      click_gaps_s.push_back(gap_s);
      continue;
    }
    if (i > session_begin) lengths.push_back(static_cast<double>(i - session_begin));
    session_begin = i;
    if (same_user) session_gaps_h.push_back(gap_s / 3600);
  }
  if (!clicks.empty()) lengths.push_back(static_cast<double>(clicks.size() - session_begin));
  std::vector<uint64_t> counts;
  for (const auto& [item, count] : by_item) counts.push_back(count);
  std::sort(counts.begin(), counts.end(), std::greater<>());

  out.sessions = lengths.size();
  out.clicks = clicks.size();
  out.items = counts.size();
  out.session_clicks_mean = Mean(lengths);
  out.session_clicks_p50 = Quantile(lengths, .5);
  out.session_clicks_p90 = Quantile(lengths, .9);
  out.session_gap_h_p25 = Quantile(session_gaps_h, .25);
  out.session_gap_h_p50 = Quantile(session_gaps_h, .5);
  out.session_gap_h_p75 = Quantile(session_gaps_h, .75);
  out.click_gap_s_p50 = Quantile(click_gaps_s, .5);
  out.click_gap_s_mean = Mean(click_gaps_s);
  out.popularity_gini = Gini(counts);
  out.popularity_gini_top = Gini(std::span(counts).first(std::min(kTopItems, counts.size())));
  out.clicks_top_1 = TopShare(counts, .01);
  out.clicks_top_10 = TopShare(counts, .1);
  out.clicks_top_50 = TopShare(counts, .5);
  if (pages_ > 0) {
    for (size_t band = 0; band + 1 < std::size(kRankEdges); ++band) {
      uint64_t looks = 0;
      uint64_t clicked = 0;
      for (uint32_t rank = kRankEdges[band]; rank < kRankEdges[band + 1]; ++rank) {
        looks += looks_[rank];
        clicked += clicks_by_rank_[rank];
      }
      const double places = static_cast<double>(pages_) * (kRankEdges[band + 1] - kRankEdges[band]);
      out.click_rate_by_rank.push_back(looks > 0 ? static_cast<double>(clicked) / static_cast<double>(looks) : 0);
      out.looks_by_rank.push_back(static_cast<double>(looks) / places);
    }
  }
  if (!clicks.empty()) {
    const auto [least, most] = std::minmax_element(by_hour.begin(), by_hour.end());
    out.quietest_hour = *least * 24 / static_cast<double>(clicks.size());
    out.busiest_hour = *most * 24 / static_cast<double>(clicks.size());
  }
  return out;
}

Behaviour MeasureWorld(world::World& world) {
  BehaviourMeter meter;
  uint64_t sessions = 0;
  // A session is told from the next one by its page numbers: a first page begins at position 1.
  absl::flat_hash_map<uint32_t, uint64_t> session_of_user;
  absl::flat_hash_map<uint32_t, uint64_t> last_us;
  world.History([&](const world::Event& event) {
    const uint32_t user = event.user.value;
    const auto time_us = static_cast<uint64_t>(event.time_us);
    if (!session_of_user.contains(user) || time_us - last_us[user] > 1'800'000'000) {
      session_of_user[user] = ++sessions;
      meter.Page();
    }
    last_us[user] = time_us;
    if (event.action.type == world::ActionType::kImpression) meter.Impression(event.action.position);
    if (event.action.type == world::ActionType::kClick) {
      meter.ClickAt(event.action.position);
      meter.Click(user, session_of_user[user], event.action.item.value, event.time_us);
    }
  });
  return meter.Measure();
}

std::string BehaviourTable(const Behaviour& world, const Behaviour* real) {
  std::string out = fmt::format("{:<44}{:>12}{}\n", "", "world", real != nullptr ? fmt::format("{:>12}", "globo") : "");
  const auto row = [&](std::string_view name, auto value) {
    out += fmt::format("{:<44}{:>12}", name, fmt::format("{:.4g}", static_cast<double>(value(world))));
    if (real != nullptr) out += fmt::format("{:>12}", fmt::format("{:.4g}", static_cast<double>(value(*real))));
    out += "\n";
  };
  row("users", [](const Behaviour& b) { return b.users; });
  row("sessions with a click", [](const Behaviour& b) { return b.sessions; });
  row("clicks", [](const Behaviour& b) { return b.clicks; });
  row("items clicked", [](const Behaviour& b) { return b.items; });
  row("clicks a session, mean", [](const Behaviour& b) { return b.session_clicks_mean; });
  row("clicks a session, median", [](const Behaviour& b) { return b.session_clicks_p50; });
  row("clicks a session, 90%", [](const Behaviour& b) { return b.session_clicks_p90; });
  row("hours to the next session, 25%", [](const Behaviour& b) { return b.session_gap_h_p25; });
  row("hours to the next session, median", [](const Behaviour& b) { return b.session_gap_h_p50; });
  row("hours to the next session, 75%", [](const Behaviour& b) { return b.session_gap_h_p75; });
  row("seconds to the next click, median", [](const Behaviour& b) { return b.click_gap_s_p50; });
  row("seconds to the next click, mean", [](const Behaviour& b) { return b.click_gap_s_mean; });
  row("Gini of clicks over items", [](const Behaviour& b) { return b.popularity_gini; });
  row("Gini over the 3,000 most clicked", [](const Behaviour& b) { return b.popularity_gini_top; });
  row("clicks on the top 1% of items", [](const Behaviour& b) { return b.clicks_top_1; });
  row("clicks on the top 10% of items", [](const Behaviour& b) { return b.clicks_top_10; });
  row("clicks on the top 50% of items", [](const Behaviour& b) { return b.clicks_top_50; });
  row("busiest hour, mean hour = 1", [](const Behaviour& b) { return b.busiest_hour; });
  row("quietest hour, mean hour = 1", [](const Behaviour& b) { return b.quietest_hour; });
  for (size_t band = 0; band < world.click_rate_by_rank.size(); ++band) {
    out += fmt::format(
        "{:<44}{:>12.3f}{:>12.3f}\n",
        fmt::format("positions {}-{}: looks a session, clicks a look", kRankEdges[band], kRankEdges[band + 1] - 1),
        world.looks_by_rank[band], world.click_rate_by_rank[band]);
  }
  return out;
}

}  // namespace bowerbird::sim
