#include "lake/sql_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "absl/status/status.h"
#include "lake/mask.h"

namespace bowerbird::lake {
namespace {

/// Who somebody is, in whichever table.
constexpr std::string_view kUserColumns[] = {"user", "user_id", "anonymous", "becomes", "unit_id"};
/// Texts of the product's, not of a person's.
constexpr std::string_view kPlainTexts[] = {"topic",  "type", "item",   "surface", "request_id", "config_version",
                                            "mark",   "kind", "chain",  "ranker",  "snapshot",   "seen_by",
                                            "reason", "unit", "metric", "arm",     "experiment", "interleaved_by"};
/// Lists and structs likewise.
constexpr std::string_view kPlainNested[] = {"degraded",   "item_categories", "item_attributes", "items",
                                             "candidates", "sequence",        "drafted"};

bool IsIn(std::string_view name, const auto& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

void MaskRows(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const auto* seed = static_cast<const base::HashSeed*>(duckdb_scalar_function_get_extra_info(info));
  duckdb_vector texts = duckdb_data_chunk_get_vector(input, 1);
  auto* kinds = static_cast<duckdb_string_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0)));
  auto* values = static_cast<duckdb_string_t*>(duckdb_vector_get_data(texts));
  uint64_t* valid = duckdb_vector_get_validity(texts);
  for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
    if (valid != nullptr && !duckdb_validity_row_is_valid(valid, row)) {
      duckdb_vector_ensure_validity_writable(output);
      duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
      continue;
    }
    const std::string_view text(duckdb_string_t_data(values + row), duckdb_string_t_length(values[row]));
    const bool user = duckdb_string_t_length(kinds[row]) > 0 && duckdb_string_t_data(kinds + row)[0] == 'u';
    const std::string masked = user ? MaskedUser(*seed, text) : MaskedText(*seed, text);
    duckdb_vector_assign_string_element_len(output, row, masked.data(), masked.size());
  }
}

std::string Quoted(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::string Call(std::string_view kind, std::string_view expression) {
  return fmt::format("{}('{}', {})", UserMask::kFunction, kind, expression);
}

/// A map of attributes; of a user's own nothing but texts is left, and those are masked.
std::string Attributes(const std::string& column, bool of_user) {
  const auto kept = [&](std::string_view member, std::string_view type) {
    return of_user ? fmt::format("CAST(NULL AS {})", type) : fmt::format("e.value.{}", member);
  };
  return fmt::format(
      "map_from_entries(list_transform(map_entries({}), lambda e: struct_pack(key := e.key, value := struct_pack("
      "bool_value := {}, number_value := {}, string_value := {}, time_value := {}, "
      "strings_value := list_transform(e.value.strings_value, lambda s: {})))))",
      column, kept("bool_value", "BOOLEAN"), kept("number_value", "DOUBLE"), Call("text", "e.value.string_value"),
      kept("time_value", "TIMESTAMPTZ"), Call("text", "s"));
}

std::string MaskedColumn(const std::string& table, std::string_view name, duckdb_type type) {
  const std::string column = Quoted(name);
  const bool of_users = table == "user_changes";
  switch (type) {
    case DUCKDB_TYPE_VARCHAR:
      if (IsIn(name, kUserColumns) || (of_users && name == "id")) return Call("user", column);
      return IsIn(name, kPlainTexts) ? column : Call("text", column);
    case DUCKDB_TYPE_MAP:
      if (name == "attributes") return Attributes(column, of_users);
      return IsIn(name, kPlainNested) ? column : "NULL";
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_UNION:
      return IsIn(name, kPlainNested) ? column : "NULL";
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL:
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return column;
    case DUCKDB_TYPE_BLOB:
      return "CAST(NULL AS BLOB)";
    default:
      return "NULL";
  }
}

}  // namespace

absl::StatusOr<UserMask> UserMask::Register(duckdb_connection connection, std::string_view seed) {
  auto bytes = std::make_unique<base::HashSeed>();
  if (seed.size() != 2 * bytes->size()) return absl::InternalError("bowerbird-sql: the mask's seed is none");
  for (size_t i = 0; i < bytes->size(); ++i) {
    const char* digits = seed.data() + 2 * i;
    if (std::from_chars(digits, digits + 2, (*bytes)[i], 16).ptr != digits + 2)
      return absl::InternalError("bowerbird-sql: the mask's seed is none");
  }
  duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
  duckdb_scalar_function function = duckdb_create_scalar_function();
  duckdb_scalar_function_set_name(function, kFunction);
  duckdb_scalar_function_add_parameter(function, text);
  duckdb_scalar_function_add_parameter(function, text);
  duckdb_scalar_function_set_return_type(function, text);
  duckdb_scalar_function_set_extra_info(function, bytes.release(),
                                        [](void* seed) { delete static_cast<base::HashSeed*>(seed); });
  duckdb_scalar_function_set_function(function, MaskRows);
  const bool taken = duckdb_register_scalar_function(connection, function) == DuckDBSuccess;
  duckdb_destroy_scalar_function(&function);
  duckdb_destroy_logical_type(&text);
  if (!taken) return absl::InternalError("DuckDB: the masking function was not taken");
  return UserMask(connection);
}

absl::StatusOr<std::string> UserMask::Mask(const std::string& name, const std::string& sql) const {
  // What `users` reads, user_changes, is masked already.
  if (name == "items" || name == "item_changes" || name == "users") return sql;
  duckdb_result result;
  const std::string none = fmt::format("SELECT * FROM ({}) LIMIT 0", sql);
  if (duckdb_query(connection_, none.c_str(), &result) != DuckDBSuccess) {
    const char* error = duckdb_result_error(&result);
    absl::Status status = absl::InternalError(fmt::format("DuckDB: {}", error == nullptr ? none : error));
    duckdb_destroy_result(&result);
    return status;
  }
  std::string columns;
  for (idx_t i = 0; i < duckdb_column_count(&result); ++i) {
    const std::string_view column = duckdb_column_name(&result, i);
    fmt::format_to(std::back_inserter(columns), "{}{} AS {}", columns.empty() ? "" : ", ",
                   MaskedColumn(name, column, duckdb_column_type(&result, i)), Quoted(column));
  }
  duckdb_destroy_result(&result);
  return fmt::format("SELECT {} FROM ({})", columns, sql);
}

}  // namespace bowerbird::lake
