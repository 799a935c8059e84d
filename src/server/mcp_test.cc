// What the tools for models say; the protocol, the transports and masks in SQL are driven by tests/mcp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "server/api.h"
#include "server/mcp_explain.h"
#include "server/mcp_health.h"

namespace bowerbird::server {
namespace {

using testing::HasSubstr;
using testing::Not;

HealthFacts Healthy() {
  HealthFacts facts;
  facts.disk_bytes = 100'000'000'000;
  facts.disk_free_bytes = 50'000'000'000;
  facts.snapshot = "000007";
  return facts;
}

struct Wrong {
  const char* gauge;
  double value;
  const char* says;
};

class HealthReportTest : public testing::TestWithParam<Wrong> {};

TEST_P(HealthReportTest, SaysWhatIsWrong) {
  HealthFacts facts = Healthy();
  facts.gauges = {{"bowerbird_state_lag_records", "", 12, {}},
                  {"bowerbird_serve_answers", "", 1000, {}},
                  {GetParam().gauge, "", GetParam().value, {}}};
  const std::string report = HealthReport(facts);
  EXPECT_THAT(report, HasSubstr(R"("status":"attention")"));
  EXPECT_THAT(report, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, HealthReportTest,
    testing::Values(Wrong{"bowerbird_state_lag_seconds", 60, "12 events are not folded yet, the oldest for 60 s"},
                    Wrong{"bowerbird_log_failures", 2, "2 groups of records could not be made durable"},
                    Wrong{"bowerbird_state_dead_letters", 3, "3 records could not be folded"},
                    Wrong{"bowerbird_checkpoint_failures", 1, "1 checkpoints of the state failed"},
                    Wrong{"bowerbird_serve_degraded", 50, "5.0% of 1000 answers"},
                    Wrong{"bowerbird_serve_ranker_fallbacks", 4, "4 answers were not ordered by the promoted ranker"},
                    Wrong{"bowerbird_lake_damaged_files", 1, "1 files of the lake are damaged"},
                    Wrong{"bowerbird_lake_missed_records", 9, "dropped 9 records"}));

TEST(HealthReportTest, NothingWrongIsOk) {
  HealthFacts facts = Healthy();
  facts.gauges = {{"bowerbird_state_lag_records", "", 5, {}},
                  {"bowerbird_state_lag_seconds", "", 0.1, {}},
                  {"bowerbird_serve_answers", "", 1000, {}},
                  {"bowerbird_serve_degraded", "", 1, {}},
                  {"bowerbird_lake_rows", "", 3, {{"table", "events"}}}};
  EXPECT_THAT(HealthReport(facts), HasSubstr(R"("status":"ok")"));
  facts.health = absl::UnavailableError("the disk is full");
  EXPECT_THAT(HealthReport(facts), HasSubstr(R"("status":"down","summary":"The app cannot serve: the disk is full.")"));
  facts = Healthy();
  facts.disk_free_bytes = 500'000'000;
  facts.snapshot = "";
  EXPECT_THAT(HealthReport(facts), testing::AllOf(HasSubstr("There is no snapshot"), HasSubstr("And 1 more."),
                                                  HasSubstr("0.5 GB left, 0% of it")));
}

Naming Masks() {
  return {true, [](std::string_view) { return std::string("user_m"); },
          [](std::string_view) { return std::string("text_m"); }};
}

TEST(ExplainServedTest, TellsWhereEachItemCameFromAndNotWhoAsked) {
  v1::ServedRecord record;
  record.set_request_id("r1");
  record.mutable_request()->set_user("ann");
  record.mutable_request()->set_surface("home");
  record.mutable_request()->set_filter("creator == \"Ann's\"");
  record.mutable_request()->mutable_context()->set_locale("de_ANN");
  record.add_feature_names("popularity");
  record.add_feature_names("age");
  for (const char* item : {"lamp", "desk"}) {
    v1::ServedCandidate* candidate = record.add_candidates();
    candidate->set_item(item);
    candidate->add_features(0.5);
    candidate->add_features(std::nanf(""));
    candidate->add_sources()->set_generator("trending");
  }
  record.mutable_candidates(0)->set_position(1);
  const std::string text = ExplainServed(record, Masks(), [](const std::string& item) { return "A " + item; });
  EXPECT_THAT(text, HasSubstr("1 items were shown on surface home: 1 by trending. The score was the recipe's."));
  EXPECT_THAT(text, HasSubstr(R"("user":"user_m")"));
  EXPECT_THAT(text, HasSubstr(R"("title":"A lamp","position":1)"));
  EXPECT_THAT(text, HasSubstr(R"("features":{"popularity":0.5})"));
  EXPECT_THAT(text, HasSubstr(R"("candidates_logged":2)"));
  EXPECT_THAT(text, Not(HasSubstr("desk")));
  EXPECT_THAT(text, Not(HasSubstr("nn\"")));
  EXPECT_THAT(text, Not(HasSubstr("ANN")));
}

TEST(ExplainProfileTest, KeepsToItselfWhatUsersWroteWhereTheyAreMasked) {
  v1::ProfileResponse profile;
  profile.set_id("ann");
  profile.set_events(3);
  profile.set_lifecycle("core");
  profile.add_interests()->set_category("lamps");
  profile.add_collections()->set_name("for Carol");
  v1::ProfileSignal* signal = profile.add_signals();
  signal->set_name("queries");
  signal->add_items()->set_value("gift for Dave");
  signal->add_keys()->set_key("Erin");
  v1::User user;
  (*user.mutable_attributes())["city"].set_string_value("Fredville");
  const std::string masked = ExplainProfile(profile, &user, R"([["click",3,"a","b"]])", Masks());
  EXPECT_THAT(masked, HasSubstr(R"("did":[["click",3,"a","b"]])"));
  EXPECT_THAT(masked, HasSubstr("Most interested in lamps"));
  for (const char* secret : {"ann\"", "Carol", "Dave", "Erin", "Fredville"})
    EXPECT_THAT(masked, Not(HasSubstr(secret)));
  const auto as_it_is = [](std::string_view text) { return std::string(text); };
  const std::string plain = ExplainProfile(profile, &user, "[]", {false, as_it_is, as_it_is});
  for (const char* shown : {"ann\"", "Carol", "Dave", "Erin", "Fredville"}) EXPECT_THAT(plain, HasSubstr(shown));
}

TEST(McpRouteTest, ACallThatCannotBeAuditedIsNotAnswered) {
  const std::string dir = testing::TempDir() + "/mcp_route_test";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir + "/audit.log");  // a folder: nothing can be appended
  AppHost apps({.dir = dir, .pipeline = false});
  ASSERT_TRUE(apps.Create("default", "").ok());
  const auto keys = Keys::Open(dir + "/keys.json");
  AuditLog audit(dir + "/audit.log");
  Metrics metrics;
  Api api(&apps, keys->get(), &audit, &metrics, {});
  auto request = std::make_shared<HttpRequest>();
  request->method = "POST";
  request->path = "/mcp";
  request->local = true;
  request->body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_docs","arguments":{"query":"lake"}}})";
  HttpResponse response;
  absl::Notification done;
  api.Handle(request, [&](HttpResponse answer) {
    response = std::move(answer);
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("audit log could not be written\"}],\"isError\":true"));
}

}  // namespace
}  // namespace bowerbird::server
