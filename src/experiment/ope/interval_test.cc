#include "experiment/ope/interval.h"

#include <cmath>

#include "experiment/ope/estimate.h"
#include "experiment/ope/simulated_pages_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

Contributions Means(const std::vector<double>& values) {
  Contributions contributions;
  for (const double value : values) {
    contributions.terms.push_back({0, value, 1});
    contributions.EndRequest();
  }
  return contributions;
}

TEST(IntervalTest, AMeanIsItsOwnInfluence) {
  const Contributions contributions = Means({1, 2, 6});
  EXPECT_DOUBLE_EQ(ValueOf(contributions), 3);
  EXPECT_THAT(InfluenceValues(contributions), ElementsAre(DoubleEq(1), DoubleEq(2), DoubleEq(6)));
  EXPECT_DOUBLE_EQ(StandardError(InfluenceValues(contributions)), std::sqrt((4 + 1 + 9) / 2.0 / 3));
}

TEST(IntervalTest, ARatioHasTheDeltaMethodsInfluence) {
  Contributions contributions;
  contributions.terms = {{0, 2, 1}, {0, 1, 3}};
  contributions.offsets = {0, 1, 2};
  // The ratio is 3/4, the mean denominator 2.
  EXPECT_DOUBLE_EQ(ValueOf(contributions), 0.75);
  EXPECT_THAT(InfluenceValues(contributions),
              ElementsAre(DoubleEq(0.75 + (2 - 0.75) / 2), DoubleEq(0.75 + (1 - 2.25) / 2)));
}

TEST(IntervalTest, AGroupCountsByTheRequestsThatReachIt) {
  Contributions contributions;
  contributions.terms = {{0, 1, 1}, {1, 5, 1}, {0, 3, 1}};
  contributions.offsets = {0, 2, 3, 3, 3};
  EXPECT_DOUBLE_EQ(ValueOf(contributions), 4.0 / 4 + 5.0 / 4);
}

TEST(IntervalTest, NothingToGoByIsZeroAndNoError) {
  Contributions contributions;
  contributions.terms = {{0, 0, 0}, {0, 0, 0}};
  contributions.offsets = {0, 1, 2};
  EXPECT_EQ(ValueOf(contributions), 0);
  EXPECT_THAT(InfluenceValues(contributions), ElementsAre(0, 0));
  EXPECT_EQ(StandardError(std::vector<double>{3}), 0);
}

TEST(IntervalTest, RequestsOfAClusterAreDrawnTogether) {
  // Ten users with ten requests each, all of a user alike: as if there were ten values.
  Contributions together, each = Means({});
  std::vector<double> means;
  for (uint64_t user = 1; user <= 10; ++user) {
    means.push_back(static_cast<double>(user));
    for (int request = 0; request < 10; ++request) {
      for (Contributions* contributions : {&together, &each}) contributions->terms.push_back({0, means.back(), 1});
      together.EndRequest(user);
      each.EndRequest();
    }
  }
  EXPECT_NEAR(StandardError(InfluenceValues(together), together.clusters), StandardError(means), 1e-12);
  EXPECT_LT(StandardError(InfluenceValues(each), each.clusters), StandardError(means) / 2);
  EXPECT_EQ(Resample(together, 200, 3), Resample(Means(means), 200, 3));
  EXPECT_EQ(StandardError(std::vector<double>{1, 2}, std::vector<uint64_t>{7, 7}), 0) << "one user alone has no spread";
}

TEST(IntervalTest, ClustersOfDifferentSizesWeighByTheirRequests) {
  Contributions contributions = Means({});
  for (const auto& [value, cluster] : {std::pair(1.0, 5), std::pair(3.0, 5), std::pair(8.0, 6)}) {
    contributions.terms.push_back({0, value, 1});
    contributions.EndRequest(static_cast<uint64_t>(cluster));
  }
  EXPECT_DOUBLE_EQ(ValueOf(contributions), 4);
  for (const double value : Resample(contributions, 100, 1))
    EXPECT_TRUE(value == 2 || value == 8 || std::abs(value - 4) < 1e-12) << value;
}

TEST(IntervalTest, PercentilesAreInterpolated) {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const Interval interval = PercentileInterval(values);
  EXPECT_NEAR(interval.low, 2.5, 1e-12);
  EXPECT_NEAR(interval.high, 97.5, 1e-12);
  EXPECT_EQ(PercentileInterval({4}).low, 4);
}

TEST(IntervalTest, ASeedGivesTheSameResamples) {
  const Contributions contributions = Means({1, 2, 6});
  EXPECT_EQ(Resample(contributions, 20, 1), Resample(contributions, 20, 1));
  EXPECT_NE(Resample(contributions, 20, 1), Resample(contributions, 20, 2));
}

TEST(IntervalTest, BothIntervalsCoverAsOftenAsTheyState) {
  const SmallWorld world{.reward = ByItemAndPosition};
  const double truth = ExactValue(world, world.target);
  for (const Estimator estimator : {Estimator::kIps, Estimator::kSnips}) {
    int normal = 0, bootstrap = 0;
    constexpr int kLogs = 400;
    for (int log = 0; log < kLogs; ++log) {
      const Estimate estimate =
          EstimateValue(Simulate(world, 200, 5000 + log), {}, {.estimator = estimator, .resamples = 200}).value();
      normal += estimate.normal.low <= truth && truth <= estimate.normal.high;
      bootstrap += estimate.bootstrap.low <= truth && truth <= estimate.bootstrap.high;
    }
    // 95% of 400 give or take three standard errors of 4.4.
    EXPECT_NEAR(normal, 380, 14) << NameOf(estimator);
    EXPECT_NEAR(bootstrap, 380, 16) << NameOf(estimator);
  }
}

}  // namespace
}  // namespace bowerbird::experiment::ope
