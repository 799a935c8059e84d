#pragma once

#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "catalog/keys.h"
#include "config/objectives.h"
#include "contract/manual_clock.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lake/lake.h"
#include "lake/log_with_history.h"
#include "rows/builder.h"
#include "rows/row_fields.h"
#include "simulation/memory_log.h"

namespace bowerbird::rows {

inline constexpr int64_t kTestSecondUs = 1'000'000, kTestHourUs = 3'600 * kTestSecondUs, kTestDayUs = 24 * kTestHourUs;
inline constexpr int64_t kTestStartUs = 20'454 * kTestDayUs;  // 2026-01-01

/// A product without its engine: what it serves and what comes of it, as they lie in the log.
class RowsTest : public testing::Test {
 protected:
  static constexpr uint32_t kPartitions = 4;
  static constexpr char kConfig[] = R"(
[app]
partitions = 4
[state]
dedupe_prints = 64
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
[objectives.click]
on = ["click"]
window = "30m"
weight = 1
[objectives.view]
on = ["impression"]
where = "event.dwell_ms >= 10000"
window = "10m"
[objectives.buy]
on = ["purchase"]
window = "1d"
weight = 2
)";

  RowsTest() {
    std::filesystem::remove_all(dir_);
    clock_.Set(kTestStartUs + kTestHourUs);
    log_ = std::make_unique<simulation::MemoryLog>(&disk_, &clock_, kPartitions);
    Configure(kConfig);
    OpenLake(dir_ + "/lake");
  }
  ~RowsTest() override {
    history_.reset();
    lake_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Configure(const std::string& text) {
    const auto parsed = config::Parse(text, "test.toml");
    ASSERT_NE(parsed.config, nullptr) << parsed.problems.front().ToString();
    config_ = parsed.config;
    signals_ = std::make_unique<signal::Set>(*config_);
    objectives_ = std::make_unique<Objectives>(*config_, *config::ParseObjectives(text, "test.toml"));
  }
  void OpenLake(const std::string& folder) {
    lake::Lake::Options options;
    options.folder = folder;
    options.log = log_.get();
    options.clock = &clock_;
    history_.reset();
    lake_ = std::make_unique<lake::Lake>(std::move(options));
    history_ = std::make_unique<lake::LogWithHistory>(log_.get(), lake_.get());
  }

  void Wait(int64_t time_us) { clock_.Set(clock_.NowUs() + time_us); }
  uint32_t PartitionOf(const std::string& user) const { return catalog::PartitionOf(hasher_.User(user), kPartitions); }
  void Append(log::Topic topic, uint32_t partition, const std::string& value) {
    std::vector<log::AppendRecord> batch;
    batch.push_back({topic, partition, "", value});
    ASSERT_TRUE(log_->Append(std::move(batch)).ok());
  }
  void AppendEvent(const v1::Event& event) {
    Append(log::Topic::kEvents, catalog::PartitionOf(catalog::UserKey(event.user_key()), kPartitions),
           event.SerializeAsString());
  }
  /// As intake stamps it. Without a client id it is new in any case.
  v1::Event EventOf(const std::string& user, const std::string& type, const std::string& item,
                    const std::string& client_id = "") const {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_user_key(hasher_.User(user).value);
    if (!item.empty()) {
      event.set_item(item);
      event.set_item_key(hasher_.Item(item).value);
    }
    event.set_schema(1);
    event.set_event_time_us(clock_.NowUs());
    event.set_receive_time_us(clock_.NowUs());
    if (!client_id.empty()) {
      event.set_client_id(client_id);
      event.set_dedupe_print(hasher_.DedupePrint(hasher_.User(user), client_id));
    }
    return event;
  }
  /// An event that names the request and the place.
  v1::Event OnPage(const v1::ServedRecord& page, const std::string& type, uint32_t position,
                   const std::string& client_id = "") const {
    v1::Event event =
        EventOf(page.request().user(), type, page.candidates(static_cast<int>(position) - 1).item(), client_id);
    event.set_request_id(page.request_id());
    event.set_position(position);
    return event;
  }
  /// An answer of these items, as it would be logged; `id` is its request id.
  v1::ServedRecord Page(const std::string& user, const std::vector<std::string>& items, std::string id = "") const {
    v1::ServedRecord record;
    record.set_schema(1);
    record.set_request_id(id.empty() ? fmt::format("r{}", served_count_) : std::move(id));
    record.set_kind("recommend");
    record.set_user_key(hasher_.User(user).value);
    record.mutable_request()->set_user(user);
    record.mutable_request()->set_surface("home");
    record.set_time_us(clock_.NowUs());
    record.set_config_version(config_->version);
    record.set_user_offset(*log_->EndOffset(log::Topic::kEvents, PartitionOf(user)));
    record.add_feature_names("ials");
    record.add_feature_names("quality");
    for (size_t i = 0; i < items.size(); ++i) {
      v1::ServedCandidate* candidate = record.add_candidates();
      candidate->set_item(items[i]);
      candidate->set_item_key(hasher_.Item(items[i]).value);
      candidate->set_position(static_cast<uint32_t>(i + 1));
      candidate->set_rank_score(0.5f);
      candidate->add_features(static_cast<float>(i));
      candidate->add_features(-1);
    }
    return record;
  }
  v1::ServedRecord Serve(const v1::ServedRecord& record) {
    ++served_count_;
    Append(log::Topic::kServed, catalog::PartitionOf(catalog::UserKey(record.user_key()), kPartitions),
           record.SerializeAsString());
    return record;
  }
  v1::ServedRecord Serve(const std::string& user, const std::vector<std::string>& items, std::string id = "") {
    return Serve(Page(user, items, std::move(id)));
  }

  BuildOptions Days(int days) const {
    BuildOptions options;
    options.from_us = kTestStartUs;
    options.to_us = kTestStartUs + days * kTestDayUs;
    return options;
  }
  absl::StatusOr<BuildResult> TryBuild(const BuildOptions& options) {
    return Builder(config_.get(), signals_.get(), objectives_.get(), history_.get(), lake_.get(), times_,
                   past_features_)
        .Build(options);
  }
  SetInfo Build(int days = 1) {
    auto built = TryBuild(Days(days));
    EXPECT_TRUE(built.ok()) << built.status();
    if (!built.ok() || built->sets.empty()) return SetInfo();
    result_ = *built;
    return built->sets.front();
  }

  /// Every row of the table as text: a label a letter ('1', '0', '-' for null) by objective, after "REQUEST/ITEM".
  std::map<std::string, std::string> Labels() {
    std::map<std::string, std::string> labels;
    ReadTable([&](const std::string& id, const lake::ColumnView& candidates, int64_t at) {
      std::string text;
      for (size_t i = 0; i < objectives_->size(); ++i) {
        const lake::ColumnView label = candidates.child(kLabels).child(i);
        text += label.IsNull(at) ? '-' : label.Int32(at) == 0 ? '0' : '1';
      }
      labels[fmt::format("{}/{}", id, candidates.child(kItem).Text(at))] = text;
    });
    return labels;
  }
  std::map<std::string, double> Weights() {
    std::map<std::string, double> weights;
    ReadTable([&](const std::string& id, const lake::ColumnView& candidates, int64_t at) {
      weights[fmt::format("{}/{}", id, candidates.child(kItem).Text(at))] = candidates.child(kWeight).Double(at);
    });
    return weights;
  }
  template <typename Visit>
  void ReadTable(const Visit& visit, const std::vector<std::string>& features = {"ials", "quality"}) {
    std::vector<std::string> objectives;
    for (size_t i = 0; i < objectives_->size(); ++i) objectives.push_back((*objectives_)[i].name);
    const std::vector<lake::Field> fields = RowFields(features, objectives);
    for (const std::string& path : Paths()) {
      const auto reader = lake::OpenParquet(path, fields);
      ASSERT_TRUE(reader.ok()) << reader.status();
      ArrowArray rows;
      while (*(*reader)->Next(&rows)) {
        const lake::ColumnView all(&rows), lists = all.child(kCandidates);
        for (int64_t row = 0; row < rows.length; ++row) {
          for (int64_t at = lists.ListFirst(row); at < lists.ListLast(row); ++at)
            visit(std::string(all.child(kRequestId).Text(row)), lists.element(), at);
        }
        rows.release(&rows);
      }
    }
  }
  std::vector<std::string> Paths() {
    const auto files = lake_->Files();
    EXPECT_TRUE(files.ok()) << files.status();
    for (const lake::TableFiles& table : *files) {
      if (table.name == kTable) return table.paths;
    }
    return {};
  }

  const std::string dir_ =
      (std::filesystem::temp_directory_path() / fmt::format("bowerbird_rows_test_{}", getpid())).string();
  const catalog::KeyHasher hasher_{base::HashSeed{}};
  log::ManualClock clock_;
  simulation::LogDisk disk_;
  std::unique_ptr<log::EventLog> log_;
  std::unique_ptr<lake::Lake> lake_;
  std::unique_ptr<lake::LogWithHistory> history_;
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<signal::Set> signals_;
  std::unique_ptr<Objectives> objectives_;
  PastFeatures no_tables_;
  PastFeatures* past_features_ = &no_tables_;
  VersionTimes times_{
      .snapshot = [](std::string_view) { return absl::StatusOr<int64_t>(absl::NotFoundError("")); },
      .ranker = [](std::string_view, std::string_view) { return absl::StatusOr<int64_t>(absl::NotFoundError("")); },
      .features = [](std::string_view, std::string_view) { return absl::StatusOr<int64_t>(absl::NotFoundError("")); }};
  BuildResult result_;
  uint64_t served_count_ = 0;
};

}  // namespace bowerbird::rows
