#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "app/check_skew.h"
#include "app/signals_report.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "state/adopt_signals.h"
#include "state/state_store.h"

namespace bowerbird::cli {
namespace {

constexpr int64_t kDayUs = int64_t{86'400} * 1'000'000;

struct Line {
  std::string name, kind, per, id, meaning, owner, description;
  uint64_t users = 0, items = 0, bytes = 0;
  int64_t newest_us = 0;
  double null_rate = 0;

  uint64_t holders() const { return per == "item" ? items : users; }
};
struct List {
  std::vector<Line> signals;
  uint64_t users = 0, items = 0;
  double sampled_share = 1, item_sampled_share = 1;
  int64_t lag_us = 0;
};

absl::StatusOr<List> Fetch(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(folder.dir, folder.app));
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", "/v1/signals", ""));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  simdjson::dom::array signals;
  List list;
  const auto refused = absl::InternalError("the answer is no list of signals");
  if (parser.parse(answer).get(document) || document["signals"].get(signals) || document["users"].get(list.users) ||
      document["sampled_share"].get(list.sampled_share) || document["lag_us"].get(list.lag_us) ||
      document["items"].get(list.items) || document["item_sampled_share"].get(list.item_sampled_share)) {
    return refused;
  }
  for (const simdjson::dom::element signal : signals) {
    Line line;
    using Text = std::pair<const char*, std::string*>;
    for (const auto& [key, text] :
         {Text{"name", &line.name}, Text{"kind", &line.kind}, Text{"per", &line.per}, Text{"id", &line.id},
          Text{"meaning", &line.meaning}, Text{"owner", &line.owner}, Text{"description", &line.description}}) {
      std::string_view value;
      if (signal[key].get(value)) return refused;
      *text = value;
    }
    if (signal["users"].get(line.users) || signal["bytes"].get(line.bytes) || signal["newest_us"].get(line.newest_us) ||
        signal["null_rate"].get(line.null_rate) || signal["items"].get(line.items)) {
      return refused;
    }
    list.signals.push_back(std::move(line));
  }
  return list;
}

std::string Newest(int64_t newest_us) { return newest_us == 0 ? "-" : base::FormatTimeUs(newest_us); }

std::string Estimated(double share) {
  return share < 1 ? fmt::format(" (estimated from {:.2g}% of them)", 100 * share) : std::string();
}

void PrintTotals(const List& list) {
  std::printf("%s users%s, %s items with a signal%s; the oldest event that is not folded is %.1f s old\n",
              Thousands(list.users).c_str(), Estimated(list.sampled_share).c_str(), Thousands(list.items).c_str(),
              Estimated(list.item_sampled_share).c_str(), static_cast<double>(list.lag_us) * 1e-6);
}

/// Of users: there is no telling of how many items something could have been counted.
std::string NullRate(const Line& line) {
  return line.per == "item" ? "-" : fmt::format("{:.1f}%", 100 * line.null_rate);
}

}  // namespace

absl::Status SignalsList(const SignalsOptions& options) {
  ASSIGN_OR_RETURN(const List list, Fetch(options.folder));
  std::printf("%-24s %-12s %-4s %12s %9s %14s %-20s %s\n", "signal", "kind", "per", "have it", "null rate", "bytes",
              "newest event", "owner");
  for (const Line& line : list.signals) {
    std::printf("%-24s %-12s %-4s %12s %9s %14s %-20s %s\n", line.name.c_str(), line.kind.c_str(), line.per.c_str(),
                Thousands(line.holders()).c_str(), NullRate(line).c_str(), Thousands(line.bytes).c_str(),
                Newest(line.newest_us).c_str(), line.owner.empty() ? "-" : line.owner.c_str());
  }
  PrintTotals(list);
  return absl::OkStatus();
}

absl::Status SignalsShow(const SignalsOptions& options) {
  ASSIGN_OR_RETURN(const List list, Fetch(options.folder));
  for (const Line& line : list.signals) {
    if (line.name != options.name) continue;
    std::printf("%s: %s\n", line.name.c_str(), line.description.empty() ? "no description" : line.description.c_str());
    std::printf("owner         %s\n", line.owner.empty() ? "-" : line.owner.c_str());
    std::printf("definition    %s\n", line.meaning.c_str());
    std::printf("fingerprint   %s\n", line.id.c_str());
    std::printf("per           %s\n", line.per.c_str());
    if (line.per == "item") {
      std::printf("items         %s\n", Thousands(line.items).c_str());
    } else {
      std::printf("users         %s, null rate %s\n", Thousands(line.users).c_str(), NullRate(line).c_str());
    }
    std::printf("storage       %s bytes before compression, %s of each %s with a value\n",
                Thousands(line.bytes).c_str(),
                line.holders() == 0 ? "-" : Thousands(line.bytes / line.holders()).c_str(), line.per.c_str());
    std::printf("newest event  %s\n", Newest(line.newest_us).c_str());
    PrintTotals(list);
    return absl::OkStatus();
  }
  return absl::NotFoundError(fmt::format("signal: found \"{}\"; expected one that `signals list` names", options.name));
}

absl::Status SignalsBackfill(const SignalsOptions& options) {
  const auto open = [&] { return OpenExclusively(options.folder.dir, options.folder.app, false); };
  ASSIGN_OR_RETURN(auto app, open());
  const signal::Definition* definition = app->state().signals()->Find(options.name);
  if (definition == nullptr) definition = app->state().item_signals()->Find(options.name);
  if (definition == nullptr) {
    return absl::NotFoundError(
        fmt::format("signal: found \"{}\"; expected one that the config declares", options.name));
  }
  const uint64_t id = definition->id();
  RETURN_IF_ERROR(app->CloseState());
  RETURN_IF_ERROR(state::ForgetSignal(
      state::RocksStateStores(), app::App::Folder(options.folder.dir, options.folder.app) + "/state/events",
      *app->config(), app->config()->partitions, id, app->node().Owned(app->config()->partitions)));
  app = nullptr;
  const int64_t began_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(app, open());
  const double seconds = static_cast<double>(base::MonotonicUs() - began_us) * 1e-6;
  ASSIGN_OR_RETURN(const v1::ListSignalsResponse report, app::ReportSignals(*app));
  for (const v1::SignalInfo& info : report.signals()) {
    if (info.name() != options.name) continue;
    const bool per_item = info.per() == "item";
    std::printf("%s: %s %s from the log in %.1f s\n", info.name().c_str(),
                Thousands(per_item ? info.items() : info.users()).c_str(), per_item ? "items" : "users", seconds);
  }
  return absl::OkStatus();
}

absl::Status CheckSkew(const CheckSkewOptions& options) {
  const absl::StatusOr<int64_t> day_us = base::ParseTimeUs(options.day);
  if (!day_us.ok() || *day_us % kDayUs != 0) {
    return absl::InvalidArgumentError(
        fmt::format("--day: found \"{}\"; expected a day such as 2026-11-27", options.day));
  }
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(options.folder.dir, options.folder.app, false));
  const std::string scratch = app::App::Folder(options.folder.dir, options.folder.app) + "/state/skew";
  ASSIGN_OR_RETURN(const app::SkewReport report,
                   app::CheckSkew(*app, *day_us, *day_us + kDayUs, scratch,
                                  [](const std::string& difference) { std::printf("%s\n", difference.c_str()); }));
  std::printf(
      "%s served requests of %s, %s events folded again: %s values of signals compared, %s of them counted "
      "something: %s differences\n",
      Thousands(report.requests).c_str(), options.day.c_str(), Thousands(report.events).c_str(),
      Thousands(report.compared).c_str(), Thousands(report.counted).c_str(), Thousands(report.differences).c_str());
  if (report.items > 0) {
    std::printf("%s shown items: %s values of signals per item compared by item table, %s of them counted something\n",
                Thousands(report.items).c_str(), Thousands(report.item_values).c_str(),
                Thousands(report.item_values_counted).c_str());
  }
  if (report.tables.compared + report.tables.gone > 0) {
    std::printf("%s values of other teams' tables compared: %s differences; of %s more the version is no longer kept\n",
                Thousands(report.tables.compared).c_str(), Thousands(report.tables.differences).c_str(),
                Thousands(report.tables.gone).c_str());
  }
  if (report.not_served > 0) {
    std::printf("%s values are of signals that were not declared yet when the request was served\n",
                Thousands(report.not_served).c_str());
  }
  return report.differences == 0 ? absl::OkStatus()
                                 : absl::DataLossError("what was served is not what the log and this config say");
}

}  // namespace bowerbird::cli
