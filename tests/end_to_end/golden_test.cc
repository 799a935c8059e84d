#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// What does not change with the years: no decay that matters, nothing drawn at random.
constexpr char kConfig[] = R"([app]
partitions = 4
[items.attributes]
brand = "string"
[events.rating]
weight = 2.0
value_zero = 2
value_one = 5
[generators.because]
half_life = "36500d"
[surfaces.home]
generators = ["for_you", "because"]
explore = 0.0
[surfaces.related]
explore = 0.0
)";

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// What a client of the folder is told: one line a question.
std::string Answers(const std::string& dir) {
  RunningServer server(dir);
  auto client = server.Client();
  std::string text;
  const auto line = [&](const std::string& question, const std::string& answer) {
    fmt::format_to(std::back_inserter(text), "{}: {}\n", question, answer);
  };
  for (int u = 0; u < 12; ++u) {
    const std::string user = fmt::format("u{}", u);
    const auto page =
        client.Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"{}","n":8}})", user));
    line("home of " + user, fmt::format("{}", fmt::join(ItemIds(page->body), " ")));
    const std::string profile = client.Call("GET", "/v1/users/" + user + "/profile", "")->body;
    line("events of " + user, At(profile, "/events"));
    const auto board = client.Call("GET", "/v1/users/" + user + "/collections/later", "");
    line("board of " + user,
         board->status == 200 ? fmt::format("{}", fmt::join(ItemIds(board->body), " ")) : At(board->body, "/code"));
  }
  for (const int item : {0, 7, 23}) {
    const std::string id = fmt::format("i{}", item);
    const auto page =
        client.Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"related","item":"{}","n":8}})", id));
    line("related to " + id, fmt::format("{}", fmt::join(ItemIds(page->body), " ")));
    const std::string known = client.Call("GET", "/v1/items/" + id, "")->body;
    line("item " + id, At(known, "/title") + ", " + At(known, "/attributes/brand") + ", " + At(known, "/price"));
  }
  const auto gone = client.Call("GET", "/v1/items/i5", "");
  line("item i5", At(gone->body, "/status"));
  EXPECT_EQ(server.Stop(SIGTERM), 0);
  return text;
}

fs::path Golden() { return fs::path(BOWERBIRD_SOURCE_DIR) / "tests/golden"; }

std::vector<fs::path> Releases() {
  std::vector<fs::path> releases;
  for (const auto& entry : fs::directory_iterator(Golden())) {
    if (entry.is_directory()) releases.push_back(entry.path());
  }
  return releases;
}

/// Every folder that a release wrote is opened, passes every check, and answers as that release did.
TEST(GoldenTest, FoldersOfEveryReleaseAreReadAndAnswerTheSame) {
  ASSERT_FALSE(Releases().empty());
  for (const fs::path& release : Releases()) {
    SCOPED_TRACE(release.filename().string());
    const TemporaryFolder folder;
    const std::string dir = folder.path() + "/data";
    const Outcome restored = RunProgram({"restore", (release / "backup").string(), dir});
    ASSERT_EQ(restored.exit_status, 0) << restored.output;
    EXPECT_EQ(Answers(dir), ReadText(release / "answers.txt"));
    // Also what it wrote itself, beside the old.
    {
      RunningServer server(dir);
      auto client = server.Client();
      const std::string event = R"({"events":[{"type":"save","user":"u0","item":"i9","collection":"later"}]})";
      EXPECT_EQ(client.Call("POST", "/v1/events", event)->status, 200);
      EXPECT_THAT(client.Call("GET", "/v1/users/u0/collections/later", "")->body, HasSubstr("\"i9\""));
      EXPECT_EQ(server.Stop(SIGTERM), 0);
    }
    const Outcome log = RunProgram({"log", "verify", "--dir", dir});
    EXPECT_EQ(log.exit_status, 0) << log.output;
    const Outcome state = RunProgram({"state", "verify", "--dir", dir});
    EXPECT_THAT(state.output, HasSubstr(" 0 differences"));
  }
}

/// Writes the folder of this version: tests/golden/README.md says when and how.
TEST(GoldenTest, DISABLED_Make) {
  const char* name = std::getenv("BOWERBIRD_GOLDEN");
  ASSERT_NE(name, nullptr) << "BOWERBIRD_GOLDEN: expected the release's name";
  const fs::path release = Golden() / name;
  ASSERT_FALSE(fs::exists(release));
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  ASSERT_EQ(RunProgram({"init", "--dir", dir}).exit_status, 0);
  WriteFile(dir, "server.toml", "");
  WriteFile(dir + "/apps/default", "bowerbird.toml", kConfig);
  std::string items = "id,title,category,price,brand\n", events = "user,item,time,type,value,collection\n";
  for (int i = 0; i < 30; ++i) items += fmt::format("i{},Item {},c{},{},b{}\n", i, i, i % 3, i + 0.5, i % 4);
  for (int u = 0; u < 12; ++u) {
    for (int k = 0; k < 6; ++k) {
      const char* type = k == 0 ? "save" : k == 1 ? "rating" : k == 2 && u % 4 == 0 ? "hide" : "click";
      events += fmt::format("u{},i{},{},{},{},{}\n", u, ((u * 5 + k * 7) % 10) * 3 + u % 3, 1'700'000'000 + u * 100 + k,
                            type, k == 1 ? "4" : "", k == 0 && u % 2 == 0 ? "later" : "");
    }
  }
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"import", "csv", WriteFile(folder.path(), "items.csv", items), "--kind", "items"},
           {"import", "csv", WriteFile(folder.path(), "events.csv", events)},
           {"train", "cf", "--factors", "8"},
           {"index", "build"}}) {
    std::vector<std::string> all = args;
    all.insert(all.end(), {"--dir", dir});
    const Outcome outcome = RunProgram(all);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  }
  {
    // After the snapshot: what only the log and the stores hold.
    RunningServer server(dir);
    auto client = server.Client();
    EXPECT_EQ(client.Call("DELETE", "/v1/items/i5", "")->status, 200);
    EXPECT_EQ(client.Call("PATCH", "/v1/items/i7", R"({"title":"Item seven"})")->status, 200);
    EXPECT_EQ(client.Call("PUT", "/v1/users/u1", "{}")->status, 200);
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  fs::create_directories(release);
  // The questions leave their traces, too: asked first, then backed up.
  std::ofstream(release / "answers.txt") << Answers(dir);
  const Outcome backup = RunProgram({"backup", dir, (release / "backup").string()});
  ASSERT_EQ(backup.exit_status, 0) << backup.output;
}

}  // namespace
}  // namespace bowerbird::end_to_end
