#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time_text.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/heterogeneity.h"
#include "experiment/stats/interaction.h"
#include "experiment/stats/multiple_testing.h"
#include "experiment/stats/novelty.h"
#include "experiment/verdict/arm_values.h"
#include "experiment/verdict/metric_result.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using metrics::Cell;
using metrics::Statistics;
using stats::Estimate;

constexpr size_t kSegmentsMax = 20;
constexpr size_t kDaysForTrend = 5, kDaysForWeekdays = 14;
constexpr int64_t kDayUs = 86'400'000'000;

/// Control and one arm of some cells, with the units of both.
struct Pair {
  Estimate control, treatment, difference;
  uint64_t units = 0;
};

absl::StatusOr<Pair> PairOf(const std::vector<Cell>& arms, const MetricQuestion& question, bool adjust) {
  if (arms.size() <= question.arm) return absl::FailedPreconditionError("an arm has no units");
  const auto values = ValuesOf({arms[0], arms[question.arm]}, *question.metric, question.index, adjust);
  if (!values.ok()) return values.status();
  if (std::min(values->units[0], values->units[1]) < kUnitsMin) return absl::FailedPreconditionError("too few units");
  const auto difference = stats::DifferenceOf(values->arms[0], values->arms[1]);
  if (!difference.ok()) return difference.status();
  if (!(difference->variance > 0)) return absl::FailedPreconditionError("nothing varies");
  return Pair{values->arms[0], values->arms[1], *difference, values->units[0] + values->units[1]};
}

int64_t DayNumber(const std::string& day) {
  const auto time_us = base::ParseTimeUs(day);
  return time_us.ok() ? *time_us / kDayUs : 0;
}

/// Of each weekday the mean of its days' effects.
std::vector<Estimate> WeekdaysOf(const std::vector<stats::DayEffect>& days) {
  std::map<int64_t, std::pair<double, double>> sums;
  for (const stats::DayEffect& day : days) {
    auto& [weighed, weights] = sums[static_cast<int64_t>(day.day) % 7];
    weighed += day.effect.value / day.effect.variance;
    weights += 1 / day.effect.variance;
  }
  std::vector<Estimate> weekdays;
  weekdays.reserve(sums.size());
  for (const auto& [weekday, sum] : sums) weekdays.push_back({sum.first / sum.second, 1 / sum.second});
  return weekdays;
}

}  // namespace

void AddDays(const MetricQuestion& question, const Statistics& statistics, v1::MetricResult* result) {
  using Kind = config::Metric::Kind;
  if (question.metric->kind == Kind::kQuantile || question.metric->kind == Kind::kRetention) return;
  std::vector<uint64_t> exposed(statistics.arms, 0);
  std::vector<stats::DayEffect> effects;
  const std::string last = base::FormatTimeUs(statistics.end_us).substr(0, 10);
  std::map<std::string, std::vector<Cell>> days = statistics.by_day;
  for (const auto& [day, entered] : statistics.entered) days[day];
  for (auto& [day, arms] : days) {
    arms.resize(statistics.arms);
    if (const auto entered = statistics.entered.find(day); entered != statistics.entered.end()) {
      for (size_t arm = 0; arm < exposed.size(); ++arm) exposed[arm] += entered->second[arm];
    }
    // Whoever is in, and did nothing on the day.
    for (size_t arm = 0; arm < arms.size(); ++arm) {
      arms[arm].metrics.resize(question.index + 1);
      metrics::JointMoments& moments = arms[arm].metrics[question.index].moments;
      moments.MergeZeros(exposed[arm] - std::min(exposed[arm], moments.count));
    }
    const auto pair = PairOf(arms, question, /*adjust=*/false);
    if (!pair.ok()) continue;
    v1::DayResult* one = result->add_days();
    one->set_day(day);
    one->set_units(pair->units);
    one->set_effect(pair->difference.value);
    one->set_standard_error(pair->difference.standard_error());
    // The day that is not over has another effect.
    if (day != last) effects.push_back({static_cast<double>(DayNumber(day)), pair->difference});
  }
  if (effects.size() >= kDaysForTrend) {
    if (const auto trend = stats::TrendOf(effects, kAlpha); trend.ok()) {
      result->set_novelty_p(trend->p_value);
      result->set_novelty_slope(trend->effect.value);
    }
  }
  if (effects.size() >= kDaysForWeekdays) {
    const auto weekdays = stats::CompareSegments(WeekdaysOf(effects));
    if (weekdays.ok()) result->set_weekday_p(weekdays->p_value);
  }
}

void AddSegments(const MetricQuestion& question, const Statistics& statistics, v1::MetricResult* result) {
  if (question.metric->kind == config::Metric::Kind::kQuantile) return;
  std::vector<std::pair<std::string, Pair>> segments;
  for (const auto& [name, arms] : statistics.by_segment) {
    const auto pair = PairOf(arms, question, question.metric->covariate_days > 0);
    if (pair.ok()) segments.emplace_back(name, *pair);
  }
  std::ranges::stable_sort(segments, std::greater<>(), [](const auto& one) { return one.second.units; });
  if (segments.size() > kSegmentsMax) segments.resize(kSegmentsMax);
  std::vector<Estimate> effects;
  for (const auto& [name, pair] : segments) {
    const auto fixed = stats::TestAgainstZero(pair.difference, kAlpha);
    if (!fixed.ok()) continue;
    v1::SegmentResult* one = result->add_segments();
    one->set_segment(name);
    one->set_units(pair.units);
    one->set_effect(pair.difference.value);
    one->mutable_fixed_horizon()->set_low(fixed->interval.low);
    one->mutable_fixed_horizon()->set_high(fixed->interval.high);
    effects.push_back(pair.difference);
  }
  if (effects.size() < 2) return;
  if (const auto different = stats::CompareSegments(effects); different.ok())
    result->set_segments_p(different->p_value);
}

void AddInteractions(const v1::Experiment& experiment, const config::Metric& metric, size_t index,
                     const Statistics& statistics, v1::ExperimentResults* results) {
  std::string base_experiment;
  const std::vector<Cell>* base = nullptr;  // the other experiment's first arm by name
  std::vector<double> p_values;
  for (const auto& [slot, arms] : statistics.by_other) {
    const std::string other = slot.substr(0, slot.find('/'));
    if (other != base_experiment) {
      base_experiment = other;
      base = &arms;
      continue;
    }
    for (size_t arm = 1; arm < statistics.arms; ++arm) {
      const MetricQuestion question{&experiment, &metric, index, arm};
      const auto without = PairOf(*base, question, metric.covariate_days > 0);
      const auto with = PairOf(arms, question, metric.covariate_days > 0);
      if (!without.ok() || !with.ok()) continue;
      const auto found =
          stats::CheckInteraction({without->control, with->control, without->treatment, with->treatment}, kAlpha);
      if (!found.ok()) continue;
      v1::InteractionResult* one = results->add_interactions();
      one->set_experiment(other);
      one->set_other_arm(slot.substr(slot.find('/') + 1));
      one->set_arm(experiment.arms(static_cast<int>(arm)).name());
      one->set_metric(metric.name);
      one->set_effect(found->effect.value);
      p_values.push_back(found->p_value);
    }
  }
  const auto adjusted = stats::HolmAdjusted(p_values);
  for (int i = 0; i < results->interactions_size() && adjusted.ok(); ++i)
    results->mutable_interactions(i)->set_p_adjusted((*adjusted)[static_cast<size_t>(i)]);
}

}  // namespace bowerbird::experiment::verdict
