// The query of an experiment beside a plain count over the same events.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "experiment/metrics/events_for_test.h"
#include "experiment/metrics/measure.h"
#include "experiment/metrics/plain_count_for_test.h"
#include "lake/lake_for_test.h"

namespace bowerbird::experiment::metrics {
namespace {

void ExpectNear(double found, double expected, const std::string& what) {
  EXPECT_NEAR(found, expected, 1e-9 * std::max(1.0, std::abs(expected))) << what;
}

void ExpectSame(const JointMoments& found, const JointMoments& expected, const std::string& what) {
  EXPECT_EQ(found.count, expected.count) << what;
  for (size_t i = 0; i < found.mean.size(); ++i) ExpectNear(found.mean[i], expected.mean[i], what + " mean");
  for (size_t i = 0; i < found.comoments.size(); ++i)
    ExpectNear(found.comoments[i], expected.comoments[i], fmt::format("{} comoment {}", what, i));
}

class OracleTest : public lake::LakeTest {
 protected:
  void Write(const TestWorld& world) {
    for (const TestEvent& one : world.events) {
      clock_.Set(std::max(clock_.NowUs(), one.event.receive_time_us()));
      Append(log::Topic::kEvents, static_cast<uint32_t>(one.event.user_key() >> 8) % 2, one.event.user(),
             one.event.SerializeAsString());
    }
    for (v1::Exposure exposure : world.exposures) {
      if (!exposure.user().empty()) exposure.set_user_key(TestKey(exposure.user()));
      Append(log::Topic::kExposures, 0, exposure.user(), exposure.SerializeAsString());
    }
  }
  void SetUp() override {
    clock_.Set(kTestBeginUs - 30 * kTestDayUs);
    const config::ParseResult parsed = config::Parse(TestConfigText(), "test.toml");
    ASSERT_NE(parsed.config, nullptr) << parsed.problems.front().ToString();
    config_ = parsed.config;
    question_.experiment = &experiment_;
    question_.config = config_.get();
    question_.metrics = *MetricsOf(experiment_, *config::ParseMetrics(TestConfigText(), "test.toml"));
    question_.end_us = kTestEndUs;
    question_.segment = "surface";
    question_.others = {"banner", "footer"};
  }

  const v1::Experiment experiment_ = TestExperiment();
  std::shared_ptr<const config::Config> config_;
  StatisticsQuestion question_;
};

void Compare(const Statistics& found, const Statistics& expected, const StatisticsQuestion& question) {
  for (const auto& [key, cell] : expected.by_arm_and_phase) {
    const auto other = found.by_arm_and_phase.find(key);
    ASSERT_NE(other, found.by_arm_and_phase.end());
    for (size_t i = 0; i < question.metrics.size(); ++i) {
      const std::string what = fmt::format("{} of arm {} in phase {}", question.metrics[i].name, key.first, key.second);
      if (question.metrics[i].name == "basket") continue;
      const MetricCell &a = other->second.metrics[i], &b = cell.metrics[i];
      ExpectSame(a.moments, b.moments, what);
      EXPECT_EQ(a.cut, b.cut) << what;
      ExpectNear(a.total, b.total, what + " total");
      ExpectNear(a.largest, b.largest, what + " largest");
    }
  }
  EXPECT_EQ(found.by_arm_and_phase.size(), expected.by_arm_and_phase.size());
  EXPECT_EQ(found.entered, expected.entered);
  const auto compare_cells = [&](const auto& ours, const auto& theirs, const char* what) {
    EXPECT_EQ(ours.size(), theirs.size()) << what;
    for (const auto& [slot, cells] : theirs) {
      ASSERT_TRUE(ours.contains(slot)) << what << " " << slot;
      for (size_t arm = 0; arm < cells.size(); ++arm) {
        for (size_t i = 0; i < cells[arm].metrics.size(); ++i) {
          if (question.metrics[i].name == "basket" || question.metrics[i].name == "busy") continue;
          ExpectSame(ours.at(slot)[arm].metrics[i].moments, cells[arm].metrics[i].moments,
                     fmt::format("{} of {} {}, arm {}", question.metrics[i].name, what, slot, arm));
        }
      }
    }
  };
  compare_cells(found.by_day, expected.by_day, "day");
  compare_cells(found.by_segment, expected.by_segment, "segment");
  for (const auto& [key, moments] : expected.quantiles) ExpectSame(found.quantiles.at(key), moments, "quantile");
  for (const auto& [key, buckets] : expected.buckets) {
    const auto& others = found.buckets.at(key);
    ASSERT_EQ(others.size(), buckets.size());
    for (size_t i = 0; i < buckets.size(); ++i) {
      EXPECT_EQ(others[i].count, buckets[i].count);
      ExpectNear(others[i].high, buckets[i].high, "bucket");
    }
  }
  const LeftOut &a = found.left_out, &b = expected.left_out;
  EXPECT_EQ(a.two_arms, b.two_arms);
  EXPECT_EQ(a.forced, b.forced);
  EXPECT_EQ(a.marked, b.marked);
  EXPECT_EQ(a.no_arm, b.no_arm);
  EXPECT_EQ(a.no_user, b.no_user);
  EXPECT_EQ(a.merged_arms, b.merged_arms);
}

uint64_t Seed() {
  const char* seed = std::getenv("ORACLE_SEED");
  return seed == nullptr ? std::random_device()() : std::strtoull(seed, nullptr, 10);
}

TEST_F(OracleTest, CountsWhatThePlainCountCounts) {
  const uint64_t seed = Seed();
  SCOPED_TRACE(fmt::format("ORACLE_SEED={}", seed));
  const TestWorld world = MakeTestWorld(seed);
  Write(world);
  const auto found = Measure(lake_.get(), question_, {});
  ASSERT_TRUE(found.ok()) << found.status();
  Compare(*found, PlainCount(world), question_);
  uint64_t skewed = 0, repeated = 0;
  for (const auto& [key, cell] : found->by_arm_and_phase) {
    skewed += cell.skewed;
    repeated += cell.repeated;
  }
  EXPECT_GT(skewed, 0u) << "the made-up clocks are never wrong";
  EXPECT_GT(repeated, 0u);
  EXPECT_FALSE(found->by_other.empty());
}

TEST_F(OracleTest, HistoryIsWhatEverybodyDidFromTheirFirstActionOn) {
  const uint64_t seed = Seed();
  SCOPED_TRACE(fmt::format("ORACLE_SEED={}", seed));
  Write(MakeTestWorld(seed));
  question_.of_history = true;
  question_.segment.clear();
  question_.others.clear();
  const auto found = Measure(lake_.get(), question_, {});
  ASSERT_TRUE(found.ok()) << found.status();
  const ArmCell all = found->Arm(0);
  EXPECT_EQ(found->Arm(1).units, 0u);
  EXPECT_GT(all.units, 100u);
  EXPECT_GT(all.metrics[0].moments.mean[JointMoments::kX], 0) << "nothing is known of before";
  EXPECT_LT(all.metrics[2].moments.mean[JointMoments::kY], 1);
}

TEST_F(OracleTest, SparkCountsTheSame) {
  const char* spark = std::getenv("BOWERBIRD_SPARK");
  if (spark == nullptr) GTEST_SKIP() << "run by ./dev test --label spark";
  const uint64_t seed = Seed();
  SCOPED_TRACE(fmt::format("ORACLE_SEED={}", seed));
  const TestWorld world = MakeTestWorld(seed);
  Write(world);
  MeasureOptions options;
  options.engine = lake::Engine::kSpark;
  options.spark_program = spark;
  options.limits.seconds = 3000;
  const auto found = Measure(lake_.get(), question_, options);
  ASSERT_TRUE(found.ok()) << found.status();
  Compare(*found, PlainCount(world), question_);
}

}  // namespace
}  // namespace bowerbird::experiment::metrics
