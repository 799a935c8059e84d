#include "backtest/backtest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "backtest/baselines.h"
#include "base/rng.h"

namespace bowerbird::backtest {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kStartUs = int64_t{1'700'006'400} * kSecondUs;  // 2023-11-15 00:00 UTC

class BacktestTest : public testing::Test {
 protected:
  BacktestTest() {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  ~BacktestTest() override { fs::remove_all(dir_); }

  absl::StatusOr<Stream> Read(const std::string& csv, const StreamMapping& mapping) {
    const std::string path = dir_ + "/rows.csv";
    std::ofstream(path) << csv;
    auto source = ingest::OpenCsv(path, ",");
    EXPECT_TRUE(source.ok()) << source.status();
    return ReadStream(**source, mapping, {});
  }

  const std::string dir_ = (fs::temp_directory_path() / (std::string("bowerbird_backtest_") +
                                                         testing::UnitTest::GetInstance()->current_test_info()->name()))
                               .string();
};

TEST_F(BacktestTest, ReadsWhatTheMappingNamesInOrderOfTime) {
  const auto stream = Read(
      "user_id,session,size,item_id,ts\n"
      "u1,s1,9,a,1700006402\n"
      "u2,s2,9,b,1700006400\n"
      "u1,s1,9,,1700006403\n"
      "u1,s1,9,b,never\n"
      "u1,s1,9,c,1700006500\n",
      {.columns = "session=session", .event_type = "click", .until_us = kStartUs + 50 * kSecondUs});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_EQ(stream->actions.size(), 2u);
  EXPECT_EQ(stream->users[stream->actions[0].user], "u2");
  EXPECT_EQ(stream->items[stream->actions[1].item], "a");
  EXPECT_NE(stream->actions[0].session, stream->actions[1].session);
  EXPECT_THAT(stream->columns, ElementsAre("user_id", "item_id", "ts", "session"));
  EXPECT_THAT(stream->types, ElementsAre("click"));
  EXPECT_EQ(stream->rows, 5u);
  EXPECT_EQ(stream->refused, 2u);
  EXPECT_EQ(stream->outside, 1u);
  EXPECT_THAT(stream->first_refusal, HasSubstr("line 4"));
}

TEST_F(BacktestTest, RefusesAMappingThatDoesNotFit) {
  const std::string csv = "user,item,time\nu,i,1700006400\n";
  const auto message = [&](const StreamMapping& mapping) { return std::string(Read(csv, mapping).status().message()); };
  EXPECT_THAT(message({.columns = "session=visit", .event_type = "click"}), HasSubstr("'visit'; the file has user"));
  EXPECT_THAT(message({.columns = ""}), HasSubstr("no column for 'type'"));
  EXPECT_THAT(message({.event_type = "click", .until_us = kStartUs}), HasSubstr("1 outside of the time"));
}

TEST(SessionsTest, EndWhereTheColumnOrHalfAnHourSaysSo) {
  Stream stream;
  stream.users = {"u", "v"};
  Sessions by_gap(stream);
  EXPECT_EQ(by_gap.Of({.time_us = 0, .user = 0}), 0u);
  EXPECT_EQ(by_gap.Of({.time_us = 0, .user = 1}), 1u);
  EXPECT_EQ(by_gap.Of({.time_us = 1800 * kSecondUs, .user = 0}), 0u);
  EXPECT_EQ(by_gap.Of({.time_us = 3601 * kSecondUs, .user = 0}), 2u);
  Sessions by_column(stream);
  EXPECT_EQ(by_column.Of({.time_us = 0, .user = 0, .session = 7}), 0u);
  EXPECT_EQ(by_column.Of({.time_us = 9000 * kSecondUs, .user = 0, .session = 7}), 0u);
  EXPECT_EQ(by_column.Of({.time_us = 1, .user = 0, .session = 3}), 1u);
}

class BaselinesTest : public testing::Test {
 protected:
  BaselinesTest() {
    stream_.users = {"u", "v", "w"};
    stream_.items = {"0", "1", "2", "3", "4", "5"};
  }
  void Learn(Baseline* baseline, const std::vector<std::pair<uint32_t, uint32_t>>& clicks, int64_t from_s) {
    for (const auto& [user, item] : clicks) baseline->Learn({from_s++ * kSecondUs, user, item});
  }
  Stream stream_;
};

TEST_F(BaselinesTest, PopularForgetsAfterAnHour) {
  const auto baseline = MakePopularLastHour(stream_);
  Learn(baseline.get(), {{0, 1}, {0, 2}, {1, 2}}, 0);
  EXPECT_THAT(baseline->Predict({.time_us = 10 * kSecondUs}, 20), ElementsAre(2, 1));
  EXPECT_THAT(baseline->Predict({.time_us = 3601 * kSecondUs}, 20), ElementsAre(2)) << "one click on it is left";
}

TEST_F(BaselinesTest, CoOccurrenceFollowsTheLastItem) {
  const auto baseline = MakeLastItemCoOccurrence(stream_);
  Learn(baseline.get(), {{0, 1}, {0, 2}, {1, 3}, {1, 4}, {2, 1}}, 0);
  EXPECT_THAT(baseline->Predict({.time_us = 10 * kSecondUs, .user = 2}, 2), ElementsAre(2, 1));
}

TEST_F(BaselinesTest, NeighborsVoteForWhatTheSessionLacks) {
  const auto baseline = MakeSessionNeighbors(stream_);
  Learn(baseline.get(), {{0, 1}, {0, 2}, {0, 3}, {1, 4}, {1, 5}, {2, 1}, {2, 2}}, 0);
  EXPECT_THAT(baseline->Predict({.time_us = 10 * kSecondUs, .user = 2}, 1), ElementsAre(3));
}

/// Users who wander along chains of items; the chains change every hour.
Stream Wanderers(uint32_t hours) {
  constexpr uint32_t kChains = 40, kLength = 5;
  base::Rng rng(3);
  Stream stream;
  stream.types = {"click"};
  for (uint32_t u = 0; u < 300; ++u) stream.users.push_back(fmt::format("u{}", u));
  for (uint32_t i = 0; i < kChains * kLength * hours; ++i) stream.items.push_back(fmt::format("i{}", i));
  for (uint32_t hour = 0; hour < hours; ++hour) {
    for (uint32_t visit = 0; visit < 400; ++visit) {
      const auto chain = static_cast<uint32_t>(rng.Below(kChains)), user = static_cast<uint32_t>(rng.Below(300));
      const int64_t begin_us = kStartUs + (int64_t{hour} * 3600 + static_cast<int64_t>(rng.Below(3000))) * kSecondUs;
      for (uint32_t step = 0; step < kLength; ++step) {
        stream.actions.push_back(
            {begin_us + int64_t{step} * 20 * kSecondUs, user, (hour * kChains + chain) * kLength + step});
      }
    }
  }
  std::stable_sort(stream.actions.begin(), stream.actions.end(),
                   [](const Stream::Action& a, const Stream::Action& b) { return a.time_us < b.time_us; });
  return stream;
}

TEST_F(BacktestTest, PredictsByWhatOthersDidRightBefore) {
  const Stream stream = Wanderers(4);
  Options options;
  options.dir = dir_ + "/first";
  options.config = "[surfaces.next]\nexplore = 0\n[pipeline]\nfactors = 8\nepochs = 2\nwindow = \"2h\"\n";
  options.share = .1;
  options.n = 5;
  const auto report = backtest::Run(stream, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->actions, 8000u);
  EXPECT_EQ(report->items, stream.items.size());
  EXPECT_EQ(report->trainings, 3u);
  EXPECT_NEAR(static_cast<double>(report->all.predictions), 800, 90);
  EXPECT_GT(report->all.unseen, 20u);
  ASSERT_EQ(report->days.size(), 1u);
  EXPECT_EQ(report->days[0].day, "2023-11-15");
  EXPECT_EQ(report->days[0].hits, report->all.hits);
  EXPECT_THAT(report->methods, ElementsAre("bowerbird", "popular_1h", "co_occurrence", "session_knn"));
  // Four of five steps follow from the one before; which chain begins cannot be known, and the first time neither.
  EXPECT_GT(report->all.hits[0], report->all.predictions * 6 / 10);
  EXPECT_LT(report->all.hits[1], report->all.predictions * 3 / 10);
  EXPECT_LE(report->all.hits[0], report->all.predictions - report->all.unseen) << "an unseen target is a miss";

  options.dir = dir_ + "/second";
  const auto again = backtest::Run(stream, options);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->all.hits, report->all.hits);
}

TEST_F(BacktestTest, RefusesATypeThatTheConfigLacks) {
  Stream stream = Wanderers(1);
  stream.types = {"glance"};
  Options options;
  options.dir = dir_ + "/app";
  EXPECT_THAT(std::string(backtest::Run(stream, options).status().message()), HasSubstr("type: found 'glance'"));
}

}  // namespace
}  // namespace bowerbird::backtest
