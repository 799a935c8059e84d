// Signals as a product, through the real binary.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <iterator>

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

}  // namespace
}  // namespace bowerbird::end_to_end
