#include "rows/bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "fmt/format.h"

namespace bowerbird::rows {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// A day like any other, but for `seed`.
SetInfo Day(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> around(0, 1);
  SetInfo set;
  set.day = fmt::format("2026-01-{:02}", seed + 1);
  set.rows = 10'000 + random() % 1'000;
  ObjectiveInfo& click = set.objectives.emplace_back();
  click.name = "click";
  click.stats.labels = 50'000;
  click.stats.nulls = 30'000 + random() % 500;
  click.stats.positives = 5'000 + random() % 300;
  for (const char* name : {"ials", "quality"}) {
    auto& [feature, stats] = set.feature_stats.emplace_back();
    feature = name;
    for (int i = 0; i < 5'000; ++i) stats.Add(static_cast<float>(around(random)));
    stats.nulls = 50 + random() % 10;
    set.features.emplace_back(name);
  }
  return set;
}

/// The first days, made once.
std::span<const SetInfo> Days(size_t count) {
  static std::vector<SetInfo>& all = *new std::vector<SetInfo>();
  if (all.empty()) {
    for (size_t i = 0; i < BoundsRules::kSetsMax; ++i) all.push_back(Day(i));
  }
  return std::span(all).first(count);
}

std::vector<std::string> Refused(const SetInfo& set) {
  std::vector<std::string> refused;
  for (const Bound& bound : LearnBounds(Days(14), set)) {
    if (!bound.Holds()) refused.push_back(bound.name);
  }
  return refused;
}

TEST(BoundsTest, ADayLikeTheOthersHoldsThemAll) {
  for (uint64_t seed = 14; seed < 24; ++seed) EXPECT_THAT(Refused(Day(seed)), IsEmpty()) << seed;
  const std::vector<Bound> bounds = LearnBounds(Days(14), Day(14));
  std::vector<std::string> names;
  for (const Bound& bound : bounds) names.push_back(bound.name);
  EXPECT_THAT(names,
              UnorderedElementsAre("volume", "label_rate of click", "null_rate of label click", "null_rate of ials",
                                   "psi of ials", "null_rate of quality", "psi of quality"));
}

TEST(BoundsTest, WithFewerThanFourteenSetsNothingIsUsual) {
  EXPECT_THAT(LearnBounds(Days(13), Day(20)), IsEmpty());
  EXPECT_FALSE(LearnBounds(Days(14), Day(20)).empty());
}

TEST(BoundsTest, ALostHalfOfTheTrafficIsRefused) {
  SetInfo set = Day(14);
  set.rows = 4'000;
  EXPECT_THAT(Refused(set), ElementsAre("volume"));
}

TEST(BoundsTest, AFeatureThatIsMissingIsRefused) {
  SetInfo set = Day(14);
  set.feature_stats[0].second.nulls = 4'000;
  EXPECT_THAT(Refused(set), ElementsAre("null_rate of ials"));
}

TEST(BoundsTest, ImpressionsThatAreNotSentAreRefused) {
  SetInfo set = Day(14);
  set.objectives[0].stats.nulls = 75'000;
  EXPECT_THAT(Refused(set), ElementsAre("null_rate of label click"));
}

TEST(BoundsTest, ClicksThatAreCountedTwiceAreRefused) {
  SetInfo set = Day(14);
  set.objectives[0].stats.positives *= 2;
  EXPECT_THAT(Refused(set), ElementsAre("label_rate of click"));
  std::vector<std::string> texts;
  for (const Bound& bound : LearnBounds(Days(14), set)) {
    if (!bound.Holds()) texts.push_back(bound.ToString());
  }
  EXPECT_THAT(texts, ElementsAre(AllOf(HasSubstr("label_rate of click: found 0.2"), HasSubstr("; expected 0.07"))));
}

TEST(BoundsTest, AFeatureInAnotherUnitIsRefused) {
  SetInfo set = Day(14);
  FeatureStats& stats = set.feature_stats[1].second;
  stats.counts.fill(0);
  std::mt19937_64 random(1);
  std::normal_distribution<double> around(0, 100);
  for (int i = 0; i < 20'000; ++i) stats.Add(static_cast<float>(around(random)));
  EXPECT_THAT(Refused(set), ElementsAre("psi of quality"));
}

TEST(PsiTest, IsZeroForTheSameAndGrowsWithTheDistance) {
  FeatureStats a, b, c;
  for (int i = 0; i < 1'000; ++i) {
    a.Add(static_cast<float>(i) / 1'000);
    b.Add(static_cast<float>(i) / 1'000 + 0.1f);
    c.Add(static_cast<float>(i) / 1'000 + 1);
  }
  EXPECT_NEAR(Psi(a, a), 0, 1e-12);
  EXPECT_GT(Psi(a, b), 0.02);
  EXPECT_GT(Psi(a, c), 5 * Psi(a, b));
  EXPECT_EQ(Psi(a, FeatureStats()), 0);
  EXPECT_EQ(Psi(FeatureStats(), a), 0);
}

}  // namespace
}  // namespace bowerbird::rows
