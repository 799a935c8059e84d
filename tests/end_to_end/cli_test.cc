#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(CliTest, ConfigCheckReportsEveryProblemWithItsLine) {
  const TemporaryFolder folder;
  const std::string path = WriteFile(folder.path(), "bad.toml",
                                     "[app]\n"                                    // 1
                                     "nmae = \"x\"\n"                             // 2: unknown key
                                     "[events.save]\n"                            // 3
                                     "weight = \"heavy\"\n"                       // 4: wrong type
                                     "[generators.hot]\n"                         // 5
                                     "kind = \"trending\"\n"                      // 6
                                     "half_life = -1\n"                           // 7: impossible
                                     "[objectives.buy]\n"                         // 8
                                     "event = \"bought\"\n"                       // 9: undeclared
                                     "[surfaces.home]\n"                          // 10
                                     "generators = [\"for_you\", \"psychic\"]\n"  // 11: none of ours
                                     "[events.save]\n"                            // 12: duplicate
                                     "weight = 2\n");
  const Outcome outcome = RunProgram({"config", "check", path});
  EXPECT_EQ(outcome.exit_status, 1);
  for (const char* line : {":2:", ":4:", ":7:", ":9:", ":11:", ":12:"})
    EXPECT_THAT(outcome.output, HasSubstr("bad.toml" + std::string(line)));
  EXPECT_THAT(outcome.output, HasSubstr("psychic"));
  EXPECT_THAT(outcome.output, HasSubstr("6 problems"));
}

TEST(CliTest, ConfigCheckReadsTheServersFileToo) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  EXPECT_EQ(RunProgram({"config", "check", "--dir", folder.path()}).exit_status, 0);
  const std::string server = WriteFile(folder.path(), "server.toml", "[server]\nport = 99999\nlog_level = \"loud\"\n");
  for (const std::vector<std::string>& check :
       {std::vector<std::string>{"config", "check", "--dir", folder.path()}, {"config", "check", server}}) {
    const Outcome outcome = RunProgram(check);
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.output, HasSubstr("server.toml:2:"));
    EXPECT_THAT(outcome.output, HasSubstr("server.toml:3:"));
    EXPECT_THAT(outcome.output, HasSubstr("2 problems"));
  }
}

TEST(CliTest, InitWritesAPresetOnceAndRefusesToWriteOverIt) {
  const TemporaryFolder folder;
  for (const std::string preset : {"shop", "articles", "pins"}) {
    const std::string dir = folder.path() + "/" + preset;
    ASSERT_EQ(RunProgram({"init", "--preset", preset, dir}).exit_status, 0);
    EXPECT_EQ(RunProgram({"config", "check", "--dir", dir}).exit_status, 0);
    const Outcome again = RunProgram({"init", "--preset", preset, dir});
    EXPECT_EQ(again.exit_status, 1);
    EXPECT_THAT(again.output, HasSubstr("is there already"));
  }
  const Outcome unknown = RunProgram({"init", "--preset", "bakery", folder.path() + "/bakery"});
  EXPECT_NE(unknown.exit_status, 0);
  EXPECT_THAT(unknown.output, HasSubstr("shop"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/bakery"));
}

TEST(CliTest, OwnCsvBecomesAFeedWithoutAConfig) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  const std::string events =
      WriteFile(folder.path(), "e.csv",
                "customer_no,product_id,event_type,ts\n"
                "a,p1,click,1700000000\na,p2,purchase,1700000001\nb,p1,listen,1700000002\nb,p3,click,never\n");
  Outcome outcome = RunProgram({"import", "csv", events, "--map", "user=customer_no", "--dir", dir});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("3 accepted, 1 rejected"));
  EXPECT_THAT(outcome.output, HasSubstr("2 items that the events name"));
  for (const std::vector<std::string>& step :
       {std::vector<std::string>{"train", "cf", "--factors", "4", "--dir", dir}, {"index", "build", "--dir", dir}}) {
    outcome = RunProgram(step);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  }
  outcome = RunProgram({"recommend", "--dir", dir, "--user", "b", "--explain"});
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("p2"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("  p1 ")));  // seen
  outcome = RunProgram({"recommend", "--dir", dir, "--user", "b", "--why-not", "p1", "--why-not", "p9"});
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("(user/seen)"));
  EXPECT_THAT(outcome.output, HasSubstr("p9: no item of the catalog has this id (catalog/unknown_item)"));

  // The same file again changes nothing: the rows are known by their place.
  outcome = RunProgram({"import", "csv", events, "--map", "user=customer_no", "--dir", dir});
  EXPECT_THAT(outcome.output, HasSubstr("4 done by an earlier run"));
}

TEST(CliTest, ColumnsNamedAsTheConfigsOwnWordsDoNotSpoilIt) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  const std::string items = WriteFile(
      folder.path(), "i.csv", "id,title,updated,created,now,in,colour\np1,Lamp,2026-01-01,2025-01-01,x,y,red\n");
  const Outcome outcome = RunProgram({"import", "csv", items, "--kind", "items", "--dir", dir});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("1 accepted, 0 rejected"));
  EXPECT_EQ(RunProgram({"config", "check", "--dir", dir}).exit_status, 0);
}

TEST(CliTest, AReplacedFileIsReadAnew) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  std::string items = WriteFile(folder.path(), "i.csv", "id,title\np1,Lamp\n");
  ASSERT_EQ(RunProgram({"import", "csv", items, "--kind", "items", "--dir", dir}).exit_status, 0);
  items = WriteFile(folder.path(), "i.csv", "id,title\np1,Better lamp\n");
  const Outcome outcome = RunProgram({"import", "csv", items, "--kind", "items", "--dir", dir});
  EXPECT_THAT(outcome.output, HasSubstr("1 accepted"));
  EXPECT_THAT(outcome.output, HasSubstr("another one than an earlier run took"));
  EXPECT_THAT(RunProgram({"recommend", "--dir", dir}).output, HasSubstr("Better lamp"));
}

TEST(CliTest, AMistypedColumnOrFolderIsNamed) {
  const TemporaryFolder folder;
  const std::string events = WriteFile(folder.path(), "e.csv", "user,item,ts\na,b,1\n");
  EXPECT_THAT(
      RunProgram({"import", "csv", events, "--type", "click", "--map", "item=sku", "--dir", folder.path() + "/d"})
          .output,
      HasSubstr("found column 'sku'; the file has user, item, ts"));
  EXPECT_THAT(RunProgram({"train", "cf", "--dir", folder.path() + "/none"}).output, HasSubstr("no such config"));
  EXPECT_NE(RunProgram({"recommend", "--dir", folder.path() + "/none"}).exit_status, 0);
}

TEST(CliTest, MovieLensGivesTitlesWithReasonsAndTheServerTheSame) {
  const std::string data = BOWERBIRD_SOURCE_DIR "/../shared/data/ml-latest-small_2016";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << data << " is absent: MovieLens is not shipped with the project";
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  for (const std::vector<std::string>& step : {std::vector<std::string>{"import", "movielens", data, "--dir", dir},
                                               {"train", "cf", "--dir", dir},
                                               {"index", "build", "--dir", dir}}) {
    const Outcome outcome = RunProgram(step);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  }
  const Outcome outcome =
      RunProgram({"recommend", "--dir", dir, "--user", "15", "--surface", "home", "-n", "10", "--explain"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr(" 10  "));
  EXPECT_THAT(outcome.output, ContainsRegex("\\((19|20)[0-9][0-9]\\)"));  // titles carry their year
  EXPECT_THAT(outcome.output, HasSubstr("from "));

  RunningServer server(dir);
  auto client = server.Client();
  const auto answer = client.Call("POST", "/v1/recommend",
                                  R"({"surface":"home","user":"15","n":10,"explain":true,"fields":["title"]})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(ItemIds(answer->body).size(), 10u);
  EXPECT_NE(At(answer->body, "/items/0/explanation/reason"), "");
  // A command finds the server that owns the folder and asks it.
  EXPECT_THAT(RunProgram({"recommend", "--dir", dir, "--user", "15"}).output, HasSubstr("using the server"));
}

TEST(CliTest, KeysOpenWhatTheirScopesSayAndEndWhenRevoked) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  WriteFile(folder.path(), "server.toml", "[server]\nopen_on_loopback = false\nport = 0\n");
  const std::string output =
      RunProgram({"keys", "create", "--name", "web", "--scopes", "collect", "--dir", folder.path()}).output;
  const std::string secret = output.substr(output.find("bb_"), 67);
  RunningServer server(folder.path());
  auto client = server.Client();
  const std::string event = R"({"events":[{"type":"click","user":"u","item":"i"}]})";
  EXPECT_EQ(client.Call("POST", "/v1/events", event)->status, 401);
  EXPECT_EQ(client.Call("POST", "/v1/events", event, {{"Authorization", "Bearer bb_wrong"}})->status, 401);
  EXPECT_EQ(client.Call("POST", "/v1/events", event, {{"Authorization", "Bearer " + secret}})->status, 200);
  EXPECT_EQ(
      client.Call("POST", "/v1/recommend", R"({"surface":"home"})", {{"Authorization", "Bearer " + secret}})->status,
      403);
  EXPECT_EQ(client.Call("POST", "/v1/events?history=true", event, {{"Authorization", "Bearer " + secret}})->status,
            403);
  EXPECT_EQ(client.Call("GET", "/healthz", "")->status, 200);
  const std::string list = RunProgram({"keys", "list", "--dir", folder.path()}).output;
  EXPECT_THAT(list, Not(HasSubstr(secret)));
  ASSERT_EQ(RunProgram({"keys", "revoke", list.substr(list.find("key_"), 16), "--dir", folder.path()}).exit_status, 0);
  int status = 200;
  for (int i = 0; i < 100 && status != 401; ++i) {
    usleep(50'000);
    status = client.Call("POST", "/v1/events", event, {{"Authorization", "Bearer " + secret}})->status;
  }
  EXPECT_EQ(status, 401);
}

}  // namespace
}  // namespace bowerbird::end_to_end
