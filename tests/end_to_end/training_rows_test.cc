// What was served becomes rows, a ranker is trained from them and orders the next page: through the real binary.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "base/time_text.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

std::string Today() { return base::FormatTimeUs(base::SystemClock::Get().NowUs()).substr(0, 10); }

/// A page of six items; all are seen, and the first one of the user's own category is clicked.
void Visit(server::HttpClient* client, int number) {
  const std::string user = fmt::format("u{}", number % 12);
  const auto answer =
      client->Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"{}","n":6}})", user));
  ASSERT_EQ(answer->status, 200) << answer->body;
  const std::string request = At(answer->body, "/request_id");
  std::string events;
  bool clicked = false;
  int position = 0;
  for (const std::string& id : ItemIds(answer->body)) {
    const auto add = [&](const char* type) {
      events += fmt::format(R"({}{{"type":"{}","user":"{}","item":"{}","request_id":"{}","position":{}}})",
                            events.empty() ? "" : ",", type, user, id, request, position);
    };
    ++position;
    add("impression");
    if (clicked || std::stoi(id.substr(1)) % 3 != number % 12 % 3) continue;
    add("click");
    clicked = true;
  }
  ASSERT_EQ(client->Call("POST", "/v1/events", fmt::format(R"({{"events":[{}]}})", events))->status, 200);
}

/// The log goes on beyond the windows of what was served.
void PassWindows(server::HttpClient* client) {
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  ASSERT_EQ(
      client->Call("POST", "/v1/events", R"({"events":[{"type":"impression","user":"last","item":"i0"}]})")->status,
      200);
}

std::string Sql(const std::string& dir, const std::string& sql) {
  const Outcome outcome = RunProgram({"lake", "sql", sql, "--csv", "--dir", dir});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
  // After what it says on standard error.
  return outcome.output.substr(std::min(outcome.output.size(), outcome.output.find('"')));
}

TEST(TrainingRowsTest, ServedAnswersBecomeRowsAndARankerThatServes) {
  const TemporaryFolder folder;
  MakeSmallWorld(folder.path(), 90, 40);
  const std::string dir = folder.path() + "/data";
  EXPECT_THAT(RunProgram({"rows", "build", "--dir", dir}).output, HasSubstr("served: found no record"));
  std::ofstream(dir + "/apps/default/bowerbird.toml", std::ios::app) << R"(
[signals.clicks]
kind = "count"
on = ["click"]
window = "36500d"
[objectives.click]
on = ["click"]
window = "1s"
[objectives.any]
on = ["click", "save"]
where = "event.position <= 3"
window = "1s"
weight = 0
)";
  const std::string day = Today();
  RunningServer server(dir);
  server::HttpClient client = server.Client();
  for (int visit = 0; visit < 48; ++visit) Visit(&client, visit);
  PassWindows(&client);

  const Outcome built = RunProgram({"rows", "build", "--json", "--dir", dir});
  ASSERT_EQ(built.exit_status, 0) << built.output;
  const std::string json = built.output.substr(built.output.find('{'), built.output.find('\n', built.output.find('{')));
  if (Today() != day) GTEST_SKIP() << "midnight passed";
  EXPECT_EQ(At(json, "/sets/0/rows"), "48") << json;
  EXPECT_EQ(At(json, "/sets/0/shown"), "288");
  EXPECT_EQ(At(json, "/sets/0/seen_by/impressions"), "48");
  EXPECT_EQ(At(json, "/sets/0/labels/click/labels"), "288");
  EXPECT_EQ(At(json, "/leaks"), "0");
  const std::string clicks = At(json, "/sets/0/labels/click/rate");
  EXPECT_GT(std::stod(clicks), 0.05);
  EXPECT_LT(std::stod(clicks), 0.2);

  // One request in a hundred also has what was ranked and not shown.
  EXPECT_EQ(Sql(dir,
                "select count(distinct r.request_id) as n, count(r.c.position) as c from (select t.request_id, "
                "unnest(t.candidates) as c from training_rows t) r"),
            "\"n\",\"c\"\n48,288\n");
  EXPECT_EQ(
      Sql(dir,
          "select sum(c.labels.click) = (select count(*) from events e where e.type = 'click' and e.request_id is not "
          "null) as same from (select unnest(r.candidates) as c from training_rows r)"),
      "\"same\"\ntrue\n");
  // The first page of a user has seen the imported clicks; a later one the click on the first.
  EXPECT_EQ(Sql(dir,
                "select min(r.signals[1].readings[1].number) as least, max(len(r.sequence)) > 8 as grew from "
                "training_rows r"),
            "\"least\",\"grew\"\n8,true\n");
  EXPECT_THAT(RunProgram({"rows", "report", "--dir", dir}).output, HasSubstr("no bounds yet"));

  // Others read the same file.
  const std::string python = std::string(BOWERBIRD_SOURCE_DIR) + "/build/venv/bin/python";
  if (std::filesystem::exists(python)) {
    const std::string script =
        "import glob,sys,pyarrow.parquet as pq;"
        "rows=[r for f in glob.glob(sys.argv[1]+'/**/*.parquet',recursive=True) for r in "
        "pq.ParquetFile(f).read().to_pylist()];"
        "print(len(rows),sum(c['labels']['click'] or 0 for r in rows for c in r['candidates']))";
    FILE* pipe =
        popen(fmt::format("'{}' -c \"{}\" '{}/apps/default/lake/training_rows'", python, script, dir).c_str(), "r");
    std::array<char, 256> line{};
    ASSERT_NE(fgets(line.data(), static_cast<int>(line.size()), pipe), nullptr);
    pclose(pipe);
    EXPECT_EQ(std::string(line.data()), fmt::format("48 {:.0f}\n", std::stod(clicks) * 288));
  }

  const Outcome trained = RunProgram({"train", "ranker", "--promote", "--dir", dir});
  ASSERT_EQ(trained.exit_status, 0) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("ranker/home version 000001"));
  Visit(&client, 1);
  PassWindows(&client);
  ASSERT_EQ(RunProgram({"rows", "build", "--dir", dir}).exit_status, 0);
  EXPECT_EQ(Sql(dir, "select count(*) as n from training_rows r where r.ranker = '000001'"), "\"n\"\n1\n");
  EXPECT_THAT(client.Call("GET", "/metrics", "")->body, HasSubstr("bowerbird_serve_ranker_fallbacks"));

  EXPECT_EQ(RunProgram({"ranker", "promote", "--version", "000007", "--dir", dir}).exit_status, 1);
  EXPECT_EQ(RunProgram({"ranker", "promote", "--surface", "nowhere", "--none", "--dir", dir}).exit_status, 1);
  EXPECT_EQ(RunProgram({"ranker", "promote", "--dir", dir}).exit_status, 1);
  EXPECT_EQ(RunProgram({"ranker", "promote", "--none", "--dir", dir}).exit_status, 0);
  EXPECT_EQ(RunProgram({"rows", "build", "--from", "yesterday", "--dir", dir}).exit_status, 1);
  EXPECT_EQ(client.Call("POST", "/v1/jobs/rows", R"({"negatives": 0.5})")->status, 400);
  EXPECT_EQ(client.Call("POST", "/v1/jobs/rows", R"({"negatives": "half"})")->status, 400);
  EXPECT_EQ(client.Call("POST", "/v1/jobs/train-ranker", R"({"surfaces": "home"})")->status, 400);
  EXPECT_EQ(server.Stop(SIGTERM), 0);
}

}  // namespace
}  // namespace bowerbird::end_to_end
