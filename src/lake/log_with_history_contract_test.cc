// A log of which a part has left, into a lake, keeps the contract of one that has everything.
#include <unistd.h>

#include <filesystem>

#include "contract/event_log_contract.h"
#include "fmt/format.h"
#include "lake/log_with_history.h"
#include "simulation/memory_log.h"

namespace bowerbird::lake {
namespace {

using log::Offset;
using log::Topic;

/// Before each look at it, everything goes into the lake, and the older third of the log away.
class SplitLog final : public log::EventLog {
 public:
  SplitLog(simulation::LogDisk* disk, const base::Clock* clock, std::string folder)
      : log_(disk, clock, 3), clock_(clock), folder_(std::move(folder)) {
    OpenLake();
  }

  uint32_t PartitionCount(Topic topic) const override { return history_->PartitionCount(topic); }
  absl::StatusOr<std::vector<Offset>> Append(std::vector<log::AppendRecord> batch) override {
    return history_->Append(Marked(std::move(batch)));
  }
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override {
    history_->AppendAsync(Marked(std::move(batch)), std::move(done));
  }
  absl::StatusOr<log::ReadResult> Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    Split();
    auto read = history_->Read(topic, partition, offset, records_max, bytes_max);
    for (size_t i = 0; read.ok() && i < read->records.size(); ++i) {
      std::string& value = read->records[i].value;
      if (value.starts_with(kMark)) value.erase(0, 1);
    }
    return read;
  }
  absl::StatusOr<Offset> BeginOffset(Topic topic, uint32_t partition) const override {
    Split();
    return history_->BeginOffset(topic, partition);
  }
  absl::StatusOr<Offset> EndOffset(Topic topic, uint32_t partition) const override {
    return history_->EndOffset(topic, partition);
  }
  bool WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const override {
    return history_->WaitForAppend(topic, seen_ends, timeout_us);
  }
  /// With the lake made anew: what it has would stay.
  absl::Status Truncate(Topic topic, uint32_t partition, Offset offset) override {
    const absl::StatusOr<Offset> begin = history_->BeginOffset(topic, partition);
    if (begin.ok() && offset <= *begin) return absl::OkStatus();
    const absl::Status truncated = history_->Truncate(topic, partition, offset);
    if (!truncated.ok()) return truncated;
    history_.reset();
    lake_.reset();
    std::filesystem::remove_all(folder_);
    OpenLake();
    return absl::OkStatus();
  }
  absl::StatusOr<Offset> OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const override {
    Split();
    return history_->OffsetAtTime(topic, partition, time_us);
  }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override {
    Split();
    return history_->Stats();
  }

 private:
  /// What the suite appends is no event, but may look like one that is encoded in another way than the lake's.
  static constexpr char kMark = '\xff';
  static std::vector<log::AppendRecord> Marked(std::vector<log::AppendRecord> batch) {
    for (log::AppendRecord& record : batch) {
      if (record.value.size() < kValueBytesMax) record.value.insert(0, 1, kMark);
    }
    return batch;
  }
  void OpenLake() {
    Lake::Options options;
    options.folder = folder_;
    options.log = &log_;
    options.clock = clock_;
    lake_ = std::make_unique<Lake>(std::move(options));
    history_ = std::make_unique<LogWithHistory>(&log_, lake_.get());
  }
  void Split() const {
    const absl::MutexLock lock(&mutex_);
    std::vector<Offset> ends;
    for (uint32_t p = 0; p < 3; ++p) ends.push_back(*log_.EndOffset(Topic::kEvents, p));
    const auto added = lake_->CatchUp("events");
    ASSERT_TRUE(added.ok()) << added.status();
    if (*added == 0) return;
    for (uint32_t p = 0; p < 3; ++p) {
      const Offset begin = *log_.BeginOffset(Topic::kEvents, p);
      ASSERT_TRUE(log_.Truncate(Topic::kEvents, p, begin + (ends[p] - begin) / 3).ok());
    }
  }

  mutable simulation::MemoryLog log_;
  const base::Clock* const clock_;
  const std::string folder_;
  mutable absl::Mutex mutex_;
  std::unique_ptr<Lake> lake_;
  std::unique_ptr<LogWithHistory> history_;
};

class ContractSplitLog final : public log::ContractLog {
 public:
  ~ContractSplitLog() override { std::filesystem::remove_all(folder_); }
  absl::StatusOr<std::unique_ptr<log::EventLog>> Open(const base::Clock* clock) override {
    return std::make_unique<SplitLog>(&disk_, clock, folder_);
  }

 private:
  simulation::LogDisk disk_;
  const std::string folder_ =
      (std::filesystem::temp_directory_path() / fmt::format("bowerbird_split_log_{}", getpid())).string();
};

}  // namespace
}  // namespace bowerbird::lake

namespace bowerbird::log {
INSTANTIATE_TEST_SUITE_P(LogWithHistory, EventLogContract,
                         testing::Values(ContractSubject{"a_third_in_the_lake",
                                                         [] { return std::make_unique<lake::ContractSplitLog>(); }}),
                         [](const auto& info) { return info.param.name; });
}  // namespace bowerbird::log
