#include "experiment/ope/agreement.h"

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::HasSubstr;

// Items 0 to 3 with click rates of 0.1, 0.2, 0.3 and 0.4, shown by `shares` at two positions.
PolicyLog Log(const std::string& policy, const std::vector<double>& shares, size_t rows, uint64_t seed) {
  base::Rng rng(seed);
  PolicyLog log{policy, {}};
  for (size_t row = 0; row < rows; ++row) {
    double draw = rng.Uniform();
    size_t item = 0;
    while (item + 1 < shares.size() && draw >= shares[item]) draw -= shares[item++];
    const double click = rng.Bernoulli(0.1 * static_cast<double>(item + 1)) ? 1.0 : 0.0;
    log.rows.push_back({item, static_cast<uint32_t>(row % 2), click, shares[item]});
  }
  return log;
}

const std::vector<double> kEven = {0.25, 0.25, 0.25, 0.25}, kUpper = {0.1, 0.1, 0.2, 0.6};

TEST(AgreementTest, AnEstimateAgreesWithWhatTheOtherPolicyEarned) {
  const auto agreements = JudgeByOtherLog("c", Log("even", kEven, 4000, 1), Log("upper", kUpper, 4000, 2), 1).value();
  ASSERT_EQ(agreements.size(), 3u);
  for (const Agreement& agreement : agreements) {
    EXPECT_EQ(agreement.estimate.refused, "");
    EXPECT_TRUE(agreement.covers) << NameOf(agreement.estimate.estimator);
    EXPECT_NEAR(agreement.truth, 0.33, 0.03);
    EXPECT_NEAR(agreement.estimate.value, 0.33, 0.04);
    // Noise of both logs: wider than that of one.
    EXPECT_GT(agreement.difference_interval.high - agreement.difference_interval.low,
              agreement.estimate.bootstrap.high - agreement.estimate.bootstrap.low);
  }
}

TEST(AgreementTest, CoversSaysNoWhereTheLogsContradictEachOther) {
  PolicyLog upper = Log("upper", kUpper, 4000, 2);
  for (OpenBanditRow& row : upper.rows) row.click = 1;
  const auto agreements = JudgeByOtherLog("c", Log("even", kEven, 4000, 1), upper, 1).value();
  for (const Agreement& agreement : agreements) {
    EXPECT_FALSE(agreement.covers);
    EXPECT_LT(agreement.difference_interval.high, 0);
  }
}

TEST(AgreementTest, OneRowThatCarriesTheWeightIsNoVerdict) {
  PolicyLog even = Log("even", kEven, 2000, 1);
  even.rows[0].propensity = 1e-6;
  const auto agreements = JudgeByOtherLog("c", even, Log("upper", kUpper, 2000, 2), 1).value();
  for (const Agreement& agreement : agreements) {
    EXPECT_THAT(agreement.estimate.refused, HasSubstr("the effective sample size is 1.0 of 2000 rows"));
  }
  const std::string json = ToJson(agreements);
  EXPECT_THAT(json, HasSubstr("\"low\":null"));
  EXPECT_THAT(json, HasSubstr("\"covers\":null,\"refused\":\"the effective sample size is 1.0"));
  EXPECT_THAT(ToTable(agreements), HasSubstr("refused: the effective sample size"));
}

TEST(AgreementTest, AnItemThatTheLogLacksIsNoVerdict) {
  const auto agreements =
      JudgeByOtherLog("c", Log("lower", {0.5, 0.3, 0.2}, 2000, 1), Log("upper", kUpper, 2000, 2), 1).value();
  EXPECT_THAT(agreements[0].estimate.refused, HasSubstr("of the target's probability is on what the log shows"));
}

TEST(AgreementTest, BothFormsSayWhatWasJudged) {
  const auto agreements =
      JudgeByOtherLog("hats", Log("even", kEven, 1000, 1), Log("upper", kUpper, 1000, 2), 1).value();
  EXPECT_THAT(ToJson(agreements), HasSubstr("{\"campaign\":\"hats\",\"log\":\"even\",\"target\":\"upper\","
                                            "\"estimator\":\"ips\",\"assumption\":\"item-position model"));
  EXPECT_THAT(ToJson(agreements), HasSubstr("\"refused\":null"));
  EXPECT_THAT(ToTable(agreements), HasSubstr("hats      even    upper   cascade_dr"));
}

TEST(AgreementTest, APositionThatTheTargetNeverFilledIsNamed) {
  PolicyLog upper = Log("upper", kUpper, 100, 2);
  for (OpenBanditRow& row : upper.rows) row.position = 0;
  EXPECT_THAT(std::string(JudgeByOtherLog("c", Log("even", kEven, 100, 1), upper, 1).status().message()),
              HasSubstr("c: the log of 'even' has position 2, that of 'upper' does not"));
}

}  // namespace
}  // namespace bowerbird::experiment::ope
