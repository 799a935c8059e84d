// Signals as a product, through the real binary.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/clock.h"
#include "base/time_text.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class SignalsTest : public testing::Test {
 protected:
  SignalsTest() {
    MakeSmallWorld(folder_.path(), 90, 40);
    dir_ = folder_.path() + "/data";
    config_ = dir_ + "/apps/default/bowerbird.toml";
    std::ifstream in(config_);
    text_.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    Declare("7d", "");
  }
  void Declare(std::string_view half_life, std::string_view more) const {
    std::ofstream(config_) << text_
                           << fmt::format(R"(
[signals.interests]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "{}"
owner = "feed"
description = "By category."
[signals.clicks]
kind = "count"
on = ["click"]
window = "36500d"
{})",
                                          half_life, more);
  }
  static std::string Today() { return base::FormatTimeUs(base::SystemClock::Get().NowUs()).substr(0, 10); }
  /// Asks for a page, and clicks on what it shows.
  static void Visit(server::HttpClient* client, const std::string& user) {
    const auto answer =
        client->Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"{}","n":5}})", user));
    ASSERT_EQ(answer->status, 200) << answer->body;
    for (const std::string& id : ItemIds(answer->body)) {
      const std::string event = fmt::format(R"({{"events":[{{"type":"click","user":"{}","item":"{}"}}]}})", user, id);
      ASSERT_EQ(client->Call("POST", "/v1/events", event)->status, 200);
    }
  }

  const TemporaryFolder folder_;
  std::string dir_, config_, text_;
};

TEST_F(SignalsTest, AreBackfilledWhileOthersServeListedAndFreeOfSkew) {
  std::string served_by = Today();
  {
    RunningServer server(dir_);
    auto client = server.Client();
    for (int turn = 0; turn < 12; ++turn) Visit(&client, fmt::format("u{}", turn % 4));
    const std::string before = client.Call("GET", "/v1/users/u1/profile", "")->body;
    EXPECT_EQ(At(before, "/signals/0/name"), "interests");
    EXPECT_NE(At(before, "/signals/0/keys/0/number"), "");
    EXPECT_EQ(At(before, "/lifecycle").empty(), false);

    Declare("7d", "[signals.recent]\nkind = \"last_n\"\non = [\"click\"]\nn = 3\n");
    const Outcome refused = RunProgram({"config", "reload", "--app", "default", "--dir", dir_});
    EXPECT_NE(refused.exit_status, 0);
    EXPECT_THAT(refused.output, HasSubstr("signals.recent"));
    const Outcome reopened = RunProgram({"config", "reload", "--app", "default", "--reopen", "--dir", dir_});
    EXPECT_EQ(reopened.exit_status, 0) << reopened.output;
    const std::string after = client.Call("GET", "/v1/users/u1/profile", "")->body;
    EXPECT_EQ(At(after, "/signals/2/name"), "recent");
    EXPECT_EQ(At(after, "/signals/2/items/0/value"), At(after, "/sequence/0/item"));
    EXPECT_EQ(At(after, "/signals/1/number"), At(before, "/signals/1/number"));
    for (int turn = 0; turn < 8; ++turn) Visit(&client, fmt::format("u{}", turn % 4));

    Declare("7d",
            "[signals.recent]\nkind = \"last_n\"\non = [\"click\"]\nn = 3\n"
            "[segments.clickers]\nwhere = \"signals.clicks >= 5 and lifecycle != 'dormant'\"\nowner = \"crm\"\n"
            "[segments.others]\nwhere = \"not signals.clicks >= 5\"\n");
    EXPECT_EQ(RunProgram({"config", "reload", "--app", "default", "--dir", dir_}).exit_status, 0);
    EXPECT_EQ(At(client.Call("GET", "/v1/users/u1/profile", "")->body, "/segments/0"), "clickers");
    const Outcome segments = RunProgram({"segments", "list", "--dir", dir_});
    EXPECT_EQ(segments.exit_status, 0) << segments.output;
    EXPECT_THAT(segments.output, AllOf(HasSubstr("clickers"), HasSubstr("crm"), HasSubstr("signals.clicks >= 5")));
    const Outcome users = RunProgram({"segments", "users", "clickers", "--dir", dir_});
    EXPECT_EQ(users.exit_status, 0) << users.output;
    for (const char* user : {"u0\n", "u1\n", "u2\n", "u3\n"}) EXPECT_THAT(users.output, HasSubstr(user));
    EXPECT_EQ(client.Call("GET", "/v1/segments/nothing/users", "")->status, 404);
    EXPECT_EQ(client.Call("GET", "/v1/segments/clickers/users?after=x", "")->status, 400);
    EXPECT_EQ(client.Call("GET", "/v1/segments/clickers/users?limit=10001", "")->status, 400);
    std::string paged, next;
    do {  // one at a time, everybody is met once
      const std::string page = client.Call("GET", "/v1/segments/clickers/users?limit=1&after=" + next, "")->body;
      next = At(page, "/next");
      const std::string user = At(page, "/users/0");
      if (user.empty()) continue;
      EXPECT_THAT(paged, Not(HasSubstr(" " + user + " ")));
      paged += " " + user + " ";
    } while (!next.empty());
    EXPECT_THAT(paged, AllOf(HasSubstr(" u0 "), HasSubstr(" u3 ")));
    for (int again = 0; again < 2; ++again) {
      const Outcome written = RunProgram({"segments", "write", "--dir", dir_});
      EXPECT_EQ(written.exit_status, 0) << written.output;
    }
    const Outcome counted = RunProgram({"lake", "sql",
                                        "select count(*) filter (where segment = 'clickers' and user_id = 'u1') as u1,"
                                        " count(*) = count(distinct user_id) as once from segment_users",
                                        "--csv", "--dir", dir_});
    EXPECT_THAT(counted.output, HasSubstr("1,true")) << counted.output;

    const Outcome list = RunProgram({"signals", "list", "--dir", dir_});
    EXPECT_EQ(list.exit_status, 0) << list.output;
    EXPECT_THAT(list.output, AllOf(HasSubstr("interests"), HasSubstr("recent"), HasSubstr("feed"), HasSubstr("users")));
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  const Outcome show = RunProgram({"signals", "show", "interests", "--dir", dir_});
  EXPECT_EQ(show.exit_status, 0) << show.output;
  EXPECT_THAT(show.output,
              AllOf(HasSubstr("By category."), HasSubstr("half_life_us=604800000000"), HasSubstr("null rate")));
  const Outcome unknown = RunProgram({"signals", "show", "nothing", "--dir", dir_});
  EXPECT_EQ(unknown.exit_status, 1);

  if (Today() != served_by) GTEST_SKIP() << "midnight passed";
  const Outcome clean = RunProgram({"check", "skew", "--day", served_by, "--dir", dir_});
  EXPECT_EQ(clean.exit_status, 0) << clean.output;
  EXPECT_THAT(clean.output, AllOf(HasSubstr("20 served requests"), HasSubstr(": 0 differences"),
                                  HasSubstr("12 values are of signals that were not declared yet")));
  EXPECT_THAT(RunProgram({"check", "skew", "--day", "1999-01-01", "--dir", dir_}).output,
              HasSubstr("0 served requests"));
  EXPECT_EQ(RunProgram({"check", "skew", "--day", "yesterday", "--dir", dir_}).exit_status, 1);

  const Outcome backfilled = RunProgram({"signals", "backfill", "clicks", "--dir", dir_});
  EXPECT_EQ(backfilled.exit_status, 0) << backfilled.output;
  EXPECT_THAT(backfilled.output, HasSubstr("clicks: "));
  EXPECT_THAT(RunProgram({"state", "verify", "--dir", dir_}).output, HasSubstr(": 0 differences"));

  Declare("8d", "[signals.recent]\nkind = \"last_n\"\non = [\"click\"]\nn = 3\n");
  const Outcome skewed = RunProgram({"check", "skew", "--day", served_by, "--dir", dir_});
  EXPECT_EQ(skewed.exit_status, 1) << skewed.output;
  EXPECT_THAT(skewed.output, AllOf(HasSubstr("interests: served under the meaning"), HasSubstr(": 20 differences"),
                                   Not(HasSubstr("clicks: "))));
}

TEST_F(SignalsTest, OfItemsAreReadServedAndMadeAgain) {
  const auto declare = [this](std::string_view half_life) {
    Declare("7d", fmt::format(R"(
[signals.strength]
per = "item"
kind = "decayed_sum"
on = ["click", "save"]
half_life = "{}"
owner = "discovery"
[signals.clickers]
per = "item"
kind = "distinct"
of = "event.user"
on = ["click"]
[signals.last_surfaces]
per = "item"
kind = "last_n"
of = "event.surface"
on = ["click"]
n = 3
)",
                              half_life));
  };
  declare("2d");
  std::string served_by = Today();
  {
    RunningServer server(dir_);
    auto client = server.Client();
    const auto click = [&](const std::string& user) {
      const std::string event =
          fmt::format(R"({{"events":[{{"type":"click","user":"{}","item":"a thing","surface":"home"}}]}})", user);
      ASSERT_EQ(client.Call("POST", "/v1/events", event)->status, 200);
    };
    for (const char* user : {"u1", "u2", "u1"}) click(user);
    std::string signals;
    const auto clickers = [&] {
      signals = client.Call("GET", "/v1/items/a%20thing/signals", "")->body;
      return At(signals, "/signals/1/number");
    };
    for (int tries = 0; clickers() != "2" && tries < 600; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(At(signals, "/id"), "a thing");
    EXPECT_EQ(At(signals, "/signals/0/name"), "strength");
    EXPECT_EQ(At(signals, "/signals/1/number"), "2") << signals;
    EXPECT_EQ(At(signals, "/signals/2/items/2/value"), "home");
    EXPECT_NE(At(signals, "/table_version"), "0");
    EXPECT_NE(At(signals, "/table_time_us"), "0");
    EXPECT_EQ(At(client.Call("GET", "/v1/items/nobody/signals", "")->body, "/signals/0/newest_us"), "0");
    EXPECT_EQ(client.Call("GET", "/v1/items/" + std::string(300, 'x') + "/signals", "")->status, 400);

    for (int turn = 0; turn < 12; ++turn) Visit(&client, fmt::format("u{}", turn % 4));
    // Rules read what everybody did with an item; filters do not.
    const auto asked = [&](std::string_view rule) {
      return client
          .Call("POST", "/v1/recommend",
                fmt::format(R"({{"surface":"home","user":"u9","n":40,"explain":true,"rules":[{}]}})", rule))
          ->body;
    };
    EXPECT_THAT(asked(R"({"kind":"boost","when":"signals.clickers >= 0","factor":2})"), HasSubstr("rules[0]"));
    EXPECT_THAT(asked(R"({"kind":"boost","when":"signals.clickers > 1000","factor":2})"), Not(HasSubstr("rules[0]\"")));
    EXPECT_THAT(asked(R"({"kind":"boost","when":"signals.clicks > 1","factor":2})"), HasSubstr("signals.clicks"));
    EXPECT_EQ(client.Call("POST", "/v1/recommend", R"({"surface":"home","filter":"signals.clickers > 1"})")->status,
              400);
    const Outcome list = RunProgram({"signals", "list", "--dir", dir_});
    EXPECT_EQ(list.exit_status, 0) << list.output;
    EXPECT_THAT(list.output, AllOf(HasSubstr("clickers"), HasSubstr(" item "), HasSubstr("discovery")));
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  const Outcome show = RunProgram({"signals", "show", "strength", "--dir", dir_});
  EXPECT_EQ(show.exit_status, 0) << show.output;
  EXPECT_THAT(show.output,
              AllOf(HasSubstr("per           item"), HasSubstr("items         "), HasSubstr("decayed_sum item")));
  if (Today() != served_by) GTEST_SKIP() << "midnight passed";
  const Outcome clean = RunProgram({"check", "skew", "--day", served_by, "--dir", dir_});
  EXPECT_EQ(clean.exit_status, 0) << clean.output;
  EXPECT_THAT(clean.output, AllOf(HasSubstr(": 0 differences"), HasSubstr("shown items: ")));
  const Outcome backfilled = RunProgram({"signals", "backfill", "clickers", "--dir", dir_});
  EXPECT_EQ(backfilled.exit_status, 0) << backfilled.output;
  EXPECT_THAT(backfilled.output, HasSubstr(" items from the log"));
  EXPECT_THAT(RunProgram({"state", "verify", "--dir", dir_}).output, HasSubstr(": 0 differences"));
  declare("3d");
  const Outcome skewed = RunProgram({"check", "skew", "--day", served_by, "--dir", dir_});
  EXPECT_EQ(skewed.exit_status, 1) << skewed.output;
  EXPECT_THAT(skewed.output,
              AllOf(HasSubstr("strength: served under the meaning"), Not(HasSubstr("clickers: served"))));
}

}  // namespace
}  // namespace bowerbird::end_to_end
