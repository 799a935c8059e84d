// From what was served to a ranker that orders the next page: rows, bounds, training, promotion, fallbacks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "absl/synchronization/notification.h"
#include "app/replay_answer.h"
#include "app/rows_job.h"
#include "base/rng.h"
#include "base/time_text.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int64_t kDayUs = 86'400'000'000, kBeginUs = 20'454 * kDayUs;

class TestClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us_; }
  std::atomic<int64_t> now_us_ = kBeginUs;
};

class RankerTest : public testing::Test {
 protected:
  static constexpr int kItems = 60;

  RankerTest() {
    fs::remove_all(dir_);
    EXPECT_TRUE(App::InitFolder(dir_, "default", config::StarterText() + R"(
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
[objectives.click]
on = ["click"]
window = "30m"
)")
                    .ok());
    Open();
  }
  ~RankerTest() override {
    app_.reset();
    fs::remove_all(dir_);
  }
  void Open() {
    app_.reset();
    App::Options options;
    options.dir = dir_;
    options.clock = &clock_;
    options.consume = false;
    options.on_warning = [this](const std::string& warning) { warnings_.push_back(warning); };
    auto app = App::Open(options);
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    ASSERT_TRUE(app_->state().CatchUp().ok());
  }
  void PutItems() {
    for (int i = 0; i < kItems; ++i) {
      v1::Item item;
      item.set_id(fmt::format("i{}", i));
      item.add_categories(fmt::format("c{}", i % 3));
      ASSERT_TRUE(app_->catalog_intake().Put(item).ok());
    }
  }
  void Send(std::vector<v1::Event> events) {
    absl::Notification done;
    app_->collector().CollectEvents(std::move(events), collect::Collector::Source::kLive,
                                    [&](const absl::StatusOr<collect::CollectResult>& result) {
                                      EXPECT_TRUE(result.ok());
                                      done.Notify();
                                    });
    done.WaitForNotification();
    ASSERT_TRUE(app_->state().CatchUp().ok());
  }
  serve::Answer Ask(const std::string& user) {
    v1::RecommendRequest request;
    request.set_surface("home");
    request.set_user(user);
    request.set_n(10);
    auto answer = app_->engine().Recommend(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return *std::move(answer);
  }
  static v1::Event On(const serve::Answer& answer, const std::string& user, const serve::AnswerItem& item,
                      const char* type) {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item(item.id);
    event.set_request_id(answer.request_id);
    event.set_position(item.position);
    return event;
  }
  /// Each user's page, all of it seen; they click on what is of their category, `clicks` in a hundred times.
  void LiveADay(int visits, uint64_t clicks) {
    const int64_t end_us = (clock_.now_us_ / kDayUs + 1) * kDayUs;
    for (int visit = 0; visit < visits; ++visit) {
      clock_.now_us_ += 60'000'000;
      const int number = visit % 12;
      const std::string user = fmt::format("u{}", number);
      const serve::Answer answer = Ask(user);
      clock_.now_us_ += 1'000'000;
      std::vector<v1::Event> events;
      for (const serve::AnswerItem& item : answer.items) {
        events.push_back(On(answer, user, item, "impression"));
        const bool own = std::stoi(item.id.substr(1)) % 3 == number % 3;
        if (rng_.Below(100) < (own ? clicks : clicks / 10)) events.push_back(On(answer, user, item, "click"));
      }
      Send(std::move(events));
    }
    clock_.now_us_ = end_us;
  }
  /// The served log is appended to while nobody waits.
  v1::ServedRecord LastServed(const std::string& request_id) {
    for (int tries = 0; tries < 1'000; ++tries) {
      auto found = FindServed(app_->log(), request_id);
      if (found.ok()) return *std::move(found);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << request_id << " is not in the served log";
    return {};
  }

  const std::string dir_ = testing::TempDir() + "/ranker_test";
  TestClock clock_;
  base::Rng rng_{1};
  std::vector<std::string> warnings_;
  std::unique_ptr<App> app_;
};

TEST_F(RankerTest, IsTrainedFromWhatWasServedPromotedAndFallsBackByName) {
  PutItems();
  LiveADay(40, 60);
  ASSERT_TRUE(app_->RunPipeline().ok());
  LiveADay(60, 60);
  ASSERT_TRUE(app_->RunPipeline().ok());
  LiveADay(60, 60);

  // Nothing to learn from yet.
  EXPECT_TRUE(absl::IsFailedPrecondition(TrainRanker(*app_, {}).status()));
  const auto rows = BuildRows(*app_, {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->sets.size(), 3u);
  EXPECT_EQ(rows->leaks(), 0u);
  for (const rows::SetInfo& set : rows->sets) {
    EXPECT_THAT(set.refused, IsEmpty());
    EXPECT_EQ(set.by_nothing, 0u);
  }
  EXPECT_EQ(rows->sets[0].rows, 40u);
  const auto trained = TrainRanker(*app_, {});
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->artifact, "ranker/home");

  serve::Answer answer = Ask("u1");
  EXPECT_EQ(LastServed(answer.request_id).ranker(), "") << "not promoted";
  ASSERT_TRUE(app_->rankers().Promote("home", trained->version).ok());
  answer = Ask("u1");
  const v1::ServedRecord record = LastServed(answer.request_id);
  EXPECT_EQ(record.ranker(), trained->version);
  EXPECT_THAT(answer.degraded, Not(Contains(HasSubstr("ranker"))));
  const auto replayed = ReplayAnswer(*app_, record, dir_ + "/replay");
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_TRUE(replayed->equal) << testing::PrintToString(replayed->differences);
  EXPECT_TRUE(absl::IsNotFound(app_->rankers().Promote("home", "000099")));

  // Rows of a ranker that learned from these very days are refused; they are of later requests here.
  LiveADay(5, 60);
  const auto later = BuildRows(*app_, {});
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(later->leaks(), 0u);

  // A leaf that is no number.
  const auto artifact = app_->registry().Open("ranker", "home", trained->version);
  auto trees = model::TreeEnsemble::Parse(*store::ReadFile(artifact->Path("trees.safetensors")));
  ASSERT_TRUE(trees.ok());
  for (float& leaf : trees->leaves) leaf = std::numeric_limits<float>::quiet_NaN();
  registry::Contents contents;
  contents.write = [&](const std::string& folder) {
    return store::AtomicWriteFile(folder + "/trees.safetensors", *trees->Serialize());
  };
  const auto broken = app_->registry().Publish("ranker", "home", contents);
  ASSERT_TRUE(app_->rankers().Promote("home", *broken).ok());
  answer = Ask("u1");
  EXPECT_THAT(answer.degraded, Contains("ranker_invalid"));
  EXPECT_EQ(answer.items.size(), 10u);
  EXPECT_EQ(app_->engine().counters().ranker_fallbacks, 1u);
  const auto invalid = ReplayAnswer(*app_, LastServed(answer.request_id), dir_ + "/replay");
  ASSERT_TRUE(invalid.ok()) << invalid.status();
  EXPECT_THAT(invalid->differences, IsEmpty());

  ASSERT_TRUE(app_->rankers().Promote("home", trained->version).ok());
  Open();
  EXPECT_EQ(LastServed(Ask("u1").request_id).ranker(), trained->version) << "after a restart";

  // A file that is damaged: the app opens all the same.
  ASSERT_TRUE(app_->rankers().Promote("home", *broken).ok());
  std::ofstream(app_->registry().Open("ranker", "home", *broken)->Path("trees.safetensors")) << "damaged";
  Open();
  EXPECT_THAT(warnings_, Contains(HasSubstr("surface home: the promoted ranker")));
  answer = Ask("u1");
  EXPECT_THAT(answer.degraded, Contains("ranker_missing"));
  EXPECT_EQ(app_->engine().counters().ranker_fallbacks, 1u);

  ASSERT_TRUE(app_->rankers().Promote("home", "").ok());
  EXPECT_THAT(Ask("u1").degraded, Not(Contains(HasSubstr("ranker"))));
  Open();
  EXPECT_THAT(Ask("u1").degraded, Not(Contains(HasSubstr("ranker"))));
}

TEST_F(RankerTest, ADayOutsideOfItsBoundsIsNotTrainedOn) {
  PutItems();
  for (int day = 0; day < 14; ++day) LiveADay(30, 30);
  LiveADay(30, 90);
  clock_.now_us_ += kDayUs;
  LiveADay(1, 30);
  const auto rows = BuildRows(*app_, {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  const auto report = ReportRows(*app_);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->size(), 16u);
  for (size_t i = 0; i < 14; ++i) EXPECT_THAT((*report)[i].bounds, IsEmpty());
  EXPECT_THAT((*report)[14].Refusals(), Contains(HasSubstr("label_rate of click: found")));
  EXPECT_THAT(ReportJson(*report), HasSubstr("label_rate of click"));
  const absl::Status refused = TrainRanker(*app_, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("label_rate of click"));
  RankerOptions before;
  before.to_us = kBeginUs + 14 * kDayUs;
  EXPECT_TRUE(TrainRanker(*app_, before).ok());
}

TEST_F(RankerTest, WhatARankerLearnedFromIsNotServedToItself) {
  PutItems();
  LiveADay(40, 60);
  ASSERT_TRUE(app_->RunPipeline().ok());
  LiveADay(60, 60);
  // A snapshot from tomorrow: its manifest says so.
  const auto cf = app_->registry().List("cf", "default");
  const std::string path = dir_ + "/apps/default/artifacts/cf/default/" + cf->back() + "/manifest.json";
  auto manifest = registry::ParseManifest(*store::ReadFile(path));
  ASSERT_TRUE(manifest.ok());
  const size_t at = manifest->inputs_json.find("\"trained_until_us\":") + 19;
  manifest->inputs_json.replace(at, manifest->inputs_json.find(',', at) - at,
                                fmt::format("{}", clock_.now_us_ + kDayUs));
  ASSERT_TRUE(store::AtomicWriteFile(path, *registry::FormatManifest(*manifest)).ok());
  const auto rows = BuildRows(*app_, {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->sets[1].refused.at("future_snapshot"), 60u);
  EXPECT_EQ(rows->leaks(), 60u);
}

}  // namespace
}  // namespace bowerbird::app
