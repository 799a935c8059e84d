#include "rows/row_writer.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace bowerbird::rows {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;
/// Rows of an hour between two looks at its bytes.
constexpr int64_t kLookRows = 64;

}  // namespace

lake::Batch* RowWriter::BatchOf(int64_t append_time_us) {
  last_hour_ = append_time_us / kHourUs;
  Hour& hour = hours_[last_hour_];
  if (hour.batch == nullptr) {
    hour.batch = std::make_unique<lake::Batch>(*fields_);
    hour.first_us = hour.last_us = append_time_us;
  }
  hour.first_us = std::min(hour.first_us, append_time_us);
  hour.last_us = std::max(hour.last_us, append_time_us);
  return hour.batch.get();
}

absl::Status RowWriter::Added() {
  Hour& hour = hours_[last_hour_];
  if (hour.batch->rows() % kLookRows != 0) return absl::OkStatus();
  hour.bytes = hour.batch->bytes();
  if (hour.bytes >= kPartBytesMax) return Write(last_hour_);
  size_t all = 0;
  for (const auto& [number, other] : hours_) all += other.bytes;
  if (all < kBytesMax) return absl::OkStatus();
  const auto largest = std::ranges::max_element(hours_, {}, [](const auto& entry) { return entry.second.bytes; });
  return Write(largest->first);
}

absl::Status RowWriter::Write(int64_t number) {
  Hour& hour = hours_[number];
  if (sequence_ == 0) sequence_ = store_->manifest()->sequence;
  ASSIGN_OR_RETURN(const auto part,
                   lake::PartFile::Create(store_, lake::HourDirectory(number * kHourUs), ++sequence_, *fields_));
  ArrowArray rows;
  hour.batch->Export(&rows);
  RETURN_IF_ERROR(part->Write(&rows));
  // Nothing of when it was made: the same rows are the same bytes.
  ASSIGN_OR_RETURN(lake::Part finished, part->Finish({{"bowerbird.schema", "1"}, {"bowerbird.table", store_->name()}},
                                                     hour.first_us, hour.last_us));
  parts_.push_back(std::move(finished));
  hours_.erase(number);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<lake::Part>> RowWriter::Commit(int64_t from_us, int64_t to_us) {
  while (!hours_.empty()) RETURN_IF_ERROR(Write(hours_.begin()->first));
  lake::Manifest next = *store_->manifest();
  std::erase_if(next.parts,
                [&](const lake::Part& former) { return former.first_us >= from_us && former.last_us < to_us; });
  next.sequence = std::max(next.sequence, sequence_) + 1;
  next.parts.insert(next.parts.end(), parts_.begin(), parts_.end());
  std::ranges::sort(next.parts, {}, &lake::Part::path);
  RETURN_IF_ERROR(store_->Commit(std::move(next)));
  return std::move(parts_);
}

}  // namespace bowerbird::rows
