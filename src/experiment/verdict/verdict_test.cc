#include "experiment/verdict/verdict.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "experiment/verdict/report.h"

namespace bowerbird::experiment::verdict {
namespace {

using metrics::ArmCell;
using metrics::Statistics;
using testing::HasSubstr;
using Results = v1::ExperimentResults;

constexpr int64_t kDayUs = 86'400'000'000;

/// An experiment with two metrics, clicks (primary, more is better) and hides (a guardrail, fewer are), and what its
/// arms did.
struct Made {
  v1::Experiment experiment;
  std::vector<config::Metric> metrics;
  Statistics statistics;

  Made() {
    experiment.set_id("buttons");
    experiment.set_state(v1::Experiment::RUNNING);
    for (const char* arm : {"control", "green"}) {
      experiment.add_arms()->set_name(arm);
      experiment.mutable_arms()->rbegin()->set_weight(1);
    }
    experiment.add_metrics()->set_name("clicks");
    experiment.add_metrics()->set_name("hides");
    experiment.mutable_metrics(1)->set_role(v1::ExperimentMetric::GUARDRAIL);
    experiment.mutable_metrics(1)->set_harm_max(0.1);
    metrics.resize(2);
    metrics[0].name = "clicks";
    metrics[1].name = "hides";
    metrics[1].up_is_better = false;
    statistics.arms = 2;
    statistics.begin_us = 20'000 * kDayUs;
    statistics.end_us = 20'010 * kDayUs;
  }

  void Add(size_t arm, uint64_t units, double clicks, double hides, uint64_t seed) {
    base::Rng rng(seed);
    ArmCell& cell = statistics.by_arm_and_phase[{arm, 0}];
    cell.metrics.resize(2);
    for (uint64_t i = 0; i < units; ++i) {
      const double busy = rng.Uniform();
      for (size_t m = 0; m < 2; ++m) {
        metrics::JointMoments one;
        one.count = 1;
        const double mean = m == 0 ? clicks : hides;
        one.mean[0] = mean * (2 * busy + 0.5 * (rng.Uniform() - 0.5));
        one.mean[1] = 2 * busy;  // of before: the arm has nothing to do with it
        cell.metrics[m].moments.Merge(one);
        cell.metrics[m].total += one.mean[0];
        cell.metrics[m].largest = std::max(cell.metrics[m].largest, one.mean[0]);
      }
    }
    cell.units += units;
    cell.exposures += units;
    cell.events += 10 * units;
  }
  Results Judged() const { return Judge(experiment, metrics, statistics); }
};

const v1::HealthCheck* Find(const Results& results, const std::string& check) {
  for (const v1::HealthCheck& one : results.health()) {
    if (one.check() == check) return &one;
  }
  return nullptr;
}

TEST(VerdictTest, AnEffectThatIsThereIsFoundAndSaidInNumbers) {
  Made made;
  made.Add(0, 4000, 2, 1, 1);
  made.Add(1, 4000, 2.2, 1, 2);
  const Results results = made.Judged();
  EXPECT_EQ(results.decision(), Results::BETTER) << results.sentence();
  const v1::MetricResult& clicks = results.metrics(0);
  EXPECT_EQ(clicks.finding(), "better");
  EXPECT_LT(clicks.lift().always_valid().low(), 0.1);
  EXPECT_GT(clicks.lift().always_valid().high(), 0.1);
  EXPECT_GT(clicks.variance_reduction(), 0.8);
  EXPECT_GT(clicks.probability_better(), 0.999);
  const auto width = [](const v1::ResultRange& range) { return range.high() - range.low(); };
  EXPECT_GT(width(clicks.effect().always_valid()), width(clicks.effect().fixed_horizon()));
  EXPECT_EQ(results.metrics(1).finding(), "safe");
  EXPECT_EQ(Find(results, "sample_ratio")->level(), v1::HealthCheck::OK);
}

TEST(VerdictTest, WithoutAnEffectAWinIsRarerThanAlpha) {
  int wins = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Made made;
    made.Add(0, 500, 2, 1, 2 * seed);
    made.Add(1, 500, 2, 1, 2 * seed + 1);
    const Results results = made.Judged();
    wins += results.decision() == Results::BETTER || results.decision() == Results::WORSE;
  }
  EXPECT_LE(wins, 10);
}

TEST(VerdictTest, AnUnevenSplitBreaksEvenTheLargestEffect) {
  Made made;
  made.Add(0, 4000, 2, 1, 1);
  made.Add(1, 3600, 4, 1, 2);
  const Results results = made.Judged();
  EXPECT_EQ(results.decision(), Results::BROKEN);
  EXPECT_THAT(results.sentence(), HasSubstr("control 4000 (3800 expected), green 3600 (3800 expected)"));
}

TEST(VerdictTest, APhaseWithAnUnevenSplitIsFoundAmongEvenOnes) {
  Made made;
  made.Add(0, 4000, 2, 1, 1);
  made.Add(1, 4000, 2, 1, 2);
  ArmCell few = made.statistics.by_arm_and_phase[{0, 0}], more = few;
  few.units = 200;
  more.units = 300;
  made.statistics.by_arm_and_phase[{0, 1}] = few;
  made.statistics.by_arm_and_phase[{1, 1}] = more;
  EXPECT_EQ(made.Judged().decision(), Results::BROKEN);
}

TEST(VerdictTest, AHarmedGuardrailStopsTheArm) {
  Made made;
  made.Add(0, 4000, 2, 1, 1);
  made.Add(1, 4000, 2.2, 1.5, 2);
  const Results results = made.Judged();
  EXPECT_EQ(results.decision(), Results::HARM);
  EXPECT_EQ(results.metrics(1).finding(), "harmed");
  ASSERT_TRUE(GuardrailHarm(results).has_value());
  EXPECT_THAT(*GuardrailHarm(results), HasSubstr("Stop green: it raises hides by 50%"));
}

TEST(VerdictTest, AGuardrailWithinWhatIsLetBeStopsNothing) {
  Made made;
  made.Add(0, 4000, 2, 1, 1);
  made.Add(1, 4000, 2, 1.05, 2);
  EXPECT_EQ(made.Judged().metrics(1).finding(), "safe");
  EXPECT_EQ(GuardrailHarm(made.Judged()), std::nullopt);
}

TEST(VerdictTest, WhatDoesNotVaryIsSaidAndNotCompared) {
  Made made;
  made.Add(0, 1000, 2, 0, 1);
  made.Add(1, 1000, 2, 0, 2);
  const Results results = made.Judged();
  EXPECT_FALSE(results.metrics(1).problem().empty());
  EXPECT_FALSE(results.metrics(1).has_effect());
  EXPECT_NE(Find(results, "no_effect"), nullptr);
}

TEST(VerdictTest, AnEmptyArmIsNamed) {
  Made made;
  made.Add(0, 1000, 2, 1, 1);
  const Results results = made.Judged();
  EXPECT_EQ(Find(results, "empty_arm")->text(), "nobody was counted in arm green");
  EXPECT_NE(results.decision(), Results::BETTER);
}

TEST(VerdictTest, NobodyAtAllIsTooEarly) {
  const Made made;
  EXPECT_EQ(made.Judged().decision(), Results::TOO_EARLY);
}

TEST(VerdictTest, UsersOfTwoArmsWarnThenBreak) {
  Made made;
  made.Add(0, 1000, 2, 1, 1);
  made.Add(1, 1000, 2, 1, 2);
  for (const auto& [users, level] : {std::pair(5u, v1::HealthCheck::OK), std::pair(60u, v1::HealthCheck::WARNING),
                                     std::pair(300u, v1::HealthCheck::BROKEN)}) {
    made.statistics.left_out.two_arms = users;
    EXPECT_EQ(Find(made.Judged(), "two_arms")->level(), level) << users;
  }
}

TEST(VerdictTest, ClocksThatAreWrongAreFlagged) {
  Made made;
  made.Add(0, 1000, 2, 1, 1);
  made.Add(1, 1000, 2, 1, 2);
  made.statistics.by_arm_and_phase[{0, 0}].skewed = 3;
  EXPECT_EQ(Find(made.Judged(), "clock_skew")->level(), v1::HealthCheck::OK);
  made.statistics.by_arm_and_phase[{1, 0}].skewed = 60;
  EXPECT_EQ(Find(made.Judged(), "clock_skew")->level(), v1::HealthCheck::WARNING);
  EXPECT_THAT(Find(made.Judged(), "clock_skew")->text(), HasSubstr("their share differs by arm"));
}

TEST(VerdictTest, OneUserWithAMillionEventsIsNamed) {
  Made made;
  made.Add(0, 1000, 2, 1, 1);
  made.Add(1, 1000, 2, 1, 2);
  metrics::MetricCell& cell = made.statistics.by_arm_and_phase[{1, 0}].metrics[0];
  cell.total += 1e6;
  cell.largest = 1e6;
  cell.cut = 1;
  const Results results = made.Judged();
  EXPECT_THAT(Find(results, "heavy_unit")->text(),
              HasSubstr("one user makes 99.8% of clicks in arm green, and is cut"));
  EXPECT_EQ(Find(results, "winsorized")->text(), "values of 1 users were cut in clicks");
}

TEST(VerdictTest, AnEffectThatWearsOffIsCalledNovel) {
  Made made;
  made.Add(0, 4000, 2, 1, 1);
  made.Add(1, 4000, 2.4, 1, 2);
  made.statistics.entered["2024-10-04"] = {4000, 4000};
  for (int day = 0; day < 9; ++day) {
    std::vector<metrics::Cell>& arms = made.statistics.by_day[fmt::format("2024-10-{:02}", 4 + day)];
    arms.resize(2);
    for (size_t arm = 0; arm < 2; ++arm) {
      arms[arm].metrics.resize(2);
      metrics::JointMoments& moments = arms[arm].metrics[0].moments;
      moments.count = 3000;
      moments.mean[0] = 1 + (arm == 1 ? 0.5 - 0.05 * day : 0);
      moments.comoment(0, 0) = 3000;
    }
  }
  const Results results = made.Judged();
  EXPECT_EQ(results.metrics(0).days_size(), 9);
  EXPECT_LT(results.metrics(0).novelty_p(), 0.01);
  EXPECT_LT(results.metrics(0).novelty_slope(), 0);
  EXPECT_NE(Find(results, "novelty"), nullptr);
  EXPECT_THAT(results.sentence(), HasSubstr("changes by day"));
}

TEST(VerdictTest, ReportsAreWholeInEveryState) {
  Made empty, full;
  full.Add(0, 1000, 2, 1, 1);
  full.Add(1, 1000, 2.2, 1, 2);
  for (const Made* made : {&empty, &full}) {
    const Results results = made->Judged();
    const std::string json = ToJson(results), text = ToText(results);
    EXPECT_THAT(json, HasSubstr("\"sentence\":"));
    EXPECT_EQ(json.find("nan"), json.npos);
    EXPECT_EQ(json.find("inf"), json.npos);
    EXPECT_THAT(text, HasSubstr(results.sentence()));
    EXPECT_THAT(text, HasSubstr("green"));
  }
}

}  // namespace
}  // namespace bowerbird::experiment::verdict
