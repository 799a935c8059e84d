#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "config/metrics.h"

namespace bowerbird::app {

/// The metrics of the config in force.
absl::StatusOr<std::vector<config::Metric>> DeclaredMetrics(App& app);

struct ExperimentView {
  std::string segment;              ///< "surface", a user attribute, or none
  std::vector<std::string> others;  ///< experiments whose arms are crossed with this one's
  bool on_spark = false;            ///< by the program that BOWERBIRD_SPARK names, or spark-submit
  std::function<bool()> cancelled;  ///< may be empty
};

/// What an experiment comes to by what the lake holds now, until it was stopped.
///
/// Cost    a query over the lake: seconds for millions of users. Not where others are answered.
/// Errors  those of metrics::Measure; InvalidArgument: a metric that the config has not.
absl::StatusOr<v1::ExperimentResults> ReportExperiment(App& app, const v1::Experiment& experiment,
                                                       const ExperimentView& view);

/// Why a running experiment has to stop by itself: a guardrail is harmed. Whoever keeps the experiments asks it of each
/// running one with a guardrail every so often, and stops it with the answer as its reason. Without guardrails nothing
/// is read. The same errors.
absl::StatusOr<std::optional<std::string>> JudgeGuardrails(App& app, const v1::Experiment& experiment);

inline constexpr uint32_t kPowerDaysDefault = 14, kPowerDaysMax = 365;

/// What an experiment by a metric of the config could tell, by what the metric was in the last days. `effect` is
/// relative; 0: the metric's own minimum. NotFound: no such metric; those of verdict::PowerOf and metrics::Measure.
absl::StatusOr<v1::ExperimentPower> ReportPower(App& app, std::string_view metric, double effect, uint32_t days);

}  // namespace bowerbird::app
