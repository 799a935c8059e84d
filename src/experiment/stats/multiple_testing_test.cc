#include "experiment/stats/multiple_testing.h"

#include <algorithm>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(MultipleTestingTest, EqualsHandComputedValuesInTheOrderGiven) {
  const std::vector<double> p = {0.04, 0.01, 0.03, 0.5};
  EXPECT_THAT(*HolmAdjusted(p), ElementsAre(DoubleEq(0.09), DoubleEq(0.04), DoubleEq(0.09), DoubleEq(0.5)));
  EXPECT_THAT(*BenjaminiHochbergAdjusted(p),
              ElementsAre(DoubleEq(0.04 * 4 / 3), DoubleEq(0.04), DoubleEq(0.04 * 4 / 3), DoubleEq(0.5)));
}

TEST(MultipleTestingTest, OneTestAndNoneStayAsTheyAre) {
  EXPECT_THAT(*HolmAdjusted(std::vector{0.3}), ElementsAre(0.3));
  EXPECT_THAT(*BenjaminiHochbergAdjusted(std::vector{0.3}), ElementsAre(0.3));
  EXPECT_THAT(*HolmAdjusted({}), IsEmpty());
}

TEST(MultipleTestingTest, AdjustedValuesKeepTheirOrderAndHolmIsTheMoreCautious) {
  base::Rng rng(4);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> p(1 + rng.Below(20));
    for (double& value : p) value = rng.Uniform() * rng.Uniform();
    const std::vector<double> holm = *HolmAdjusted(p), rate = *BenjaminiHochbergAdjusted(p);
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_LE(p[i], rate[i]);
      EXPECT_LE(rate[i], holm[i] * (1 + 1e-12));
      EXPECT_LE(holm[i], 1);
      for (size_t j = 0; j < p.size(); ++j) {
        if (p[i] < p[j]) {
          EXPECT_LE(holm[i], holm[j]);
          EXPECT_LE(rate[i], rate[j]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace bowerbird::experiment::stats
