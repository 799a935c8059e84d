#include "lake/sql_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"

namespace bowerbird::lake {
namespace {

std::string_view TypeName(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
      return "BOOLEAN";
    case DUCKDB_TYPE_TINYINT:
      return "TINYINT";
    case DUCKDB_TYPE_SMALLINT:
      return "SMALLINT";
    case DUCKDB_TYPE_INTEGER:
      return "INTEGER";
    case DUCKDB_TYPE_BIGINT:
      return "BIGINT";
    case DUCKDB_TYPE_UTINYINT:
      return "UTINYINT";
    case DUCKDB_TYPE_USMALLINT:
      return "USMALLINT";
    case DUCKDB_TYPE_UINTEGER:
      return "UINTEGER";
    case DUCKDB_TYPE_UBIGINT:
      return "UBIGINT";
    case DUCKDB_TYPE_HUGEINT:
      return "HUGEINT";
    case DUCKDB_TYPE_UHUGEINT:
      return "UHUGEINT";
    case DUCKDB_TYPE_FLOAT:
      return "FLOAT";
    case DUCKDB_TYPE_DOUBLE:
      return "DOUBLE";
    case DUCKDB_TYPE_DECIMAL:
      return "DECIMAL";
    case DUCKDB_TYPE_VARCHAR:
      return "VARCHAR";
    case DUCKDB_TYPE_BLOB:
      return "BLOB";
    case DUCKDB_TYPE_DATE:
      return "DATE";
    case DUCKDB_TYPE_TIME:
      return "TIME";
    case DUCKDB_TYPE_TIMESTAMP:
      return "TIMESTAMP";
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return "TIMESTAMP WITH TIME ZONE";
    case DUCKDB_TYPE_INTERVAL:
      return "INTERVAL";
    case DUCKDB_TYPE_UUID:
      return "UUID";
    case DUCKDB_TYPE_ENUM:
      return "ENUM";
    case DUCKDB_TYPE_LIST:
      return "LIST";
    case DUCKDB_TYPE_ARRAY:
      return "ARRAY";
    case DUCKDB_TYPE_STRUCT:
      return "STRUCT";
    case DUCKDB_TYPE_MAP:
      return "MAP";
    case DUCKDB_TYPE_SQLNULL:
      return "NULL";
    default:
      return "";
  }
}

std::string Take(char* text) {
  std::string taken = text == nullptr ? "" : text;
  duckdb_free(text);
  return taken;
}

using Huge = __int128;
using Unsigned = unsigned __int128;

Huge ToHuge(duckdb_hugeint value) {
  return static_cast<Huge>((static_cast<Unsigned>(static_cast<uint64_t>(value.upper)) << 64) | value.lower);
}

std::string DecimalText(Huge value, unsigned scale) {
  // The magnitude is taken without a sign: the smallest number has no positive twin.
  std::string digits = fmt::format("{}", value < 0 ? ~static_cast<Unsigned>(value) + 1 : static_cast<Unsigned>(value));
  if (scale > 0) {
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    digits.insert(digits.size() - scale, 1, '.');
  }
  return fmt::format("{}{}", value < 0 ? "-" : "", digits);
}

std::string DateText(duckdb_date date) {
  if (!duckdb_is_finite_date(date)) return date.days > 0 ? "infinity" : "-infinity";
  const duckdb_date_struct parts = duckdb_from_date(date);
  return fmt::format("{:04}-{:02}-{:02}", parts.year, parts.month, parts.day);
}

std::string TimeText(duckdb_time_struct time) {
  std::string text = fmt::format("{:02}:{:02}:{:02}", time.hour, time.min, time.sec);
  if (time.micros != 0) fmt::format_to(std::back_inserter(text), ".{:06}", time.micros);
  return text;
}

std::string TimestampText(duckdb_timestamp timestamp, bool zoned) {
  if (!duckdb_is_finite_timestamp(timestamp)) return timestamp.micros > 0 ? "infinity" : "-infinity";
  const duckdb_timestamp_struct parts = duckdb_from_timestamp(timestamp);
  return fmt::format("{:04}-{:02}-{:02}T{}{}", parts.date.year, parts.date.month, parts.date.day, TimeText(parts.time),
                     zoned ? "Z" : "");
}

std::string UuidText(duckdb_hugeint value) {
  // Stored with its highest bit flipped, so that it orders as text does.
  const auto bits = static_cast<Unsigned>(ToHuge(value)) ^ (static_cast<Unsigned>(1) << 127);
  const std::string hex = fmt::format("{:016x}{:016x}", static_cast<uint64_t>(bits >> 64), static_cast<uint64_t>(bits));
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

/// A vector of a chunk with its type taken apart.
struct Values {
  duckdb_type type = DUCKDB_TYPE_INVALID;
  void* data = nullptr;
  uint64_t* validity = nullptr;
  unsigned scale = 0;                        ///< of decimals
  duckdb_type stored = DUCKDB_TYPE_INVALID;  ///< of decimals and enums
  uint64_t width = 0;                        ///< of arrays
  std::vector<std::string> names;            ///< of a struct's members, of an enum's values
  std::vector<Values> children;

  template <typename T>
  T At(uint64_t row) const {
    return static_cast<const T*>(data)[row];
  }
};

absl::StatusOr<Values> Open(duckdb_vector vector) {
  Values values;
  duckdb_logical_type type = duckdb_vector_get_column_type(vector);
  values.type = duckdb_get_type_id(type);
  values.data = duckdb_vector_get_data(vector);
  values.validity = duckdb_vector_get_validity(vector);
  std::vector<duckdb_vector> children;
  if (values.type == DUCKDB_TYPE_DECIMAL) {
    values.scale = duckdb_decimal_scale(type);
    values.stored = duckdb_decimal_internal_type(type);
  } else if (values.type == DUCKDB_TYPE_ENUM) {
    values.stored = duckdb_enum_internal_type(type);
    for (uint32_t i = 0; i < duckdb_enum_dictionary_size(type); ++i)
      values.names.push_back(Take(duckdb_enum_dictionary_value(type, i)));
  } else if (values.type == DUCKDB_TYPE_STRUCT) {
    for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i) {
      values.names.push_back(Take(duckdb_struct_type_child_name(type, i)));
      children.push_back(duckdb_struct_vector_get_child(vector, i));
    }
  } else if (values.type == DUCKDB_TYPE_LIST || values.type == DUCKDB_TYPE_MAP) {
    children.push_back(duckdb_list_vector_get_child(vector));
  } else if (values.type == DUCKDB_TYPE_ARRAY) {
    values.width = duckdb_array_type_array_size(type);
    children.push_back(duckdb_array_vector_get_child(vector));
  }
  duckdb_destroy_logical_type(&type);
  if (TypeName(values.type).empty()) {
    return absl::InvalidArgumentError("the result has a column of a type that is not answered; cast it to VARCHAR");
  }
  for (const duckdb_vector child : children) {
    ASSIGN_OR_RETURN(Values opened, Open(child));
    values.children.push_back(std::move(opened));
  }
  return values;
}

bool IsNull(const Values& values, uint64_t row) {
  return values.type == DUCKDB_TYPE_SQLNULL ||
         (values.validity != nullptr && (values.validity[row / 64] >> (row % 64) & 1) == 0);
}

Huge Stored(const Values& values, uint64_t row) {
  switch (values.stored) {
    case DUCKDB_TYPE_UTINYINT:
      return values.At<uint8_t>(row);
    case DUCKDB_TYPE_USMALLINT:
      return values.At<uint16_t>(row);
    case DUCKDB_TYPE_UINTEGER:
      return values.At<uint32_t>(row);
    case DUCKDB_TYPE_SMALLINT:
      return values.At<int16_t>(row);
    case DUCKDB_TYPE_INTEGER:
      return values.At<int32_t>(row);
    case DUCKDB_TYPE_BIGINT:
      return values.At<int64_t>(row);
    default:
      return ToHuge(values.At<duckdb_hugeint>(row));
  }
}

std::string_view Bytes(const Values& values, uint64_t row) {
  auto* text = static_cast<duckdb_string_t*>(values.data) + row;
  return {duckdb_string_t_data(text), duckdb_string_t_length(*text)};
}

/// A number as JSON writes it; empty for what is none.
std::string NumberText(const Values& values, uint64_t row) {
  switch (values.type) {
    case DUCKDB_TYPE_TINYINT:
      return fmt::format("{}", values.At<int8_t>(row));
    case DUCKDB_TYPE_SMALLINT:
      return fmt::format("{}", values.At<int16_t>(row));
    case DUCKDB_TYPE_INTEGER:
      return fmt::format("{}", values.At<int32_t>(row));
    case DUCKDB_TYPE_BIGINT:
      return fmt::format("{}", values.At<int64_t>(row));
    case DUCKDB_TYPE_UTINYINT:
      return fmt::format("{}", values.At<uint8_t>(row));
    case DUCKDB_TYPE_USMALLINT:
      return fmt::format("{}", values.At<uint16_t>(row));
    case DUCKDB_TYPE_UINTEGER:
      return fmt::format("{}", values.At<uint32_t>(row));
    case DUCKDB_TYPE_UBIGINT:
      return fmt::format("{}", values.At<uint64_t>(row));
    case DUCKDB_TYPE_HUGEINT:
      return DecimalText(ToHuge(values.At<duckdb_hugeint>(row)), 0);
    case DUCKDB_TYPE_UHUGEINT: {
      const auto huge = values.At<duckdb_uhugeint>(row);
      return fmt::format("{}", (static_cast<Unsigned>(huge.upper) << 64) | huge.lower);
    }
    case DUCKDB_TYPE_DECIMAL:
      return DecimalText(Stored(values, row), values.scale);
    default:
      return "";
  }
}

/// What is neither a number nor made of other values.
std::string PlainText(const Values& values, uint64_t row) {
  switch (values.type) {
    case DUCKDB_TYPE_VARCHAR:
      return std::string(Bytes(values, row));
    case DUCKDB_TYPE_BLOB:
      return base::HexEncode(Bytes(values, row));
    case DUCKDB_TYPE_DATE:
      return DateText(values.At<duckdb_date>(row));
    case DUCKDB_TYPE_TIME:
      return TimeText(duckdb_from_time(values.At<duckdb_time>(row)));
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return TimestampText(values.At<duckdb_timestamp>(row), values.type == DUCKDB_TYPE_TIMESTAMP_TZ);
    case DUCKDB_TYPE_INTERVAL: {
      const auto interval = values.At<duckdb_interval>(row);
      return fmt::format("{} months {} days {} us", interval.months, interval.days, interval.micros);
    }
    case DUCKDB_TYPE_UUID:
      return UuidText(values.At<duckdb_hugeint>(row));
    case DUCKDB_TYPE_ENUM: {
      const auto index = static_cast<size_t>(Stored(values, row));
      return index < values.names.size() ? values.names[index] : "";
    }
    default:
      return "";
  }
}

void WriteJson(const Values& values, uint64_t row, base::JsonWriter* json) {
  if (IsNull(values, row)) {
    json->Null();
    return;
  }
  switch (values.type) {
    case DUCKDB_TYPE_BOOLEAN:
      json->Bool(values.At<bool>(row));
      return;
    case DUCKDB_TYPE_FLOAT:
      json->Float(values.At<float>(row));
      return;
    case DUCKDB_TYPE_DOUBLE:
      json->Double(values.At<double>(row));
      return;
    case DUCKDB_TYPE_STRUCT:
      json->BeginObject();
      for (size_t i = 0; i < values.children.size(); ++i) {
        json->Key(values.names[i].empty() ? fmt::format("{}", i) : values.names[i]);
        WriteJson(values.children[i], row, json);
      }
      json->EndObject();
      return;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY: {
      const bool fixed = values.type == DUCKDB_TYPE_ARRAY;
      const auto list = fixed ? duckdb_list_entry{row * values.width, values.width} : values.At<duckdb_list_entry>(row);
      json->BeginArray();
      for (uint64_t i = list.offset; i < list.offset + list.length; ++i) WriteJson(values.children[0], i, json);
      json->EndArray();
      return;
    }
    case DUCKDB_TYPE_MAP: {
      // An object where the keys are texts, pairs where they are not.
      const auto list = values.At<duckdb_list_entry>(row);
      const Values& keys = values.children[0].children[0];
      const bool texts = keys.type == DUCKDB_TYPE_VARCHAR;
      texts ? json->BeginObject() : json->BeginArray();
      for (uint64_t i = list.offset; i < list.offset + list.length; ++i) {
        if (texts) {
          json->Key(Bytes(keys, i));
        } else {
          json->BeginArray();
          WriteJson(keys, i, json);
        }
        WriteJson(values.children[0].children[1], i, json);
        if (!texts) json->EndArray();
      }
      texts ? json->EndObject() : json->EndArray();
      return;
    }
    default:
      break;
  }
  const std::string number = NumberText(values, row);
  number.empty() ? json->String(PlainText(values, row)) : json->Raw(number);
}

void WriteCsv(const Values& values, uint64_t row, std::string* out) {
  if (IsNull(values, row)) return;
  std::string text = NumberText(values, row);
  if (text.empty()) text = PlainText(values, row);
  if (text.empty() && values.type != DUCKDB_TYPE_VARCHAR && values.type != DUCKDB_TYPE_BLOB) {
    base::JsonWriter json(&text);
    WriteJson(values, row, &json);
  }
  // An empty text is quoted, so that it is told apart from null.
  const bool quoted = text.empty() || text.find_first_of(",\"\r\n") != std::string::npos;
  if (!quoted) {
    *out += text;
    return;
  }
  *out += '"';
  for (const char c : text) out->append(c == '"' ? 2 : 1, c);
  *out += '"';
}

void CsvName(std::string_view name, std::string* out) {
  *out += '"';
  for (const char c : name) out->append(c == '"' ? 2 : 1, c);
  *out += '"';
}

}  // namespace

void SqlResultWriter::Begin(duckdb_result* result) {
  base::JsonWriter json(&out_);
  if (!options_.csv) json.BeginObject().Key("columns").BeginArray();
  for (idx_t i = 0; i < duckdb_column_count(result); ++i) {
    const std::string_view name = duckdb_column_name(result, i);
    if (options_.csv) {
      if (i > 0) out_ += ',';
      CsvName(name, &out_);
    } else {
      json.BeginObject().Key("name").String(name).Key("type").String(TypeName(duckdb_column_type(result, i)));
      json.EndObject();
    }
  }
  if (options_.csv) {
    out_ += '\n';
  } else {
    json.EndArray().Key("rows").BeginArray();
  }
}

absl::Status SqlResultWriter::Add(duckdb_data_chunk chunk) {
  idx_t rows = duckdb_data_chunk_get_size(chunk);
  if (rows_ + rows > options_.rows_max && options_.cut) {
    rows = options_.rows_max - rows_;
    truncated_ = true;
  }
  if (rows_ + rows > options_.rows_max) {
    return absl::ResourceExhaustedError(
        fmt::format("the result has more rows than the limit of {}", options_.rows_max));
  }
  std::vector<Values> columns;
  for (idx_t i = 0; i < duckdb_data_chunk_get_column_count(chunk); ++i) {
    ASSIGN_OR_RETURN(Values column, Open(duckdb_data_chunk_get_vector(chunk, i)));
    columns.push_back(std::move(column));
  }
  for (idx_t row = 0; row < rows; ++row, ++rows_) {
    const size_t before = out_.size();
    if (options_.csv) {
      for (size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) out_ += ',';
        WriteCsv(columns[i], row, &out_);
      }
      out_ += '\n';
    } else {
      if (rows_ > 0) out_ += ',';
      base::JsonWriter json(&out_);
      json.BeginArray();
      for (const Values& column : columns) WriteJson(column, row, &json);
      json.EndArray();
    }
    if (out_.size() > options_.bytes_max && options_.cut) {
      out_.resize(before);
      truncated_ = true;
      return absl::OkStatus();
    }
    if (out_.size() > options_.bytes_max) {
      return absl::ResourceExhaustedError(
          fmt::format("the result is larger than the limit of {} bytes", options_.bytes_max));
    }
  }
  return absl::OkStatus();
}

std::string SqlResultWriter::Finish() {
  if (options_.cut) {
    out_ += truncated_ ? "],\"truncated\":true}" : "],\"truncated\":false}";
  } else if (!options_.csv) {
    out_ += "]}";
  }
  return std::move(out_);
}

}  // namespace bowerbird::lake
