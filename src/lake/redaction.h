#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/log_follower.h"
#include "lake/table_store.h"
#include "lake/tables.h"

namespace bowerbird::lake {

/// What rows of a table that follows the log become.
struct RowChanges {
  /// Whether a file of these ranges may hold a row that changes: one that cannot is not read. Empty: any may.
  std::function<bool(std::span<const LogRange> ranges)> may_hold;
  /// The record in the place of a row's; nothing: the row stays.
  std::function<std::optional<log::Record>(uint32_t partition, const log::Record& record)> change;
};

/// Writes the files of a table anew in which rows change: a file's successor takes its place in one commit, and the
/// file is deleted at once, not after TableStore::kRetiredUs: whoever was about to read it is told that it is gone. A
/// file that is damaged stays, said in `problems`. How many rows changed.
///
/// Threads  one at a time with whoever else writes the table.
absl::StatusOr<uint64_t> RedactTable(const Table& table, TableStore* store, const RowChanges& changes,
                                     std::vector<std::string>* problems);

/// Hands the rows of a file to `visit`, in order.
absl::Status VisitRows(const Table& table, const std::string& path,
                       const std::function<void(const LakeRecord& row)>& visit);

/// The same of a table of a job: rows go of which a text column whose name has "user" in it is one of `users`.
absl::StatusOr<uint64_t> RedactJobTable(const std::string& folder, TableStore* store,
                                        std::span<const std::string> users, std::vector<std::string>* problems);
/// How many rows of a job's table are those of one user.
absl::StatusOr<uint64_t> RowsOfUser(TableStore* store, const std::string& user);

}  // namespace bowerbird::lake
