#include "lake/record_group.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "lake/parquet_file.h"

namespace bowerbird::lake {

absl::StatusOr<std::shared_ptr<const RecordGroup>> RecordGroup::Read(const Table& table, const std::string& path,
                                                                     size_t group) {
  ASSIGN_OR_RETURN(const auto reader, OpenParquet(path, *table.fields));
  RETURN_IF_ERROR(reader->SelectGroup(group));
  auto records = std::shared_ptr<RecordGroup>(new RecordGroup());
  while (true) {
    ArrowArray rows;
    ASSIGN_OR_RETURN(const bool more, reader->Next(&rows));
    if (!more) break;
    const std::vector<LakeRecord> read = RecordsOf(table, rows);
    rows.release(&rows);
    for (const LakeRecord& row : read) records->Add(row);
  }
  std::ranges::sort(records->runs_, {},
                    [&](const Run& run) { return std::pair(run.partition, records->entries_[run.first].offset); });
  records->entries_.shrink_to_fit();
  records->bytes_.shrink_to_fit();
  return records;
}

void RecordGroup::Add(const LakeRecord& row) {
  const log::Record& record = row.record;
  const auto number = static_cast<uint32_t>(entries_.size());
  if (runs_.empty() || runs_.back().partition != row.partition || entries_.back().offset >= record.offset)
    runs_.push_back({row.partition, number, number});
  ++runs_.back().end;
  entries_.push_back({record.offset, record.append_time_us, bytes_.size(), static_cast<uint32_t>(record.key.size()),
                      static_cast<uint32_t>(record.value.size())});
  bytes_.append(record.key).append(record.value);
}

void RecordGroup::Visit(uint32_t partition, log::Offset begin, log::Offset end,
                        const std::function<bool(const Entry&)>& visit) const {
  // The first run of the partition that ends past `begin`.
  auto run = std::ranges::partition_point(runs_, [&](const Run& one) {
    return one.partition < partition || (one.partition == partition && entries_[one.end - 1].offset < begin);
  });
  for (; run != runs_.end() && run->partition == partition; ++run) {
    const auto first = entries_.begin() + run->first, last = entries_.begin() + run->end;
    for (auto entry = std::ranges::lower_bound(first, last, begin, {}, &Entry::offset); entry != last; ++entry) {
      if (entry->offset >= end || !visit(*entry)) return;
    }
  }
}

log::Record RecordGroup::RecordOf(const Entry& entry) const {
  return {entry.offset, entry.append_time_us, bytes_.substr(entry.at, entry.key_bytes),
          bytes_.substr(entry.at + entry.key_bytes, entry.value_bytes)};
}

}  // namespace bowerbird::lake
