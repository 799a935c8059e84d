#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <thread>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class ServingTest : public testing::Test {
 protected:
  ServingTest() {
    MakeSmallWorld(folder_.path(), 90, 60);
    dir_ = folder_.path() + "/data";
  }
  const TemporaryFolder folder_;
  std::string dir_;
};

TEST_F(ServingTest, PagesOfOneChainNeverRepeatAnItemWhileTheUserActs) {
  RunningServer server(dir_);
  auto client = server.Client();
  std::set<std::string> shown;
  std::string cursor;
  for (int page = 0; page < 8; ++page) {
    const auto answer = client.Call("POST", "/v1/recommend",
                                    fmt::format(R"({{"surface":"home","user":"u3","n":10,"cursor":"{}"}})", cursor));
    ASSERT_EQ(answer->status, 200) << answer->body;
    for (const std::string& id : ItemIds(answer->body)) EXPECT_TRUE(shown.insert(id).second) << id << " came twice";
    if (!ItemIds(answer->body).empty()) {
      (void)client.Call(
          "POST", "/v1/events",
          fmt::format(R"({{"events":[{{"type":"save","user":"u3","item":"{}"}}]}})", ItemIds(answer->body)[0]));
    }
    cursor = At(answer->body, "/next_cursor");
    if (cursor.empty()) break;
  }
  EXPECT_GT(shown.size(), 30u);
}

TEST_F(ServingTest, AHiddenItemIsGoneFromTheNextAnswer) {
  RunningServer server(dir_);
  auto client = server.Client();
  for (int round = 0; round < 20; ++round) {
    const std::string id =
        ItemIds(client.Call("POST", "/v1/recommend", R"({"surface":"home","user":"u5","n":10})")->body).at(0);
    ASSERT_EQ(
        client
            .Call("POST", "/v1/events", fmt::format(R"({{"events":[{{"type":"hide","user":"u5","item":"{}"}}]}})", id))
            ->status,
        200);
    EXPECT_THAT(ItemIds(client.Call("POST", "/v1/recommend", R"({"surface":"home","user":"u5","n":60})")->body),
                Not(Contains(id)));
  }
}

TEST_F(ServingTest, AnUnhideBringsItBackAndOutcomesSaySo) {
  RunningServer server(dir_);
  auto client = server.Client();
  const auto send = [&](const std::string& type, const std::string& id) {
    const std::string event = fmt::format(R"({{"events":[{{"type":"{}","user":"u5","item":"{}"}}]}})", type, id);
    EXPECT_EQ(client.Call("POST", "/v1/events", event)->status, 200);
  };
  // All there is, so that a page in drawn order (exploration) shows it too.
  const auto ask = [&](const std::string& id) {
    return client
        .Call("POST", "/v1/recommend",
              fmt::format(R"({{"surface":"home","user":"u5","n":200,"explain_items":["{}"]}})", id))
        ->body;
  };
  for (int round = 0; round < 20; ++round) {
    const std::string id =
        ItemIds(client.Call("POST", "/v1/recommend", R"({"surface":"home","user":"u5","n":10})")->body).at(0);
    EXPECT_EQ(At(ask(id), "/outcomes/0/code"), "shown");
    send("hide", id);
    EXPECT_EQ(At(ask(id), "/outcomes/0/code"), "hidden");
    send("unhide", id);
    EXPECT_EQ(At(ask(id), "/outcomes/0/code"), "shown");
    EXPECT_THAT(ItemIds(ask(id)), Contains(id));
  }
}

TEST_F(ServingTest, ACollectionIsReadByItsName) {
  RunningServer server(dir_);
  auto client = server.Client();
  const std::string events = R"({"events":[{"type":"save","user":"u5","item":"i7","collection":"For the flat / 2"},)"
                             R"({"type":"save","user":"u5","item":"i8","collection":"For the flat / 2"}]})";
  ASSERT_EQ(client.Call("POST", "/v1/events", events)->status, 200);
  const auto board = client.Call("GET", "/v1/users/u5/collections/For%20the%20flat%20%2F%202", "");
  ASSERT_EQ(board->status, 200) << board->body;
  EXPECT_EQ(At(board->body, "/name"), "For the flat / 2");
  EXPECT_EQ(At(board->body, "/items/0/id"), "i8");
  EXPECT_EQ(At(board->body, "/items/1/id"), "i7");
  EXPECT_EQ(client.Call("GET", "/v1/users/u5/collections/none", "")->status, 404);
}

TEST_F(ServingTest, ANarrowFilterStillFillsThePage) {
  RunningServer server(dir_);
  auto client = server.Client();
  const auto answer =
      client.Call("POST", "/v1/recommend",
                  R"({"surface":"home","user":"someone","n":5,"filter":"price >= 60 and categories contains \"c2\""})");
  ASSERT_EQ(answer->status, 200) << answer->body;
  const std::vector<std::string> ids = ItemIds(answer->body);
  EXPECT_EQ(ids.size(), 5u);
  for (const std::string& id : ids) {
    EXPECT_GE(std::stoi(id.substr(1)), 60);
    EXPECT_EQ(std::stoi(id.substr(1)) % 3, 2);
  }
}

TEST_F(ServingTest, APastAnswerRunsAgainWithTheSameCandidatesAndScores) {
  std::vector<std::string> requests;
  {
    RunningServer server(dir_);
    auto client = server.Client();
    for (int i = 0; i < 6; ++i) {
      const auto answer =
          client.Call("POST", "/v1/recommend",
                      fmt::format(R"({{"surface":"{}","user":"u{}","item":"{}","n":10,"explain_items":["i9"]}})",
                                  i % 2 == 0 ? "home" : "related", i % 3, i % 2 == 0 ? "" : "i7"));
      ASSERT_EQ(answer->status, 200) << answer->body;
      requests.push_back(At(answer->body, "/request_id"));
      // The world goes on: events, catalog changes, a new model and snapshot.
      (void)client.Call("POST", "/v1/events",
                        fmt::format(R"({{"events":[{{"type":"save","user":"u{}","item":"i{}"}}]}})", i, 10 + i));
      (void)client.Call(
          "POST", "/v1/events",
          fmt::format(R"({{"events":[{{"type":"{}","user":"u{}","item":"i9"}}]}})", i < 3 ? "hide" : "unhide", i % 3));
      (void)client.Call("PATCH", fmt::format("/v1/items/i{}", 20 + i), R"({"available":false})");
    }
    EXPECT_EQ(client.Call("POST", "/v1/jobs/train-cf", "{}")->status, 200);
    EXPECT_EQ(client.Call("POST", "/v1/jobs/index-build", "{}")->status, 200);
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  for (const std::string& request : requests) {
    const Outcome outcome = RunProgram({"replay", "--request", request, "--dir", dir_});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(" 0 differences"));
  }
}

TEST_F(ServingTest, ASnapshotIsSwappedWithoutDroppingARequest) {
  RunningServer server(dir_);
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      auto client = server.Client();
      while (!stop) {
        const auto answer =
            client.Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"u{}","n":10}})", t));
        answer.ok() && answer->status == 200 && !ItemIds(answer->body).empty() ? ++answered : ++failed;
      }
    });
  }
  auto client = server.Client();
  std::set<std::string> snapshots;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client.Call("POST", "/v1/jobs/index-build", "{}")->status, 200);
    snapshots.insert(At(client.Call("POST", "/v1/recommend", R"({"surface":"home"})")->body, "/snapshot"));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(snapshots.size(), 5u);
  EXPECT_EQ(failed, 0);
  EXPECT_GT(answered, 0);
}

TEST_F(ServingTest, OperationsEndpointsAnswer) {
  RunningServer server(dir_);
  auto client = server.Client();
  EXPECT_EQ(client.Call("GET", "/healthz", "")->status, 200);
  EXPECT_EQ(client.Call("GET", "/readyz", "")->status, 200);
  (void)client.Call("POST", "/v1/recommend", R"({"surface":"home"})");
  const std::string metrics = client.Call("GET", "/metrics", "")->body;
  EXPECT_THAT(metrics, HasSubstr("bowerbird_http_request_duration_seconds_bucket"));
  EXPECT_THAT(metrics, HasSubstr("bowerbird_state_lag_records"));
  EXPECT_EQ(At(client.Call("GET", "/openapi.json", "")->body, "/openapi"), "3.1.0");
  const auto rank = client.Call("POST", "/v1/rank", R"({"surface":"home","user":"u1","items":["i1","i2","nope"]})");
  EXPECT_EQ(rank->status, 200) << rank->body;
  EXPECT_EQ(At(rank->body, "/left_out"), "[\"nope\"]");
  EXPECT_EQ(client.Call("GET", "/nope", "")->status, 404);
  EXPECT_EQ(client.Call("GET", "/v1/recommend", "")->status, 405);
}

}  // namespace
}  // namespace bowerbird::end_to_end
