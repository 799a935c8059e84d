#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bowerbird::forget {

/// Where in a line of a file ids may stand.
enum class LineForm : uint8_t {
  kRejectedRow,  ///< LINE<tab>REASON<tab>ROW, of an import: all but the number
  kAuditEntry,   ///< a JSON object of audit.log: its "detail"
};

/// Overwrites each of `ids` in the lines of a text file by as many '*', where it stands as a word: with no letter,
/// digit,
/// '_' or '-' beside it. In place: whoever appends to the file meanwhile goes on. How many were there; 0 without a
/// file. Durable on return.
absl::StatusOr<uint64_t> MaskIds(const std::string& path, LineForm form, std::span<const std::string> ids);

}  // namespace bowerbird::forget
