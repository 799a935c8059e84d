#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiment/metrics/events_for_test.h"
#include "experiment/metrics/measure.h"
#include "lake/lake_for_test.h"

namespace bowerbird::experiment::metrics {
namespace {

using testing::HasSubstr;

class RefusedTest : public lake::LakeTest {
 protected:
  void SetUp() override {
    config_ = config::Parse(TestConfigText(), "test.toml").config;
    declared_ = *config::ParseMetrics(TestConfigText(), "test.toml");
    question_.experiment = &experiment_;
    question_.config = config_.get();
    question_.metrics = *MetricsOf(experiment_, declared_);
    question_.end_us = kTestEndUs;
  }
  std::string Refusal() {
    const auto sql = StatisticsSql(question_, lake::Engine::kDuckDb);
    return sql.ok() ? "" : std::string(sql.status().message());
  }

  v1::Experiment experiment_ = TestExperiment();
  std::shared_ptr<const config::Config> config_;
  std::vector<config::Metric> declared_;
  StatisticsQuestion question_;
};

TEST_F(RefusedTest, MetricsThatTheConfigHasNot) {
  experiment_.add_metrics()->set_name("clikcs");
  EXPECT_THAT(std::string(MetricsOf(experiment_, declared_).status().message()),
              HasSubstr("experiment buttons: found the metric 'clikcs'; expected one of the config: clicks, spend"));
  experiment_.mutable_metrics()->rbegin()->set_name("clicks");
  EXPECT_THAT(std::string(MetricsOf(experiment_, declared_).status().message()), HasSubstr("'clicks' twice"));
}

TEST_F(RefusedTest, ExperimentsThatHaveNothingToCompare) {
  question_.end_us = kTestBeginUs;
  EXPECT_THAT(Refusal(), HasSubstr("expected one after the start, 2026-01-05T01:00:00Z"));
  experiment_.set_started_us(0);
  EXPECT_EQ(Refusal(), "buttons: it was not started yet");
  experiment_.mutable_arms()->DeleteSubrange(1, 2);
  EXPECT_EQ(Refusal(), "buttons: found 1 arms; expected two or more");
}

TEST_F(RefusedTest, SegmentsThatAreNone) {
  question_.segment = "country";
  EXPECT_EQ(Refusal(), "segment: found 'country'; expected \"surface\" or a declared user attribute of type string");
}

TEST_F(RefusedTest, ALakeWithoutExposures) {
  const auto none = Measure(lake_.get(), question_, {});
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(none.status().message(), "the lake has no exposures: nobody was shown an arm yet");
}

TEST_F(RefusedTest, AnswersThatAreNotOfTheQuery) {
  for (const char* body : {"", "[]", R"({"rows": [[]]})", R"({"rows": [["arms", 7, 0, null, 1]]})",
                           R"({"rows": [["arms", 0, 0, null, 1]]})",
                           R"({"rows": [["arms", 0, 0, null, -1, 0, 0, 0, 0]]})", R"({"rows": [1]})"}) {
    EXPECT_EQ(ReadStatistics(question_, body).status().code(), absl::StatusCode::kInternal) << body;
  }
}

TEST_F(RefusedTest, NamesAreValuesAndNothingElse) {
  experiment_.set_id("it's {{end}}");
  experiment_.mutable_arms(0)->set_name("' OR 1=1 --");
  const auto sql = StatisticsSql(question_, lake::Engine::kDuckDb);
  ASSERT_TRUE(sql.ok()) << sql.status();
  EXPECT_THAT(*sql, HasSubstr("x.experiment = concat('it', chr(39), 's {{end}}')"));
  EXPECT_THAT(*sql, HasSubstr("WHEN concat('', chr(39), ' OR 1=1 --') THEN 0"));
}

}  // namespace
}  // namespace bowerbird::experiment::metrics
