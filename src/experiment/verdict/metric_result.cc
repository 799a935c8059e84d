#include "experiment/verdict/metric_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/status_macros.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/multiple_testing.h"
#include "experiment/stats/posterior.h"
#include "experiment/stats/power.h"
#include "experiment/stats/sequential.h"
#include "experiment/verdict/arm_values.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using config::Metric;
using metrics::ArmCell;
using metrics::Statistics;
using stats::Estimate;
using Kind = Metric::Kind;

constexpr double kDayUs = 86'400e6;

const char* RoleName(v1::ExperimentMetric::Role role) {
  return role == v1::ExperimentMetric::PRIMARY     ? "primary"
         : role == v1::ExperimentMetric::SECONDARY ? "secondary"
                                                   : "guardrail";
}

absl::Status CheckUnits(const MetricQuestion& question, const Statistics& statistics, const ArmValues& values) {
  for (const size_t arm : {size_t{0}, question.arm}) {
    const std::string& name = question.experiment->arms(static_cast<int>(arm)).name();
    if (values.units[arm] < kUnitsMin) {
      return absl::FailedPreconditionError(
          fmt::format("{} has {} units, fewer than {}", name, values.units[arm], kUnitsMin));
    }
    if (question.metric->kind != Kind::kProportion && question.metric->kind != Kind::kRetention) continue;
    const double done = statistics.Arm(arm).metrics[question.index].total;
    const double not_done = static_cast<double>(values.units[arm]) - done;
    if (std::min(done, not_done) < kSuccessesMin) {
      return absl::FailedPreconditionError(
          fmt::format("in {} it is {:.0f} of {} units: too near to all or none", name, done, values.units[arm]));
    }
  }
  return absl::OkStatus();
}

void SetRange(const stats::Interval& interval, v1::ResultRange* range) {
  range->set_low(interval.low);
  range->set_high(interval.high);
}

/// Relative, where the control is above 0 and far enough away from it.
absl::Status SetLift(const Estimate& control, const Estimate& treatment, double observations, v1::ResultEffect* out) {
  if (control.value <= 0) return absl::FailedPreconditionError("the control is not above 0");
  ASSIGN_OR_RETURN(const stats::Interval fieller, stats::FiellerLift(control, treatment, kAlpha));
  ASSIGN_OR_RETURN(const Estimate lift, stats::LiftOf(control, treatment));
  RETURN_IF_ERROR(SetEffect(lift, observations, kObservationsTarget, out));
  SetRange(fieller, out->mutable_fixed_horizon());
  return absl::OkStatus();
}

/// What so many units find, and when enough are there.
void SetPower(const MetricQuestion& question, const Statistics& statistics, const ArmValues& values,
              v1::MetricResult* out) {
  const Estimate& control = values.arms[0];
  const stats::ArmSizes sizes{values.units[0], values.units[question.arm]};
  const double deviation = std::sqrt(control.variance * static_cast<double>(sizes.control));
  out->set_days_unknown(true);
  if (!(deviation > 0) || !(std::abs(control.value) > 0)) return;
  const auto detectable = stats::DetectableMean(deviation, sizes, {});
  if (detectable.ok()) out->set_detectable(*detectable / std::abs(control.value));
  stats::PowerPlan plan;
  const auto all = static_cast<double>(sizes.control + sizes.treatment);
  plan.treatment_share = static_cast<double>(sizes.treatment) / all;
  const auto wanted = stats::SizesForMeans(deviation, question.metric->effect_min * std::abs(control.value), plan);
  if (!wanted.ok()) return;
  const double missing = static_cast<double>(wanted->control + wanted->treatment) - all;
  const double days = static_cast<double>(statistics.end_us - statistics.begin_us) / kDayUs;
  if (missing > 0 && !(days > 0)) return;
  out->set_days_unknown(false);
  if (missing > 0) out->set_days_to_go(static_cast<uint64_t>(std::ceil(missing / (all / days))));
}

absl::Status Fill(const MetricQuestion& question, const Statistics& statistics, v1::MetricResult* out) {
  ASSIGN_OR_RETURN(const ArmValues values, ValuesOf(statistics, *question.metric, question.index));
  out->set_units(values.units[0] + values.units[question.arm]);
  RETURN_IF_ERROR(CheckUnits(question, statistics, values));
  const Estimate &control = values.arms[0], &treatment = values.arms[question.arm];
  out->set_control(control.value);
  out->set_treatment(treatment.value);
  out->set_variance_reduction(values.variance_reduction);
  ASSIGN_OR_RETURN(const Estimate difference, stats::DifferenceOf(control, treatment));
  const double observations = stats::BalancedObservations(values.units[0], values.units[question.arm]);
  RETURN_IF_ERROR(SetEffect(difference, observations, kObservationsTarget, out->mutable_effect()));
  if (!SetLift(control, treatment, observations, out->mutable_lift()).ok()) out->clear_lift();
  ASSIGN_OR_RETURN(const stats::Posterior posterior, stats::PosteriorOf(difference, {}, kAlpha));
  out->set_probability_better(question.metric->up_is_better ? posterior.probability_above_0
                                                            : 1 - posterior.probability_above_0);
  SetPower(question, statistics, values, out);
  return absl::OkStatus();
}

bool LiesInside(const v1::ResultRange& range, double reach) { return range.low() > -reach && range.high() < reach; }

const char* GuardrailFinding(const v1::MetricResult& result, double harm_max) {
  const bool up = result.better() == "up";
  const bool relative = result.has_lift();
  if (!relative && harm_max > 0) return "open";
  const v1::ResultRange& range = relative ? result.lift().always_valid() : result.effect().always_valid();
  // How much worse it is, at least and at most.
  const double least = up ? -range.high() : range.low(), most = up ? -range.low() : range.high();
  if (least > harm_max) return "harmed";
  return most <= harm_max ? "safe" : "open";
}

const char* FindingOf(const v1::MetricResult& result, const Metric& metric) {
  const v1::ResultRange& range = result.effect().always_valid();
  const bool apart = range.low() > 0 || range.high() < 0;
  if (apart && result.p_adjusted() <= kAlpha) return (range.low() > 0) == metric.up_is_better ? "better" : "worse";
  return result.has_lift() && LiesInside(result.lift().always_valid(), metric.effect_min) ? "same" : "open";
}

}  // namespace

absl::Status SetEffect(const Estimate& effect, double observations, double observations_target, v1::ResultEffect* out) {
  ASSIGN_OR_RETURN(const stats::Comparison fixed, stats::TestAgainstZero(effect, kAlpha));
  ASSIGN_OR_RETURN(const stats::Comparison any_time,
                   stats::LookAt(effect, observations, {kAlpha, observations_target}));
  out->set_value(effect.value);
  SetRange(fixed.interval, out->mutable_fixed_horizon());
  out->set_fixed_horizon_p(fixed.p_value);
  SetRange(any_time.interval, out->mutable_always_valid());
  out->set_always_valid_p(any_time.p_value);
  return absl::OkStatus();
}

v1::MetricResult NamedResult(const MetricQuestion& question) {
  v1::MetricResult out;
  const v1::ExperimentMetric& asked = question.experiment->metrics(static_cast<int>(question.index));
  out.set_metric(question.metric->name);
  out.set_kind(std::string(config::MetricKindName(question.metric->kind)));
  out.set_role(RoleName(asked.role()));
  out.set_arm(question.experiment->arms(static_cast<int>(question.arm)).name());
  out.set_better(question.metric->up_is_better ? "up" : "down");
  out.set_p_adjusted(1);
  out.set_novelty_p(1);
  out.set_weekday_p(1);
  out.set_segments_p(1);
  return out;
}

v1::MetricResult ResultOf(const MetricQuestion& question, const Statistics& statistics) {
  v1::MetricResult out = NamedResult(question);
  for (const size_t arm : {size_t{0}, question.arm}) {
    const ArmCell cell = statistics.Arm(arm);
    if (cell.metrics.size() > question.index) out.set_cut_units(out.cut_units() + cell.metrics[question.index].cut);
  }
  if (const absl::Status status = Fill(question, statistics, &out); !status.ok()) {
    out.set_problem(std::string(status.message()));
    out.clear_effect();
    out.clear_lift();
    out.set_days_unknown(true);
  }
  return out;
}

void AddFindings(const v1::Experiment& experiment, const std::vector<Metric>& metrics, v1::ExperimentResults* results) {
  for (const char* role : {"primary", "secondary"}) {
    std::vector<v1::MetricResult*> family;
    std::vector<double> p_values;
    for (v1::MetricResult& result : *results->mutable_metrics()) {
      if (result.role() != role || !result.problem().empty()) continue;
      family.push_back(&result);
      p_values.push_back(result.effect().always_valid_p());
    }
    const auto adjusted = stats::HolmAdjusted(p_values);
    for (size_t i = 0; i < family.size() && adjusted.ok(); ++i) family[i]->set_p_adjusted((*adjusted)[i]);
  }
  for (v1::MetricResult& result : *results->mutable_metrics()) {
    if (!result.problem().empty()) {
      result.set_finding("open");
      continue;
    }
    for (int i = 0; i < experiment.metrics_size(); ++i) {
      if (experiment.metrics(i).name() != result.metric()) continue;
      if (result.role() == "guardrail") {
        result.set_p_adjusted(result.effect().always_valid_p());
        result.set_finding(GuardrailFinding(result, experiment.metrics(i).harm_max()));
      } else {
        result.set_finding(FindingOf(result, metrics[static_cast<size_t>(i)]));
      }
    }
  }
}

}  // namespace bowerbird::experiment::verdict
