#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace bowerbird::signal {

/// Cells by key, as bytes: for each, by key ascending, the key and the cell (strings). No bytes: none.
///
/// Threads  as a string.
/// Cost     a change reads over the entries before its key, and moves the bytes behind it.

/// Lets `change` work on the cell of `key`, which is empty when there was none. Beyond `keys_max` keys the one whose
/// cell is the weakest by `strength` goes; of equal ones the first that is not `key`.
void ChangeCell(uint32_t keys_max, std::string_view key, absl::FunctionRef<void(std::string* cell)> change,
                absl::FunctionRef<double(std::string_view cell)> strength, std::string* table);
/// In the order of keys. The views point into `table`.
void ForEachCell(std::string_view table, absl::FunctionRef<void(std::string_view key, std::string_view cell)> visit);
/// DataLoss: not such bytes, more than `keys_max` keys, or a cell that `check` refuses. The others take what passes.
absl::Status CheckTable(uint32_t keys_max, std::string_view table,
                        absl::FunctionRef<absl::Status(std::string_view cell)> check);

}  // namespace bowerbird::signal
