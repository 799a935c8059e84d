#include "experiment/ope/reward_model.h"

#include "experiment/ope/simulated_pages_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::HasSubstr;

LoggedSlate Page(std::vector<std::pair<uint64_t, double>> shown) {
  LoggedSlate slate;
  for (const auto& [item, reward] : shown) {
    slate.positions.push_back(
        {.position = static_cast<uint32_t>(slate.positions.size()), .item = item, .reward = reward});
  }
  return slate;
}

bool Everything(size_t) { return true; }

TEST(MeanRewardModelTest, DrawsAnItemsMeanTowardsThePositions) {
  const std::vector<LoggedSlate> slates = {Page({{7, 1}}), Page({{7, 0}}), Page({{8, 0}}), Page({{8, 0}})};
  const MeanRewardModel model = MeanRewardModel::Fit(slates, Everything, 2);
  EXPECT_DOUBLE_EQ(model.Predict(0, 7), (1 + 2 * 0.25) / (2 + 2));
  EXPECT_DOUBLE_EQ(model.Predict(0, 8), (0 + 2 * 0.25) / (2 + 2));
  EXPECT_DOUBLE_EQ(model.Predict(0, 9), 0.25);
  EXPECT_EQ(model.Predict(1, 7), 0);
}

TEST(MeanRewardModelTest, CountsWhatIsEarnedFromThePositionOn) {
  const std::vector<LoggedSlate> slates = {Page({{7, 1}, {8, 2}, {9, 4}})};
  const MeanRewardModel model = MeanRewardModel::Fit(slates, Everything, 0);
  EXPECT_DOUBLE_EQ(model.Predict(0, 7), 7);
  EXPECT_DOUBLE_EQ(model.Predict(1, 8), 6);
  EXPECT_DOUBLE_EQ(model.Predict(2, 9), 4);
}

TEST(CrossFitTest, NoRewardIsPredictedFromItself) {
  const SmallWorld world{.reward = ByItemsAbove};
  std::vector<LoggedSlate> slates = Simulate(world, 40, 1);
  TargetOf target(world);
  const std::vector<ModelledSlate> before = CrossFit(slates, target, 1).value();
  slates[6].positions[0].reward += 5;
  const std::vector<ModelledSlate> after = CrossFit(slates, target, 1).value();
  for (size_t s = 0; s < slates.size(); ++s) {
    EXPECT_EQ(before[s][0].expected == after[s][0].expected, s % 2 == 0) << "slate " << s;
    if (s % 2 == 0) {
      EXPECT_EQ(before[s][0].shown, after[s][0].shown);
    }
  }
}

TEST(CrossFitTest, ExpectsWhatTheTargetWouldShow) {
  const std::vector<LoggedSlate> slates = {Page({{7, 1}}), Page({{7, 0}}), Page({{8, 4}}), Page({{7, 0}})};
  const std::vector<ItemShare> shares = {{7, 0.25}, {8, 0.75}};
  const std::vector<ModelledSlate> modelled =
      CrossFit(
          slates, [&](const LoggedSlate&, size_t) { return std::span(shares); }, 0)
          .value();
  EXPECT_DOUBLE_EQ(modelled[1][0].shown, 1);
  EXPECT_DOUBLE_EQ(modelled[1][0].expected, 0.25 * 1 + 0.75 * 4);
}

TEST(CrossFitTest, SaysWhatDoesNotFit) {
  std::vector<LoggedSlate> slates = {Page({{7, 1}})};
  std::vector<ItemShare> shares = {{7, 0.5}};
  const auto message = [&] {
    return std::string(CrossFit(slates, [&](const LoggedSlate&, size_t) { return std::span<const ItemShare>(shares); })
                           .status()
                           .message());
  };
  EXPECT_THAT(message(), HasSubstr("sum to 0.5; expected 1"));
  shares.clear();
  EXPECT_THAT(message(), HasSubstr("sum to 0"));
  slates[0].positions[0].position = 4000000000;
  EXPECT_THAT(message(), HasSubstr("position 4000000000"));
}

}  // namespace
}  // namespace bowerbird::experiment::ope
