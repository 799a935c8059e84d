#include "config/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace bowerbird::config {
namespace {

using testing::HasSubstr;

std::string ProblemOf(const std::string& metric) {
  const auto metrics = ParseMetrics(
      "[items.attributes]\ncost = \"number\"\n[events.rate.attributes]\nstars = \"number\"\nwhy = \"string\"\n"
      "[metrics.m]\n" +
          metric,
      "t");
  return metrics.ok() ? "" : std::string(metrics.status().message());
}

TEST(MetricsTest, AreReadWithTheirDefaults) {
  const auto metrics = ParseMetrics(R"(
[items.attributes]
cost = "number"
[metrics.clicks]
kind = "mean"
on = ["click"]
[metrics.margin]
kind = "ratio"
numerator = { on = ["purchase"], of = "item.cost", where = "event.surface == 'home'" }
denominator = { on = ["impression"] }
better = "down"
minimum_effect = 0.05
winsorize = 1
covariate_days = 0
[metrics.back]
kind = "retention"
from = 7
to = 13
)",
                                    "t");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  ASSERT_EQ(metrics->size(), 3u);
  const Metric& clicks = (*metrics)[0];
  EXPECT_EQ(clicks.kind, Metric::Kind::kMean);
  EXPECT_THAT(clicks.source.on, testing::ElementsAre("click"));
  EXPECT_EQ(clicks.source.of, "1");
  EXPECT_TRUE(clicks.up_is_better);
  EXPECT_EQ(clicks.effect_min, 0.01);
  EXPECT_EQ(clicks.winsorize, 0.999);
  EXPECT_EQ(clicks.covariate_days, 14u);
  const Metric& margin = (*metrics)[1];
  EXPECT_EQ(margin.source.of, "item.cost");
  EXPECT_EQ(margin.source.where, "event.surface == 'home'");
  EXPECT_THAT(margin.denominator.on, testing::ElementsAre("impression"));
  EXPECT_FALSE(margin.up_is_better);
  const Metric& back = (*metrics)[2];
  EXPECT_TRUE(back.source.on.empty());
  EXPECT_EQ(back.from_day, 7u);
  EXPECT_EQ(back.to_day, 13u);
}

TEST(MetricsTest, WhatIsReadOfTheItemIsStampedFromNowOn) {
  const ParseResult parsed = Parse(R"(
[items.attributes]
cost = "number"
[metrics.revenue]
kind = "mean"
on = ["purchase"]
of = "item.cost"
)",
                                   "t");
  ASSERT_NE(parsed.config, nullptr);
  EXPECT_TRUE(parsed.config->FindItemAttribute("cost")->stamp);
}

TEST(MetricsTest, RefusesWhatCannotBeCounted) {
  for (const auto& [metric, problem] : std::vector<std::pair<std::string, std::string>>{
           {"", "expected one of mean, proportion, ratio, quantile, retention"},
           {"kind = \"median\"", "metrics.m.kind"},
           {"kind = \"mean\"", "metrics.m.on"},
           {"kind = \"mean\"\non = []", "an empty list"},
           {"kind = \"mean\"\non = [\"clikc\"]", "did you mean \"click\""},
           {"kind = \"mean\"\non = [\"rate\"]\nof = \"event.starz\"", "metrics.m.of: found \"event.starz\""},
           {"kind = \"mean\"\non = [\"rate\"]\nof = \"event.why\"", "metrics.m.of"},
           {"kind = \"mean\"\non = [\"click\"]\nof = \"event.stars\"", "metrics.m.of"},
           {"kind = \"mean\"\non = [\"click\"]\nof = \"item.brand\"", "metrics.m.of"},
           {"kind = \"mean\"\non = [\"click\"]\nwhere = \"event.weight > 1\"", "metrics.m.where"},
           {"kind = \"mean\"\non = [\"click\"]\nwhere = \"event.at > now - 7d\"", "metrics.m.where"},
           {"kind = \"mean\"\non = [\"click\"]\nwhere = \"cost > 1\"", "metrics.m.where"},
           {"kind = \"mean\"\non = [\"click\"]\nbetter = \"more\"", "metrics.m.better"},
           {"kind = \"mean\"\non = [\"click\"]\nminimum_effect = 0", "metrics.m.minimum_effect"},
           {"kind = \"mean\"\non = [\"click\"]\nwinsorize = 99", "metrics.m.winsorize"},
           {"kind = \"mean\"\non = [\"click\"]\ncovariate_days = -1", "metrics.m.covariate_days"},
           {"kind = \"proportion\"\non = [\"click\"]\nof = \"event.value\"", "the unknown key"},
           {"kind = \"ratio\"\non = [\"click\"]", "metrics.m.numerator"},
           {"kind = \"ratio\"\nnumerator = { on = [\"click\"] }", "metrics.m.denominator"},
           {"kind = \"ratio\"\nnumerator = { on = [\"click\"], x = 1 }\ndenominator = { on = [\"click\"] }",
            "metrics.m.numerator.x"},
           {"kind = \"quantile\"\non = [\"click\"]", "metrics.m.q"},
           {"kind = \"quantile\"\non = [\"click\"]\nq = 1", "metrics.m.q"},
           {"kind = \"quantile\"\non = [\"click\"]\nq = 0.5\nper = \"item\"", "metrics.m.per"},
           {"kind = \"retention\"\nfrom = 7", "metrics.m.to"},
           {"kind = \"retention\"\nfrom = 7\nto = 6", "6, before from = 7"},
           {"kind = \"retention\"\nfrom = 0\nto = 6", "metrics.m.from"}}) {
    EXPECT_THAT(ProblemOf(metric), HasSubstr(problem)) << metric;
  }
}

}  // namespace
}  // namespace bowerbird::config
