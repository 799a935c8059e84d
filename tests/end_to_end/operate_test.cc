#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// A folder with the apps "default" and "shop", served to nobody without a key.
class OperateTest : public testing::Test {
 protected:
  OperateTest() {
    EXPECT_EQ(RunProgram({"init", "--dir", dir()}).exit_status, 0);
    WriteFile(dir(), "server.toml", "[server]\nopen_on_loopback = false\nport = 0\n");
    EXPECT_EQ(RunProgram({"apps", "create", "shop", "--dir", dir()}).exit_status, 0);
  }
  const std::string& dir() const { return folder_.path(); }
  /// As the Authorization header of a new key.
  Headers Key(const std::string& app, const std::string& scopes, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args{"keys", "create", "--name", "test", "--scopes", scopes, "--dir", dir()};
    if (!app.empty()) args.insert(args.end(), {"--app", app});
    args.insert(args.end(), more.begin(), more.end());
    const std::string output = RunProgram(args).output;
    EXPECT_THAT(output, HasSubstr("bb_"));
    return {{"Authorization", "Bearer " + output.substr(output.find("bb_"), 67)}};
  }
  static std::string Batch(const std::string& user, uint64_t first, int events) {
    std::string body = "{\"events\":[";
    for (int i = 0; i < events; ++i) {
      fmt::format_to(std::back_inserter(body), R"({}{{"type":"click","user":"{}","item":"i{}","client_id":"{}"}})",
                     i == 0 ? "" : ",", user, i, first + static_cast<uint64_t>(i));
    }
    return body + "]}";
  }
  const TemporaryFolder folder_;
};

TEST_F(OperateTest, AnAppIsRemovedUnderLoadOfAnotherWhichLosesNothing) {
  RunningServer server(dir());
  const Headers keeps = Key("default", "collect,serve"), goes = Key("shop", "collect,serve");
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> next = 0, refused = 0;
  std::map<std::string, uint64_t> acknowledged;
  std::mutex mutex;
  const auto write = [&](const Headers& key, bool must_work) {
    auto client = server.Client();
    while (!stop) {
      const std::string user = fmt::format("u{}", next++ % 50);
      const auto answer = client.Call("POST", "/v1/events", Batch(user, next.fetch_add(10), 10), key);
      ASSERT_TRUE(answer.ok()) << answer.status();
      ASSERT_TRUE(!must_work || answer->status == 200) << answer->body;
      const std::lock_guard lock(mutex);
      if (must_work) acknowledged[user] += 10;
      // Until it is gone, then unavailable, then its key is unknown: never anything else.
      if (!must_work && answer->status != 200) {
        ++refused;
        ASSERT_TRUE(answer->status == 401 || answer->status == 404 || answer->status == 503) << answer->body;
      }
    }
  };
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) writers.emplace_back([&] { write(keeps, true); });
  writers.emplace_back([&] { write(goes, false); });
  const auto enough = [&](uint64_t users) {
    const std::lock_guard lock(mutex);
    return acknowledged.size() >= users;
  };
  while (!enough(20) && !HasFailure()) std::this_thread::yield();
  const Outcome removed = RunProgram({"apps", "remove", "shop", "--dir", dir()});
  EXPECT_EQ(removed.exit_status, 0) << removed.output;
  EXPECT_THAT(removed.output, HasSubstr("/removed/shop-"));
  while (refused == 0 && !HasFailure()) std::this_thread::yield();
  EXPECT_EQ(RunProgram({"apps", "create", "shop", "--dir", dir()}).exit_status, 0);
  while (!enough(50) && !HasFailure()) std::this_thread::yield();
  stop = true;
  for (std::thread& writer : writers) writer.join();
  auto client = server.Client();
  for (const auto& [user, events] : acknowledged) {
    const auto profile = client.Call("GET", "/v1/users/" + user + "/profile", "", keeps);
    EXPECT_EQ(At(profile->body, "/events"), std::to_string(events)) << user;
  }
  // The new app of the old one's name is empty, and closed to its keys.
  EXPECT_EQ(client.Call("GET", "/v1/users/u1/profile", "", goes)->status, 401);
  EXPECT_EQ(At(client.Call("GET", "/v1/users/u1/profile", "", Key("shop", "serve"))->body, "/events"), "0");
  EXPECT_EQ(server.Stop(SIGTERM), 0);
  const Outcome state = RunProgram({"state", "verify", "--dir", dir()});
  EXPECT_THAT(state.output, HasSubstr(" 0 differences"));
}

TEST_F(OperateTest, AHangupReloadsEveryConfigAndRefusesOneWithoutStoppingTheOthers) {
  RunningServer server(dir());
  const Headers operates = Key("", "operator");
  auto client = server.Client();
  const auto version = [&](int app) {
    return At(client.Call("GET", "/v1/apps", "", operates)->body, fmt::format("/apps/{}/config_version", app));
  };
  const std::string was_default = version(0), was_shop = version(1);
  const std::string starter = ReadText(dir() + "/apps/default/bowerbird.toml");
  const auto configure = [&](const std::string& app, const std::string& more) {
    WriteFile(dir() + "/apps/" + app, "bowerbird.toml", starter + more);
  };
  configure("default", "\n[served]\nl2_sample = 0.5\n");
  configure("shop", "\n[pipeline]\nfactors = 0\n");
  server.Signal(SIGHUP);
  for (int i = 0; i < 200 && version(0) == was_default; ++i) usleep(50'000);
  EXPECT_NE(version(0), was_default);
  EXPECT_EQ(version(1), was_shop);
  const Outcome refused = RunProgram({"config", "reload", "--dir", dir()});
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("pipeline.factors"), HasSubstr("apps/shop/bowerbird.toml:"),
                                    HasSubstr("apps/default/bowerbird.toml unchanged")));
  configure("shop", "\n[events.click]\nweight = 2\n");
  EXPECT_THAT(RunProgram({"config", "reload", "--app", "shop", "--dir", dir()}).output, HasSubstr("opened again"));
  EXPECT_EQ(RunProgram({"config", "reload", "--app", "shop", "--reopen", "--dir", dir()}).exit_status, 0);
  EXPECT_NE(version(1), was_shop);
  WriteFile(dir(), "server.toml", "[server]\nopen_on_loopback = true\nport = 1\n");
  EXPECT_THAT(RunProgram({"config", "reload", "--dir", dir()}).output, HasSubstr("server.port: found 1"));
  EXPECT_EQ(client.Call("GET", "/v1/apps", "")->status, 401);
  WriteFile(dir(), "server.toml", "[server]\nopen_on_loopback = true\nport = 0\n");
  EXPECT_EQ(RunProgram({"config", "reload", "--dir", dir()}).exit_status, 0);
  EXPECT_EQ(client.Call("GET", "/v1/apps", "")->status, 200);
}

TEST_F(OperateTest, QuotasHoldOneKeyBackAndTheAuditLogTellsWhoMadeIt) {
  RunningServer server(dir());
  const Headers slow = Key("shop", "collect", {"--events-per-second", "0.001"}), fast = Key("shop", "collect");
  auto client = server.Client();
  EXPECT_EQ(client.Call("POST", "/v1/events", Batch("u", 0, 5), slow)->status, 200);
  const auto refused = client.Call("POST", "/v1/events", Batch("u", 5, 5), slow);
  EXPECT_EQ(refused->status, 429);
  EXPECT_THAT(refused->headers, testing::Contains(testing::Key("Retry-After")));
  EXPECT_EQ(client.Call("POST", "/v1/events", Batch("u", 5, 5), fast)->status, 200);
  const std::string audit = RunProgram({"audit", "--dir", dir()}).output;
  EXPECT_THAT(audit, AllOf(HasSubstr("POST /v1/apps"), HasSubstr("POST /v1/keys"), HasSubstr("uid "),
                           HasSubstr("app 'shop'"), Not(HasSubstr("bb_"))));
}

TEST_F(OperateTest, ABrokenAppIsNamedAndTheOthersAreServed) {
  WriteFile(dir() + "/apps/shop", "bowerbird.toml", "[app]\ncolour = 1\n");
  RunningServer server(dir());
  auto client = server.Client();
  EXPECT_EQ(client.Call("GET", "/v1/users/u/profile", "", Key("default", "serve"))->status, 200);
  EXPECT_EQ(client.Call("GET", "/v1/users/u/profile", "", Key("shop", "serve"))->status, 503);
  EXPECT_EQ(At(client.Call("GET", "/readyz", "")->body, "/status"), "degraded");
  EXPECT_THAT(RunProgram({"apps", "list", "--dir", dir()}).output, AllOf(HasSubstr("failed"), HasSubstr("app.colour")));
}

TEST_F(OperateTest, ABackupUnderLoadRestoresToStateThatItsOwnLogGives) {
  const std::string backup = dir() + "/backup", restored = dir() + "/restored";
  std::map<std::string, uint64_t> before;
  const Headers key = Key("default", "collect,serve");
  {
    RunningServer server(dir());
    std::atomic<bool> stop = false;
    std::atomic<uint64_t> next = 0;
    std::mutex mutex;
    std::map<std::string, uint64_t> acknowledged;
    std::vector<std::thread> writers;
    for (int w = 0; w < 2; ++w) {
      writers.emplace_back([&, w] {
        auto client = server.Client();
        for (uint64_t round = 0; !stop; ++round) {
          const std::string user = fmt::format("u{}-{}", w, round % 40);
          const auto answer = client.Call("POST", "/v1/events", Batch(user, next.fetch_add(10), 10), key);
          ASSERT_EQ(answer->status, 200) << answer->body;
          const std::lock_guard lock(mutex);
          acknowledged[user] += 10;
        }
      });
    }
    const auto users = [&] {
      const std::lock_guard lock(mutex);
      return acknowledged;
    };
    while (users().size() < 80 && !HasFailure()) std::this_thread::yield();
    before = users();
    const Outcome made = RunProgram({"backup", dir(), backup});
    EXPECT_EQ(made.exit_status, 0) << made.output;
    EXPECT_THAT(made.output, HasSubstr("2 apps"));
    stop = true;
    for (std::thread& writer : writers) writer.join();
    // Not one over another, and none of a folder that is there.
    EXPECT_THAT(RunProgram({"backup", dir(), backup}).output, HasSubstr("expected an empty folder"));
    EXPECT_THAT(RunProgram({"restore", backup, dir()}).output, HasSubstr("expected an empty folder"));
  }
  const Outcome made = RunProgram({"restore", backup, restored});
  ASSERT_EQ(made.exit_status, 0) << made.output;
  for (const char* app : {"default", "shop"}) {
    const Outcome log = RunProgram({"log", "verify", "--app", app, "--dir", restored});
    EXPECT_EQ(log.exit_status, 0) << log.output;
    const Outcome state = RunProgram({"state", "verify", "--app", app, "--dir", restored});
    EXPECT_THAT(state.output, HasSubstr(" 0 differences"));
  }
  RunningServer server(restored);
  auto client = server.Client();
  for (const auto& [user, events] : before) {
    const auto profile = client.Call("GET", "/v1/users/" + user + "/profile", "", key);
    ASSERT_EQ(profile->status, 200) << profile->body;
    EXPECT_GE(std::stoull(At(profile->body, "/events")), events) << user;
  }
}

TEST_F(OperateTest, ADamagedBackupIsRefusedByTheNameOfTheFile) {
  namespace fs = std::filesystem;
  const std::string backup = dir() + "/backup", restored = dir() + "/restored";
  ASSERT_EQ(RunProgram({"backup", dir(), backup}).exit_status, 0);
  const auto refused = [&](const std::string& name) {
    const Outcome outcome = RunProgram({"restore", backup, restored});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.output, HasSubstr(name));
    EXPECT_FALSE(fs::exists(restored));
  };
  const std::string file = backup + "/apps/shop/secret";
  const std::string bytes = ReadText(file);
  std::string flipped = bytes;
  flipped[flipped.size() / 2] ^= 1;
  WriteFile(backup, "apps/shop/secret", flipped);
  refused("apps/shop/secret: it is damaged");
  fs::remove(file);
  refused("apps/shop/secret: it is missing");
  WriteFile(backup, "apps/shop/secret", bytes);
  EXPECT_EQ(RunProgram({"restore", backup, restored}).exit_status, 0);
  fs::remove_all(restored);
  const std::string manifest = ReadText(backup + "/backup.json");
  // A file less in the list is damage, too.
  const size_t first = manifest.find("{\"path\""), second = manifest.find("{\"path\"", first + 1);
  WriteFile(backup, "backup.json", manifest.substr(0, first) + manifest.substr(second));
  refused("backup.json: it is damaged");
  fs::remove(backup + "/backup.json");
  refused("backup.json: no such file");
}

}  // namespace
}  // namespace bowerbird::end_to_end
