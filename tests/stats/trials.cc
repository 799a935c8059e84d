#include "stats/trials.h"

#include <algorithm>
#include <cmath>

namespace bowerbird::experiment::stats {

double ChanceOf(double probability) {
  constexpr double kZ = 3.2905267314919255;
  return kZ * std::sqrt(probability * (1 - probability) / kExperiments);
}

void AddSpending(base::Rng& rng, size_t users, double lift, Moments* arm) {
  for (size_t i = 0; i < users; ++i) arm->Add(rng.Bernoulli(0.4) ? (1 + lift) * rng.Exponential() : 0);
}

void AddConversions(base::Rng& rng, size_t users, double lift, Proportion* arm) {
  arm->trials += users;
  for (size_t i = 0; i < users; ++i) arm->successes += rng.Bernoulli(0.1 * (1 + lift));
}

void AddClicks(base::Rng& rng, size_t users, double lift, BivariateMoments* arm) {
  for (size_t i = 0; i < users; ++i) {
    const double rate = rng.Bernoulli(0.5) ? 0.1 : 0.4;
    const uint64_t views = 1 + rng.Below(4) + (rng.Bernoulli(0.1) ? 15 : 0);
    double clicks = 0;
    for (uint64_t view = 0; view < views; ++view) clicks += rng.Bernoulli(rate * (1 + lift));
    arm->Add(clicks, static_cast<double>(views));
  }
}

void AddWithCovariate(base::Rng& rng, size_t users, double lift, BivariateMoments* arm) {
  for (size_t i = 0; i < users; ++i) {
    const double before = rng.Normal();
    arm->Add(10 * (1 + lift) + 0.7 * before + std::sqrt(1 - 0.49) * rng.Normal(), 10 + before);
  }
}

std::vector<double> SortedWaits(base::Rng& rng, size_t users, double lift) {
  std::vector<double> waits(users);
  for (double& wait : waits) wait = (1 + lift) * rng.Exponential();
  std::sort(waits.begin(), waits.end());
  return waits;
}

}  // namespace bowerbird::experiment::stats
