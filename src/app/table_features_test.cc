// Other teams' tables from a load to what a ranker learns: what a request read is what its row has, whatever is loaded
// or forgotten afterwards.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <thread>

#include "absl/synchronization/notification.h"
#include "app/check_skew.h"
#include "app/replay_answer.h"
#include "app/rows_job.h"
#include "lake/parquet_file.h"
#include "rows/builder.h"
#include "rows/row_fields.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int64_t kDayUs = 86'400'000'000, kBeginUs = 20'454 * kDayUs;
constexpr int kItems = 40;
constexpr char kScore[] = "item.features.quality.score", kChurn[] = "user.features.taste.churn",
               kProduct[] = "dot(user.features.taste.v,item.features.quality.v)";

class TestClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us_; }
  std::atomic<int64_t> now_us_ = kBeginUs + kDayUs / 2;
};

class TableFeaturesTest : public testing::Test {
 protected:
  TableFeaturesTest() {
    fs::remove_all(dir_);
    EXPECT_TRUE(App::InitFolder(dir_, "default", R"toml(
[app]
partitions = 4
[objectives.click]
on = ["click"]
window = "30m"
[surfaces.home]
explore = 0
seen = "allow"
[surfaces.home.features]
"item.features.quality.score" = 0.01
"user.features.taste.churn" = 0
"dot(user.features.taste.v, item.features.quality.v)" = 0
[surfaces.related]
explore = 0
[segments.leaving]
where = "user.features.taste.churn > 0.5"
)toml")
                    .ok());
    Open();
    for (int i = 0; i < kItems; ++i) {
      v1::Item item;
      item.set_id(fmt::format("i{}", i));
      item.add_categories(fmt::format("c{}", i % 3));
      EXPECT_TRUE(app_->catalog_intake().Put(item).ok());
    }
  }
  ~TableFeaturesTest() override {
    app_.reset();
    fs::remove_all(dir_);
  }
  void Open() {
    app_.reset();
    App::Options options;
    options.dir = dir_;
    options.clock = &clock_;
    options.consume = false;
    auto app = App::Open(options);
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    ASSERT_TRUE(app_->state().CatchUp().ok());
  }

  /// A version whose numbers are `base` and more; of items i0 to i29, of users u0 to u7. A moment passes.
  std::string Load(const std::string& table, double base, int64_t as_of_us = 0) {
    const bool users = table == "taste";
    const std::vector<lake::Field> fields = {{"id", lake::Kind::kText, true, {}},
                                             {users ? "churn" : "score", lake::Kind::kDouble, true, {}},
                                             lake::List("v", {"element", lake::Kind::kFloat, true, {}})};
    const std::string path = dir_ + "/in.parquet";
    const auto writer = lake::CreateParquet(path, fields);
    EXPECT_TRUE(writer.ok()) << writer.status();
    lake::Batch batch(fields);
    for (int i = 0; i < (users ? 8 : 30); ++i) {
      batch.column(0).Text(fmt::format("{}{}", users ? "u" : "i", i));
      batch.column(1).Double(base + i);
      for (int d = 0; d < 3; ++d) batch.column(2).child(0).Float(static_cast<float>(base) + static_cast<float>(i * d));
      batch.column(2).EndList();
    }
    ArrowArray rows;
    batch.Export(&rows);
    EXPECT_TRUE((*writer)->Write(&rows).ok());
    EXPECT_TRUE((*writer)->Close({}).ok());
    const auto loaded = app_->features().Load(
        table, {path, users ? features::Entity::kUser : features::Entity::kItem, "id", {}, as_of_us}, nullptr);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    clock_.now_us_ += 2'000'000;
    return loaded.ok() ? loaded->version : "";
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
  serve::Answer Ask(const std::string& user, const std::string& filter = "") {
    v1::RecommendRequest request;
    request.set_surface("home");
    request.set_user(user);
    request.set_n(10);
    request.set_filter(filter);
    auto answer = app_->engine().Recommend(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    clock_.now_us_ += 2'000'000;
    return answer.ok() ? *std::move(answer) : serve::Answer();
  }
  /// Each item of the page was seen; those of the smaller numbers were clicked on.
  void See(const serve::Answer& answer, const std::string& user) {
    std::vector<v1::Event> events;
    for (const serve::AnswerItem& item : answer.items) {
      for (const char* type : {"impression", "click"}) {
        if (type == std::string("click") && std::stoi(item.id.substr(1)) >= 15) continue;
        v1::Event& event = events.emplace_back();
        event.set_type(type);
        event.set_user(user);
        event.set_item(item.id);
        event.set_request_id(answer.request_id);
        event.set_position(item.position);
      }
    }
    Send(std::move(events));
  }
  v1::ServedRecord Served(const std::string& request_id) {
    for (int tries = 0; tries < 1'000; ++tries) {
      auto found = FindServed(app_->log(), request_id);
      if (found.ok()) return *std::move(found);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << request_id << " is not in the served log";
    return {};
  }
  /// A feature of a served candidate, by name.
  static float Of(const v1::ServedRecord& record, const v1::ServedCandidate& candidate, const std::string& name) {
    for (int f = 0; f < record.feature_names_size(); ++f) {
      if (record.feature_names(f) == name) return candidate.features(f);
    }
    ADD_FAILURE() << name << " is no feature of the record";
    return 0;
  }

  /// Builds rows; by "REQUEST/ITEM" the values of the three features of tables, as bits; 0 for null.
  std::map<std::string, std::vector<float>> Rows(rows::SetInfo* info = nullptr) {
    std::map<std::string, std::vector<float>> values;
    // What was served is appended while nobody waits.
    const auto report = BuildRows(*app_, {});
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) return values;
    EXPECT_EQ(report->leaks(), 0u);
    for (const rows::SetInfo& set : report->sets) {
      if (info != nullptr) *info = set;
      std::vector<size_t> places;
      for (const char* name : {kScore, kChurn, kProduct}) {
        places.push_back(static_cast<size_t>(std::ranges::find(set.features, name) - set.features.begin()));
        EXPECT_LT(places.back(), set.features.size()) << name;
      }
      const std::vector<lake::Field> fields = rows::RowFields(set.features, {"click"});
      const auto files = app_->lake().Files();
      for (const lake::TableFiles& table : *files) {
        if (table.name != rows::kTable) continue;
        for (const std::string& path : table.paths) {
          const auto reader = lake::OpenParquet(path, fields);
          EXPECT_TRUE(reader.ok()) << reader.status();
          ArrowArray rows;
          while (*(*reader)->Next(&rows)) {
            const lake::ColumnView all(&rows), lists = all.child(rows::kCandidates);
            for (int64_t row = 0; row < rows.length; ++row) {
              for (int64_t at = lists.ListFirst(row); at < lists.ListLast(row); ++at) {
                std::vector<float>& found = values[fmt::format("{}/{}", all.child(rows::kRequestId).Text(row),
                                                               lists.element().child(rows::kItem).Text(at))];
                found.clear();
                for (const size_t place : places) {
                  const lake::ColumnView value = lists.element().child(rows::kFeatures).child(place);
                  found.push_back(value.IsNull(at) ? std::numeric_limits<float>::quiet_NaN() : value.Float(at));
                }
              }
            }
            rows.release(&rows);
          }
        }
      }
    }
    return values;
  }
  static std::vector<std::string> Bits(const std::vector<float>& values) {
    std::vector<std::string> bits;
    for (const float value : values) bits.push_back(std::isfinite(value) ? fmt::format("{:a}", value) : "null");
    return bits;
  }

  const std::string dir_ = testing::TempDir() + "/table_features_test";
  TestClock clock_;
  std::unique_ptr<App> app_;
};

TEST_F(TableFeaturesTest, ARowHasWhatItsRequestReadWhateverIsLoadedAfterwards) {
  const serve::Answer nothing = Ask("u1");
  Load("quality", 1);
  Load("taste", 0.25);
  std::vector<v1::ServedRecord> records;
  records.push_back(Served(nothing.request_id));
  EXPECT_THAT(records[0].tables(), IsEmpty());
  for (const char* user : {"u1", "u7", "stranger"}) records.push_back(Served(Ask(user).request_id));
  EXPECT_EQ(records[1].tables(0).version(), "000001");
  Load("quality", 100);
  records.push_back(Served(Ask("u1").request_id));
  EXPECT_EQ(records[4].tables(0).version(), "000002");
  for (const v1::ServedCandidate& candidate : records[4].candidates()) {
    const int i = std::stoi(candidate.item().substr(1));
    if (i < 30) {
      EXPECT_EQ(Of(records[4], candidate, kScore), static_cast<float>(100 + i));
    } else {
      EXPECT_TRUE(std::isnan(Of(records[4], candidate, kScore)));
    }
    EXPECT_EQ(Of(records[4], candidate, kChurn), 1.25f);
  }
  // So often that nothing of the first versions is kept.
  for (int i = 0; i < 4; ++i) {
    Load("quality", 1'000 + i);
    Load("taste", 1'000 + i);
  }

  rows::SetInfo set;
  const auto rows = Rows(&set);
  EXPECT_EQ(set.features_gone, 0u) << "the records have their numbers";
  EXPECT_EQ(set.rows, records.size());
  for (const v1::ServedRecord& record : records) {
    for (const v1::ServedCandidate& candidate : record.candidates()) {
      const auto row = rows.find(record.request_id() + "/" + candidate.item());
      ASSERT_NE(row, rows.end()) << record.request_id();
      EXPECT_EQ(Bits(row->second),
                Bits({Of(record, candidate, kScore), Of(record, candidate, kChurn), Of(record, candidate, kProduct)}))
          << candidate.item();
    }
  }
}

TEST_F(TableFeaturesTest, WhatAnAnswerReadIsReadAgainAsLongAsItsVersionsAreKept) {
  Load("quality", 1);
  Load("taste", 0.25);
  const v1::ServedRecord record = Served(Ask("u1", "item.features.quality.score > 2").request_id);
  Load("quality", 50);
  auto replayed = ReplayAnswer(*app_, record, dir_ + "/replay");
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_THAT(replayed->differences, IsEmpty());
  std::vector<std::string> differences;
  const auto skew = [&] {
    differences.clear();
    return *CheckSkew(*app_, 0, kBeginUs + 10 * kDayUs, dir_ + "/skew",
                      [&](const std::string& what) { differences.push_back(what); });
  };
  SkewReport report = skew();
  EXPECT_GT(report.tables.compared, 0u);
  EXPECT_EQ(report.tables.gone, 0u);
  EXPECT_THAT(differences, IsEmpty());

  // A record that says something else than its table.
  v1::ServedRecord wrong = record;
  wrong.set_request_id("wrong");
  wrong.mutable_candidates(0)->set_features(wrong.feature_names_size() - 3, 12345);
  std::vector<log::AppendRecord> batch;
  batch.push_back({log::Topic::kServed,
                   catalog::PartitionOf(catalog::UserKey(record.user_key()), app_->config()->partitions), "u1",
                   wrong.SerializeAsString()});
  ASSERT_TRUE(app_->log().Append(std::move(batch)).ok());
  report = skew();
  EXPECT_EQ(report.tables.differences, 1u);
  EXPECT_THAT(differences, Contains(HasSubstr("served 12345")));

  for (int i = 0; i < 4; ++i) Load("quality", 60 + i);
  replayed = ReplayAnswer(*app_, record, dir_ + "/replay");
  EXPECT_TRUE(absl::IsFailedPrecondition(replayed.status())) << replayed.status();
  EXPECT_THAT(std::string(replayed.status().message()), HasSubstr("features quality: version 000001"));
  report = skew();
  EXPECT_GT(report.tables.gone, 0u);
  EXPECT_EQ(report.tables.differences, 0u) << "nobody can tell any more";
}

TEST_F(TableFeaturesTest, WhatTheRecordDoesNotHaveIsJoinedAsOfItsTime) {
  Load("quality", 1);
  v1::RecommendRequest related;
  related.set_surface("related");
  related.set_item("i1");
  related.set_user("u2");
  related.set_n(5);
  const auto ask = [&] {
    auto answer = app_->engine().Recommend(related);
    EXPECT_TRUE(answer.ok()) << answer.status();
    clock_.now_us_ += 2'000'000;
    return Served(answer->request_id);
  };
  const v1::ServedRecord first = ask();
  EXPECT_EQ(std::count(first.feature_names().begin(), first.feature_names().end(), kScore), 0) << "not of this surface";
  Load("quality", 100);
  // True from tomorrow on: nobody could know it yet.
  Load("taste", 0.5, clock_.now_us_ + kDayUs);
  const v1::ServedRecord second = ask();
  rows::SetInfo set;
  auto rows = Rows(&set);
  EXPECT_EQ(set.features_gone, 0u);
  const auto score_of = [&](const v1::ServedRecord& record, const v1::ServedCandidate& item) {
    return rows.at(record.request_id() + "/" + item.item())[0];
  };
  for (const auto& [record, base] : {std::pair(&first, 1), std::pair(&second, 100)}) {
    ASSERT_FALSE(record->candidates().empty());
    for (const v1::ServedCandidate& item : record->candidates()) {
      const int i = std::stoi(item.item().substr(1));
      if (i < 30) {
        EXPECT_EQ(score_of(*record, item), static_cast<float>(base + i));
      } else {
        EXPECT_TRUE(std::isnan(score_of(*record, item)));
      }
      EXPECT_TRUE(std::isnan(rows.at(record->request_id() + "/" + item.item())[1])) << "of tomorrow";
    }
  }
  for (int i = 0; i < 3; ++i) Load("quality", 1'000 + i);
  rows = Rows(&set);
  EXPECT_GT(set.features_gone, 0u) << "version 000001 is no longer kept, and the set says so";
  for (const v1::ServedCandidate& item : first.candidates()) EXPECT_TRUE(std::isnan(score_of(first, item)));
}

TEST_F(TableFeaturesTest, AForgottenUserComesBackInNoRow) {
  Load("taste", 0.25);
  Load("quality", 1);
  const std::string gone = Ask("u1").request_id, kept = Ask("u2").request_id;
  Served(gone);
  const v1::ServedRecord record = Served(kept);
  Send({[] {
    v1::Event event;
    event.set_type("click");
    event.set_user("u1");
    event.set_item("i1");
    return event;
  }()});
  ASSERT_TRUE(app_->ForgetUser("u1").ok());
  clock_.now_us_ += 2'000'000;
  const std::string after = Ask("u1").request_id;
  const v1::ServedRecord record_after = Served(after);
  for (const v1::ServedCandidate& item : record_after.candidates()) {
    EXPECT_TRUE(std::isnan(Of(Served(after), item, kChurn))) << "the table has the user no more";
  }
  const auto rows = Rows();
  for (const auto& [name, values] : rows) {
    EXPECT_FALSE(name.starts_with(gone)) << name;
    if (name.starts_with(after)) {
      EXPECT_TRUE(std::isnan(values[1]));
    }
  }
  for (const v1::ServedCandidate& item : record.candidates()) {
    EXPECT_EQ(rows.at(kept + "/" + item.item())[1], 2.25f) << "another user's numbers stay";
  }
}

TEST_F(TableFeaturesTest, ARankerLearnsThemAndReadsTheSameBytes) {
  Load("quality", 1);
  Load("taste", 0.25);
  for (int visit = 0; visit < 60; ++visit) {
    const std::string user = fmt::format("u{}", visit % 8);
    // Pages of all kinds of items.
    const int least = 1 + visit * 7 % 20;
    See(Ask(user, fmt::format("item.features.quality.score in {}..{}", least, least + 14)), user);
  }
  clock_.now_us_ += kDayUs;
  Send({[] {
    v1::Event event;
    event.set_type("click");
    event.set_user("u1");
    event.set_item("i1");
    return event;
  }()});
  ASSERT_TRUE(app_->RunPipeline().ok());
  const auto built = BuildRows(*app_, {});
  ASSERT_TRUE(built.ok()) << built.status();
  RankerOptions options;
  options.promote = true;
  const auto trained = TrainRanker(*app_, options);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const auto ranker = app_->rankers().Of("home").trained;
  ASSERT_NE(ranker, nullptr);
  EXPECT_THAT(ranker->trees.feature_names, Contains(kScore)) << "what was clicked on goes by the item's number";

  const serve::Answer answer = Ask("u3");
  EXPECT_THAT(answer.degraded, Not(Contains(HasSubstr("ranker"))));
  const v1::ServedRecord record = Served(answer.request_id);
  EXPECT_EQ(record.ranker(), trained->version);
  // What it scored by is what a row would give it.
  const auto rows = Rows();
  const size_t width = ranker->trees.feature_names.size();
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.features_size() == 0) continue;
    std::vector<float> row;
    for (const std::string& name : ranker->trees.feature_names) row.push_back(Of(record, candidate, name));
    ASSERT_EQ(row.size(), width);
    float sum = 0;
    ranker->trees.Predict(row, width, {&sum, 1});
    EXPECT_EQ(candidate.rank_score(), static_cast<float>(1 / (1 + std::exp(-static_cast<double>(sum)))));
    EXPECT_EQ(Bits({rows.at(record.request_id() + "/" + candidate.item())[0]}), Bits({Of(record, candidate, kScore)}));
  }
  // A ranker goes on where the config no longer names what it asks for.
  Open();
  EXPECT_EQ(Served(Ask("u3").request_id).ranker(), trained->version) << "after a restart";
}

}  // namespace
}  // namespace bowerbird::app
