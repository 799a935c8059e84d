#include "experiment/verdict/decide.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Results = v1::ExperimentResults;

v1::Experiment TwoMetrics() {
  v1::Experiment experiment;
  experiment.set_id("e");
  experiment.set_state(v1::Experiment::RUNNING);
  for (const char* arm : {"control", "green"}) experiment.add_arms()->set_name(arm);
  experiment.add_metrics()->set_name("clicks");
  v1::ExperimentMetric* guardrail = experiment.add_metrics();
  guardrail->set_name("hides");
  guardrail->set_role(v1::ExperimentMetric::GUARDRAIL);
  guardrail->set_harm_max(0.02);
  return experiment;
}

std::vector<config::Metric> Declared() {
  std::vector<config::Metric> metrics(2);
  metrics[0].name = "clicks";
  metrics[1].name = "hides";
  metrics[1].up_is_better = false;
  return metrics;
}

v1::MetricResult Metric(const char* name, const char* role, const char* finding, double low, double high) {
  v1::MetricResult result;
  result.set_metric(name);
  result.set_role(role);
  result.set_arm("green");
  result.set_finding(finding);
  for (v1::ResultEffect* effect : {result.mutable_lift(), result.mutable_effect()}) {
    effect->set_value((low + high) / 2);
    effect->mutable_always_valid()->set_low(low);
    effect->mutable_always_valid()->set_high(high);
  }
  return result;
}

Results WithArms(uint64_t units) {
  Results results;
  for (const char* arm : {"control", "green"}) {
    results.add_arms()->set_arm(arm);
    results.mutable_arms()->rbegin()->set_units(units);
  }
  return results;
}

void AddCheck(const char* check, v1::HealthCheck::Level level, const char* text, Results* results) {
  v1::HealthCheck* one = results->add_health();
  one->set_check(check);
  one->set_level(level);
  one->set_text(text);
}

Results Decided(Results results, v1::Experiment experiment = TwoMetrics()) {
  Decide(experiment, Declared(), &results);
  return results;
}

TEST(DecideTest, AWinThatIsSafe) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  *results.add_metrics() = Metric("hides", "guardrail", "safe", -0.01, 0.015);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::BETTER);
  EXPECT_EQ(results.arm(), "green");
  EXPECT_EQ(results.sentence(), "Take green: green raises clicks by 3.1% (between 1.2% and 5%).");
}

TEST(DecideTest, AWinWhoseGuardrailIsOpenIsNone) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  *results.add_metrics() = Metric("hides", "guardrail", "open", -0.01, 0.045);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::OPEN);
  EXPECT_EQ(results.sentence(),
            "Wait with green: green raises clicks by 3.1% (between 1.2% and 5%). The guardrail hides is open: -1% to "
            "+4.5% is possible.");
}

TEST(DecideTest, AHarmedGuardrailStopsWhateverIsWon) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  *results.add_metrics() = Metric("hides", "guardrail", "harmed", 0.03, 0.09);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::HARM);
  EXPECT_EQ(results.sentence(),
            "Stop green: it raises hides by 6% (between 3% and 9%), more than the 2% that is let be, and hides is a "
            "guardrail.");
  EXPECT_EQ(GuardrailHarm(results), results.sentence());
}

TEST(DecideTest, WhatIsBrokenSaysNothing) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  *results.add_metrics() = Metric("hides", "guardrail", "harmed", 0.03, 0.09);
  AddCheck("sample_ratio", v1::HealthCheck::BROKEN, "the arms did not get their units", &results);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::BROKEN);
  EXPECT_THAT(results.sentence(), StartsWith("Do not read the numbers: the arms did not get their units"));
  EXPECT_EQ(GuardrailHarm(results), std::nullopt) << "nothing is stopped by numbers that cannot be trusted";
}

TEST(DecideTest, AnIntervalAroundZeroIsNoWin) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "open", -0.012, 0.05);
  results.mutable_metrics(0)->set_days_to_go(9);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::OPEN);
  EXPECT_EQ(results.sentence(),
            "Not decided: clicks of green is -1.2% to +5% of control's. At this rate about 9 more days find the "
            "smallest effect that matters, if it is there.");
  v1::Experiment stopped = TwoMetrics();
  stopped.set_state(v1::Experiment::STOPPED);
  EXPECT_THAT(Decided(results, stopped).sentence(), HasSubstr("It has ended"));
}

TEST(DecideTest, ADifferenceThatIsTooSmallToMatter) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "same", -0.004, 0.006);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::SAME);
  EXPECT_THAT(results.sentence(), StartsWith("No difference that would matter: clicks of green is -0.4% to +0.6%"));
  *results.mutable_metrics(0) = Metric("clicks", "primary", "better", 0.002, 0.006);
  EXPECT_THAT(Decided(results).sentence(), HasSubstr("That is less than the 1% that would matter."));
}

TEST(DecideTest, ALossKeepsTheControl) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "worse", -0.05, -0.01);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::WORSE);
  EXPECT_EQ(results.sentence(), "Keep control: green lowers clicks by 3% (between 1% and 5%).");
}

TEST(DecideTest, MetricsThatDisagreeAreLeftToThePerson) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  *results.add_metrics() = Metric("hides", "primary", "worse", 0.01, 0.03);
  EXPECT_EQ(Decided(results).decision(), Results::CONFLICT);
}

TEST(DecideTest, TooFewUnitsSayNothing) {
  Results results = WithArms(5000);
  results.mutable_arms(1)->set_units(99);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  results = Decided(results);
  EXPECT_EQ(results.decision(), Results::TOO_EARLY);
  EXPECT_EQ(results.sentence(), "Too early to say anything: green has 99 users so far, and 100 are the least.");
}

TEST(DecideTest, WarningsThatBearOnAWinAreSaidWithIt) {
  Results results = WithArms(5000);
  *results.add_metrics() = Metric("clicks", "primary", "better", 0.012, 0.05);
  AddCheck("novelty", v1::HealthCheck::WARNING, "the effect changes by day", &results);
  AddCheck("winsorized", v1::HealthCheck::OK, "values were cut", &results);
  EXPECT_THAT(Decided(results).sentence(),
              testing::AllOf(HasSubstr(" But the effect changes by day."), Not(HasSubstr("cut"))));
}

/// Whatever stands in the results, the sentence stays within it.
TEST(DecideTest, NeverSaysMoreThanTheDataDoes) {
  base::Rng rng(11);
  for (int round = 0; round < 20'000; ++round) {
    Results results = WithArms(rng.Bernoulli(0.1) ? rng.Below(200) : 1000 + rng.Below(100'000));
    v1::Experiment experiment = TwoMetrics();
    const auto range = [&](const char** finding, bool up) {
      const double low = 0.2 * rng.Uniform() - 0.1, high = low + 0.1 * rng.Uniform();
      *finding = low > 0 ? (up ? "better" : "worse") : high < 0 ? (up ? "worse" : "better") : "open";
      return std::pair(low, high);
    };
    const char* finding = nullptr;
    const auto [low, high] = range(&finding, true);
    *results.add_metrics() = Metric("clicks", "primary", finding, low, high);
    const char* unused = nullptr;
    const auto [least, most] = range(&unused, false);
    const char* guardrail = least > 0.02 ? "harmed" : most <= 0.02 ? "safe" : "open";
    *results.add_metrics() = Metric("hides", "guardrail", guardrail, least, most);
    const bool broken = rng.Bernoulli(0.1);
    if (broken) AddCheck("sample_ratio", v1::HealthCheck::BROKEN, "broken", &results);
    results = Decided(results, experiment);
    const std::string& sentence = results.sentence();
    SCOPED_TRACE(fmt::format("{} {}..{}, {} {}..{}: {}", finding, low, high, guardrail, least, most, sentence));
    ASSERT_FALSE(sentence.empty());
    if (results.decision() == Results::BETTER) {
      ASSERT_GT(low, 0) << "the interval covers 0";
      ASSERT_STREQ(guardrail, "safe");
      ASSERT_FALSE(broken);
    }
    if (sentence.starts_with("Take ")) {
      ASSERT_EQ(results.decision(), Results::BETTER);
    }
    if (low <= 0 && high >= 0) {
      ASSERT_THAT(sentence, Not(AnyOf(HasSubstr("raises clicks"), HasSubstr("lowers clicks"))));
    }
    if (broken) {
      ASSERT_EQ(results.decision(), Results::BROKEN);
    }
    if (results.decision() == Results::HARM) {
      ASSERT_GT(least, 0.02);
    }
    if (results.decision() == Results::WORSE) {
      ASSERT_LT(high, 0);
    }
  }
}

}  // namespace
}  // namespace bowerbird::experiment::verdict
