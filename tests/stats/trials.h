#pragma once

#include <cstddef>
#include <vector>

#include "base/rng.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// Experiments of each kind; the seed of the first, the next one's is one more.
inline constexpr int kExperiments = 10'000;
inline constexpr double kAlpha = 0.05;

/// How far a share of kExperiments may be from its probability by chance: 99.9% of a binomial distribution.
double ChanceOf(double probability);

/// Arms of made-up users. `lift` is the treatment's relative effect; 0 for a control and for an A/A test.

/// Six of ten spend nothing, the others an exponential amount: mean 0.4 (1 + lift).
void AddSpending(base::Rng& rng, size_t users, double lift, Moments* arm);
/// One in ten converts: 0.1 (1 + lift).
void AddConversions(base::Rng& rng, size_t users, double lift, Proportion* arm);
/// Clicks (y) of views (x): some users see much, some click much: ratio 0.25 (1 + lift).
void AddClicks(base::Rng& rng, size_t users, double lift, BivariateMoments* arm);
/// A metric (y) with mean 10 (1 + lift) that goes with what it was before (x), correlation 0.7.
void AddWithCovariate(base::Rng& rng, size_t users, double lift, BivariateMoments* arm);
/// Exponential waiting times in order: median log(2) (1 + lift).
std::vector<double> SortedWaits(base::Rng& rng, size_t users, double lift);

}  // namespace bowerbird::experiment::stats
