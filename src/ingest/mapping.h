#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "expression/value.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {

enum class Kind { kEvents, kItems };

/// Which column feeds which field.
struct Mapping {
  Kind kind = Kind::kEvents;
  struct Column {
    std::string field;  ///< "user", "item", "time", "attributes.color", ...; empty: not imported
    expression::Type type = expression::Type::kString;  ///< of an attribute
  };
  std::vector<Column> columns;       ///< one a column of the source
  std::string event_type;            ///< of every event, where no column gives it
  std::string list_separator = "|";  ///< splits one text into categories or a set of strings
  std::string client_id_seed;        ///< names the input: events without a client id get MadeClientId(); empty: none
};

/// Fields that a mapping may name, by kind.
const std::vector<std::string_view>& MappableFields(Kind kind);

/// "user=userId,item=movieId,time=ts" over the names that are guessed from common spellings (userId, user_id,
/// product_id, ts, ...). Item columns that nobody mapped become attributes; `types` (attribute -> type) says which are
/// declared and of what type. InvalidArgument: an unknown field or column, or a field that events need (user; item or
/// type) has no column.
absl::StatusOr<Mapping> MakeMapping(Kind kind, const std::vector<std::string>& columns, std::string_view text,
                                    const base::StringMap<expression::Type>& types, std::string_view event_type);

/// Gives the columns that feed nothing yet (an empty string in `fields`, one a column) the field of `wanted` that their
/// name is a common spelling of, unless another column feeds it. An empty `wanted` means every field.
void AssignByName(Kind kind, const std::vector<std::string>& columns, const std::vector<std::string_view>& wanted,
                  std::vector<std::string>* fields);
/// The field that a column of this name feeds by common spelling; empty when there is none.
std::string_view FieldByName(Kind kind, std::string_view column);

/// The client id of an event that has none: the same for the same row (input, line and text), so that a repeated import
/// counts once, and another for any other row, so that a replaced file is no repetition.
std::string MadeClientId(const Mapping& mapping, const Row& row);

/// Appends the row as one JSON object of our API. InvalidArgument names the column, what was found and what is
/// expected; `out` is as before then.
absl::Status RowToJson(const Row& row, const std::vector<std::string>& columns, const Mapping& mapping,
                       std::string* out);

/// Seconds, milliseconds, microseconds (told apart by size) or RFC 3339 or "YYYY-MM-DD HH:MM:SS" -> microseconds.
absl::StatusOr<int64_t> ReadTimeUs(std::string_view text);

}  // namespace bowerbird::ingest
