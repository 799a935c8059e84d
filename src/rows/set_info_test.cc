#include "rows/set_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace bowerbird::rows {
namespace {

using testing::HasSubstr;

SetInfo Sample() {
  SetInfo set;
  set.day = "2026-11-27";
  set.as_of_us = 1'760'000'000'000'123;
  set.closed = true;
  set.config_version = "0123";
  set.negatives = 0.25;
  set.correction = Correction::kWeights;
  set.rows = 3;
  set.candidates = 30;
  set.shown = 25;
  set.by_impressions = 2;
  set.by_nothing = 1;
  set.refused["future_signal"] = 4;
  set.objectives.push_back({"click", "click where event.value > 1", 1'800'000'000, 0.5, {1, 20, 3}});
  set.features = {"ials"};
  set.feature_stats.emplace_back("ials", FeatureStats());
  for (const float value : {-1e30f, -1.0f, 0.0f, 0.5f, 1e30f}) set.feature_stats[0].second.Add(value);
  set.parts.emplace_back("date=2026-11-27/hour=07/part-0000000001.parquet", "00ff");
  return set;
}

TEST(SetInfoTest, ComesBackAsItWas) {
  const SetInfo set = Sample();
  const auto back = SetInfo::FromJson(set.ToJson());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), set.ToJson());
  EXPECT_EQ(back->objectives[0].stats.Rate(), 0.15);
  EXPECT_EQ(back->feature_stats[0].second.counts, set.feature_stats[0].second.counts);
}

TEST(SetInfoTest, AnyCutOrMissingMemberIsDamage) {
  const std::string text = Sample().ToJson();
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_TRUE(absl::IsDataLoss(SetInfo::FromJson(text.substr(0, length)).status())) << length;
  for (const char* member : {"day", "as_of_us", "rows", "parts", "features", "objectives", "refused", "correction"}) {
    std::string without = text;
    without.replace(without.find(std::string("\"") + member), 2, "\"_");
    EXPECT_TRUE(absl::IsDataLoss(SetInfo::FromJson(without).status())) << member;
  }
}

TEST(SetInfoTest, OneThatSaysNothingOfTablesHadNone) {
  SetInfo set = Sample();
  set.features_gone = 7;
  std::string text = set.ToJson();
  EXPECT_EQ(SetInfo::FromJson(text)->features_gone, 7u);
  const std::string_view member = "\"gone_features\":7,";
  ASSERT_NE(text.find(member), std::string::npos);
  text.erase(text.find(member), member.size());
  const auto back = SetInfo::FromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->features_gone, 0u);
}

TEST(SetInfoTest, ALaterFormatIsRefused) {
  std::string text = Sample().ToJson();
  text.replace(text.find("\"format\":1"), 10, "\"format\":2");
  EXPECT_TRUE(absl::IsFailedPrecondition(SetInfo::FromJson(text).status()));
}

TEST(SetInfoTest, BothWeightsAndAnOffsetAreRefused) {
  SetInfo set = Sample();
  set.log_odds_offset = -1.4;
  const absl::Status both = SetInfo::FromJson(set.ToJson()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(both));
  EXPECT_THAT(std::string(both.message()), HasSubstr("never both"));
  set.correction = Correction::kOffset;
  EXPECT_TRUE(SetInfo::FromJson(set.ToJson()).ok());
}

TEST(FeatureStatsTest, BinsAscendAndHoldEveryValue) {
  size_t last = 0;
  for (double value = -1e6; value < 1e6; value += 1 + std::abs(value) / 50) {
    const size_t bin = FeatureStats::BinOf(static_cast<float>(value));
    EXPECT_GE(bin, last);
    EXPECT_LT(bin, FeatureStats::kBins);
    last = bin;
  }
  EXPECT_NE(FeatureStats::BinOf(0.0f), FeatureStats::BinOf(0.1f));
  EXPECT_EQ(FeatureStats::BinOf(std::numeric_limits<float>::max()), FeatureStats::kBins - 1);
}

}  // namespace
}  // namespace bowerbird::rows
