#include "experiment/metrics/statistics.h"

#include <algorithm>

namespace bowerbird::experiment::metrics {

void JointMoments::Merge(const JointMoments& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const auto n = static_cast<double>(count), m = static_cast<double>(other.count);
  std::array<double, kVariables> distance;
  for (size_t i = 0; i < kVariables; ++i) distance[i] = other.mean[i] - mean[i];
  for (size_t i = 0; i < kVariables; ++i) {
    for (size_t j = 0; j <= i; ++j)
      comoment(i, j) += other.comoment(i, j) + distance[i] * distance[j] * (n * m / (n + m));
  }
  for (size_t i = 0; i < kVariables; ++i) mean[i] += distance[i] * (m / (n + m));
  count += other.count;
}

void MetricCell::Merge(const MetricCell& other) {
  moments.Merge(other.moments);
  cut += other.cut;
  total += other.total;
  largest = std::max(largest, other.largest);
}

void Cell::Merge(const Cell& other) {
  units += other.units;
  metrics.resize(std::max(metrics.size(), other.metrics.size()));
  for (size_t i = 0; i < other.metrics.size(); ++i) metrics[i].Merge(other.metrics[i]);
}

ArmCell Statistics::Arm(size_t arm) const {
  ArmCell all;
  for (const auto& [key, cell] : by_arm_and_phase) {
    if (key.first != arm) continue;
    all.Merge(cell);
    all.exposures += cell.exposures;
    all.repeated += cell.repeated;
    all.events += cell.events;
    all.skewed += cell.skewed;
  }
  return all;
}

}  // namespace bowerbird::experiment::metrics
