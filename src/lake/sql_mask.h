#pragma once

#include <duckdb.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/hash.h"

namespace bowerbird::lake {

/// Makes of a view one that does not tell who its users are. What is known to say nothing of a person stays: numbers,
/// times, flags, and the texts and lists whose columns are listed here. Every other text becomes its mask (mask.h), so
/// that a new column hides until it is listed; bytes become null. Of attributes, texts are masked; of users', all else
/// is null. Tables of the catalog stay as they are.
///
/// Threads  one.
class UserMask {
 public:
  /// The SQL function that masks. It is for views alone: whoever could call it could try ids out.
  static constexpr const char* kFunction = "bowerbird_mask";

  /// Makes the function known to the database. `seed` has 32 hexadecimal digits. Internal: DuckDB did not take it.
  static absl::StatusOr<UserMask> Register(duckdb_connection connection, std::string_view seed);
  /// The masked form of the view `name`, which reads `sql`.
  absl::StatusOr<std::string> Mask(const std::string& name, const std::string& sql) const;

 private:
  explicit UserMask(duckdb_connection connection) : connection_(connection) {}
  duckdb_connection connection_;
};

}  // namespace bowerbird::lake
