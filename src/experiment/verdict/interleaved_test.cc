#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "experiment/verdict/report.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using metrics::InterleavedStatistics;
using metrics::PairedMoments;
using testing::HasSubstr;
using testing::StartsWith;
using Results = v1::ExperimentResults;

constexpr int64_t kDayUs = 86'400'000'000;

/// Two arms that place a few items each on a page; of `users`, who click on the items of either with these rates.
struct Made {
  v1::Experiment experiment;
  std::vector<config::Metric> metrics;
  InterleavedStatistics statistics;

  explicit Made(std::initializer_list<const char*> arms = {"control", "diverse"}) {
    experiment.set_id("shared");
    experiment.set_state(v1::Experiment::RUNNING);
    experiment.set_design("interleaved");
    for (const char* arm : arms) experiment.add_arms()->set_name(arm);
    experiment.add_metrics()->set_name("clicks");
    metrics.resize(1);
    metrics[0].name = "clicks";
    statistics.arms = arms.size();
    statistics.begin_us = 20'000 * kDayUs;
    statistics.end_us = 20'010 * kDayUs;
  }

  static PairedMoments Draw(uint64_t users, double control, double treatment, uint64_t seed) {
    base::Rng rng(seed);
    std::vector<std::pair<double, double>> values;
    PairedMoments pair;
    pair.persons = users;
    pair.pages = 2 * users;
    for (uint64_t i = 0; i < users; ++i) {
      const auto rate = [&](double p) { return (rng.Bernoulli(p) + rng.Bernoulli(p)) / 2.0; };
      const auto& [c, t] = values.emplace_back(rate(control), rate(treatment));
      pair.control += c / static_cast<double>(users);
      pair.treatment += t / static_cast<double>(users);
      pair.persons_for += t > c;
      pair.persons_against += c > t;
    }
    for (const auto& [c, t] : values) {
      pair.control_variance += (c - pair.control) * (c - pair.control);
      pair.treatment_variance += (t - pair.treatment) * (t - pair.treatment);
      pair.covariance += (c - pair.control) * (t - pair.treatment);
    }
    return pair;
  }
  void Add(size_t arm, uint64_t users, double control, double treatment, uint64_t seed, double items = 0.5) {
    statistics.earned[{0, arm}] = Draw(users, control, treatment, seed);
    statistics.placed[arm] = Draw(users, 0.5, items, seed + 1000);
  }
  Results Judged() const { return JudgeInterleaved(experiment, metrics, statistics); }
};

TEST(InterleavedVerdictTest, SaysWhomUsersPreferAndNoMore) {
  Made made;
  made.Add(1, 3000, 0.2, 0.26, 1);
  const Results results = made.Judged();
  EXPECT_EQ(results.decision(), Results::BETTER) << results.sentence();
  EXPECT_EQ(results.arm(), "diverse");
  EXPECT_THAT(results.sentence(), StartsWith("Users prefer diverse: "));
  EXPECT_THAT(results.sentence(), HasSubstr("a split experiment does"));
  const v1::MetricResult& clicks = results.metrics(0);
  EXPECT_FALSE(clicks.has_lift()) << "a page says nothing of a lift";
  EXPECT_GT(clicks.effect().always_valid().low(), 0);
  EXPECT_LT(clicks.effect().always_valid().low(), clicks.effect().fixed_horizon().low());
  EXPECT_EQ(
      clicks.interleaved().users_for() + clicks.interleaved().users_against() + clicks.interleaved().users_alike(),
      3000u);
  EXPECT_GT(clicks.interleaved().preference(), 0);
  EXPECT_LT(clicks.interleaved().sign_p(), 0.001);
  EXPECT_THAT(ToText(results), HasSubstr("more from diverse: "));
  EXPECT_THAT(ToJson(results), HasSubstr("\"interleaved\":{\"requests\":6000"));
}

TEST(InterleavedVerdictTest, LessIsBetterWhereTheMetricSaysSo) {
  Made made;
  made.metrics[0].up_is_better = false;
  made.Add(1, 3000, 0.2, 0.26, 1);
  EXPECT_EQ(made.Judged().decision(), Results::WORSE);
  EXPECT_THAT(made.Judged().sentence(), StartsWith("Users prefer control: "));
}

TEST(InterleavedVerdictTest, WithoutAPreferenceADecisionIsRarerThanAlpha) {
  int decided = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Made made;
    made.Add(1, 1000, 0.2, 0.2, seed);
    decided += made.Judged().decision() != Results::OPEN;
  }
  EXPECT_LE(decided, 10);
}

TEST(InterleavedVerdictTest, TeamsThatPlacedUnequallyBreakIt) {
  Made made;
  made.Add(1, 3000, 0.2, 0.26, 1, /*items=*/0.58);
  const Results results = made.Judged();
  EXPECT_EQ(results.decision(), Results::BROKEN);
  EXPECT_THAT(results.sentence(), HasSubstr("did not place equally many items"));
}

TEST(InterleavedVerdictTest, FewUsersAreTooEarlyAndARatioIsNoItems) {
  Made made;
  made.Add(1, 99, 0.2, 0.9, 1);
  EXPECT_EQ(made.Judged().decision(), Results::TOO_EARLY);
  EXPECT_EQ(JudgeInterleaved(made.experiment, made.metrics, {.arms = 2}).decision(), Results::TOO_EARLY);
  made.metrics[0].kind = config::Metric::Kind::kRatio;
  made.Add(1, 1000, 0.2, 0.3, 1);
  EXPECT_THAT(made.Judged().metrics(0).problem(), HasSubstr("nothing that one item earns"));
  EXPECT_EQ(made.Judged().decision(), Results::OPEN);
}

TEST(InterleavedVerdictTest, OfSeveralArmsTheBestIsTakenAndALoserDropped) {
  Made made({"control", "green", "blue"});
  made.Add(1, 3000, 0.2, 0.26, 1);
  made.Add(2, 3000, 0.2, 0.32, 2);
  EXPECT_EQ(made.Judged().arm(), "blue");
  made.Add(1, 3000, 0.2, 0.13, 1);
  made.Add(2, 3000, 0.2, 0.2, 2);
  EXPECT_EQ(made.Judged().decision(), Results::OPEN);
  EXPECT_THAT(made.Judged().sentence(), StartsWith("Drop the worse arm: "));
}

}  // namespace
}  // namespace bowerbird::experiment::verdict
