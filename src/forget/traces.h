#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "forget/redact.h"

namespace bowerbird::forget {

struct Traces {
  /// Where the id is, and how often: "log events", "state signals", "file log/000012.log".
  std::vector<std::pair<std::string, uint64_t>> found;
  /// What is kept under the keyed hash of an id that was forgotten.
  std::vector<std::pair<std::string, uint64_t>> kept;
  /// The id is shorter than kTextBytesMin: raw files and texts were not searched for its bytes.
  bool fields_only = false;
  std::vector<std::string> problems;  ///< files that could not be read
};

/// Looks for a user in every store (records, what stores keep of versions that were written over, rows and columns, all
/// of it decompressed) and in the bytes of every file.
///
/// Cost     reads all of it.
absl::StatusOr<Traces> FindTraces(const Stores& stores, const std::string& id);

}  // namespace bowerbird::forget
