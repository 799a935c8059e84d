#include "app/signals_report.h"

#include <fmt/format.h>

#include <cmath>

#include "base/status_macros.h"
#include "signal/definition.h"

namespace bowerbird::app {

absl::StatusOr<v1::ListSignalsResponse> ReportSignals(App& app, uint64_t users_max) {
  ASSIGN_OR_RETURN(const state::SignalStatistics statistics, app.state().CollectSignals(users_max));
  const std::shared_ptr<const signal::Set> signals = app.state().signals();
  const auto of_all = [&](uint64_t of_sample) {
    return static_cast<uint64_t>(std::llround(static_cast<double>(of_sample) / statistics.share));
  };
  v1::ListSignalsResponse report;
  report.set_users(of_all(statistics.users));
  report.set_sampled_share(statistics.share);
  report.set_lag_us(app.state().counters().lag_us);
  for (size_t slot = 0; slot < signals->size(); ++slot) {
    const config::Signal& declared = (*signals)[slot].signal();
    const state::SignalStatistics::One& one = statistics.signals[slot];
    v1::SignalInfo* info = report.add_signals();
    info->set_name(declared.name);
    info->set_kind(declared.kind);
    info->set_id(fmt::format("{:016x}", (*signals)[slot].id()));
    info->set_meaning((*signals)[slot].meaning());
    info->set_owner(declared.owner);
    info->set_description(declared.description);
    info->set_users(of_all(one.users));
    const double users = static_cast<double>(statistics.users);
    info->set_null_rate(statistics.users == 0 ? 1.0 : 1.0 - static_cast<double>(one.users) / users);
    info->set_bytes(of_all(one.bytes));
    info->set_newest_us(one.newest_us);
  }
  return report;
}

}  // namespace bowerbird::app
