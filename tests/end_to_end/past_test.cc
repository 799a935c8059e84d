// What the log has dropped, through the real binary: signals, state and checks have it from the lake.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "app/app.h"
#include "base/time_text.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using log::Topic;
using testing::AllOf;
using testing::HasSubstr;

class PastTest : public testing::Test {
 protected:
  PastTest() { MakeSmallWorld(folder_.path(), 60, 30); }
  void Declare(const std::string& more) const {
    std::ofstream(dir_ + "/apps/default/bowerbird.toml", std::ios::app) << more;
  }
  /// As retention would some day: once the lake has everything, the log has nothing of events and answers.
  void DropAll() const {
    ASSERT_EQ(RunProgram({"lake", "sql", "select count(*) from events", "--dir", dir_}).exit_status, 0);
    app::App::Options options;
    options.dir = dir_;
    options.consume = false;
    const auto app = app::App::Open(options);
    ASSERT_TRUE(app.ok()) << app.status();
    ASSERT_TRUE((*app)->RunLake().ok());
    log::EventLog& log = (*app)->log();
    for (const Topic topic : {Topic::kEvents, Topic::kServed}) {
      for (uint32_t p = 0; p < log.PartitionCount(topic); ++p)
        ASSERT_TRUE(log.Truncate(topic, p, *log.EndOffset(topic, p)).ok());
    }
  }
  /// What SQL over the lake says that each user has clicked.
  std::map<std::string, std::string> ClicksBySql() const {
    std::map<std::string, std::string> clicks;
    std::istringstream rows(
        RunProgram({"lake", "sql", "select e.user, count(*) as n from events e where e.type = 'click' group by 1",
                    "--csv", "--dir", dir_})
            .output);
    std::string row;
    while (std::getline(rows, row)) {
      const size_t comma = row.find(',');
      // Before them come the columns' names, and what the program says of itself.
      if (comma == std::string::npos || comma + 1 == row.size() || row[comma + 1] < '0' || row[comma + 1] > '9')
        continue;
      std::string user = row.substr(0, comma);
      std::erase(user, '"');
      clicks[user] = row.substr(comma + 1);
    }
    return clicks;
  }

  const TemporaryFolder folder_;
  const std::string dir_ = folder_.path() + "/data";
};

TEST_F(PastTest, AnAddedSignalSaysWhatSqlSaysOverAllOfIt) {
  DropAll();
  Declare("\n[signals.clicks]\nkind = \"count\"\non = [\"click\"]\nwindow = \"36500d\"\n");
  {
    RunningServer server(dir_);
    auto client = server.Client();
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(client
                    .Call("POST", "/v1/events",
                          fmt::format(R"({{"events":[{{"type":"click","user":"u{}","item":"i{}"}}]}})", i % 2, i))
                    ->status,
                200);
    }
    const auto clicks = ClicksBySql();
    ASSERT_GE(clicks.size(), 20u);
    for (const auto& [user, count] : clicks) {
      const std::string profile = client.Call("GET", "/v1/users/" + user + "/profile", "")->body;
      EXPECT_EQ(At(profile, "/signals/0/number"), count) << user;
    }
    ASSERT_EQ(client.Call("POST", "/v1/recommend", R"({"surface":"home","user":"u1","n":5})")->status, 200);
    EXPECT_EQ(server.Stop(SIGTERM), 0);
  }
  DropAll();
  const Outcome verified = RunProgram({"state", "verify", "--dir", dir_});
  EXPECT_EQ(verified.exit_status, 0) << verified.output;
  EXPECT_THAT(verified.output, HasSubstr(": 0 differences"));
  const std::string today = base::FormatTimeUs(base::SystemClock::Get().NowUs()).substr(0, 10);
  const Outcome skew = RunProgram({"check", "skew", "--day", today, "--dir", dir_});
  EXPECT_EQ(skew.exit_status, 0) << skew.output;
  EXPECT_THAT(skew.output, HasSubstr(": 0 differences"));

  // A state that is lost comes back, and so does a signal that is computed anew.
  std::filesystem::remove_all(dir_ + "/apps/default/state/events");
  const Outcome backfilled = RunProgram({"signals", "backfill", "clicks", "--dir", dir_});
  EXPECT_EQ(backfilled.exit_status, 0) << backfilled.output;
  EXPECT_THAT(RunProgram({"state", "verify", "--dir", dir_}).output, HasSubstr(": 0 differences"));
  RunningServer server(dir_);
  for (const auto& [user, count] : ClicksBySql()) {
    const std::string profile = server.Client().Call("GET", "/v1/users/" + user + "/profile", "")->body;
    EXPECT_EQ(At(profile, "/signals/0/number"), count) << user;
  }
}

TEST_F(PastTest, WhereAFileIsDamagedTheCheckSaysWhich) {
  DropAll();
  std::string file;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ + "/apps/default/lake/events")) {
    if (entry.path().extension() == ".parquet") file = entry.path();
  }
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const Outcome verified = RunProgram({"state", "verify", "--dir", dir_});
  EXPECT_NE(verified.exit_status, 0);
  EXPECT_THAT(verified.output, AllOf(HasSubstr("no longer has the first events"),
                                     HasSubstr(std::filesystem::path(file).filename().string())));
}

}  // namespace
}  // namespace bowerbird::end_to_end
