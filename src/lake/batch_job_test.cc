#include "lake/batch_job.h"

#include <fstream>

#include "base/hash.h"
#include "gmock/gmock.h"
#include "lake/lake_for_test.h"

namespace bowerbird::lake {
namespace {

using testing::HasSubstr;

class BatchJobTest : public LakeTest {
 protected:
  void Act(const std::string& user, const std::string& client_id, int64_t event_time_us, const std::string& type,
           const std::string& item) {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item(item);
    event.set_client_id(client_id);
    event.set_event_time_us(event_time_us);
    event.set_user_key(base::Hash64(user));
    event.set_item_key(base::Hash64(item));
    if (!client_id.empty()) event.set_dedupe_print(base::CombineHash(event.user_key(), base::Hash64(client_id)));
    Append(log::Topic::kEvents, 0, user, event.SerializeAsString());
  }
  std::string Rows(const std::string& sql) {
    SqlQuery query;
    query.sql = sql;
    const auto answer = RunSql(*lake_->Files(), query);
    EXPECT_TRUE(answer.ok()) << answer.status();
    if (!answer.ok()) return "";
    const size_t rows = answer->body.find("\"rows\":");
    return answer->body.substr(rows + 7, answer->body.size() - rows - 8);
  }
  absl::StatusOr<BatchJobResult> Run(const std::string& name, const std::string& day = "2026-01-05") {
    BatchJob job;
    job.name = name;
    job.day = day;
    return RunBatchJob(lake_.get(), job);
  }
};

TEST_F(BatchJobTest, CountsEachActionOnceOnItsDayHoweverLateItArrives) {
  const int64_t day = kTestStartUs;
  Act("ann", "1", day, "click", "i1");
  Act("ann", "1", day, "click", "i1");  // a retry
  Act("ann", "2", day + 1, "click", "i2");
  Act("bob", "1", day, "click", "i1");  // another user's id
  Act("bob", "", day, "save", "i1");
  Act("bob", "", day, "save", "i1");                       // without an id nothing is a retry
  Act("ann", "3", day + 24 * kTestHourUs, "click", "i1");  // the next day
  clock_.Set(kTestStartUs + 50 * kTestHourUs);
  Act("cid", "1", day, "click", "i1");      // two days late
  Act("ann", "2", day + 1, "click", "i2");  // a late retry
  const auto result = Run("daily_metrics");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->rows, 2u);
  EXPECT_EQ(Rows("select type, events, users, items from daily_metrics order by type"),
            R"([["click",4,3,2],["save",2,1,1]])");
  ASSERT_TRUE(Run("user_day").ok());
  EXPECT_EQ(Rows("select user_id, events, clicks, saves from user_day order by 1"),
            R"([["ann",2,2,0],["bob",3,1,2],["cid",1,1,0]])");
}

TEST_F(BatchJobTest, ADayIsReplacedByItsNextRunAndOthersStay) {
  Act("ann", "1", kTestStartUs, "click", "i1");
  ASSERT_TRUE(Run("daily_metrics").ok());
  ASSERT_TRUE(Run("daily_metrics").ok());
  EXPECT_EQ(Rows("select day, events from daily_metrics"), R"([["2026-01-05",1]])");
  Act("ann", "2", kTestStartUs, "click", "i1");
  Act("ann", "3", kTestStartUs + 24 * kTestHourUs, "click", "i1");
  ASSERT_TRUE(Run("daily_metrics", "2026-01-06").ok());
  EXPECT_EQ(Rows("select day, events from daily_metrics order by 1"), R"([["2026-01-05",1],["2026-01-06",1]])");
  ASSERT_TRUE(Run("daily_metrics").ok());
  Reopen();
  EXPECT_EQ(Rows("select day, events from daily_metrics order by 1"), R"([["2026-01-05",2],["2026-01-06",1]])");
}

TEST_F(BatchJobTest, RefusesWhatIsNoJobNoDayAndADamagedLake) {
  EXPECT_THAT(std::string(Run("none").status().message()), HasSubstr("daily_metrics"));
  for (const char* day : {"", "yesterday", "2026-13-01", "2026-1-5", "2026-01-05'", "2026-01-05T00:00:00Z"})
    EXPECT_TRUE(absl::IsInvalidArgument(Run("daily_metrics", day).status())) << day;
  Act("ann", "1", kTestStartUs, "click", "i1");
  ASSERT_TRUE(lake_->CatchUp().ok());
  const std::string path = Parts("events").at(0);
  std::ofstream(path, std::ios::app) << "x";
  Reopen();
  const auto damaged = Run("daily_metrics");
  EXPECT_TRUE(absl::IsDataLoss(damaged.status()));
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr(path));
}

TEST_F(BatchJobTest, SparkThatIsNotThereIsAnErrorThatNamesIt) {
  Act("ann", "1", kTestStartUs, "click", "i1");
  BatchJob job;
  job.name = "daily_metrics";
  job.day = "2026-01-05";
  job.engine = Engine::kSpark;
  job.spark_program = dir_ + "/no-spark";
  const auto result = RunBatchJob(lake_.get(), job);
  EXPECT_TRUE(absl::IsUnavailable(result.status()));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("no-spark"));
}

}  // namespace
}  // namespace bowerbird::lake
