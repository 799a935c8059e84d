// Forgetting a user, through the real binary.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/utilities/debug.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/clock.h"
#include "base/time_text.h"
#include "end_to_end/program.h"
#include "store/file.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

constexpr char kUser[] = "maria.anders@example.org";
constexpr char kPhone[] = "anonymous-device-4711";

/// Files that hold the id in their bytes, and stores that hold it once they are unpacked: every version of every key.
std::vector<std::string> WhereIn(const std::string& dir, const std::string& id) {
  std::vector<std::string> found;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(dir)) {
    if (!file.is_regular_file()) continue;
    const auto bytes = store::ReadFile(file.path().string());
    if (bytes.ok() && bytes->find(id) != std::string::npos) found.push_back(file.path().string());
    if (file.path().filename() != "CURRENT") continue;
    const std::string store = file.path().parent_path().string();
    std::vector<std::string> names;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, store, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> columns;
    for (const std::string& name : names) columns.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly({}, store, columns, &handles, &db);
    EXPECT_TRUE(opened.ok()) << opened.ToString();
    if (!opened.ok()) continue;
    for (rocksdb::ColumnFamilyHandle* column : handles) {
      std::vector<rocksdb::KeyVersion> versions;
      EXPECT_TRUE(rocksdb::GetAllKeyVersions(db, column, "", std::string(32, '\xff'), ~size_t{0}, &versions).ok());
      for (const rocksdb::KeyVersion& version : versions) {
        if (version.value.find(id) != std::string::npos || version.user_key.find(id) != std::string::npos) {
          found.push_back(store + " " + column->GetName());
          break;
        }
      }
      db->DestroyColumnFamilyHandle(column);
    }
    delete db;
  }
  return found;
}

class ForgetTest : public testing::Test {
 protected:
  ForgetTest() {
    MakeSmallWorld(folder_.path(), 90, 40);
    dir_ = folder_.path() + "/data";
    const std::string config = dir_ + "/apps/default/bowerbird.toml";
    std::ofstream(config, std::ios::app) << R"(
[users.attributes]
city = "string"
[signals.interests]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "7d"
)";
  }
  static std::string Events(const std::string& user, int first, int count) {
    std::string body;
    for (int i = first; i < first + count; ++i) {
      body += fmt::format(
          R"({}{{"type":"{}","user":"{}","item":"i{}","client_id":"c{}","query":"for {}","collection":"{}"}})",
          body.empty() ? "" : ",", i % 3 == 0 ? "save" : "click", user, i % 90, i, user, "board");
    }
    return "{\"events\":[" + body + "]}";
  }
  void Live(server::HttpClient* client) const {
    ASSERT_EQ(client->Call("PUT", fmt::format("/v1/users/{}", kUser), R"({"attributes":{"city":"Lund"}})")->status,
              200);
    ASSERT_EQ(client->Call("POST", "/v1/events", Events(kPhone, 0, 20))->status, 200);
    ASSERT_EQ(
        client->Call("POST", "/v1/identify", fmt::format(R"({{"anonymousId":"{}","userId":"{}"}})", kPhone, kUser))
            ->status,
        200);
    ASSERT_EQ(client->Call("POST", "/v1/events", Events(kUser, 20, 30))->status, 200);
    ASSERT_EQ(client->Call("POST", "/v1/events", Events("somebody-else", 0, 10))->status, 200);
    for (const char* user : {kUser, kPhone, "somebody-else"}) Ask(client, user);
    // An admin's question, which the audit log remembers.
    ASSERT_EQ(client
                  ->Call("POST", "/v1/sql",
                         fmt::format(R"({{"sql":"select count(*) from events e where e.user = '{}'"}})", kUser))
                  ->status,
              200);
    const std::string today = base::FormatTimeUs(base::SystemClock::Get().NowUs()).substr(0, 10);
    const Outcome job = RunProgram({"job", "run", "user_day", "--date", today, "--dir", dir_});
    ASSERT_EQ(job.exit_status, 0) << job.output;
  }
  static std::string Ask(server::HttpClient* client, const std::string& user) {
    const auto answer =
        client->Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"{}","n":5}})", user));
    EXPECT_EQ(answer->status, 200) << answer->body;
    return answer->body;
  }
  Outcome Run(std::vector<std::string> args) const {
    args.insert(args.end(), {"--dir", dir_});
    return RunProgram(args);
  }
  uint64_t Places(const std::string& user) const {
    const Outcome outcome = Run({"audit", "user", user, "--json"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
    // Beside the answer there is a line that says who gave it.
    const size_t at = std::min(outcome.output.find('{'), outcome.output.size());
    const std::string json = outcome.output.substr(at, outcome.output.find('\n', at) - at);
    EXPECT_EQ(At(json, "/problems"), "[]") << outcome.output;
    uint64_t places = 0;
    while (!At(json, fmt::format("/traces/{}/place", places)).empty()) ++places;
    return places;
  }

  const TemporaryFolder folder_;
  std::string dir_;
};

TEST_F(ForgetTest, LeavesNothingInAnyStoreOrFile) {
  std::string clicks_before;
  {
    RunningServer server(dir_);
    auto client = server.Client();
    Live(&client);
    const Outcome before = Run({"audit", "user", kUser});
    EXPECT_THAT(before.output, HasSubstr("maria.anders@example.org is in "));
    for (const char* place : {"log events", "log served", "log users", "state users", "state signals", "catalog store",
                              "lake events", "lake user_day", "file audit.log"}) {
      EXPECT_THAT(before.output, HasSubstr(place));
    }
    EXPECT_GE(Places(kUser), 5u);
    EXPECT_GE(Places(kPhone), 5u);

    EXPECT_THAT(client.Call("GET", fmt::format("/v1/users/{}/profile", kUser), "")->body, HasSubstr("\"interests\""));
    const Outcome forgotten = Run({"users", "forget", kUser});
    EXPECT_EQ(forgotten.exit_status, 0) << forgotten.output;
    EXPECT_THAT(forgotten.output, HasSubstr("2 ids of one user"));
    // At once somebody unknown, as who has never been there.
    for (const char* user : {kUser, kPhone}) {
      const auto profile = [&](const std::string& id) {
        return client.Call("GET", fmt::format("/v1/users/{}/profile", id), "")->body;
      };
      for (const char* part : {"/events", "/interests", "/sequence", "/collections", "/signals", "/lifecycle",
                               "/short_interests", "/embedding"}) {
        EXPECT_EQ(At(profile(user), part), At(profile("never-seen"), part)) << user << part;
      }
    }
    EXPECT_EQ(client.Call("GET", fmt::format("/v1/users/{}/collections/board", kUser), "")->status, 404);
    Ask(&client, kUser);
    Ask(&client, kPhone);

    const Outcome redacted = Run({"job", "run", "redact"});
    EXPECT_EQ(redacted.exit_status, 0) << redacted.output;
    EXPECT_THAT(redacted.output, HasSubstr("2 ids left"));
    for (const char* id : {kUser, kPhone}) {
      const Outcome after = Run({"audit", "user", id});
      EXPECT_THAT(after.output, HasSubstr(fmt::format("nothing of {} is anywhere", id)));
      EXPECT_EQ(Places(id), 0u);
    }
    EXPECT_GE(Places("somebody-else"), 5u);
    // Rows of the lake, decompressed, with every column of theirs as text.
    for (const char* table : {"events", "served", "user_changes", "user_day"}) {
      const Outcome rows = Run({"lake", "sql",
                                fmt::format("select count(*) as n from {} t where cast(t as varchar) like "
                                            "'%maria.anders%' or cast(t as varchar) like '%device-4711%'",
                                            table),
                                "--csv"});
      EXPECT_THAT(rows.output, HasSubstr("\"n\"\n0\n")) << table;
    }
    EXPECT_THAT(Run({"lake", "verify"}).output, HasSubstr("every file is whole"));
    // The lake query above named the user anew, in the audit log; the next turn of the job would not know of it.
    server.Stop(SIGTERM);
  }
  std::vector<std::string> where = WhereIn(dir_, kUser);
  for (const std::string& more : WhereIn(dir_, kPhone)) where.push_back(more);
  EXPECT_TRUE(where.empty()) << testing::PrintToString(where);
  // The state is what the log gives, also when it is made anew.
  const Outcome verified = Run({"state", "verify"});
  EXPECT_EQ(verified.exit_status, 0) << verified.output;
  EXPECT_EQ(Run({"log", "verify"}).exit_status, 0);
  const Outcome trained = Run({"train", "cf", "--factors", "16"});
  EXPECT_EQ(trained.exit_status, 0) << trained.output;
  fs::remove_all(dir_ + "/apps/default/state");
  RunningServer server(dir_);
  auto client = server.Client();
  EXPECT_EQ(client.Call("GET", fmt::format("/v1/users/{}/collections/board", kUser), "")->status, 404);
  EXPECT_EQ(client.Call("GET", "/v1/users/somebody-else/collections/board", "")->status, 200);
}

TEST_F(ForgetTest, OverHttpItNeedsAnAdminAndALaterEventBeginsANewUser) {
  RunningServer server(dir_);
  auto client = server.Client();
  Live(&client);
  const Outcome key = Run({"keys", "create", "--name", "k", "--scopes", "collect,serve"});
  ASSERT_EQ(key.exit_status, 0);
  const std::string target = fmt::format("/v1/users/{}", kUser);
  EXPECT_EQ(
      client.Call("DELETE", target, "", {{"Authorization", "Bearer " + key.output.substr(key.output.find("bb_"), 67)}})
          ->status,
      403);
  const Outcome admin = Run({"keys", "create", "--name", "a", "--scopes", "admin,collect,serve"});
  ASSERT_EQ(admin.exit_status, 0);
  const std::string secret = admin.output.substr(admin.output.find("bb_"), 67);
  const std::vector<std::pair<std::string, std::string>> headers = {{"Authorization", "Bearer " + secret}};
  const auto call = [&](std::string_view method, const std::string& path, const std::string& body) {
    return *client.Call(method, path, body, headers);
  };
  const auto forgotten = call("DELETE", target, "");
  EXPECT_EQ(forgotten.status, 200) << forgotten.body;
  EXPECT_EQ(At(forgotten.body, "/ids"), "2");
  EXPECT_EQ(call("DELETE", target, "").status, 200) << "again is fine";
  EXPECT_EQ(call("DELETE", "/v1/users/" + std::string(300, 'x'), "").status, 400);
  // While they leave, others and they themselves go on.
  std::thread others([&] {
    auto other = server.Client();
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(other.Call("POST", "/v1/events", Events("somebody-else", 100 + i * 3, 3), headers)->status, 200);
    }
  });
  EXPECT_EQ(call("POST", "/v1/jobs/redact", "{}").status, 200);
  others.join();
  ASSERT_EQ(call("POST", "/v1/events", Events(kUser, 500, 3)).status, 200);
  const auto board = call("GET", target + "/collections/board", "");
  EXPECT_EQ(board.status, 200) << board.body;
  EXPECT_EQ(ItemIds(board.body).size(), 3u) << board.body;
  // Who administered what does not name them.
  EXPECT_THAT(Run({"audit", "-n", "100"}).output, Not(HasSubstr("DELETE /v1/users/{id}  id maria")));
  EXPECT_THAT(Run({"audit", "-n", "100"}).output, HasSubstr("user key "));
}

// The server is killed while it redacts: it comes back, nothing is lost or doubled, and the next run ends the work.
TEST_F(ForgetTest, AKillInTheMiddleIsMadeGood) {
  uint64_t rows = 0;
  {
    RunningServer server(dir_);
    auto client = server.Client();
    Live(&client);
    for (int i = 0; i < 40; ++i)
      ASSERT_EQ(client.Call("POST", "/v1/events", Events(kUser, 1000 + i * 100, 100))->status, 200);
    ASSERT_EQ(client.Call("DELETE", fmt::format("/v1/users/{}", kUser), "")->status, 200);
    const auto count = client.Call("POST", "/v1/sql", R"({"sql":"select count(*) from events"})");
    rows = std::strtoull(At(count->body, "/rows/0/0").c_str(), nullptr, 10);
    auto other = server.Client();
    std::thread redacting([&] { (void)other.Call("POST", "/v1/jobs/redact", "{}"); });
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    server.Signal(SIGKILL);
    redacting.join();
    server.Stop(SIGKILL);
  }
  {
    RunningServer server(dir_);
    auto client = server.Client();
    EXPECT_EQ(client.Call("GET", fmt::format("/v1/users/{}/collections/board", kUser), "")->status, 404);
    ASSERT_EQ(client.Call("POST", "/v1/jobs/redact", "{}")->status, 200);
    const auto count = client.Call("POST", "/v1/sql", R"({"sql":"select count(*) from events"})");
    EXPECT_EQ(At(count->body, "/rows/0/0"), fmt::format("{}", rows));
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  EXPECT_EQ(Places(kUser), 0u);
  EXPECT_TRUE(WhereIn(dir_, kUser).empty()) << testing::PrintToString(WhereIn(dir_, kUser));
  const Outcome verified = Run({"state", "verify"});
  EXPECT_EQ(verified.exit_status, 0) << verified.output;
}

}  // namespace
}  // namespace bowerbird::end_to_end
