#include "experiment/ope/estimate.h"

#include <cmath>
#include <functional>
#include <limits>

#include "experiment/ope/reward_model.h"
#include "experiment/ope/simulated_pages_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

EstimateOptions With(Estimator estimator) { return {.estimator = estimator, .resamples = 50}; }

// Two pages of two positions whose weights are 2 and 0.5 at the first, 0.5 and 1.5 at the second.
std::vector<LoggedSlate> TwoPages() {
  const auto at = [](uint32_t position, double logged, double target, double reward) {
    return LoggedPosition{
        .position = position, .logged = {logged, logged}, .target = {target, target}, .reward = reward};
  };
  return {{"a", {at(0, 0.25, 0.5, 1), at(1, 0.5, 0.25, 2)}}, {"b", {at(0, 0.5, 0.25, 3), at(1, 0.5, 0.75, 0)}}};
}

TEST(EstimateTest, EqualsHandComputedValues) {
  const std::vector<ModelledSlate> model = {{{1, 2}, {1, 1}}, {{2, 2}, {0.5, 1}}};
  const auto value = [&](Estimator estimator) { return EstimateValue(TwoPages(), model, With(estimator))->value; };
  EXPECT_DOUBLE_EQ(value(Estimator::kIps), (2 * 1 + 0.5 * 2 + 0.5 * 3 + 1.5 * 0) / 2);
  EXPECT_DOUBLE_EQ(value(Estimator::kSnips), (2 * 1 + 0.5 * 3) / 2.5 + (0.5 * 2 + 1.5 * 0) / 2);
  EXPECT_DOUBLE_EQ(value(Estimator::kRips), (2 * 1 + 1 * 2 + 0.5 * 3 + 0.75 * 0) / 2);
  EXPECT_DOUBLE_EQ(value(Estimator::kCascadeDr),
                   (2 + 2 * (1 - 1) + 2 * 1 + 1 * (2 - 1) + 2 + 0.5 * (3 - 2) + 0.5 * 1 + 0.75 * (0 - 0.5)) / 2);
}

TEST(EstimateTest, EachResultNamesItsAssumption) {
  EXPECT_THAT(std::string(EstimateValue(TwoPages(), {}, With(Estimator::kSnips))->assumption),
              HasSubstr("item-position model"));
  EXPECT_THAT(std::string(EstimateValue(TwoPages(), {}, With(Estimator::kRips))->assumption),
              HasSubstr("cascade model"));
  // Without anything above, prefix weights are weights of the position.
  std::vector<LoggedSlate> slots = TwoPages();
  for (LoggedSlate& slot : slots) slot.positions.erase(slot.positions.begin());
  EXPECT_THAT(std::string(EstimateValue(slots, {}, With(Estimator::kRips))->assumption),
              HasSubstr("item-position model"));
}

TEST(EstimateTest, APolicyReadFromItsOwnLogIsWorthWhatItEarned) {
  SmallWorld world{.reward = ByItemsAbove};
  world.target = world.logged;
  const std::vector<LoggedSlate> slates = Simulate(world, 500, 3);
  double earned = 0;
  for (const LoggedSlate& slate : slates) {
    for (const LoggedPosition& shown : slate.positions) earned += shown.reward / 500;
  }
  for (const Estimator estimator : {Estimator::kIps, Estimator::kSnips, Estimator::kRips}) {
    const Estimate estimate = EstimateValue(slates, {}, With(estimator)).value();
    EXPECT_NEAR(estimate.value, earned, 1e-12) << NameOf(estimator);
    EXPECT_NEAR(estimate.diagnostics.all.effective, 1500, 1e-9);
    EXPECT_EQ(estimate.refused, "");
  }
}

struct Repeated {
  double mean = 0, error = 0, variance = 0;
};

// An estimator over many logs of one world.
Repeated Repeat(const SmallWorld& world, Estimator estimator) {
  constexpr int kLogs = 200;
  std::vector<double> values;
  for (int log = 0; log < kLogs; ++log) {
    const std::vector<LoggedSlate> slates = Simulate(world, 300, 1000 + log);
    TargetOf target(world);
    const std::vector<ModelledSlate> model = CrossFit(slates, target, 20).value();
    values.push_back(EstimateValue(slates, model, {.estimator = estimator, .resamples = 1})->value);
  }
  Repeated repeated{.error = StandardError(values)};
  for (const double value : values) repeated.mean += value / kLogs;
  repeated.variance = repeated.error * repeated.error * kLogs;
  return repeated;
}

TEST(EstimateTest, IpsIsUnbiasedWhereItemAndPositionDecide) {
  const SmallWorld world{.reward = ByItemAndPosition};
  const Repeated ips = Repeat(world, Estimator::kIps);
  EXPECT_NEAR(ips.mean, ExactValue(world, world.target), 4 * ips.error);
  // The policies differ by more than that, so that this says something.
  EXPECT_GT(std::abs(ExactValue(world, world.target) - ExactValue(world, world.logged)), 8 * ips.error);
}

TEST(EstimateTest, SequentialEstimatorsAreUnbiasedWhereItemsAboveMatter) {
  const SmallWorld world{.reward = ByItemsAbove};
  const double truth = ExactValue(world, world.target);
  const Repeated rips = Repeat(world, Estimator::kRips), dr = Repeat(world, Estimator::kCascadeDr);
  EXPECT_NEAR(rips.mean, truth, 4 * rips.error);
  EXPECT_NEAR(dr.mean, truth, 4 * dr.error);
  EXPECT_LE(dr.variance, rips.variance);
  EXPECT_GT(std::abs(truth - ExactValue(world, world.logged)), 8 * dr.error);
}

TEST(EstimateTest, IpsByPositionIsOffWhereItsAssumptionFails) {
  // What a position earns hangs on the item above alone, which the two policies choose from opposite ends.
  SmallWorld world{.positions = 2, .reward = [](std::span<const uint32_t> top) {
                     return top.size() == 2 ? (top[0] == 0 && top[1] == 2 ? 0.9 : 0.05) : 0.05;
                   }};
  world.logged = {2.0f, 0.0f, 0.0f};
  world.target = {-2.0f, 0.0f, 0.0f};
  const Repeated ips = Repeat(world, Estimator::kIps), rips = Repeat(world, Estimator::kRips);
  const double truth = ExactValue(world, world.target);
  EXPECT_GT(std::abs(ips.mean - truth), 6 * ips.error);
  EXPECT_NEAR(rips.mean, truth, 4 * rips.error);
}

TEST(EstimateTest, SelfNormalizedPositionsOfEqualRewardsAreThatReward) {
  std::vector<LoggedSlate> slates = Simulate({.reward = ByItemsAbove}, 200, 5);
  for (LoggedSlate& slate : slates) {
    for (LoggedPosition& shown : slate.positions) shown.reward = 2;
  }
  const Estimate estimate = EstimateValue(slates, {}, With(Estimator::kSnips)).value();
  EXPECT_NEAR(estimate.value, 6, 1e-12);
  EXPECT_NEAR(estimate.standard_error, 0, 1e-12);
}

TEST(EstimateTest, CutWeightsAreDeclaredAndTakeTheVerdictWhenTheyTakeTheTarget) {
  const std::vector<LoggedSlate> slates = Simulate({.reward = ByItemsAbove}, 2000, 5);
  EstimateOptions options = With(Estimator::kIps);
  options.weight_max = 1.0;
  const Estimate cut = EstimateValue(slates, {}, options).value();
  EXPECT_EQ(cut.weight_max, 1.0);
  EXPECT_GT(cut.diagnostics.cut_share, 0.05);
  EXPECT_THAT(cut.refused, HasSubstr("cutting weights leaves"));
  options.weight_max = 1000;
  const Estimate whole = EstimateValue(slates, {}, options).value();
  EXPECT_EQ(whole.diagnostics.cut_share, 0);
  EXPECT_EQ(whole.refused, "");
  EXPECT_GT(whole.value, cut.value);
}

TEST(EstimateTest, HugeWeightsAreRefusedAndRemainNumbers) {
  std::vector<LoggedSlate> slates = TwoPages();
  for (LoggedSlate& slate : slates) {
    for (LoggedPosition& shown : slate.positions) {
      shown.logged = {1e-300, 1e-300};
      shown.reward = kMagnitudeMax;
    }
  }
  const Estimate estimate = EstimateValue(slates, {}, With(Estimator::kRips)).value();
  EXPECT_TRUE(std::isfinite(estimate.value));
  EXPECT_NE(estimate.refused, "");
}

struct BadLog {
  const char* name;
  std::function<void(std::vector<LoggedSlate>*)> spoil;
  const char* message;
};

class EstimateRefusesTest : public testing::TestWithParam<BadLog> {};

TEST_P(EstimateRefusesTest, AndNamesRequestAndPosition) {
  std::vector<LoggedSlate> slates = TwoPages();
  GetParam().spoil(&slates);
  const absl::Status status = EstimateValue(slates, {}, With(Estimator::kRips)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, EstimateRefusesTest,
    testing::Values(
        BadLog{"empty", [](auto* slates) { slates->clear(); }, "holds no request"},
        BadLog{"missing", [](auto* slates) { (*slates)[1].positions[0].logged.conditional.reset(); },
               "request 'b', position 0: the logged conditional probability is missing"},
        BadLog{"zero", [](auto* slates) { (*slates)[0].positions[1].logged.conditional = 0; }, "expected above 0"},
        BadLog{"above_one", [](auto* slates) { (*slates)[0].positions[1].target.conditional = 1.5; }, "at most 1"},
        BadLog{"negative", [](auto* slates) { (*slates)[0].positions[1].target.conditional = -0.5; }, "at least 0"},
        BadLog{"nan", [](auto* slates) { (*slates)[0].positions[1].logged.conditional = kNaN; }, "is nan"},
        BadLog{"reward", [](auto* slates) { (*slates)[0].positions[1].reward = kNaN; }, "the reward is nan"},
        BadLog{"support", [](auto* slates) { (*slates)[0].positions[1].target_on_support = 2; }, "target_on_support"},
        BadLog{"order", [](auto* slates) { (*slates)[0].positions[1].position = 0; }, "expected them ascending"},
        BadLog{"gap", [](auto* slates) { (*slates)[0].positions[1].position = 2; }, "expected none left out"},
        BadLog{"far", [](auto* slates) { (*slates)[0].positions[1].position = 4000000000; }, "below 1024"}),
    [](const auto& info) { return info.param.name; });

TEST(EstimateTest, SaysWhichOptionOrModelDoesNotFit) {
  const auto message = [](const std::vector<ModelledSlate>& model, EstimateOptions options) {
    return std::string(EstimateValue(TwoPages(), model, options).status().message());
  };
  EstimateOptions options = With(Estimator::kCascadeDr);
  EXPECT_THAT(message({}, options), HasSubstr("speaks of 0 requests; expected 2"));
  EXPECT_THAT(message({{{1, 1}}, {}}, options), HasSubstr("request 'a': the model speaks of 1 positions; expected 2"));
  EXPECT_THAT(message({{{1, 1}, {1, kNaN}}, {{1, 1}, {1, 1}}}, options), HasSubstr("expected numbers"));
  options.weight_max = 0;
  EXPECT_THAT(message({}, options), HasSubstr("weight_max is 0"));
  options.weight_max.reset();
  options.resamples = 0;
  EXPECT_THAT(message({}, options), HasSubstr("resamples is 0"));
}

}  // namespace
}  // namespace bowerbird::experiment::ope
