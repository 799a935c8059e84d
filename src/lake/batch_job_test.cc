#include "lake/batch_job.h"

#include <fstream>

#include "base/hash.h"
#include "bowerbird/v1/served.pb.h"
#include "gmock/gmock.h"
#include "lake/lake_for_test.h"

namespace bowerbird::lake {
namespace {

using testing::HasSubstr;

class BatchJobTest : public LakeTest {
 protected:
  static v1::Event ActOf(const std::string& user, const std::string& client_id, int64_t event_time_us,
                         const std::string& type, const std::string& item) {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item(item);
    event.set_client_id(client_id);
    event.set_event_time_us(event_time_us);
    event.set_user_key(base::Hash64(user));
    event.set_item_key(base::Hash64(item));
    if (!client_id.empty()) event.set_dedupe_print(base::CombineHash(event.user_key(), base::Hash64(client_id)));
    return event;
  }
  void Act(const std::string& user, const std::string& client_id, int64_t event_time_us, const std::string& type,
           const std::string& item) {
    const v1::Event event = ActOf(user, client_id, event_time_us, type, item);
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

TEST_F(BatchJobTest, LabelsAreOfWhatWasSeenAndCountActionsOfTheAnswerWithinADay) {
  v1::ServedRecord served;
  served.set_request_id("r1");
  served.set_kind("recommend");
  served.mutable_request()->set_user("ann");
  served.mutable_request()->set_surface("home");
  served.set_time_us(kTestStartUs);
  for (uint32_t position : {1, 2, 3, 4, 0}) {
    v1::ServedCandidate* candidate = served.add_candidates();
    candidate->set_item(fmt::format("i{}", position));
    candidate->set_position(position);
  }
  Append(log::Topic::kServed, 0, "ann", served.SerializeAsString());
  const auto act = [&](const char* client_id, int64_t after_us, const char* type, const char* item,
                       const char* request_id) {
    v1::Event event = ActOf("ann", client_id, kTestStartUs + after_us, type, item);
    event.set_request_id(request_id);
    Append(log::Topic::kEvents, 0, "ann", event.SerializeAsString());
  };
  act("1", 1, "impression", "i1", "r1");
  act("2", 2, "impression", "i2", "r1");
  act("3", 20 * kTestHourUs, "click", "i2", "r1");  // on the next day, within a day of the answer
  act("3", 20 * kTestHourUs, "click", "i2", "r1");
  act("4", 25 * kTestHourUs, "save", "i2", "r1");  // too long after it
  act("5", 3, "save", "i3", "r1");                 // whoever acts has seen
  act("6", 4, "click", "i1", "r2");                // of another answer
  act("7", 5, "click", "i9", "r1");                // not shown
  const auto result = Run("labels");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(
      Rows("select item, position, seen, clicked, saved, purchased, hidden from labels order by position"),
      R"([["i1",1,true,0,0,0,0],["i2",2,true,1,0,0,0],["i3",3,true,0,1,0,0],["i4",4,false,null,null,null,null]])");
  EXPECT_EQ(Rows("select distinct day, request_id, user_id, surface from labels"),
            R"([["2026-01-05","r1","ann","home"]])");
}

TEST_F(BatchJobTest, WhoIsNoPersonOnTheDayIsLeftOutAndReported) {
  const int64_t day = kTestStartUs;
  const auto mark = [&](const std::string& user, const std::string& reason, int64_t from_us, int64_t until_us) {
    v1::Event event;
    event.set_user(user);
    event.set_user_key(base::Hash64(user));
    event.set_event_time_us(from_us);
    event.mutable_mark()->set_reason(reason);
    event.mutable_mark()->set_from_us(from_us);
    event.mutable_mark()->set_until_us(until_us);
    Append(log::Topic::kEvents, 0, user, event.SerializeAsString());
  };
  for (const char* user : {"ann", "bob", "bot", "was", "qa", "hand", "back"}) Act(user, "1", day, "click", "i1");
  v1::Event crawled;
  crawled.set_type("click");
  crawled.set_user("crawler");
  crawled.set_user_key(base::Hash64("crawler"));
  crawled.set_event_time_us(day);
  crawled.set_agent("bot/");
  Append(log::Topic::kEvents, 0, "crawler", crawled.SerializeAsString());
  mark("bot", "rate", day + 1000, day + kTestHourUs);
  mark("bot", "entropy", day + 2000, day + 2 * kTestHourUs);  // the last one says why
  mark("was", "rate", day - 72 * kTestHourUs, day - 48 * kTestHourUs);
  mark("qa", "rate", day, day + kTestHourUs);
  mark("qa", "unmarked", day, 0);
  mark("qa", "rate", day, day + kTestHourUs);
  mark("hand", "unmarked", day, 0);
  mark("hand", "by_hand", day + 96 * kTestHourUs, 0);  // found out later
  mark("back", "by_hand", day, 0);
  mark("back", "rules", day, 0);
  ASSERT_TRUE(Run("daily_metrics").ok());
  EXPECT_EQ(Rows("select type, events, users from daily_metrics"), R"([["click",5,5]])");
  ASSERT_TRUE(Run("user_day").ok());
  EXPECT_EQ(Rows("select user_id from user_day order by 1"), R"([["ann"],["back"],["bob"],["qa"],["was"]])");
  ASSERT_TRUE(Run("daily_traffic").ok());
  EXPECT_EQ(Rows("select reason, events, users, share from daily_traffic order by 1"),
            R"([["agent",1,1,0.125],["by_hand",1,1,0.125],["entropy",1,1,0.125],["none",5,5,0.625]])");
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
