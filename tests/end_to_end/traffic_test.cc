// People, a scraper and a crawler, through the real binary: what is counted of them, and what is not.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/time_text.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kCrawler[] = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
constexpr char kBrowser[] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0";
constexpr int kPeople = 10;

class TrafficTest : public testing::Test {
 protected:
  TrafficTest() {
    MakeSmallWorld(folder_.path(), 90, 40);
    dir_ = folder_.path() + "/data";
    std::ofstream(dir_ + "/apps/default/bowerbird.toml", std::ios::app) << R"(
[traffic]
enabled = true
rate = 50
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
)";
    Start();
  }
  void Start() {
    server_ = std::make_unique<RunningServer>(dir_);
    client_ = std::make_unique<server::HttpClient>(server_->Client());
  }
  /// Clicks of now, which the program `agent` sends.
  void Click(const std::string& user, int first, int count, const std::string& agent = kBrowser) {
    std::string body;
    for (int i = first; i < first + count; ++i) {
      body += fmt::format(R"({}{{"type":"click","user":"{}","item":"i{}","client_id":"{}-{}"}})",
                          body.empty() ? "" : ",", user, i % 90, user, i);
    }
    const auto answer = client_->Call("POST", "/v1/events", "{\"events\":[" + body + "]}", {{"User-Agent", agent}});
    ASSERT_EQ(answer->status, 200) << answer->body;
    ASSERT_EQ(At(answer->body, "/accepted"), std::to_string(count)) << answer->body;
  }
  std::string Profile(const std::string& user) {
    const auto answer = client_->Call("GET", fmt::format("/v1/users/{}/profile", user), "");
    EXPECT_EQ(answer->status, 200) << answer->body;
    return answer->body;
  }
  /// The mark follows the event that it comes from.
  void WaitUntilMarked(const std::string& user) {
    for (int i = 0; i < 1000 && At(Profile(user), "/marked") != "true"; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_EQ(At(Profile(user), "/marked"), "true") << Profile(user);
  }
  std::string Sql(const std::string& sql) {
    const auto answer = client_->Call("POST", "/v1/sql", fmt::format(R"({{"sql": "{}"}})", sql));
    EXPECT_EQ(answer->status, 200) << answer->body;
    return At(answer->body, "/rows/0/0");
  }
  void RunJob(const std::string& name) {
    const auto answer =
        client_->Call("POST", "/v1/jobs/batch", fmt::format(R"({{"name":"{}","date":"{}"}})", name, today_));
    ASSERT_EQ(answer->status, 200) << answer->body;
  }
  /// Users of today's clicks, as daily_metrics has them.
  std::string UsersOfClicks() {
    RunJob("daily_metrics");
    return Sql("select users from daily_metrics where type = 'click'");
  }
  std::string TrainedUsers() {
    const auto answer = client_->Call("POST", "/v1/jobs/train-cf", "{}");
    EXPECT_EQ(answer->status, 200) << answer->body;
    return At(answer->body, "/metrics/users");
  }
  Outcome Run(std::vector<std::string> args) const {
    args.insert(args.end(), {"--dir", dir_});
    return RunProgram(args);
  }

  const std::string today_ = base::FormatTimeUs(base::SystemClock::Get().NowUs()).substr(0, 10);
  TemporaryFolder folder_;
  std::string dir_;
  std::unique_ptr<RunningServer> server_;
  std::unique_ptr<server::HttpClient> client_;
};

TEST_F(TrafficTest, BotsAreKeptLeftOutAndReported) {
  for (int person = 0; person < kPeople; ++person) Click(fmt::format("p{}", person), 0, 5);
  Click("scraper", 0, 200);
  Click("crawler", 0, 3, kCrawler);
  WaitUntilMarked("scraper");
  WaitUntilMarked("crawler");
  EXPECT_EQ(At(Profile("scraper"), "/mark/reason"), "rate");
  EXPECT_EQ(At(Profile("crawler"), "/mark/reason"), "agent");
  EXPECT_EQ(At(Profile("p0"), "/marked"), "false");
  Click("scraper", 200, 100);

  // Kept: in the log, in the lake, with the user; and served as anybody.
  EXPECT_EQ(Sql("select count(*) from events e where e.user = 'scraper' and type = 'click'"), "300");
  EXPECT_EQ(Sql("select agent from events e where e.user = 'crawler' and type = 'click'"), "bot/");
  EXPECT_EQ(Sql("select count(*) from events e where agent is not null"), "3");
  EXPECT_EQ(Sql("select count(*) from events e where raw is not null"), "0") << "the columns tell all";
  EXPECT_EQ(At(Profile("scraper"), "/events"), "300");
  EXPECT_EQ(client_->Call("POST", "/v1/recommend", R"({"surface":"home","user":"scraper","n":5})")->status, 200);

  // Left out of signals from the mark on; of metrics and training.
  EXPECT_EQ(At(Profile("crawler"), "/signals/0/number"), "");
  EXPECT_EQ(At(Profile("p0"), "/signals/0/number"), "5");
  EXPECT_EQ(UsersOfClicks(), std::to_string(kPeople));
  RunJob("user_day");
  EXPECT_EQ(Sql("select count(*) from user_day where user_id in ('scraper', 'crawler')"), "0");
  EXPECT_EQ(TrainedUsers(), fmt::format("{}", 40 + kPeople));

  // Reported.
  const auto report = client_->Call("GET", "/v1/traffic?days=1", "");
  ASSERT_EQ(report->status, 200) << report->body;
  EXPECT_EQ(At(report->body, "/days/0/day"), today_);
  EXPECT_EQ(At(report->body, "/days/0/reasons/0/reason"), "agent");
  EXPECT_EQ(At(report->body, "/days/0/reasons/0/events"), "3");
  EXPECT_EQ(At(report->body, "/days/0/reasons/1/reason"), "none");
  EXPECT_EQ(At(report->body, "/days/0/reasons/1/users"), std::to_string(kPeople));
  EXPECT_EQ(At(report->body, "/days/0/reasons/2/reason"), "rate");
  EXPECT_EQ(At(report->body, "/days/0/reasons/2/events"), "300");
  const Outcome printed = Run({"traffic"});
  EXPECT_EQ(printed.exit_status, 0) << printed.output;
  EXPECT_THAT(printed.output, HasSubstr("85.84% of the events are marked traffic"));  // 303 of 353
  EXPECT_EQ(client_->Call("GET", "/v1/traffic?days=0", "")->status, 400);
  EXPECT_EQ(client_->Call("GET", "/v1/traffic?days=x", "")->status, 400);
  const std::string metrics = client_->Call("GET", "/metrics", "")->body;
  EXPECT_THAT(metrics, HasSubstr("bowerbird_traffic_marked_events{app=\"default\",reason=\"agent\"} 3"));
  EXPECT_THAT(metrics, HasSubstr("bowerbird_traffic_marks{app=\"default\",reason=\"rate\"} 1"));
}

TEST_F(TrafficTest, AnOperatorSaysWhoIsAPerson) {
  for (int person = 0; person < kPeople; ++person) Click(fmt::format("p{}", person), 0, 5);
  Click("tester", 0, 200);
  WaitUntilMarked("tester");
  EXPECT_EQ(UsersOfClicks(), std::to_string(kPeople));
  const Outcome unmarked = Run({"users", "unmark", "tester"});
  EXPECT_EQ(unmarked.exit_status, 0) << unmarked.output;
  EXPECT_EQ(At(Profile("tester"), "/marked"), "false");
  EXPECT_EQ(At(Profile("tester"), "/mark/reason"), "unmarked");
  EXPECT_EQ(UsersOfClicks(), std::to_string(kPeople + 1)) << "with all that they did";
  Click("tester", 200, 200);
  EXPECT_EQ(At(Profile("tester"), "/marked"), "false") << "it outlasts the rules";

  EXPECT_EQ(client_->Call("PUT", "/v1/users/p1/mark", R"({"marked":true})")->status, 200);
  EXPECT_EQ(At(Profile("p1"), "/mark/reason"), "by_hand");
  EXPECT_EQ(UsersOfClicks(), std::to_string(kPeople));
  EXPECT_EQ(TrainedUsers(), fmt::format("{}", 40 + kPeople));
  for (const char* body : {"{}", "[]", R"({"marked":1})", R"({"marked":true,"until":"x"})"})
    EXPECT_EQ(client_->Call("PUT", "/v1/users/p1/mark", body)->status, 400) << body;

  // After a restart, too.
  EXPECT_EQ(server_->Stop(SIGTERM), 0);
  Start();
  EXPECT_EQ(At(Profile("p1"), "/marked"), "true");
  EXPECT_EQ(At(Profile("tester"), "/mark/reason"), "unmarked");
  EXPECT_EQ(Run({"users", "by-rules", "p1"}).exit_status, 0);
  EXPECT_EQ(At(Profile("p1"), "/marked"), "false");
  EXPECT_THAT(Profile("p1"), Not(HasSubstr("\"mark\"")));
  EXPECT_EQ(UsersOfClicks(), std::to_string(kPeople + 1));
  const Outcome audit = Run({"audit"});
  EXPECT_THAT(audit.output, HasSubstr("id p1: by_hand"));
  EXPECT_THAT(audit.output, HasSubstr("id tester: unmarked"));
  EXPECT_EQ(server_->Stop(SIGTERM), 0);
  EXPECT_EQ(Run({"state", "verify"}).exit_status, 0);
}

TEST_F(TrafficTest, SegmentsContextSpeaksForItsMessage) {
  const auto track = [&](const std::string& user, const std::string& context) {
    const std::string body = fmt::format(
        R"({{"type":"track","event":"Product Clicked","userId":"{}","messageId":"m-{}","properties":{{"product_id":"i1"}}{}}})",
        user, user, context);
    const auto answer = client_->Call("POST", "/v1/track", body, {{"User-Agent", "analytics-node/2.1"}});
    ASSERT_EQ(answer->status, 200) << answer->body;
  };
  track("person", fmt::format(R"(,"context":{{"userAgent":"{}"}})", kBrowser));
  track("robot", fmt::format(R"(,"context":{{"userAgent":"{}"}})", kCrawler));
  track("nothing", R"(,"context":7)");
  EXPECT_EQ(Sql("select count(*) from events e where agent is not null"), "1");
  EXPECT_EQ(Sql("select e.user from events e where agent is not null"), "robot");
  // Our own events can carry it, too: of a backend that sends for its visitors.
  const auto answer = client_->Call(
      "POST", "/v1/events", fmt::format(R"({{"type":"click","user":"seen","item":"i1","agent":"{}"}})", kCrawler));
  ASSERT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(Sql("select agent from events e where e.user = 'seen' and type = 'click'"), "bot/");
}

}  // namespace
}  // namespace bowerbird::end_to_end
