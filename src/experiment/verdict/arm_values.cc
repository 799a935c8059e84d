#include "experiment/verdict/arm_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/status_macros.h"
#include "experiment/stats/cuped.h"
#include "experiment/stats/quantile.h"
#include "experiment/stats/strata.h"

namespace bowerbird::experiment::verdict {
namespace {

using config::Metric;
using metrics::Cell;
using metrics::JointMoments;
using metrics::Statistics;
using Kind = Metric::Kind;

/// The phases in which every arm has enough units, from small ones taken together.
std::vector<std::vector<Cell>> StrataOf(const Statistics& statistics, size_t index) {
  std::map<uint32_t, std::vector<Cell>> phases;
  for (const auto& [key, cell] : statistics.by_arm_and_phase) {
    std::vector<Cell>& arms = phases[key.second];
    arms.resize(statistics.arms);
    arms[key.first].Merge(cell);
  }
  const auto is_small = [&](const std::vector<Cell>& arms) {
    for (const Cell& cell : arms) {
      if (cell.metrics.size() <= index || cell.metrics[index].moments.count < kStratumUnitsMin) return true;
    }
    return false;
  };
  std::vector<std::vector<Cell>> strata;
  const auto merge = [&](std::vector<Cell>* into, const std::vector<Cell>& from) {
    into->resize(statistics.arms);
    for (size_t arm = 0; arm < from.size(); ++arm) (*into)[arm].Merge(from[arm]);
  };
  for (const auto& [phase, arms] : phases) {
    if (strata.empty() || !is_small(strata.back())) strata.emplace_back();
    merge(&strata.back(), arms);
  }
  if (strata.size() > 1 && is_small(strata.back())) {
    const std::vector<Cell> last = std::move(strata.back());
    strata.pop_back();
    merge(&strata.back(), last);
  }
  return strata;
}

double WeightOf(const std::vector<Cell>& arms, const Metric& metric, size_t index) {
  double weight = 0;
  for (const Cell& cell : arms) {
    const JointMoments& moments = cell.metrics[index].moments;
    const auto n = static_cast<double>(moments.count);
    weight += metric.kind == Kind::kRatio ? n * moments.mean[JointMoments::kD] : n;
  }
  return weight;
}

absl::StatusOr<ArmValues> QuantilesOf(const Statistics& statistics, const Metric& metric, size_t index) {
  ArmValues values;
  for (size_t arm = 0; arm < statistics.arms; ++arm) {
    const auto found = statistics.buckets.find({index, arm});
    std::vector<stats::HistogramBucket> buckets;
    uint64_t count = 0;
    if (found != statistics.buckets.end()) {
      for (const metrics::ValueBucket& one : found->second) {
        buckets.push_back({one.low, one.high, one.count});
        count += one.count;
      }
    }
    if (buckets.empty()) return absl::FailedPreconditionError("an arm has no values");
    stats::QuantileQuestion question;
    question.quantile = metric.q;
    if (metric.per_event) {
      const auto shares = statistics.quantiles.find({index, arm});
      if (shares == statistics.quantiles.end()) return absl::FailedPreconditionError("an arm has no values");
      ASSIGN_OR_RETURN(const stats::Estimate share,
                       stats::RatioOf("share", WithCovariate(shares->second, Kind::kQuantile)));
      question.share_variance = share.variance;
      count = shares->second.count;
    }
    ASSIGN_OR_RETURN(const stats::Estimate estimate, stats::QuantileOfHistogram(buckets, question));
    values.arms.push_back(estimate);
    values.units.push_back(count);
  }
  return values;
}

}  // namespace

stats::BivariateMoments WithCovariate(const JointMoments& moments, Kind kind) {
  using enum JointMoments::Variable;
  stats::BivariateMoments out;
  out.count = moments.count;
  if (kind != Kind::kRatio) {
    out.mean_y = moments.mean[kY];
    out.mean_x = moments.mean[kX];
    out.m2_y = moments.comoment(kY, kY);
    out.m2_x = moments.comoment(kX, kX);
    out.comoment = moments.comoment(kY, kX);
    return out;
  }
  const double d = moments.mean[kD], p = moments.mean[kP];
  const double ratio = moments.mean[kY] / d;
  out.mean_y = ratio;
  out.m2_y =
      (moments.comoment(kY, kY) - 2 * ratio * moments.comoment(kY, kD) + ratio * ratio * moments.comoment(kD, kD)) /
      (d * d);
  if (p == 0) return out;
  const double before = moments.mean[kX] / p;
  out.mean_x = before;
  out.m2_x =
      (moments.comoment(kX, kX) - 2 * before * moments.comoment(kX, kP) + before * before * moments.comoment(kP, kP)) /
      (p * p);
  out.comoment = (moments.comoment(kY, kX) - before * moments.comoment(kY, kP) - ratio * moments.comoment(kD, kX) +
                  ratio * before * moments.comoment(kD, kP)) /
                 (d * p);
  return out;
}

absl::StatusOr<ArmValues> ValuesOf(const std::vector<Cell>& arms, const Metric& metric, size_t index, bool adjust) {
  std::vector<stats::BivariateMoments> moments;
  ArmValues values;
  for (const Cell& cell : arms) {
    if (cell.metrics.size() <= index) return absl::FailedPreconditionError("an arm has no units");
    const JointMoments& joint = cell.metrics[index].moments;
    if (metric.kind == Kind::kRatio && joint.count > 0 && !(joint.mean[JointMoments::kD] != 0))
      return absl::FailedPreconditionError("the denominator is 0 in an arm");
    moments.push_back(WithCovariate(joint, metric.kind));
    // Rounding may leave a little less than nothing.
    moments.back().m2_y = std::max(moments.back().m2_y, 0.0);
    moments.back().m2_x = std::max(moments.back().m2_x, 0.0);
    values.units.push_back(joint.count);
    if (!adjust) moments.back() = {joint.count, moments.back().mean_y, 0, moments.back().m2_y, 0, 0};
  }
  ASSIGN_OR_RETURN(stats::CupedMeans adjusted, stats::AdjustByCovariate(moments));
  values.arms = std::move(adjusted.arms);
  values.variance_reduction = adjusted.variance_reduction;
  return values;
}

absl::StatusOr<ArmValues> ValuesOf(const Statistics& statistics, const Metric& metric, size_t index) {
  if (metric.kind == Kind::kQuantile) return QuantilesOf(statistics, metric, index);
  const std::vector<std::vector<Cell>> strata = StrataOf(statistics, index);
  if (strata.empty()) return absl::FailedPreconditionError("nobody was counted");
  ArmValues all;
  all.units.resize(statistics.arms);
  std::vector<stats::Stratum> stratified;
  double weights = 0;
  for (const std::vector<Cell>& arms : strata) {
    ASSIGN_OR_RETURN(ArmValues values, ValuesOf(arms, metric, index, metric.covariate_days > 0));
    const double weight = WeightOf(arms, metric, index);
    for (size_t arm = 0; arm < values.units.size(); ++arm) all.units[arm] += values.units[arm];
    all.variance_reduction += weight * values.variance_reduction;
    weights += weight;
    stratified.push_back({weight, std::move(values.arms)});
  }
  ASSIGN_OR_RETURN(all.arms, stats::PostStratify(stratified));
  all.variance_reduction = weights > 0 ? all.variance_reduction / weights : 0;
  return all;
}

}  // namespace bowerbird::experiment::verdict
