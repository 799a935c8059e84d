#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

std::string Deep(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

struct Case {
  const char* name;
  std::string target;
  std::string body;
  int status;
  const char* expect;  // in the body of the answer
};

class BadInputTest : public testing::Test {
 protected:
  BadInputTest() : folder_(), dir_(folder_.path()) { EXPECT_EQ(RunProgram({"init", "--dir", dir_}).exit_status, 0); }
  const TemporaryFolder folder_;
  const std::string dir_;
};

/// One server, every kind of bad body: a problem document or a verdict that names the field, and a server that lives
/// on.
TEST_F(BadInputTest, IsAnsweredByNamingTheFieldAndTheServerLivesOn) {
  RunningServer server(dir_);
  auto client = server.Client();
  const std::string events = "/v1/events", recommend = "/v1/recommend";
  const auto event = [](const std::string& fields) { return R"({"events":[{)" + fields + "}]}"; };
  const std::vector<Case> cases = {
      {"not json", events, "{\"events\":[", 400, "json"},
      {"not json at all", events, "\x01\x02\xff", 400, "json"},
      {"empty", events, "", 400, "json"},
      {"deep", events, "{\"events\":" + Deep(5000) + "}", 400, ""},
      {"wrong type of events", events, R"({"events":5})", 400, "events"},
      {"unknown event type", events, event(R"("type":"teleport","user":"u","item":"i")"), 200, "events[0].type"},
      {"unknown field", events, event(R"("type":"click","user":"u","item":"i","colour":"red")"), 200, "colour"},
      {"wrong type", events, event(R"("type":"click","user":7,"item":"i")"), 200, "events[0].user"},
      {"missing user", events, event(R"("type":"click","item":"i")"), 200, "events[0].user"},
      {"empty id", events, event(R"("type":"click","user":"","item":"i")"), 200, "events[0].user"},
      {"long id", events, event(R"("type":"click","user":")" + std::string(10'000, 'x') + R"(","item":"i")"), 200,
       "10000"},
      {"invalid utf-8", events, event("\"type\":\"click\",\"user\":\"\xc3\x28\",\"item\":\"i\""), 200, "utf8"},
      {"nan", events, event(R"("type":"click","user":"u","item":"i","value":NaN)"), 200, ""},
      {"infinity", events, event(R"("type":"click","user":"u","item":"i","value":1e999)"), 200, ""},
      {"negative position", events, event(R"("type":"click","user":"u","item":"i","position":-1)"), 200, "position"},
      {"undeclared attribute", events, event(R"("type":"click","user":"u","item":"i","attributes":{"shoe":1})"), 200,
       "shoe"},
      {"stamped field", events, event(R"("type":"click","user":"u","item":"i","user_key":1)"), 200, "user_key"},
      {"unknown surface", recommend, R"({"surface":"nowhere"})", 400, "surface"},
      {"n too large", recommend, R"({"surface":"home","n":100000})", 400, "200"},
      {"n negative", recommend, R"({"surface":"home","n":-1})", 400, "\"field\":\"n\""},
      {"bad filter", recommend, R"({"surface":"home","filter":"price <"})", 400, "filter"},
      {"unknown attribute", recommend, R"({"surface":"home","filter":"shoe == 1"})", 400, "shoe"},
      {"unknown key", recommend, R"({"surface":"home","usr":"u"})", 400, "usr"},
      {"unknown key of 10,000 bytes", recommend, R"({"surface":"home",")" + std::string(10'000, 'k') + R"(":1})", 400,
       "kkk...\""},
      {"bad cursor", recommend, R"({"surface":"home","cursor":"AAAA"})", 400, "invalid_cursor"},
      {"deep request", recommend, "{\"context\":" + Deep(5000) + "}", 400, ""},
      {"related without item", recommend, R"({"surface":"related"})", 400, "item"},
  };
  for (const Case& c : cases) {
    const auto answer = client.Call("POST", c.target, c.body);
    ASSERT_TRUE(answer.ok()) << c.name << ": " << answer.status();
    EXPECT_EQ(answer->status, c.status) << c.name << ": " << answer->body;
    EXPECT_THAT(answer->body, HasSubstr(c.expect)) << c.name;
    if (c.status == 400) {
      EXPECT_EQ(answer->content_type, "application/problem+json") << c.name;
      EXPECT_NE(At(answer->body, "/code"), "") << c.name;
    } else {
      EXPECT_EQ(At(answer->body, "/accepted"), "0") << c.name << ": " << answer->body;
      EXPECT_EQ(At(answer->body, "/verdicts/0/verdict"), "rejected") << c.name;
    }
  }
  EXPECT_EQ(client.Call("POST", events, std::string(64u << 20, ' '))->status, 413);
  EXPECT_EQ(server.Client().Call("GET", "/v1/items/%00", "")->status / 100, 4);
  const auto profile = server.Client().Call("GET", "/v1/users/%ff/profile", "");
  EXPECT_EQ(profile->status, 400);
  EXPECT_EQ(At(profile->body, "/code"), "invalid_utf8");
  EXPECT_EQ(server.Client().Call("PUT", "/v1/items/a", R"({"title":7})")->status, 400);
  EXPECT_EQ(server.Client().Call("PUT", "/v1/items/a", R"({"id":"b"})")->status, 400);
  EXPECT_EQ(server.Client().Call("GET", "/v1/items/never-was", "")->status, 404);

  // Nothing of all this was kept.
  EXPECT_EQ(At(server.Client().Call("GET", "/v1/users/u/profile", "")->body, "/events"), "0");
  EXPECT_EQ(server.Stop(SIGTERM), 0);
}

TEST_F(BadInputTest, TimesOf1970And2099AreHandledAsConfigured) {
  RunningServer server(dir_);
  auto client = server.Client();
  const auto old = client.Call("POST", "/v1/events",
                               R"({"events":[{"type":"click","user":"u","item":"i","time":"1970-01-01T00:00:00Z"}]})");
  EXPECT_EQ(At(old->body, "/verdicts/0/verdict"), "late");
  const auto future = client.Call(
      "POST", "/v1/events", R"({"events":[{"type":"click","user":"u","item":"j","time":"2099-01-01T00:00:00Z"}]})");
  EXPECT_EQ(At(future->body, "/accepted"), "1");
  // Clamped to now: an event of the future must not stay the newest for ever.
  const std::string profile = client.Call("GET", "/v1/users/u/profile", "")->body;
  EXPECT_LT(std::stoll(At(profile, "/last_time_us")), 4'000'000'000'000'000);
  EXPECT_EQ(At(profile, "/events"), "2");
}

TEST_F(BadInputTest, ARetryWithTheSameClientIdCountsOnce) {
  RunningServer server(dir_);
  auto client = server.Client();
  const std::string body = R"({"events":[{"type":"click","user":"u","item":"i","client_id":"c1"}]})";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(At(client.Call("POST", "/v1/events", body)->body, "/accepted"), "1");
  EXPECT_EQ(At(client.Call("GET", "/v1/users/u/profile", "")->body, "/events"), "1");
}

}  // namespace
}  // namespace bowerbird::end_to_end
