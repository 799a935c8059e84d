// Experiments through the real binary: two recipes against each other, who is in which arm, and who was exposed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kUsers = 60;

class ExperimentTest : public testing::Test {
 protected:
  ExperimentTest() {
    MakeSmallWorld(folder_.path(), 90, 40);
    dir_ = folder_.path() + "/data";
    Start();
  }
  void Start() {
    server_ = std::make_unique<RunningServer>(dir_);
    client_ = std::make_unique<server::HttpClient>(server_->Client());
  }
  void Stop() {
    client_.reset();
    server_->Stop(SIGTERM);
    server_.reset();
  }
  server::HttpResponse Call(const std::string& method, const std::string& target, const std::string& body = "") {
    auto answer = client_->Call(method, target, body);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *std::move(answer) : server::HttpResponse{0, "", "", {}};
  }
  std::string Done(const std::string& method, const std::string& target, const std::string& body = "") {
    const server::HttpResponse answer = Call(method, target, body);
    EXPECT_EQ(answer.status, 200) << method << " " << target << ": " << answer.body;
    return answer.body;
  }
  /// Two arms: the recipe in force, and one with a key of the config changed.
  static std::string Changing(const std::string& id, const std::string& path, const std::string& value,
                              const std::string& more = "\"traffic\":1") {
    return fmt::format(
        R"({{"id":"{}",{},"arms":[{{"name":"control","weight":1}},{{"name":"popular","weight":1,
            "changes":[{{"path":"{}","value":"{}"}}]}}]}})",
        id, more, path, value);
  }
  /// One that shows what is popular alone.
  static std::string Popular(const std::string& id, const std::string& more = "\"traffic\":1") {
    return Changing(id, "surfaces.home.generators", R"([\"popular\"])", more);
  }
  void CreateAndStart(const std::string& id, const std::string& definition) {
    Done("POST", "/v1/experiments", definition);
    Done("POST", fmt::format("/v1/experiments/{}:start", id), "{}");
  }
  std::string Recommend(const std::string& user) {
    return Done("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"{}","n":5}})", user));
  }
  /// The arm of an experiment; empty: none.
  std::string ArmOf(const std::string& user, const std::string& experiment) {
    const std::string answer =
        Done("POST", "/v1/assign", fmt::format(R"({{"user":"{}","experiments":["{}"]}})", user, experiment));
    return At(answer, "/arms/0/arm");
  }
  std::string Sql(const std::string& sql) { return Done("POST", "/v1/sql", fmt::format(R"({{"sql":"{}"}})", sql)); }
  std::string One(const std::string& sql) { return At(Sql(sql), "/rows/0/0"); }

  TemporaryFolder folder_;
  std::string dir_;
  std::unique_ptr<RunningServer> server_;
  std::unique_ptr<server::HttpClient> client_;
};

TEST_F(ExperimentTest, TwoRecipesAgainstEachOther) {
  CreateAndStart("popular-home", Popular("popular-home"));
  std::map<std::string, int> arms;
  std::map<std::string, std::string> arm_of, versions;
  std::string a_request;
  for (int i = 0; i < kUsers; ++i) {
    const std::string user = fmt::format("u{}", i);
    const std::string answer = Recommend(user);
    const std::string arm = ArmOf(user, "popular-home");
    ++arms[arm];
    arm_of[user] = arm;
    // Each arm is one config, and says so.
    const auto [known, fresh] = versions.try_emplace(arm, At(answer, "/config_version"));
    EXPECT_EQ(At(answer, "/config_version"), known->second) << user;
    if (arm == "popular") a_request = At(answer, "/request_id");
  }
  ASSERT_EQ(arms.size(), 2u);
  EXPECT_GT(arms["control"], kUsers / 5);
  EXPECT_GT(arms["popular"], kUsers / 5);
  EXPECT_NE(versions["control"], versions["popular"]);
  // Again: no second row, whoever asks.
  for (int i = 0; i < kUsers; ++i) Recommend(fmt::format("u{}", i));
  EXPECT_EQ(One("select count(*) from exposures"), fmt::format("{}", kUsers));
  EXPECT_EQ(
      One("select count(*) from exposures where arm = 'popular' and surface = 'home' and unit = 'user' and "
          "unit_id = \\\"user\\\" and not forced and phase = 0 and user_key is not null and request_id is not null"),
      fmt::format("{}", arms["popular"]));

  // After a restart everybody is where they were, and what was answered can be answered again.
  Stop();
  Start();
  for (const auto& [user, arm] : arm_of) ASSERT_EQ(ArmOf(user, "popular-home"), arm) << user;
  const std::string stopped = Done("POST", "/v1/experiments/popular-home:stop", R"({"reason":"over"})");
  EXPECT_EQ(At(stopped, "/state"), "stopped");
  EXPECT_EQ(At(Recommend("u0"), "/config_version"), versions["control"]);
  EXPECT_EQ(At(Done("POST", "/v1/experiments/popular-home:decide", R"({"winner":"popular"})"), "/winner"), "popular");
  Stop();
  const Outcome replayed = RunProgram({"replay", "--request", a_request, "--dir", dir_});
  EXPECT_EQ(replayed.exit_status, 0) << replayed.output;
  EXPECT_THAT(replayed.output, HasSubstr("popular-home")) << "an answer says which arms it was in";
}

TEST_F(ExperimentTest, ARampMovesNobody) {
  CreateAndStart("ramped", Popular("ramped", R"("layer":"feed","traffic":0.1)"));
  std::map<std::string, std::string> before;
  const auto look = [&] {
    std::map<std::string, std::string> arms;
    for (int i = 0; i < 200; ++i) {
      const std::string user = fmt::format("visitor-{}", i);
      if (const std::string arm = ArmOf(user, "ramped"); !arm.empty()) arms[user] = arm;
    }
    return arms;
  };
  before = look();
  EXPECT_LT(before.size(), 60u);
  const std::string ramped = Done("POST", "/v1/experiments/ramped:ramp", R"({"traffic":1})");
  EXPECT_EQ(At(ramped, "/ramp/1/traffic"), "1");
  const auto after = look();
  EXPECT_EQ(after.size(), 200u);
  for (const auto& [user, arm] : before) EXPECT_EQ(after.at(user), arm);
  EXPECT_EQ(Call("POST", "/v1/experiments/ramped:ramp", R"({"traffic":0.5})").status, 400);
  // The layer is full.
  Done("POST", "/v1/experiments", Popular("second", R"("layer":"feed","traffic":0.2)"));
  const server::HttpResponse full = Call("POST", "/v1/experiments/second:start", "{}");
  EXPECT_EQ(full.status, 409) << full.body;
  EXPECT_THAT(full.body, HasSubstr("0% is free: 'ramped' has 100%"));
  Recommend("visitor-1");
  EXPECT_EQ(One("select max(phase) from exposures"), "1");
}

TEST_F(ExperimentTest, AnIdentityKeepsTheArmOfTheIdThatItWas) {
  CreateAndStart("merged", Popular("merged"));
  int moved = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string anonymous = fmt::format("anon-{}", i), user = fmt::format("person-{}", i);
    Recommend(anonymous);
    const std::string was = ArmOf(anonymous, "merged");
    moved += was != ArmOf(user, "merged");
    Done("POST", "/v1/events",
         fmt::format(R"({{"type":"identify","user":"{}","anonymous":"{}","client_id":"{}"}})", user, anonymous, i));
    Recommend(anonymous);
    EXPECT_EQ(ArmOf(user, "merged"), was) << user;
    EXPECT_EQ(ArmOf(anonymous, "merged"), was) << anonymous;
  }
  EXPECT_GT(moved, 0) << "of 12, some would have been elsewhere";
  EXPECT_EQ(One("select count(distinct arm) from exposures where \\\"user\\\" = 'person-0'"), "1");
}

TEST_F(ExperimentTest, AStickyArmStaysWhenWeightsChange) {
  CreateAndStart("sticky", Popular("sticky", R"("sticky":true,"traffic":1)"));
  std::map<std::string, std::string> exposed;
  for (int i = 0; i < 20; ++i) {
    const std::string user = fmt::format("s{}", i);
    Recommend(user);
    exposed[user] = ArmOf(user, "sticky");
  }
  Done("PATCH", "/v1/experiments/sticky",
       R"({"arms":[{"name":"control","weight":0.000001},{"name":"popular","weight":1000,
          "changes":[{"path":"surfaces.home.generators","value":"[\"popular\"]"}]}]})");
  int control = 0;
  for (const auto& [user, arm] : exposed) {
    EXPECT_EQ(ArmOf(user, "sticky"), arm) << user;
    control += arm == "control";
  }
  EXPECT_GT(control, 0);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ArmOf(fmt::format("new-{}", i), "sticky"), "popular");
  // The log remembers, not the process.
  Stop();
  ASSERT_EQ(std::system(fmt::format("rm -rf '{}/apps/default/state/exposures'", dir_).c_str()), 0);
  Start();
  for (const auto& [user, arm] : exposed) EXPECT_EQ(ArmOf(user, "sticky"), arm) << user;
}

TEST_F(ExperimentTest, ByTheAnswerOnlyADifferenceExposes) {
  // A bound that nothing comes near changes the recipe, and no answer.
  CreateAndStart("same", Changing("same", "surfaces.home.candidates_max", "99999",
                                  R"("trigger":"answer","layer":"one","traffic":1)"));
  CreateAndStart("other", Popular("other", R"("trigger":"answer","layer":"two","traffic":1)"));
  for (int i = 0; i < kUsers; ++i) Recommend(fmt::format("u{}", i));
  EXPECT_EQ(One("select count(*) from exposures where experiment = 'same'"), "0");
  const int other = std::stoi(One("select count(*) from exposures where experiment = 'other'"));
  EXPECT_GT(other, kUsers / 2);
  EXPECT_LE(other, kUsers);
  // Alike in both arms.
  EXPECT_EQ(One("select count(distinct arm) from exposures where experiment = 'other'"), "2");
}

TEST_F(ExperimentTest, AnInterleavedPageSaysWhoseItemsAreChosen) {
  Stop();
  std::ofstream(dir_ + "/apps/default/bowerbird.toml", std::ios::app)
      << "\n[metrics.clicks]\nkind = \"mean\"\non = [\"click\"]\n[metrics.back]\nkind = \"retention\"\nfrom = 1\nto = "
         "2\n";
  Start();
  const std::string arms = R"([{"name":"control","weight":1},
      {"name":"fresh","weight":1,"changes":[{"path":"surfaces.home.generators","value":"[\"fresh\"]"}]}])";
  CreateAndStart("shared", fmt::format(R"({{"id":"shared","traffic":1,"design":"interleaved","arms":{},
      "metrics":[{{"name":"clicks"}}],"forced":[{{"unit":"tester","arm":"fresh"}}]}})",
                                       arms));
  EXPECT_EQ(Call("GET", "/v1/experiments/shared/results").status, 409) << "nobody was shown anything";
  // Answers are not waited for by the log.
  const auto drafted = [&](const std::string& count) {
    for (int tries = 0; tries < 200; ++tries) {
      if (One("select count(*) from served where interleaved_by = 'shared'") == count) return true;
      absl::SleepFor(absl::Milliseconds(50));
    }
    return false;
  };
  std::string a_request = At(Recommend("visitor-0"), "/request_id");
  ASSERT_TRUE(drafted("1"));
  EXPECT_EQ(At(Done("GET", "/v1/experiments/shared/results"), "/decision"), "TOO_EARLY");
  for (int i = 1; i < 130; ++i) a_request = At(Recommend(fmt::format("visitor-{}", i)), "/request_id");
  // A tester sees one arm alone, and nobody holds two arms.
  Recommend("tester");
  ASSERT_TRUE(drafted("130"));
  EXPECT_EQ(One("select string_agg(distinct arm, ',' order by arm) from exposures where not forced"), "interleaved");
  EXPECT_EQ(ArmOf("visitor-1", "shared"), "interleaved");
  EXPECT_EQ(ArmOf("tester", "shared"), "fresh");
  // Every visitor takes what `fresh` alone placed first, some of them what the control did, too.
  const std::string placed = Sql(
      "select request_id, \\\"user\\\", max(case when one.arm = 'fresh' then one.item end), max(case when one.arm = "
      "'control' then one.item end) from (select request_id, \\\"user\\\", unnest(drafted) as one from served) group "
      "by all "
      "order by 1");
  for (int row = 0; row < 130; ++row) {
    const auto cell = [&](int column) { return At(placed, fmt::format("/rows/{}/{}", row, column)); };
    for (const int column : row % 4 == 0 ? std::vector{2, 3} : std::vector{2}) {
      Done("POST", "/v1/events",
           fmt::format(R"({{"type":"click","user":"{}","item":"{}","request_id":"{}","client_id":"{}-{}"}})", cell(1),
                       cell(column), cell(0), row, column));
    }
  }
  const std::string results = Done("GET", "/v1/experiments/shared/results");
  EXPECT_EQ(At(results, "/decision"), "BETTER") << results;
  EXPECT_EQ(At(results, "/arm"), "fresh");
  EXPECT_EQ(At(results, "/metrics/0/treatment"), "1");
  EXPECT_EQ(At(results, "/metrics/0/interleaved/users_for"), "97");
  EXPECT_EQ(At(results, "/metrics/0/interleaved/users_alike"), "33");
  EXPECT_EQ(Call("GET", "/v1/experiments/shared/results?segment=surface").status, 400);
  EXPECT_EQ(Call("POST", "/v1/experiments", Popular("other", R"("traffic":1,"design":"drafted")")).status, 400);
  EXPECT_THAT(Call("POST", "/v1/experiments",
                   Popular("other", R"("traffic":1,"design":"interleaved","metrics":[{"name":"back"}])"))
                  .body,
              HasSubstr("metrics[0].name"));
  Stop();
  const Outcome replayed = RunProgram({"replay", "--request", a_request, "--dir", dir_});
  EXPECT_EQ(replayed.exit_status, 0) << replayed.output;
  EXPECT_THAT(replayed.output, HasSubstr("0 differences"));
}

TEST_F(ExperimentTest, WhoWasForgottenLeavesTheExposures) {
  CreateAndStart("forgets", Popular("forgets"));
  const std::string user = "somebody-with-a-long-name";
  Recommend(user);
  Recommend("u1");
  EXPECT_EQ(One("select count(*) from exposures"), "2");
  EXPECT_THAT(RunProgram({"audit", "user", user, "--dir", dir_}).output, HasSubstr("exposures"));
  Done("DELETE", "/v1/users/" + user);
  Done("POST", "/v1/jobs/redact", "{}");
  EXPECT_EQ(One("select count(*) from exposures"), "2");
  EXPECT_EQ(One("select count(*) from exposures where unit_id is null and user_key is null and arm is not null"), "1");
  EXPECT_THAT(RunProgram({"audit", "user", user, "--dir", dir_}).output, Not(HasSubstr("exposures")));
}

TEST_F(ExperimentTest, WhatIsNotWholeIsRefusedByName) {
  struct Refused {
    std::string body;
    int status;
    const char *field, *says;
  };
  const std::string arms = R"([{"name":"a","weight":1},{"name":"b","weight":1}])";
  for (const Refused& refused : std::vector<Refused>{
           {"{", 400, "", "not JSON"},
           {R"({"id":"x","traffic":1,"arms":[]})", 400, "arms", "found 0; expected 2"},
           {R"({"id":"X","traffic":1,"arms":)" + arms + "}", 400, "id", "a-z"},
           {R"({"id":"x","arms":)" + arms + "}", 400, "traffic", "(0, 1]"},
           {R"({"id":"x","traffic":1,"state":"running","arms":)" + arms + "}", 400, "state", "only the server"},
           {R"({"id":"x","traffic":1,"colour":1,"arms":)" + arms + "}", 400, "colour", "unknown field"},
           {R"({"id":"x","traffic":1,"targeting":"plan ==","arms":)" + arms + "}", 400, "targeting", "found"},
           {R"({"id":"x","traffic":1,"arms":[{"name":"a","weight":1},{"name":"b","weight":1,
              "changes":[{"path":"surfaces.home.diversity","value":"7"}]}]})",
            400, "arms[1].changes", "surfaces.home.diversity: found"},
           {R"({"id":"x","traffic":1,"unit":"device","arms":[{"name":"a","weight":1},{"name":"b","weight":1,
              "changes":[{"path":"surfaces.home.diversity","value":"0.7"}]}]})",
            400, "unit", "requests name no other unit"}}) {
    const server::HttpResponse answer = Call("POST", "/v1/experiments", refused.body);
    EXPECT_EQ(answer.status, refused.status) << refused.body;
    EXPECT_EQ(At(answer.body, "/field"), refused.field) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(refused.says)) << refused.body;
  }
  CreateAndStart("taken", Popular("taken"));
  EXPECT_EQ(Call("POST", "/v1/experiments", Popular("taken")).status, 409);
  EXPECT_EQ(Call("DELETE", "/v1/experiments/taken").status, 409);
  EXPECT_EQ(Call("GET", "/v1/experiments/nobody").status, 404);
  EXPECT_EQ(Call("POST", "/v1/assign", R"({"experiments":["nobody"],"user":"u1"})").status, 404);
  EXPECT_EQ(Call("POST", "/v1/assign", "{}").status, 400);
  // Two layers, one key.
  Done("POST", "/v1/experiments", Popular("contradicts"));
  const server::HttpResponse conflict = Call("POST", "/v1/experiments/contradicts:start", "{}");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_THAT(conflict.body, HasSubstr("changed by experiment 'taken', too"));
  Done("DELETE", "/v1/experiments/contradicts");
}

TEST_F(ExperimentTest, TheHeldOutAreCounted) {
  Stop();
  std::ofstream(dir_ + "/apps/default/bowerbird.toml", std::ios::app) << "\n[experiments]\nholdout = 0.3\n";
  Start();
  CreateAndStart("a", Popular("a"));
  int held = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string answer = Done("POST", "/v1/assign", fmt::format(R"({{"user":"h{}"}})", i));
    const bool out = At(answer, "/holdout") == "true";
    held += out;
    EXPECT_EQ(At(answer, "/arms/0/why"), out ? "holdout" : "drawn") << answer;
  }
  EXPECT_GT(held, 10);
  EXPECT_LT(held, 60);
}

TEST_F(ExperimentTest, TheCommandLineReadsWhatItWrites) {
  const auto run = [&](std::vector<std::string> args) {
    args.insert(args.end(), {"--dir", dir_});
    const Outcome outcome = RunProgram(args);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
    return outcome.output;
  };
  const std::string file = WriteFile(folder_.path(), "diverse.toml", R"(
id = "diverse"
targeting = "request.device == 'phone'"
traffic = 0.5
[[arms]]
name = "control"
weight = 1
flags = {"layout.columns" = 3}
[[arms]]
name = "diverse"
weight = 2.5
flags = {"layout.columns" = 4}
[arms.changes]
surfaces.home.diversity = 0.875
surfaces.home.weights = { trending = 2 }
[[forced]]
unit = "tester"
arm = "diverse"
)");
  EXPECT_THAT(run({"experiment", "create", file}), HasSubstr("diverse"));
  EXPECT_THAT(run({"experiment", "start", "diverse"}), HasSubstr("running"));
  EXPECT_THAT(run({"experiment", "list"}), HasSubstr("50.00%"));
  const std::string diff = run({"config", "diff", "--experiment", "diverse"});
  EXPECT_THAT(diff, HasSubstr("control: as the config in force"));
  EXPECT_THAT(diff, HasSubstr("-> 0.875"));
  std::string exported = run({"experiment", "export", "diverse"});
  exported = exported.substr(exported.find("id = "));
  exported.replace(exported.find("\"diverse\""), 9, "\"again\"");
  const std::string again = WriteFile(folder_.path(), "again.toml", exported);
  run({"experiment", "create", again});
  const auto definition = [&](const std::string& id) {
    const std::string body = Done("GET", "/v1/experiments/" + id);
    return At(body, "/arms") + At(body, "/forced") + At(body, "/targeting") + At(body, "/traffic");
  };
  EXPECT_EQ(definition("again"), definition("diverse"));
  EXPECT_THAT(run({"experiment", "stop", "diverse", "--reason", "over"}), HasSubstr("stopped"));
  EXPECT_THAT(run({"experiment", "decide", "diverse", "--winner", "diverse"}), HasSubstr("diverse won"));
  // Without a server, too.
  Stop();
  EXPECT_THAT(run({"experiment", "show", "again"}), HasSubstr("draft"));
  run({"experiment", "delete", "again"});
}

}  // namespace
}  // namespace bowerbird::end_to_end
