#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/cuped.h"
#include "experiment/stats/heterogeneity.h"
#include "experiment/stats/interaction.h"
#include "experiment/stats/multiple_testing.h"
#include "experiment/stats/novelty.h"
#include "experiment/stats/posterior.h"
#include "experiment/stats/power.h"
#include "experiment/stats/quantile.h"
#include "experiment/stats/sample_ratio.h"
#include "experiment/stats/sequential.h"
#include "experiment/stats/strata.h"
#include "experiment/stats/thompson.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const Moments kFine{10, 1, 5};
const BivariateMoments kBoth{10, 1, 2, 5, 5, 3};

/// A call that is refused, and what it says: which field, what was found, what is accepted.
struct Refusal {
  std::string name;
  absl::Status status;
  std::string says;
};

class RefusedTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedTest, NamesTheFieldTheValueAndWhatIsAccepted) {
  EXPECT_EQ(GetParam().status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(GetParam().status.message()), GetParam().says);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    testing::Values(
        Refusal{"nan_mean", CompareMeans({10, kNaN, 5}, kFine, 0.05).status(),
                "control.mean is nan; expected a finite number"},
        Refusal{"negative_m2", CompareMeans(kFine, {10, 1, -5}, 0.05).status(),
                "treatment.m2 is -5; expected a finite number, 0 or above"},
        Refusal{"alpha", CompareMeans(kFine, kFine, 1).status(), "alpha is 1; expected a number above 0 and below 1"},
        Refusal{"alpha_nan", CompareProportions({1, 2}, {1, 2}, kNaN).status(),
                "alpha is nan; expected a number above 0 and below 1"},
        Refusal{"successes", CompareProportions({11, 10}, {1, 10}, 0.05).status(),
                "control.successes is 11; expected at most 10, which is control.trials"},
        Refusal{"comoment", CompareRatios(kBoth, {10, 1, 2, 5, 5, 6}, 0.05).status(),
                "treatment.comoment is 6; expected at most 5 in size, which is sqrt(m2_y m2_x)"},
        Refusal{"infinite_covariate",
                AdjustByCovariate(std::array{kBoth, BivariateMoments{10, 1, kInfinity, 5, 5, 3}}).status(),
                "arms[1].mean_x is inf; expected a finite number"},
        Refusal{"no_freedom", TestAgainstZero({1, 1, 0}, 0.05).status(),
                "effect.degrees_of_freedom is 0; expected a number above 0"},
        Refusal{"quantile", QuantileOfSorted(std::vector<double>(50), {.quantile = 1}).status(),
                "quantile is 1; expected a number above 0 and below 1"},
        Refusal{"unsorted",
                QuantileOfSorted(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 8}, {.alpha = 0.5}).status(),
                "values[9] is 8; expected finite values that ascend"},
        Refusal{"overlapping",
                QuantileOfHistogram(std::array{HistogramBucket{0, 2, 9}, HistogramBucket{1, 3, 9}}, {}).status(),
                "buckets[1] is (1, 3]; expected one that starts at 2 or above, and does not end before it starts"},
        Refusal{"no_target", LookAt({1, 1}, 100, {}).status(),
                "observations_target is 0; expected a finite number above 0"},
        Refusal{"p_value", HolmAdjusted(std::vector{0.5, 1.5}).status(), "p_values[1] is 1.5; expected 0 to 1"},
        Refusal{"zero_weight", CheckSampleRatio(std::array<uint64_t, 2>{9, 9}, std::array{1.0, 0.0}).status(),
                "weights[1] is 0; expected a finite number above 0"},
        Refusal{"one_arm", CheckSampleRatio(std::array<uint64_t, 1>{9}, std::array{1.0}).status(),
                "weights: found 1 for 1 counts; expected one each, for two arms or more"},
        Refusal{"ragged_strata", PostStratify(std::array{Stratum{1, {{1, 1}, {1, 1}}}, Stratum{1, {{1, 1}}}}).status(),
                "strata[1].arms: found 1; expected 2, as in the first stratum"},
        Refusal{"no_effect", SizesForMeans(1, 0, {}).status(), "effect is 0; expected a number that is not"},
        Refusal{"rate_above_one", SizesForProportions(0.9, 0.2, {}).status(),
                "baseline + effect is 1.1; expected a number above 0 and below 1"},
        Refusal{"tiny_effect", SizesForMeans(1, 1e-9, {}).status(),
                "effect is 1e-09; expected one that 1000000000000000 units can find, this one takes 3.14e+19"},
        Refusal{"prior", PosteriorOf({1, 1}, {.variance = 0}, 0.05).status(),
                "prior.variance is 0; expected a number above 0, infinite for a flat prior"},
        Refusal{"beta", ProbabilityBest(std::array{BetaArm{0.5, 2}}).status(),
                "arms[0].a is 0.5; expected 1 to 1000000000"},
        Refusal{"floor", AllocateWithFloor(std::array{0.5, 0.5}, 0.6).status(),
                "floor is 0.6; expected 0 to 0.5, which is 1 / arms"}),
    [](const auto& info) { return info.param.name; });

TEST(TooEarlyTest, FewUnitsAreAFailedPreconditionAndNoFault) {
  for (const absl::Status& status :
       {CompareMeans({1, 1, 0}, kFine, 0.05).status(), CompareMeans(kFine, {}, 0.05).status(),
        CompareProportions({}, {1, 2}, 0.05).status(), CompareMeans({10, 1, 0}, {10, 1, 0}, 0.05).status(),
        CompareRatios(kBoth, {10, 1, 0, 5, 5, 3}, 0.05).status(),
        LookAt({1, 0}, 100, {.observations_target = 9}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("expected"));
  }
}

/// Numbers of all kinds: what is fine, what is extreme, and what is none.
class Hostile {
 public:
  explicit Hostile(uint64_t seed) : rng_(seed) {}
  double Number() {
    constexpr std::array kNumbers = {0.0,    -0.0,   1.0,   -1.0,  0.5,  0.05,   2.0,        100.0,     1e-9, 1e15,
                                     1e-300, -1e300, 1e300, 1e308, 1e-5, 5e-324, -kInfinity, kInfinity, kNaN, 3.7};
    // Mostly tame, so that a call gets past its first check.
    return kNumbers[rng_.Below(rng_.Bernoulli(0.3) ? kNumbers.size() : 9)];
  }
  uint64_t Count() {
    constexpr std::array<uint64_t, 7> kCounts = {0, 1, 2, 10, 1'000, uint64_t{1} << 53, ~uint64_t{0}};
    return kCounts[rng_.Below(kCounts.size())];
  }
  Moments moments() { return {Count(), Number(), Number()}; }
  BivariateMoments both() { return {Count(), Number(), Number(), Number(), Number(), Number()}; }
  Proportion proportion() { return {Count(), Count()}; }
  Estimate estimate() { return {Number(), Number(), rng_.Bernoulli(0.5) ? kInfinity : Number()}; }
  PowerPlan plan() { return rng_.Bernoulli(0.5) ? PowerPlan{} : PowerPlan{Number(), Number(), Number(), Number()}; }

 private:
  base::Rng rng_;
};

bool IsChance(double p) { return p >= 0 && p <= 1; }

void ExpectSound(const absl::Status& status) {
  EXPECT_TRUE(absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status)) << status;
}

void ExpectSound(const absl::StatusOr<Comparison>& found) {
  if (!found.ok()) return ExpectSound(found.status());
  EXPECT_TRUE(std::isfinite(found->effect.value)) << found->effect.value;
  EXPECT_TRUE(std::isfinite(found->effect.variance)) << found->effect.variance;
  EXPECT_LE(found->interval.low, found->interval.high);
  EXPECT_TRUE(IsChance(found->p_value)) << found->p_value;
}

void ExpectSound(const absl::StatusOr<Estimate>& found) {
  if (!found.ok()) return ExpectSound(found.status());
  EXPECT_TRUE(std::isfinite(found->value) && std::isfinite(found->variance) && found->variance >= 0);
}

void ExpectSound(const absl::StatusOr<std::vector<double>>& chances) {
  if (!chances.ok()) return ExpectSound(chances.status());
  for (const double chance : *chances) EXPECT_TRUE(IsChance(chance)) << chance;
}

class AnyInputTest : public testing::Test {
 protected:
  template <typename Call>
  void Repeat(Call call) {
    for (uint64_t seed = 1; seed <= 10'000 && !HasFailure(); ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      Hostile hostile(seed);
      call(hostile);
    }
  }
};

TEST_F(AnyInputTest, ComparisonsAreRefusedOrSound) {
  Repeat([](Hostile& h) {
    ExpectSound(CompareMeans(h.moments(), h.moments(), h.Number()));
    ExpectSound(CompareProportions(h.proportion(), h.proportion(), h.Number()));
    ExpectSound(CompareRatios(h.both(), h.both(), h.Number()));
    ExpectSound(CompareLift(h.estimate(), h.estimate(), h.Number()));
    ExpectSound(TestAgainstZero(h.estimate(), h.Number()));
    const auto fieller = FiellerLift(h.estimate(), h.estimate(), h.Number());
    EXPECT_TRUE(!fieller.ok() || fieller->low <= fieller->high);
    ExpectSound(CheckInteraction({h.estimate(), h.estimate(), h.estimate(), h.estimate()}, h.Number()));
    ExpectSound(
        TrendOf(std::array{DayEffect{h.Number(), h.estimate()}, DayEffect{h.Number(), h.estimate()}}, h.Number()));
    ExpectSound(Combine(std::array{h.estimate(), h.estimate()}, std::array{h.Number(), h.Number()}));
  });
}

TEST_F(AnyInputTest, LooksAreRefusedOrSound) {
  Repeat([](Hostile& h) {
    const SequentialPlan plan{h.Number(), h.Number()};
    ExpectSound(LookAt(h.estimate(), h.Number(), plan));
    ExpectSound(LookAtMeans(h.moments(), h.moments(), plan));
    ExpectSound(LookAtProportions(h.proportion(), h.proportion(), plan));
  });
}

TEST_F(AnyInputTest, AdjustmentsAreRefusedOrSound) {
  Repeat([](Hostile& h) {
    const auto adjusted = AdjustByCovariate(std::array{h.both(), h.both()});
    if (adjusted.ok()) {
      for (const Estimate& arm : adjusted->arms) ExpectSound(absl::StatusOr<Estimate>(arm));
      EXPECT_TRUE(IsChance(adjusted->variance_reduction));
      EXPECT_TRUE(std::isfinite(adjusted->theta));
    } else {
      ExpectSound(adjusted.status());
    }
    const auto arms = PostStratify(std::array{Stratum{h.Number(), {h.estimate(), h.estimate()}},
                                              Stratum{h.Number(), {h.estimate(), h.estimate()}}});
    if (arms.ok()) {
      for (const Estimate& arm : *arms) ExpectSound(absl::StatusOr<Estimate>(arm));
    } else {
      ExpectSound(arms.status());
    }
    const std::array values = {h.Number(), h.Number(), h.Number(), h.Number(), h.Number(), h.Number()};
    ExpectSound(QuantileOfSorted(values, {h.Number(), h.Number(), h.Number()}));
    const std::array buckets = {HistogramBucket{h.Number(), h.Number(), h.Count()},
                                HistogramBucket{h.Number(), h.Number(), h.Count()}};
    ExpectSound(QuantileOfHistogram(buckets, {h.Number(), h.Number()}));
    ExpectSound(QuantileOfHistogram(buckets, {h.Number(), h.Number(), h.Number()}));
  });
}

TEST_F(AnyInputTest, ChecksAndPlansAreRefusedOrSound) {
  Repeat([](Hostile& h) {
    const auto ratio = CheckSampleRatio(std::array{h.Count(), h.Count()}, std::array{h.Number(), h.Number()});
    if (ratio.ok()) {
      EXPECT_TRUE(IsChance(ratio->p_value));
    } else {
      ExpectSound(ratio.status());
    }
    const auto segments = CompareSegments(std::array{h.estimate(), h.estimate()});
    if (segments.ok()) {
      EXPECT_TRUE(IsChance(segments->p_value));
      EXPECT_TRUE(IsChance(segments->i_squared));
    } else {
      ExpectSound(segments.status());
    }
    const auto of_means = SizesForMeans(h.Number(), h.Number(), h.plan());
    if (!of_means.ok()) ExpectSound(of_means.status());
    const auto of_rates = SizesForProportions(h.Number(), h.Number(), h.plan());
    if (!of_rates.ok()) ExpectSound(of_rates.status());
    const auto mean = DetectableMean(h.Number(), {h.Count(), h.Count()}, h.plan());
    EXPECT_TRUE(!mean.ok() || (std::isfinite(*mean) && *mean > 0)) << *mean;
    const auto rise = DetectableProportion(h.Number(), {h.Count(), h.Count()}, h.plan());
    EXPECT_TRUE(!rise.ok() || IsChance(*rise)) << *rise;
    const auto posterior = PosteriorOf(h.estimate(), {h.Number(), h.Number()}, h.Number());
    if (posterior.ok()) {
      EXPECT_TRUE(IsChance(posterior->probability_above_0));
      EXPECT_GE(posterior->loss_of_treatment, 0);
      EXPECT_GE(posterior->loss_of_control, 0);
    }
    ExpectSound(HolmAdjusted(std::array{h.Number(), h.Number()}));
    ExpectSound(BenjaminiHochbergAdjusted(std::array{h.Number(), h.Number()}));
    ExpectSound(AllocateWithFloor(std::array{h.Number(), h.Number()}, h.Number()));
  });
}

TEST_F(AnyInputTest, BanditsAreRefusedOrSound) {
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Hostile h(seed);
    ExpectSound(ProbabilityBest(std::array{BetaArm{h.Number(), h.Number()}, BetaArm{h.Number(), h.Number()}}));
    ExpectSound(ProbabilityBest(std::array{NormalArm{h.Number(), h.Number()}, NormalArm{h.Number(), h.Number()}}));
  }
}

}  // namespace
}  // namespace bowerbird::experiment::stats
