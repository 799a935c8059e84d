#include "experiment/ope/plackett_luce.h"

#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "experiment/ope/simulated_pages_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::HasSubstr;

const std::vector<float> kFour = {1.2f, 0.1f, -0.5f, -2.0f};

TEST(DrawPageTest, PagesComeAsOftenAsTheirProbabilitySays) {
  std::map<std::vector<uint32_t>, double> counts;
  base::Rng rng(1);
  constexpr int kDraws = 100000;
  for (int draw = 0; draw < kDraws; ++draw) ++counts[DrawPage(kFour, 3, &rng)];
  ForEachPage(kFour, 3, [&](std::span<const uint32_t> page, double probability) {
    const double error = std::sqrt(probability * (1 - probability) / kDraws);
    EXPECT_NEAR((counts[{page.begin(), page.end()}] / kDraws), probability, 5 * error);
  });
}

TEST(MarginalsTest, AgreeWithExactEnumeration) {
  const std::vector<double> exact = ExactMarginals(kFour, 4);
  double squares = 0;
  int counted = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Marginals marginals = EstimateMarginals(kFour, 4, 2000, seed).value();
    for (size_t at = 0; at < exact.size(); ++at) {
      const double error = marginals.standard_error[at];
      ASSERT_NEAR(marginals.probability[at], exact[at], 5 * error + 1e-12) << "seed " << seed << ", entry " << at;
      if (at < kFour.size()) continue;
      squares += std::pow((marginals.probability[at] - exact[at]) / error, 2);
      ++counted;
    }
  }
  // The errors are as large as they say they are.
  EXPECT_NEAR(squares / counted, 1, 0.25);
}

TEST(MarginalsTest, TheFirstPositionIsExactAndEachSumsToOne) {
  const Marginals marginals = EstimateMarginals(kFour, 3, 100, 7).value();
  for (uint32_t item = 0; item < 4; ++item) {
    EXPECT_EQ(marginals.standard_error[marginals.index(0, item)], 0);
    EXPECT_GT(marginals.standard_error[marginals.index(2, item)], 0);
  }
  for (uint32_t position = 0; position < 3; ++position) {
    const auto row = marginals.probability.begin() + position * 4;
    EXPECT_NEAR(std::accumulate(row, row + 4, 0.0), 1, 1e-12);
  }
}

TEST(MarginalsTest, ASeedGivesTheSameBits) {
  EXPECT_EQ(EstimateMarginals(kFour, 3, 50, 3)->probability, EstimateMarginals(kFour, 3, 50, 3)->probability);
  EXPECT_NE(EstimateMarginals(kFour, 3, 50, 3)->probability, EstimateMarginals(kFour, 3, 50, 4)->probability);
}

TEST(MarginalsTest, AnItemThatHasAllWeightLeavesTheOthersTheirShares) {
  const Marginals marginals = EstimateMarginals(std::vector<float>{3000, 0, -1}, 2, 20, 1).value();
  EXPECT_DOUBLE_EQ(marginals.probability[marginals.index(0, 0)], 1);
  EXPECT_NEAR(marginals.probability[marginals.index(1, 1)], 1 / (1 + std::exp(-1)), 1e-12);
}

TEST(MarginalsTest, WhatNoPageToldIsNotCertain) {
  // The heavy item stands first in every one of 100 pages; below, it might have stood as well.
  const Marginals marginals = EstimateMarginals(std::vector<float>{9, 0, 0}, 2, 100, 1).value();
  EXPECT_EQ(marginals.probability[marginals.index(1, 0)], 0);
  EXPECT_NEAR(marginals.standard_error[marginals.index(1, 0)], 0.01, 1e-4);
  EXPECT_LT(marginals.standard_error[marginals.index(1, 1)], 0.0051);
}

TEST(MarginalsTest, SaysWhatDoesNotFit) {
  const auto message = [](const std::vector<float>& weights, uint32_t positions, uint32_t draws) {
    return std::string(EstimateMarginals(weights, positions, draws, 1).status().message());
  };
  EXPECT_THAT(message(kFour, 0, 10), HasSubstr("0 positions of 4 items; expected 1 to 4"));
  EXPECT_THAT(message(kFour, 5, 10), HasSubstr("5 positions of 4 items"));
  EXPECT_THAT(message({}, 1, 10), HasSubstr("of 0 items"));
  EXPECT_THAT(message({0, std::numeric_limits<float>::infinity()}, 1, 10), HasSubstr("expected a number"));
  EXPECT_THAT(message({0, std::nanf("")}, 1, 10), HasSubstr("expected a number"));
  EXPECT_THAT(message(kFour, 2, 1), HasSubstr("1 draws; expected at least 2"));
}

class ReadPageTest : public testing::Test {
 protected:
  DrawnPage Drawn() const { return {"req", items_, logged_, target_, page_, rewards_}; }

  std::vector<uint64_t> items_ = {10, 11, 12, 13};
  std::vector<float> logged_ = kFour, target_ = {0, 0, 0, 0};
  std::vector<uint32_t> page_ = {1, 0};
  std::vector<double> rewards_ = {0, 1};
};

TEST_F(ReadPageTest, HoldsBothProbabilitiesUnderBothPolicies) {
  const LoggedSlate slate = ReadPage(Drawn(), 2000, 1).value();
  ASSERT_EQ(slate.positions.size(), 2u);
  const LoggedPosition& second = slate.positions[1];
  EXPECT_EQ(second.item, 10u);
  EXPECT_EQ(second.reward, 1);
  EXPECT_DOUBLE_EQ(*second.logged.conditional, ConditionalProbabilities(logged_, page_)[1]);
  EXPECT_DOUBLE_EQ(*second.target.conditional, 1.0 / 3);
  EXPECT_NEAR(*second.logged.marginal, ExactMarginals(logged_, 2)[4], 0.01);
  EXPECT_NEAR(*second.target.marginal, 0.25, 0.02);
  EXPECT_EQ(slate.positions[0].logged.conditional, slate.positions[0].logged.marginal);
}

TEST_F(ReadPageTest, AMarginalThatTheDrawsDoNotTellIsNotDividedBy) {
  // Behind an item that nearly always stands first, the rare item at the second place is all chance.
  logged_ = {0, 9, -4, -4};
  page_ = {0, 1};
  const absl::Status status = ReadPage(Drawn(), 50, 1).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("take more draws"));
}

TEST_F(ReadPageTest, SaysWhatDoesNotFit) {
  page_ = {1, 1};
  EXPECT_THAT(std::string(ReadPage(Drawn(), 10, 1).status().message()), HasSubstr("expected each at most once"));
  page_ = {1, 4};
  EXPECT_THAT(std::string(ReadPage(Drawn(), 10, 1).status().message()), HasSubstr("candidate 4 of 4"));
  page_ = {1};
  EXPECT_THAT(std::string(ReadPage(Drawn(), 10, 1).status().message()), HasSubstr("1 shown with 2 rewards"));
  target_.pop_back();
  EXPECT_THAT(std::string(ReadPage(Drawn(), 10, 1).status().message()), HasSubstr("4 and 3 log weights"));
}

}  // namespace
}  // namespace bowerbird::experiment::ope
