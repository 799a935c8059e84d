#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.h"
#include "experiment/verdict/report.h"

namespace bowerbird::experiment::verdict {
namespace {

std::string Percent(double share) { return fmt::format("{:+.2f}%", 100 * share); }

/// "+3.10% (+1.20% to +5.00%)"; absolute where there is no relative effect.
std::string Text(const v1::MetricResult& metric) {
  if (metric.has_lift()) {
    const v1::ResultEffect& lift = metric.lift();
    return fmt::format("{} ({} to {})", Percent(lift.value()), Percent(lift.always_valid().low()),
                       Percent(lift.always_valid().high()));
  }
  const v1::ResultEffect& effect = metric.effect();
  return fmt::format("{:+.4g} ({:+.4g} to {:+.4g})", effect.value(), effect.always_valid().low(),
                     effect.always_valid().high());
}

}  // namespace

std::string ToText(const v1::ExperimentResults& results) {
  std::string text = fmt::format("{}: {}\n{}\n\n", results.experiment(),
                                 v1::ExperimentResults::Decision_Name(results.decision()), results.sentence());
  text += fmt::format("from {} to {}\n", base::FormatTimeUs(results.begin_us()), base::FormatTimeUs(results.end_us()));
  for (const v1::ArmResult& arm : results.arms())
    text += fmt::format("  {:<20} {:>12} users {:>12} exposures\n", arm.arm(), arm.units(), arm.exposures());
  size_t width = 10;
  for (const v1::MetricResult& metric : results.metrics())
    width = std::max(width, metric.metric().size() + metric.arm().size() + 4);
  text += fmt::format("\n{:<{}}  {:<9}  {:>12}  {:>12}  {:<34}  {:>6}  {:>6}  {}\n", "metric", width, "role", "control",
                      "arm", "effect (at any time, 95%)", "better", "CUPED", "finding");
  for (const v1::MetricResult& metric : results.metrics()) {
    const std::string name = fmt::format("{} of {}", metric.metric(), metric.arm());
    if (!metric.problem().empty()) {
      text += fmt::format("{:<{}}  {:<9}  {}\n", name, width, metric.role(), metric.problem());
      continue;
    }
    text += fmt::format("{:<{}}  {:<9}  {:>12.6g}  {:>12.6g}  {:<34}  {:>5.1f}%  {:>5.1f}%  {}\n", name, width,
                        metric.role(), metric.control(), metric.treatment(), Text(metric),
                        100 * metric.probability_better(), 100 * metric.variance_reduction(), metric.finding());
    if (metric.has_interleaved()) {
      const v1::InterleavedPreference& chosen = metric.interleaved();
      text += fmt::format("  {:<{}}  more from {}: {} users, from the control: {}, alike: {} (sign test p = {:.2g})\n",
                          "", width, metric.arm(), chosen.users_for(), chosen.users_against(), chosen.users_alike(),
                          chosen.sign_p());
    }
    for (const v1::SegmentResult& segment : metric.segments()) {
      text += fmt::format("  {:<{}}  {} users: {:+.4g} ({:+.4g} to {:+.4g})\n",
                          segment.segment().empty() ? "(none)" : segment.segment(), width, segment.units(),
                          segment.effect(), segment.fixed_horizon().low(), segment.fixed_horizon().high());
    }
  }
  text += "\n";
  for (const v1::HealthCheck& check : results.health()) {
    const char* level = check.level() == v1::HealthCheck::OK        ? "ok"
                        : check.level() == v1::HealthCheck::WARNING ? "warning"
                                                                    : "BROKEN";
    text += fmt::format("{:<8} {}: {}\n", level, check.check(), check.text());
  }
  return text;
}

}  // namespace bowerbird::experiment::verdict
