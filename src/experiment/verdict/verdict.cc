#include "experiment/verdict/verdict.h"

#include <algorithm>

#include "experiment/verdict/decide.h"
#include "experiment/verdict/health.h"
#include "experiment/verdict/metric_result.h"

namespace bowerbird::experiment::verdict {
namespace {

/// As many as there are metrics: it has none.
size_t FirstPrimary(const v1::Experiment& experiment) {
  size_t index = 0;
  for (const v1::ExperimentMetric& metric : experiment.metrics()) {
    if (metric.role() == v1::ExperimentMetric::PRIMARY) break;
    ++index;
  }
  return index;
}

}  // namespace

v1::ExperimentResults Judge(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
                            const metrics::Statistics& statistics) {
  v1::ExperimentResults results;
  results.set_experiment(experiment.id());
  results.set_begin_us(statistics.begin_us);
  results.set_end_us(statistics.end_us);
  double weights = 0;
  for (const v1::ExperimentArm& arm : experiment.arms()) weights += arm.weight();
  for (size_t arm = 0; arm < statistics.arms; ++arm) {
    const v1::ExperimentArm& declared = experiment.arms(static_cast<int>(arm));
    const metrics::ArmCell cell = statistics.Arm(arm);
    v1::ArmResult* one = results.add_arms();
    one->set_arm(declared.name());
    one->set_units(cell.units);
    one->set_exposures(cell.exposures);
    one->set_share_expected(declared.weight() / weights);
  }
  for (size_t index = 0; index < metrics.size(); ++index) {
    for (size_t arm = 1; arm < statistics.arms; ++arm) {
      const MetricQuestion question{&experiment, &metrics[index], index, arm};
      v1::MetricResult result = ResultOf(question, statistics);
      if (result.problem().empty()) {
        if (result.role() == "primary") AddDays(question, statistics, &result);
        AddSegments(question, statistics, &result);
      }
      *results.add_metrics() = std::move(result);
    }
  }
  const size_t primary = FirstPrimary(experiment);
  if (primary < metrics.size()) AddInteractions(experiment, metrics[primary], primary, statistics, &results);
  AddFindings(experiment, metrics, &results);
  AddHealth(experiment, metrics, statistics, &results);
  Decide(experiment, metrics, &results);
  return results;
}

std::optional<std::string> GuardrailHarm(const v1::ExperimentResults& results) {
  if (results.decision() != v1::ExperimentResults::HARM) return std::nullopt;
  return results.sentence();
}

}  // namespace bowerbird::experiment::verdict
