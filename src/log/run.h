#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "log/event_log.h"

namespace bowerbird::log {

/// A run: records of one partition that were committed together, stored as one value, so that the store's cost is paid
/// once a run and not once a record. The bytes are on the page docs/formats/log.md.
struct RunHeader {
  Offset first_offset = 0;  ///< of the first record that is still in it
  int64_t append_time_us = 0;
  uint32_t records = 0;
};

/// Where a run stands: its segment, its partition, and the last offset that it covers, so that a seek for an offset
/// lands on the run that holds it. Keys order as their bytes do.
struct RunKey {
  uint32_t segment = 0;
  uint32_t partition = 0;
  Offset last_offset = 0;
};
inline constexpr size_t kRunKeyBytes = 16;
/// What the keys of one partition's slice of a segment have in common.
inline constexpr size_t kRunKeyPrefixBytes = 8;
std::string EncodeRunKey(const RunKey& key);
/// DataLoss: not a run key.
absl::StatusOr<RunKey> DecodeRunKey(std::string_view bytes);

/// Builds one run after another, reusing its memory.
class RunBuilder {
 public:
  void Start(Offset first_offset, int64_t append_time_us);
  /// Offsets ascend; the first is Start's.
  void Add(Offset offset, std::string_view key, std::string_view value);
  uint32_t records() const { return header_.records; }
  size_t bytes() const { return bytes_.size(); }
  /// The value to store under `run_key`; valid until the next Start.
  std::string_view Finish(std::string_view run_key);

 private:
  RunHeader header_;
  Offset next_offset_ = 0;
  std::string bytes_;
};

/// Reads a stored run; the bytes given to Open must outlive it.
///
/// Errors  DataLoss: the checksum (which covers the key) or the structure does not hold, or the version is unknown.
class RunReader {
 public:
  static absl::StatusOr<RunReader> Open(std::string_view run_key, std::string_view value);
  /// The header alone, without the checksum: for scans that only count.
  static absl::StatusOr<RunHeader> PeekHeader(std::string_view value);

  const RunHeader& header() const { return header_; }
  struct Item {
    Offset offset = 0;
    std::string_view key, value;
  };
  /// The next record into `item`; false after the last.
  absl::StatusOr<bool> Next(Item* item);

 private:
  RunHeader header_;
  std::string_view rest_;
  Offset next_offset_ = 0;
  uint32_t left_ = 0;
};

}  // namespace bowerbird::log
