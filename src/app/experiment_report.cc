#include "app/experiment_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "base/status_macros.h"
#include "config/metrics.h"
#include "experiment/assignment/check.h"
#include "experiment/metrics/interleaved.h"
#include "experiment/metrics/measure.h"
#include "experiment/verdict/power.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::app {
namespace {

namespace metrics = experiment::metrics;

constexpr int64_t kDayUs = 86'400'000'000;

metrics::MeasureOptions OptionsOf(App& app, const ExperimentView& view) {
  metrics::MeasureOptions options;
  const std::shared_ptr<const config::Config> config = app.config();
  options.limits.threads = config->lake.sql_threads;
  options.limits.memory_bytes = std::max(options.limits.memory_bytes, config->lake.sql_memory_bytes);
  options.cancelled = view.cancelled;
  if (view.on_spark) options.engine = lake::Engine::kSpark;
  if (const char* program = std::getenv("BOWERBIRD_SPARK"); program != nullptr) options.spark_program = program;
  return options;
}

}  // namespace

absl::StatusOr<std::vector<config::Metric>> DeclaredMetrics(App& app) {
  ASSIGN_OR_RETURN(const std::string text, app.ConfigText());
  return config::ParseMetrics(text, "bowerbird.toml");
}

absl::StatusOr<v1::ExperimentResults> ReportExperiment(App& app, const v1::Experiment& experiment,
                                                       const ExperimentView& view) {
  ASSIGN_OR_RETURN(const std::vector<config::Metric> declared, DeclaredMetrics(app));
  metrics::StatisticsQuestion question;
  ASSIGN_OR_RETURN(question.metrics, metrics::MetricsOf(experiment, declared));
  const std::shared_ptr<const config::Config> config = app.config();
  question.experiment = &experiment;
  question.config = config.get();
  question.end_us = experiment.stopped_us() > 0 ? experiment.stopped_us() : app.clock().NowUs();
  question.segment = view.segment;
  question.others = view.others;
  if (experiment::assignment::IsInterleaved(experiment)) {
    ASSIGN_OR_RETURN(const metrics::InterleavedStatistics statistics,
                     metrics::MeasureInterleaved(&app.lake(), question, OptionsOf(app, view)));
    return experiment::verdict::JudgeInterleaved(experiment, question.metrics, statistics);
  }
  ASSIGN_OR_RETURN(const metrics::Statistics statistics, metrics::Measure(&app.lake(), question, OptionsOf(app, view)));
  return experiment::verdict::Judge(experiment, question.metrics, statistics);
}

absl::StatusOr<std::optional<std::string>> JudgeGuardrails(App& app, const v1::Experiment& experiment) {
  const bool guarded = std::ranges::any_of(experiment.metrics(), [](const v1::ExperimentMetric& metric) {
    return metric.role() == v1::ExperimentMetric::GUARDRAIL;
  });
  if (!guarded) return std::nullopt;
  ASSIGN_OR_RETURN(const v1::ExperimentResults results, ReportExperiment(app, experiment, {}));
  return experiment::verdict::GuardrailHarm(results);
}

absl::StatusOr<v1::ExperimentPower> ReportPower(App& app, std::string_view metric, double effect, uint32_t days) {
  ASSIGN_OR_RETURN(const std::vector<config::Metric> declared, DeclaredMetrics(app));
  const auto found = std::ranges::find(declared, metric, &config::Metric::name);
  if (found == declared.end()) {
    std::vector<std::string> names;
    names.reserve(declared.size());
    for (const config::Metric& one : declared) names.push_back(one.name);
    return absl::NotFoundError(
        fmt::format("metric: found '{}'; expected one of the config: {}", metric, fmt::join(names, ", ")));
  }
  if (days == 0) days = kPowerDaysDefault;
  if (days > kPowerDaysMax)
    return absl::InvalidArgumentError(fmt::format("days: found {}; expected 1 to {}", days, kPowerDaysMax));
  const std::shared_ptr<const config::Config> config = app.config();
  v1::Experiment everybody;
  everybody.set_id("power");
  for (const char* arm : {"all", "none"}) everybody.add_arms()->set_name(arm);
  metrics::StatisticsQuestion question;
  question.end_us = app.clock().NowUs();
  everybody.set_started_us(question.end_us - days * kDayUs);
  question.experiment = &everybody;
  question.config = config.get();
  question.metrics = {*found};
  question.of_history = true;
  ASSIGN_OR_RETURN(const metrics::Statistics history, metrics::Measure(&app.lake(), question, OptionsOf(app, {})));
  return experiment::verdict::PowerOf(*found, history, days, effect == 0 ? found->effect_min : effect);
}

}  // namespace bowerbird::app
