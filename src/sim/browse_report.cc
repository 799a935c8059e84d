#include "sim/browse_report.h"

#include "base/json_writer.h"
#include "fmt/format.h"

namespace bowerbird::sim {
namespace {

constexpr double kShareAccepted = .4;
constexpr double kAdaptedAccepted = .9;
constexpr uint64_t kProbesAccepted = 50;

constexpr auto kPersonal = static_cast<uint32_t>(Policy::kPersonal);
constexpr auto kPopularity = static_cast<uint32_t>(Policy::kPopularity);
constexpr auto kRandom = static_cast<uint32_t>(Policy::kRandom);
constexpr auto kOracle = static_cast<uint32_t>(Policy::kOracle);

}  // namespace

std::vector<std::string> Shortfalls(const JudgedReport& report) {
  const BrowseReport& browse = report.browse;
  const ShareOfOracle& utility = browse.utility;
  std::vector<std::string> out;
  if (report.events_acknowledged != report.events_in_log) {
    out.push_back(
        fmt::format("{} events were acknowledged, the log holds {}", report.events_acknowledged, report.events_in_log));
  }
  const auto none = [&](uint64_t found, std::string_view what) {
    if (found > 0) out.push_back(fmt::format("{} {}, none is accepted", found, what));
  };
  none(browse.failed_requests, "requests failed");
  none(browse.duplicates, "items came twice in a chain");
  none(browse.hidden_shown, "hidden or withdrawn items were shown");
  none(browse.unknown_shown, "unknown items were shown");
  if (!(utility.share >= kShareAccepted)) {
    out.push_back(fmt::format("share of the oracle's advantage is {:.3f}, at least {} is accepted", utility.share,
                              kShareAccepted));
  }
  if (!(utility.low > 0)) {
    out.push_back(fmt::format("the share's interval begins at {:.3f}, above 0 is accepted", utility.low));
  }
  if (!(browse.adapted.moved >= kAdaptedAccepted) || browse.adapted.probes < kProbesAccepted) {
    out.push_back(fmt::format("{:.3f} of {} probed users saw their page move, at least {} of {} is accepted",
                              browse.adapted.moved, browse.adapted.probes, kAdaptedAccepted, kProbesAccepted));
  }
  return out;
}

std::string ReportJson(const JudgedReport& report) {
  const BrowseReport& browse = report.browse;
  const ShareOfOracle& utility = browse.utility;
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject();
  json.Key("family").String(report.family);
  json.Key("seed").Uint(report.seed);
  json.Key("events_acknowledged").Uint(report.events_acknowledged);
  json.Key("events_in_log").Uint(report.events_in_log);
  json.Key("requests").Uint(browse.requests);
  json.Key("failed_requests").Uint(browse.failed_requests);
  json.Key("p50_ms").Double(browse.p50_ms);
  json.Key("p99_ms").Double(browse.p99_ms);
  json.Key("duplicates").Uint(browse.duplicates);
  json.Key("hidden_shown").Uint(browse.hidden_shown);
  json.Key("unknown_shown").Uint(browse.unknown_shown);
  json.Key("items_added").Uint(browse.items_added);
  json.Key("items_withdrawn").Uint(browse.items_withdrawn);
  json.Key("sessions").Uint(browse.sessions);
  json.Key("sessions_personal").Uint(utility.sessions[kPersonal]);
  json.Key("users_personal").Uint(utility.users[kPersonal]);
  json.Key("utility_per_session").Double(utility.utility[kPersonal]);
  json.Key("utility_popularity").Double(utility.utility[kPopularity]);
  json.Key("utility_random").Double(utility.utility[kRandom]);
  json.Key("utility_oracle").Double(utility.utility[kOracle]);
  json.Key("share_of_oracle").Double(utility.share);
  json.Key("share_low").Double(utility.low);
  json.Key("share_high").Double(utility.high);
  json.Key("adapted").Double(browse.adapted.moved);
  json.Key("adapted_probes").Uint(browse.adapted.probes);
  json.Key("adapted_shift").Double(browse.adapted.shift);
  json.Key("adapted_discovery").Double(browse.adapted_discovery.moved);
  json.Key("adapted_discovery_probes").Uint(browse.adapted_discovery.probes);
  json.Key("shortfalls").BeginArray();
  for (const std::string& shortfall : Shortfalls(report)) json.String(shortfall);
  json.EndArray();
  json.EndObject();
  return out;
}

std::string ReportTable(const JudgedReport& report) {
  const BrowseReport& browse = report.browse;
  const ShareOfOracle& utility = browse.utility;
  std::string out = fmt::format("{} sessions in a {} world: {} requests, p50 {:.2f} ms, p99 {:.2f} ms\n",
                                browse.sessions, report.family, browse.requests, browse.p50_ms, browse.p99_ms);
  const auto row = [&](std::string_view name, uint32_t policy) {
    out += fmt::format("  {:<12}{:>8.3f} utility a session{:>8} sessions{:>7} users\n", name, utility.utility[policy],
                       utility.sessions[policy], utility.users[policy]);
  };
  row("oracle", kOracle);
  row("personal", kPersonal);
  row("popularity", kPopularity);
  row("random", kRandom);
  out += fmt::format("  share of the oracle's advantage {:.3f} (95%: {:.3f} to {:.3f})\n", utility.share, utility.low,
                     utility.high);
  out += fmt::format("  {:.1f}% of {} users saw their page move after one save from their feed\n",
                     100 * browse.adapted.moved, browse.adapted.probes);
  out += fmt::format("  {:.1f}% of {} users after one save from the whole catalog\n",
                     100 * browse.adapted_discovery.moved, browse.adapted_discovery.probes);
  out += fmt::format("  events: {} acknowledged, {} in the log; {} duplicates, {} hidden or withdrawn items shown\n",
                     report.events_acknowledged, report.events_in_log, browse.duplicates, browse.hidden_shown);
  return out;
}

}  // namespace bowerbird::sim
