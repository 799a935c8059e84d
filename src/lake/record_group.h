#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/tables.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// The records of one row group of a file, each at hand by partition and offset.
///
/// Threads  immutable.
class RecordGroup {
 public:
  /// DataLoss: damaged; NotFound: the file is gone. Both name it.
  static absl::StatusOr<std::shared_ptr<const RecordGroup>> Read(const Table& table, const std::string& path,
                                                                 size_t group);

  struct Entry {
    log::Offset offset = 0;
    int64_t append_time_us = 0;
    size_t at = 0;  ///< of the key in the bytes; the value follows
    uint32_t key_bytes = 0, value_bytes = 0;
  };
  /// Calls `visit` for the partition's records [begin, end), by offset, until it returns false.
  void Visit(uint32_t partition, log::Offset begin, log::Offset end,
             const std::function<bool(const Entry& entry)>& visit) const;
  log::Record RecordOf(const Entry& entry) const;
  /// What it takes in memory.
  size_t bytes() const { return bytes_.capacity() + entries_.capacity() * sizeof(Entry) + runs_.size() * sizeof(Run); }

 private:
  /// Entries [first, end) are of one partition, their offsets ascend.
  struct Run {
    uint32_t partition = 0;
    uint32_t first = 0, end = 0;
  };
  RecordGroup() = default;
  void Add(const LakeRecord& row);

  std::vector<Entry> entries_;
  std::vector<Run> runs_;  ///< by partition and offset
  std::string bytes_;
};

}  // namespace bowerbird::lake
