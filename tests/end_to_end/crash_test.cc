#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "base/rng.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

/// What was sent for one user: distinct client ids that were acknowledged, and those whose answer never came.
struct Sent {
  uint64_t acknowledged = 0, unknown = 0;
};

/// kill -9 under load, several times over; every acknowledged event is there once in effect, and the state is what a
/// fresh replay gives.
TEST(CrashTest, AcknowledgedEventsAreThereOnceAfterKillsUnderLoad) {
  constexpr int kKills = 5;
  constexpr int kWriters = 4;
  constexpr uint64_t kSeed = 20261121;
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  std::map<std::string, Sent> sent;
  std::mutex mutex;
  base::Rng rng(kSeed);
  uint64_t next_event = 0;
  for (int round = 0; round < kKills; ++round) {
    RunningServer server(folder.path());
    std::atomic<bool> stop = false;
    std::atomic<uint64_t> counter = next_event;
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        auto client = server::HttpClient::Connect(fmt::format("127.0.0.1:{}", server.port()), 5'000'000);
        if (!client.ok()) return;
        while (!stop) {
          // Many users: one with more than state.dedupe_prints events a second would run into the bound of its window.
          const std::string user = fmt::format("user-{}-{}", w, (counter / 20) % 1000);
          std::string body = "{\"events\":[";
          constexpr int kBatch = 20;
          for (int i = 0; i < kBatch; ++i) {
            fmt::format_to(std::back_inserter(body),
                           R"({}{{"type":"click","user":"{}","item":"i{}","client_id":"{}"}})", i == 0 ? "" : ",", user,
                           counter % 97, counter++);
          }
          body += "]}";
          auto answer = client->Call("POST", "/v1/events", body);
          // A retry of what was acknowledged must change nothing.
          if (answer.ok() && answer->status == 200 && counter % 5 == 0) (void)client->Call("POST", "/v1/events", body);
          const std::lock_guard lock(mutex);
          (answer.ok() && answer->status == 200 ? sent[user].acknowledged : sent[user].unknown) += kBatch;
          if (!answer.ok()) return;
        }
      });
    }
    usleep(static_cast<useconds_t>(300'000 + rng.Below(700'000)));
    EXPECT_EQ(server.Stop(SIGKILL), -SIGKILL);
    stop = true;
    for (std::thread& writer : writers) writer.join();
    next_event = counter + 1'000'000;
  }
  uint64_t acknowledged = 0;
  {
    RunningServer server(folder.path());
    auto client = server.Client();
    for (const auto& [user, counts] : sent) {
      acknowledged += counts.acknowledged;
      const std::string profile = client.Call("GET", "/v1/users/" + user + "/profile", "")->body;
      const uint64_t events = std::stoull(At(profile, "/events"));
      EXPECT_GE(events, counts.acknowledged) << user << " lost acknowledged events; seed " << kSeed;
      EXPECT_LE(events, counts.acknowledged + counts.unknown) << user << " has events counted twice; seed " << kSeed;
    }
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  EXPECT_GT(acknowledged, 1000u);
  const Outcome log = RunProgram({"log", "verify", "--dir", folder.path()});
  EXPECT_EQ(log.exit_status, 0) << log.output;
  const Outcome state = RunProgram({"state", "verify", "--dir", folder.path()});
  EXPECT_EQ(state.exit_status, 0) << state.output;
  EXPECT_THAT(state.output, HasSubstr(" 0 differences"));
}

TEST(CrashTest, SigtermDrainsAndTheNextStartHasEverything) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  {
    RunningServer server(folder.path());
    auto client = server.Client();
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(client
                    .Call("POST", "/v1/events",
                          fmt::format(R"({{"events":[{{"type":"click","user":"u","item":"i{}"}}]}})", i))
                    ->status,
                200);
    }
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  RunningServer server(folder.path());
  EXPECT_EQ(At(server.Client().Call("GET", "/v1/users/u/profile", "")->body, "/events"), "50");
}

TEST(CrashTest, SigtermEndsATrainingThatRunsAndItsCallerIsTold) {
  const TemporaryFolder folder;
  MakeSmallWorld(folder.path(), 90, 60);
  RunningServer server(folder.path() + "/data");
  auto client = server.Client();
  std::thread trainer([&] {
    // Minutes of work: it is still running when the signal comes.
    const auto answer = client.Call("POST", "/v1/jobs/train-cf", R"({"factors":128,"epochs":4000})");
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 503) << answer->body;
  });
  usleep(500'000);
  EXPECT_EQ(server.Stop(SIGTERM), 0);
  trainer.join();
}

TEST(CrashTest, ASecondProcessIsToldWhoOwnsTheFolder) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  RunningServer server(folder.path());
  const Outcome outcome = RunProgram({"state", "verify", "--dir", folder.path()});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("a server owns"));
}

}  // namespace
}  // namespace bowerbird::end_to_end
