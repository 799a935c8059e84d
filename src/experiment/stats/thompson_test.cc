#include "experiment/stats/thompson.h"

#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "experiment/stats/distributions.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

TEST(ThompsonTest, EqualArmsShareEqually) {
  EXPECT_THAT(*ProbabilityBest(std::vector<BetaArm>(4, {3, 90})), Each(DoubleNear(0.25, 1e-12)));
  EXPECT_THAT(*ProbabilityBest(std::vector<NormalArm>(5, {2, 0.1})), Each(DoubleNear(0.2, 1e-12)));
  EXPECT_THAT(*ProbabilityBest(std::vector<BetaArm>(1)), ElementsAre(DoubleNear(1, 1e-12)));
}

TEST(ThompsonTest, TwoArmsHaveClosedForms) {
  // Normal: Phi of the difference; Beta(1, 1) against Beta(2, 1): 1/3.
  const std::vector<NormalArm> normal = {{1, 0.3}, {1.2, 0.4}};
  EXPECT_NEAR((*ProbabilityBest(normal))[1], NormalCdf(0.2 / 0.5), 1e-8);
  EXPECT_THAT(*ProbabilityBest(std::vector<BetaArm>{{1, 1}, {2, 1}}),
              ElementsAre(DoubleNear(1.0 / 3, 1e-8), DoubleNear(2.0 / 3, 1e-8)));
}

TEST(ThompsonTest, NarrowAndWideArmsAreBothMet) {
  for (const double ratio : {1e-6, 1e-3, 1e3, 1e6}) {
    const std::vector<NormalArm> arms = {{0, 1}, {0.5, ratio}};
    EXPECT_NEAR((*ProbabilityBest(arms))[1], NormalCdf(0.5 / std::sqrt(1 + ratio * ratio)), 1e-6) << ratio;
  }
  const std::vector<NormalArm> far = {{1e9, 1e-3}, {1e9 + 1e-3, 1e-3}};
  EXPECT_NEAR((*ProbabilityBest(far))[1], NormalCdf(1 / std::sqrt(2)), 1e-4) << "digits of a large mean are kept";
}

TEST(ThompsonTest, AgreesWithDraws) {
  base::Rng rng(8);
  const std::vector<NormalArm> arms = {{0, 1}, {0.4, 0.5}, {-0.5, 2}, {0.3, 0.1}};
  std::vector<double> wins(arms.size());
  constexpr int kDraws = 400'000;
  for (int draw = 0; draw < kDraws; ++draw) {
    size_t best = 0;
    double most = -1e9;
    for (size_t i = 0; i < arms.size(); ++i) {
      const double value = arms[i].mean + arms[i].standard_deviation * rng.Normal();
      if (value > most) {
        most = value;
        best = i;
      }
    }
    wins[best] += 1.0 / kDraws;
  }
  const std::vector<double> found = *ProbabilityBest(arms);
  for (size_t i = 0; i < arms.size(); ++i) EXPECT_NEAR(found[i], wins[i], 0.004) << i;
}

TEST(ThompsonTest, ABetterArmGetsMoreAndTheSumIsOne) {
  double before = 0;
  for (double successes = 1; successes < 60; successes += 5) {
    const std::vector<double> found =
        *ProbabilityBest(std::vector<BetaArm>{{30, 970}, {1 + successes, 1000 - successes}, {20, 1000}});
    EXPECT_NEAR(Sum(found), 1, 1e-12);
    EXPECT_GT(found[1], before);
    before = found[1];
  }
  EXPECT_NEAR(Sum(*ProbabilityBest(std::vector<NormalArm>(kThompsonArmsMax, {0, 1}))), 1, 1e-12);
}

TEST(AllocateTest, NobodyFallsBelowTheFloorAndTheOrderStays) {
  const std::vector<double> shares = *AllocateWithFloor(std::vector{0.0, 0.2, 0.8}, 0.1);
  EXPECT_THAT(shares, ElementsAre(DoubleNear(0.1, 1e-12), DoubleNear(0.24, 1e-12), DoubleNear(0.66, 1e-12)));
  EXPECT_NEAR(Sum(shares), 1, 1e-12);
  EXPECT_THAT(*AllocateWithFloor(std::vector{1.0, 0.0}, 0.5), ElementsAre(0.5, 0.5));
  EXPECT_THAT(*AllocateWithFloor(std::vector{0.7, 0.3}, 0), ElementsAre(0.7, 0.3));
}

}  // namespace
}  // namespace bowerbird::experiment::stats
