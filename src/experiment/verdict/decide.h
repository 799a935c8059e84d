#pragma once

#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "config/metrics.h"

namespace bowerbird::experiment::verdict {

/// Sets decision, arm and sentence from what stands in the results: units, metrics with their findings, and health.
///
/// The sentence says what is known and no more: "better" only where the always-valid interval leaves 0 out, the p-value
/// holds for all primary metrics and arms together, no guardrail is harmed, and nothing is broken; a guardrail that is
/// open, and a warning that bears on the decision, are said in the same breath.
void Decide(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
            v1::ExperimentResults* results);

}  // namespace bowerbird::experiment::verdict
