#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// A file of a table.
struct Part {
  std::string path;  ///< below the table's folder: "date=2026-11-27/hour=07/part-0000000001.parquet"
  uint64_t rows = 0, bytes = 0;
  std::string checksum;  ///< store::ChecksumFile
  uint32_t schema = 0;
  int64_t first_us = 0, last_us = 0;  ///< append times; the day's bounds in a table of a job
};

/// A file that is no part of the table any more, and is deleted when nobody can be reading it.
struct RetiredPart {
  std::string path;
  int64_t at_us = 0;
};

/// Offsets of the log that were dropped before the table had them.
struct Gap {
  uint32_t partition = 0;
  log::Offset begin = 0, end = 0;
};

/// What a table is: FOLDER/manifest.json. A file that it does not name does not exist, so that its replacement is the
/// one moment at which rows come, move between files, or go. docs/formats/lake.md is the page of its bytes.
struct Manifest {
  static constexpr uint32_t kFormat = 1;

  std::string table;
  uint64_t sequence = 0;  ///< grows with every commit; files are numbered from it
  /// By partition of the topic: every record below is in the table, none from there on. Empty for a job's table.
  std::vector<log::Offset> next;
  std::vector<Part> parts;
  std::vector<RetiredPart> retired;
  std::vector<Gap> gaps;

  std::string ToJson() const;
  /// DataLoss: not a manifest; FailedPrecondition: of a newer program.
  static absl::StatusOr<Manifest> FromJson(std::string_view json, const std::string& path);
};

}  // namespace bowerbird::lake
