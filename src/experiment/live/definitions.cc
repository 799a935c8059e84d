#include "experiment/live/definitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace bowerbird::experiment::live {
namespace {

constexpr size_t kReadRecords = 256;
constexpr size_t kReadBytes = 4u << 20;

}  // namespace

absl::StatusOr<bool> Definitions::Follow() {
  const absl::MutexLock following(&following_);
  bool any = false;
  while (true) {
    ASSIGN_OR_RETURN(const log::Offset begin, log_->BeginOffset(log::Topic::kExperiments, 0));
    ASSIGN_OR_RETURN(const log::ReadResult read,
                     log_->Read(log::Topic::kExperiments, 0, std::max(next_, begin), kReadRecords, kReadBytes));
    const absl::MutexLock lock(&mutex_);
    for (const log::Record& record : read.records) {
      any = true;
      v1::Experiment experiment;
      if (record.value.empty()) {
        by_id_.erase(record.key);
      } else if (!experiment.ParseFromString(record.value) || experiment.id() != record.key) {
        if (on_warning_)
          on_warning_(
              fmt::format("topic experiments, offset {}: not the record of an experiment; left out", record.offset));
      } else {
        by_id_.insert_or_assign(record.key, std::move(experiment));
      }
    }
    const bool end = read.records.empty();
    next_ = std::max(next_, read.next_offset);
    if (end) return any;
  }
}

std::vector<v1::Experiment> Definitions::All() const {
  std::vector<v1::Experiment> all;
  {
    const absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [id, experiment] : by_id_) all.push_back(experiment);
  }
  std::ranges::sort(all, {}, [](const v1::Experiment& one) -> const std::string& { return one.id(); });
  return all;
}

std::optional<v1::Experiment> Definitions::Find(std::string_view id) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

absl::Status Definitions::Write(const v1::Experiment& experiment) {
  RETURN_IF_ERROR(
      log_->Append({{log::Topic::kExperiments, 0, experiment.id(), experiment.SerializeAsString()}}).status());
  return Follow().status();
}

absl::Status Definitions::Remove(const std::string& id) {
  RETURN_IF_ERROR(log_->Append({{log::Topic::kExperiments, 0, id, ""}}).status());
  return Follow().status();
}

}  // namespace bowerbird::experiment::live
