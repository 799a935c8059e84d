#include "app/signals_report.h"

#include <fmt/format.h>

#include <cmath>

#include "base/status_macros.h"
#include "signal/definition.h"

namespace bowerbird::app {

namespace {

uint64_t OfAll(uint64_t of_sample, double share) {
  return static_cast<uint64_t>(std::llround(static_cast<double>(of_sample) / share));
}

v1::SignalInfo* AddInfo(const signal::Definition& definition, const state::SignalStatistics::One& one, double share,
                        v1::ListSignalsResponse* report) {
  const config::Signal& declared = definition.signal();
  v1::SignalInfo* info = report->add_signals();
  info->set_name(declared.name);
  info->set_kind(declared.kind);
  info->set_id(fmt::format("{:016x}", definition.id()));
  info->set_meaning(definition.meaning());
  info->set_owner(declared.owner);
  info->set_description(declared.description);
  info->set_per(declared.per_item ? "item" : "user");
  info->set_bytes(OfAll(one.bytes, share));
  info->set_newest_us(one.newest_us);
  return info;
}

}  // namespace

absl::StatusOr<v1::ListSignalsResponse> ReportSignals(App& app, uint64_t count_max) {
  ASSIGN_OR_RETURN(const state::SignalStatistics statistics, app.state().CollectSignals(count_max));
  const std::shared_ptr<const signal::Set> signals = app.state().signals(), item_signals = app.state().item_signals();
  v1::ListSignalsResponse report;
  report.set_users(OfAll(statistics.users, statistics.share));
  report.set_sampled_share(statistics.share);
  report.set_items(OfAll(statistics.items, statistics.item_share));
  report.set_item_sampled_share(statistics.item_share);
  report.set_lag_us(app.state().counters().lag_us);
  for (size_t slot = 0; slot < signals->size(); ++slot) {
    const state::SignalStatistics::One& one = statistics.signals[slot];
    v1::SignalInfo* info = AddInfo((*signals)[slot], one, statistics.share, &report);
    info->set_users(OfAll(one.holders, statistics.share));
    const double users = static_cast<double>(statistics.users);
    info->set_null_rate(statistics.users == 0 ? 1.0 : 1.0 - static_cast<double>(one.holders) / users);
  }
  for (size_t slot = 0; slot < item_signals->size(); ++slot) {
    const state::SignalStatistics::One& one = statistics.item_signals[slot];
    v1::SignalInfo* info = AddInfo((*item_signals)[slot], one, statistics.item_share, &report);
    info->set_items(OfAll(one.holders, statistics.item_share));
  }
  return report;
}

}  // namespace bowerbird::app
