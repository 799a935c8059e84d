// Other teams' features, from a Parquet file of another program to a profile, through the real binary.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "base/time_text.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class FeaturesTest : public testing::Test {
 protected:
  FeaturesTest() { MakeSmallWorld(folder_.path(), 30, 10); }
  /// A file whose columns have the types that other programs use.
  std::string Write(double score, const std::string& more = "") const {
    std::string path = folder_.path() + "/taste.parquet";
    const std::string script =
        fmt::format(R"(
import pyarrow as pa, pyarrow.parquet as pq
t = pa.table({{
  "user_id": pa.array(["u1", "u2", {}"nobody"], pa.large_string()),
  "score": pa.array([{}, None, {}3], pa.float32()),
  "visits": pa.array([7, 8, {}9], pa.int32()),
  "taste": pa.array([[1, 2], [3, 4], {}None], pa.list_(pa.float64(), 2)),
  "since": pa.array([0, 1, {}2], pa.timestamp("us")),
}})
pq.write_table(t, "{}")
)",
                    more.empty() ? "" : "\"" + more + "\", ", score, more.empty() ? "" : "1, ",
                    more.empty() ? "" : "1, ", more.empty() ? "" : "[0, 0], ", more.empty() ? "" : "3, ", path);
    const std::string file = WriteFile(folder_.path(), "write.py", script);
    EXPECT_EQ(std::system(fmt::format("{} {}", BOWERBIRD_PYTHON, file).c_str()), 0);
    return path;
  }
  Outcome Load(const std::string& file, const std::string& columns = "score,visits,taste") const {
    return RunProgram({"features", "load", "taste", file, "--key", "user_id", "--columns", columns, "--as-of",
                       "2026-11-26T00:00:00Z", "--dir", dir_});
  }

  const TemporaryFolder folder_;
  const std::string dir_ = folder_.path() + "/data";
};

TEST_F(FeaturesTest, AreLoadedSwappedAndShown) {
  const Outcome first = Load(Write(0.5));
  EXPECT_EQ(first.exit_status, 0) << first.output;
  EXPECT_THAT(first.output, AllOf(HasSubstr("000001"), HasSubstr("score, visits, taste[2]"), HasSubstr("3 rows")));
  RunningServer server(dir_);
  auto client = server.Client();
  const std::string profile = client.Call("GET", "/v1/users/u1/profile", "")->body;
  EXPECT_EQ(At(profile, "/features/0/table"), "taste");
  EXPECT_EQ(At(profile, "/features/0/values/0/number"), "0.5");
  EXPECT_EQ(At(profile, "/features/0/values/1/number"), "7");
  EXPECT_EQ(At(profile, "/features/0/values/2/vector/1"), "2");
  EXPECT_EQ(At(client.Call("GET", "/v1/users/u3/profile", "")->body, "/features/0/table"), "");

  const Outcome second = Load(Write(0.75));
  EXPECT_EQ(second.exit_status, 0) << second.output;
  const std::string row = client.Call("GET", "/v1/features/taste/rows/u1", "")->body;
  EXPECT_EQ(At(row, "/version"), "000002");
  EXPECT_EQ(At(row, "/values/0/number"), "0.75");
  EXPECT_EQ(At(client.Call("GET", "/v1/features/taste/rows/u2", "")->body, "/values/0/number"), "") << "null";
  EXPECT_EQ(client.Call("GET", "/v1/features/taste/rows/u3", "")->status, 404);
  EXPECT_EQ(client.Call("GET", "/v1/features/nothing/rows/u1", "")->status, 404);

  const Outcome repeated = Load(Write(1, "u1"));
  EXPECT_EQ(repeated.exit_status, 1);
  EXPECT_THAT(repeated.output, HasSubstr("the same id in rows 1 and 3"));
  const Outcome time = Load(Write(1), "since");
  EXPECT_THAT(time.output, HasSubstr("since: found timestamp"));
  EXPECT_EQ(At(client.Call("GET", "/v1/features/taste/rows/u1", "")->body, "/version"), "000002");
  EXPECT_EQ(
      client.Call("POST", "/v1/features/taste/versions", R"({"file":"/etc/passwd","entity":"user","key":"a"})")->status,
      403)
      << "the server's disk is not for whoever calls over the network";
  const Outcome show = RunProgram({"features", "show", "taste", "u1", "--dir", dir_});
  EXPECT_THAT(show.output, AllOf(HasSubstr("0.75"), HasSubstr("[1,2]")));
  EXPECT_EQ(server.Stop(SIGTERM), 0);
}

TEST_F(FeaturesTest, AreReadByFiltersAndTheRankerAndStayInRowsWhateverIsLoadedAfterwards) {
  std::ofstream(dir_ + "/apps/default/bowerbird.toml", std::ios::app) << R"toml(
[surfaces.home.features]
"item.features.quality.score" = 0
"dot(user.features.taste.taste, item.features.quality.v)" = 0
[objectives.click]
on = ["click"]
window = "1s"
)toml";
  RunningServer server(dir_);
  auto client = server.Client();
  const auto ask = [&](const std::string& filter) {
    const auto answer =
        client.Call("POST", "/v1/recommend",
                    fmt::format(R"({{"surface":"home","user":"u1","n":5,"explain":true,"filter":"{}"}})", filter));
    EXPECT_EQ(answer->status, 200) << answer->body;
    return answer->body;
  };
  const auto load_quality = [&](int base) {
    const std::string path = folder_.path() + "/quality.parquet";
    const std::string script = WriteFile(folder_.path(), "quality.py",
                                         fmt::format(R"(
import pyarrow as pa, pyarrow.parquet as pq
ids = [f"i{{n}}" for n in range(20)]
pq.write_table(pa.table({{"item": ids, "score": [float({} + n) for n in range(20)], "v": [[float(n), 1.0] for n in range(20)]}}), "{}")
)",
                                                     base, path));
    EXPECT_EQ(std::system(fmt::format("{} {}", BOWERBIRD_PYTHON, script).c_str()), 0);
    const Outcome loaded =
        RunProgram({"features", "load", "quality", path, "--entity", "item", "--key", "item", "--dir", dir_});
    EXPECT_EQ(loaded.exit_status, 0) << loaded.output;
  };
  // Nothing is loaded yet: what is absent holds nobody up.
  EXPECT_NE(At(ask(""), "/items/0/id"), "");
  EXPECT_EQ(At(ask("item.features.quality.score > 0"), "/items/0/id"), "");

  load_quality(100);
  EXPECT_EQ(Load(Write(0.5)).exit_status, 0);
  const std::string first = ask("item.features.quality.score >= 110");
  const std::vector<std::string> ids = ItemIds(first);
  ASSERT_FALSE(ids.empty());
  for (const std::string& id : ids) {
    EXPECT_TRUE(std::stoi(id.substr(1)) >= 10 && std::stoi(id.substr(1)) < 20) << id;
  }
  EXPECT_THAT(first, AllOf(HasSubstr("\"item.features.quality.score\""),
                           HasSubstr("\"dot(user.features.taste.taste,item.features.quality.v)\"")));
  load_quality(1000);
  const std::string second = ask("item.features.quality.score >= 1010");
  ASSERT_FALSE(ItemIds(second).empty());

  // The log goes on beyond the windows, and what was served is appended.
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  ASSERT_EQ(
      client.Call("POST", "/v1/events", R"({"events":[{"type":"impression","user":"last","item":"i0"}]})")->status,
      200);
  const Outcome built = RunProgram({"rows", "build", "--dir", dir_});
  ASSERT_EQ(built.exit_status, 0) << built.output;
  const auto sql = [&](const std::string& request, const std::string& what) {
    const Outcome outcome = RunProgram(
        {"lake", "sql",
         fmt::format("select {} as x from (select unnest(candidates) as c from training_rows where request_id = '{}') "
                     "where c.position is not null",
                     what, At(request, "/request_id")),
         "--csv", "--dir", dir_});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
    const size_t at = outcome.output.find("\"x\"\n");
    EXPECT_NE(at, std::string::npos) << outcome.output;
    return outcome.output.substr(at + 4, outcome.output.find('\n', at + 4) - at - 4);
  };
  const std::string same =
      R"(bool_and(c.features."item.features.quality.score" = {} + cast(substr(c.item, 2) as int)))";
  EXPECT_EQ(sql(first, fmt::format(fmt::runtime(same), 100)), "true");
  EXPECT_EQ(sql(second, fmt::format(fmt::runtime(same), 1000)), "true");
  // u1's taste is [1, 2]: its product with [n, 1].
  EXPECT_EQ(sql(second, R"sql(bool_and(c.features."dot(user.features.taste.taste,item.features.quality.v)" = )sql"
                        "cast(substr(c.item, 2) as int) + 2)"),
            "true");
  EXPECT_EQ(server.Stop(SIGTERM), 0);
  const Outcome skew = RunProgram(
      {"check", "skew", "--day", base::FormatTimeUs(base::SystemClock::Get().NowUs()).substr(0, 10), "--dir", dir_});
  EXPECT_EQ(skew.exit_status, 0) << skew.output;
  EXPECT_THAT(skew.output, HasSubstr("values of other teams' tables compared: 0 differences"));
}

}  // namespace
}  // namespace bowerbird::end_to_end
