#include "experiment/ope/open_bandit.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::ope {
namespace {

using testing::HasSubstr;

const std::string kHeader = ",timestamp,item_id,position,click,propensity_score,user_feature_0\n";

TEST(ReadOpenBanditTest, ReadsItsColumnsWhereverTheyAre) {
  const auto rows = ReadOpenBandit("a.csv", kHeader + "0,t,5,3,1,0.25,x\r\n1,t,0,1,0,1e-06,x").value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].item, 5u);
  EXPECT_EQ(rows[0].position, 2u);
  EXPECT_EQ(rows[0].click, 1);
  EXPECT_EQ(rows[0].propensity, 0.25);
  EXPECT_EQ(rows[1].propensity, 1e-06);
  EXPECT_EQ(ReadOpenBandit("b.csv", "click,propensity_score,position,item_id\n1,0.5,1,9\n")->at(0).item, 9u);
}

struct BadFile {
  const char* name;
  std::string text;
  const char* message;
};

class ReadOpenBanditRefusesTest : public testing::TestWithParam<BadFile> {};

TEST_P(ReadOpenBanditRefusesTest, AndNamesFileLineAndWhatWasExpected) {
  const absl::Status status = ReadOpenBandit("log.csv", GetParam().text).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, ReadOpenBanditRefusesTest,
    testing::Values(
        BadFile{"empty", "", "log.csv:1: the file ends; expected a header and rows"},
        BadFile{"no_rows", kHeader, "log.csv:2: the file ends; expected rows"},
        BadFile{"foreign", "user item item\n1 2 3\n",
                "log.csv:1: found 'user item item'; expected a header with item_id, position, click, propensity_score"},
        BadFile{"binary",
                std::string("\x7f"
                            "ELF\0\0\0\n\0",
                            9),
                "log.csv:1: found"},
        BadFile{"cut_off", kHeader + "0,t,5,3,1,0.25,x\n1,t,5,3", "log.csv:3: found '1,t,5,3'; expected 7 fields"},
        BadFile{"blank", kHeader + "\n0,t,5,3,1,0.25,x\n", "log.csv:2: found ''; expected 7 fields"},
        BadFile{"item", kHeader + "0,t,lamp,3,1,0.25,x\n", "log.csv:2: found 'lamp'; expected an item_id"},
        BadFile{"negative", kHeader + "0,t,-1,3,1,0.25,x\n", "found '-1'; expected an item_id"},
        BadFile{"position", kHeader + "0,t,5,0,1,0.25,x\n", "found '0'; expected a position from 1 to 1024"},
        BadFile{"far", kHeader + "0,t,5,4294967295,1,0.25,x\n", "expected a position from 1 to 1024"},
        BadFile{"click", kHeader + "0,t,5,3,2,0.25,x\n", "found '2'; expected a click, 0 or 1"},
        BadFile{"zero", kHeader + "0,t,5,3,1,0,x\n", "found '0'; expected a propensity_score above 0"},
        BadFile{"nan", kHeader + "0,t,5,3,1,nan,x\n", "found 'nan'; expected a propensity_score"},
        BadFile{"above_one", kHeader + "0,t,5,3,1,1.01,x\n", "at most 1"},
        BadFile{"trailing", kHeader + "0,t,5,3,1,0.5x,x\n", "found '0.5x'"}),
    [](const auto& info) { return info.param.name; });

TEST(ShownSharesTest, AreSharesOfEachPosition) {
  const std::vector<OpenBanditRow> rows = {{5, 0, 0, 1}, {5, 0, 0, 1}, {6, 0, 0, 1}, {6, 2, 0, 1}};
  const ShownShares shares = ShownShares::Of(rows);
  EXPECT_DOUBLE_EQ(shares.At(0, 5), 2.0 / 3);
  EXPECT_EQ(shares.At(2, 6), 1);
  EXPECT_EQ(shares.At(2, 5), 0);
  EXPECT_EQ(shares.Shares(0).size(), 2u);
  EXPECT_TRUE(shares.Shares(1).empty());
  EXPECT_TRUE(shares.Shares(9).empty());
}

TEST(SlatesForTest, HoldBothPoliciesAndWhatTheLogLacks) {
  const std::vector<OpenBanditRow> log = {{5, 0, 1, 0.5}, {6, 0, 0, 0.25}};
  const std::vector<OpenBanditRow> other = {{5, 0, 0, 1}, {7, 0, 0, 1}, {7, 0, 0, 1}, {7, 0, 0, 1}};
  const std::vector<LoggedSlate> slates = SlatesFor(log, ShownShares::Of(other));
  ASSERT_EQ(slates.size(), 2u);
  EXPECT_EQ(slates[1].request, "row 2");
  const LoggedPosition& first = slates[0].positions[0];
  EXPECT_EQ(first.reward, 1);
  EXPECT_EQ(first.logged.marginal, 0.5);
  EXPECT_EQ(first.target.conditional, 0.25);
  EXPECT_EQ(slates[1].positions[0].target.marginal, 0);
  EXPECT_EQ(first.target_on_support, 0.25);
}

}  // namespace
}  // namespace bowerbird::experiment::ope
