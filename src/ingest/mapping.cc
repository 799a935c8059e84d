#include "ingest/mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"

namespace bowerbird::ingest {
namespace {

/// Spellings seen in other systems' exports -> our fields.
struct Spelling {
  std::string_view field;
  std::vector<std::string_view> names;
};
const std::vector<Spelling>& Spellings(Kind kind) {
  static const std::vector<Spelling> kEvents = {
      {"user",
       {"user", "userid", "visitorid", "customerid", "customer", "accountid", "memberid", "reviewerid", "profileid",
        "uid", "anonymousid", "distinctid", "sessionid"}},
      {"item",
       {"item",    "itemid", "productid",   "movieid",   "articleid",      "contentid",  "pinid",   "videoid",
        "trackid", "songid", "bookid",      "gameid",    "recipeid",       "businessid", "venueid", "locationid",
        "newsid",  "postid", "productcode", "stockcode", "clickarticleid", "sku",        "asin",    "isbn"}},
      {"time",
       {"time", "timestamp", "ts", "eventtime", "datetime", "date", "createdat", "clicktimestamp", "unixtime",
        "unixreviewtime"}},
      {"type", {"type", "event", "eventtype", "action", "eventname", "behavior", "behaviour", "interaction"}},
      {"value", {"value", "rating", "stars", "overall", "price", "amount", "score"}},
      {"client_id", {"clientid", "eventid", "messageid", "id"}},
      {"surface", {"surface", "placement"}},
      {"query", {"query", "searchquery", "q"}},
      {"collection", {"collection", "board", "list"}},
      {"dwell_ms", {"dwellms", "dwell"}},
  };
  static const std::vector<Spelling> kItems = {
      {"id", {"id",         "item",    "itemid", "productid",   "movieid",   "articleid", "contentid",  "pinid",
              "videoid",    "trackid", "songid", "bookid",      "gameid",    "recipeid",  "businessid", "venueid",
              "locationid", "newsid",  "postid", "productcode", "stockcode", "sku",       "asin",       "isbn"}},
      {"title", {"title", "name", "productname", "itemname", "movietitle", "booktitle", "trackname", "headline"}},
      {"description", {"description", "text", "summary", "body"}},
      {"categories", {"categories", "category", "genres", "genre", "topics", "topic", "producttype"}},
      {"image_url", {"imageurl", "image", "img", "imagelink", "thumbnail"}},
      {"url", {"url", "link"}},
      {"price", {"price", "saleprice"}},
      {"available", {"available", "instock", "availability"}},
      {"created_time",
       {"createdtime", "created", "createdat", "createdatts", "publishedat", "releasedate", "datepublished"}},
      {"domain", {"domain"}},
  };
  return kind == Kind::kEvents ? kEvents : kItems;
}

std::string Normalize(std::string_view name) {
  std::string out;
  for (const unsigned char c : name) {
    if (std::isalnum(c) != 0) out.push_back(static_cast<char>(std::tolower(c)));
  }
  return out;
}

absl::Status Bad(std::string_view column, std::string_view found, std::string_view expected) {
  return absl::InvalidArgumentError(fmt::format("{}: found '{}'; expected {}", column, found.substr(0, 80), expected));
}

std::vector<std::string> Split(const Row::Cell& cell, const std::string& separator) {
  if (cell.is_list) return cell.list;
  std::vector<std::string> parts;
  for (const auto& part : absl::StrSplit(cell.text, separator, absl::SkipEmpty())) parts.emplace_back(part);
  return parts;
}

bool ReadBool(const std::string& text, bool* out) {
  const std::string word = Normalize(text);
  for (const char* yes : {"true", "1", "yes", "t", "y", "instock"}) {
    if (word == yes) return *out = true, true;
  }
  for (const char* no : {"false", "0", "no", "f", "n", "outofstock"}) {
    if (word == no) return *out = false, true;
  }
  return false;
}

absl::Status WriteAttribute(const std::string& column, const Row::Cell& cell, expression::Type type,
                            const std::string& separator, base::JsonWriter* json) {
  switch (type) {
    case expression::Type::kNumber: {
      double number = 0;
      if (!absl::SimpleAtod(cell.text, &number) || !std::isfinite(number)) return Bad(column, cell.text, "a number");
      json->Double(number);
      return absl::OkStatus();
    }
    case expression::Type::kBool: {
      bool flag = false;
      if (!ReadBool(cell.text, &flag)) return Bad(column, cell.text, "true or false");
      json->Bool(flag);
      return absl::OkStatus();
    }
    case expression::Type::kTime: {
      auto time = ReadTimeUs(cell.text);
      if (!time.ok()) return Bad(column, cell.text, "a time");
      json->String(base::FormatTimeUs(*time));
      return absl::OkStatus();
    }
    case expression::Type::kStrings:
      json->BeginArray();
      for (const std::string& part : Split(cell, separator)) json->String(part);
      json->EndArray();
      return absl::OkStatus();
    case expression::Type::kString:
      json->String(cell.is_list ? fmt::format("{}", fmt::join(cell.list, separator)) : cell.text);
  }
  return absl::OkStatus();
}

absl::Status WriteField(const std::string& column, const std::string& field, const Row::Cell& cell,
                        const Mapping& mapping, base::JsonWriter* json) {
  if (field == "time" || field == "created_time") {
    auto time = ReadTimeUs(cell.text);
    if (!time.ok()) return Bad(column, cell.text, "seconds, milliseconds or microseconds since 1970, or RFC 3339");
    json->Key(field == "time" ? "event_time_us" : "created_time_us").Int(*time);
  } else if (field == "value" || field == "price") {
    double number = 0;
    if (!absl::SimpleAtod(cell.text, &number) || !std::isfinite(number)) return Bad(column, cell.text, "a number");
    json->Key(field).Double(number);
  } else if (field == "position" || field == "dwell_ms") {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(cell.text, &number)) return Bad(column, cell.text, "a whole number from 0");
    json->Key(field).Uint(number);
  } else if (field == "available") {
    bool flag = false;
    if (!ReadBool(cell.text, &flag)) return Bad(column, cell.text, "true or false");
    json->Key(field).Bool(flag);
  } else if (field == "categories") {
    json->Key(field).BeginArray();
    for (const std::string& part : Split(cell, mapping.list_separator)) json->String(part);
    json->EndArray();
  } else {
    json->Key(field).String(cell.text);
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string_view>& MappableFields(Kind kind) {
  static const std::vector<std::string_view> kEvents = {"type",       "user",    "item",     "time",       "client_id",
                                                        "value",      "surface", "position", "request_id", "dwell_ms",
                                                        "collection", "query",   "anonymous"};
  static const std::vector<std::string_view> kItems = {"id",  "domain",     "title", "description", "image_url",
                                                       "url", "categories", "price", "available",   "created_time"};
  return kind == Kind::kEvents ? kEvents : kItems;
}

void AssignByName(Kind kind, const std::vector<std::string>& columns, const std::vector<std::string_view>& wanted,
                  std::vector<std::string>* fields) {
  for (const Spelling& spelling : Spellings(kind)) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), spelling.field) == wanted.end()) continue;
    if (std::find(fields->begin(), fields->end(), spelling.field) != fields->end()) continue;
    const auto of_name = [&](std::string_view name) -> std::string* {
      for (size_t i = 0; i < columns.size(); ++i) {
        if ((*fields)[i].empty() && Normalize(columns[i]) == name) return &(*fields)[i];
      }
      return nullptr;
    };
    for (const std::string_view name : spelling.names) {
      if (std::string* const field = of_name(name); field != nullptr) {
        *field = spelling.field;
        break;
      }
    }
  }
}

std::string_view FieldByName(Kind kind, std::string_view column) {
  const std::string name = Normalize(column);
  for (const Spelling& spelling : Spellings(kind)) {
    if (std::find(spelling.names.begin(), spelling.names.end(), name) != spelling.names.end()) return spelling.field;
  }
  return {};
}

absl::StatusOr<int64_t> ReadTimeUs(std::string_view text) {
  double number = 0;
  if (absl::SimpleAtod(std::string(text), &number) && std::isfinite(number)) {
    // Seconds reach 1e11 in the year 5138, milliseconds 1e14, microseconds 1e17: the size tells the unit.
    const double size = std::abs(number);
    const double scale = size < 1e11 ? 1e6 : size < 1e14 ? 1e3 : size < 1e17 ? 1 : 1e-3;
    return std::llround(number * scale);
  }
  std::string rfc3339(text);
  if (rfc3339.size() >= 19 && rfc3339[10] == ' ') rfc3339[10] = 'T';
  if (rfc3339.size() == 19) rfc3339 += 'Z';
  return base::ParseTimeUs(rfc3339);
}

absl::StatusOr<Mapping> MakeMapping(Kind kind, const std::vector<std::string>& columns, std::string_view text,
                                    const base::StringMap<expression::Type>& types, std::string_view event_type) {
  Mapping mapping;
  mapping.kind = kind;
  mapping.event_type = event_type;
  mapping.columns.resize(columns.size());
  base::StringSet taken;
  const auto column_index = [&](std::string_view name) -> size_t {
    return static_cast<size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
  };
  for (const auto& part : absl::StrSplit(std::string(text), ',', absl::SkipWhitespace())) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const auto& fields = MappableFields(kind);
    if (std::find(fields.begin(), fields.end(), pair.first) == fields.end() && !pair.first.starts_with("attributes.")) {
      return absl::InvalidArgumentError(fmt::format("--map: found field '{}'; expected one of {}, or attributes.NAME",
                                                    pair.first, fmt::join(fields, ", ")));
    }
    const size_t column = column_index(pair.second);
    if (column == columns.size()) {
      return absl::InvalidArgumentError(
          fmt::format("--map: found column '{}'; the file has {}", pair.second, fmt::join(columns, ", ")));
    }
    mapping.columns[column].field = pair.first;
    taken.insert(pair.first);
  }
  std::vector<std::string> fields;
  for (const Mapping::Column& column : mapping.columns) fields.push_back(column.field);
  std::vector<std::string_view> wanted;
  for (const std::string_view field : MappableFields(kind)) {
    if (field != "type" || event_type.empty()) wanted.push_back(field);
  }
  AssignByName(kind, columns, wanted, &fields);
  for (size_t i = 0; i < columns.size(); ++i) {
    mapping.columns[i].field = fields[i];
    if (!fields[i].empty()) taken.insert(fields[i]);
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    Mapping::Column& column = mapping.columns[i];
    const std::string name = column.field.starts_with("attributes.") ? column.field.substr(11) : columns[i];
    const auto declared = types.find(name);
    if (column.field.starts_with("attributes.") && declared == types.end()) {
      return absl::InvalidArgumentError(
          fmt::format("--map: found attribute '{}', which the config does not declare", name));
    }
    if (column.field.empty() && declared != types.end()) column.field = "attributes." + name;
    if (declared != types.end()) column.type = declared->second;
  }
  const auto require = [&](std::string_view field) -> absl::Status {
    if (taken.contains(field)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("no column for '{}' among {}; say --map {}=COLUMN", field, fmt::join(columns, ", "), field));
  };
  if (kind == Kind::kItems) {
    RETURN_IF_ERROR(require("id"));
  } else {
    RETURN_IF_ERROR(require("user"));
    if (event_type.empty() && !taken.contains("type")) {
      return absl::InvalidArgumentError(
          fmt::format("no column for 'type' among {}; say --map type=COLUMN, or --type NAME for all rows",
                      fmt::join(columns, ", ")));
    }
  }
  return mapping;
}

std::string MadeClientId(const Mapping& mapping, const Row& row) {
  const uint64_t hash = base::CombineHash(base::Hash64(mapping.client_id_seed), base::Hash64(row.raw));
  return fmt::format("{:016x}:{}", hash, row.line);
}

absl::Status RowToJson(const Row& row, const std::vector<std::string>& columns, const Mapping& mapping,
                       std::string* out) {
  if (!row.error.empty()) return absl::InvalidArgumentError(row.error);
  const size_t before = out->size();
  base::JsonWriter json(out);
  json.BeginObject();
  bool has_client_id = false;
  absl::Status status;
  const auto each = [&](bool attributes, const auto& write) {
    for (size_t i = 0; i < mapping.columns.size() && status.ok(); ++i) {
      const Mapping::Column& column = mapping.columns[i];
      if (column.field.empty() || !row.cells[i].present || column.field.starts_with("attributes.") != attributes)
        continue;
      status = write(columns[i], column, row.cells[i]);
    }
  };
  each(false, [&](const std::string& name, const Mapping::Column& column, const Row::Cell& cell) {
    has_client_id = has_client_id || column.field == "client_id";
    return WriteField(name, column.field, cell, mapping, &json);
  });
  if (mapping.kind == Kind::kEvents) {
    if (!mapping.event_type.empty()) json.Key("type").String(mapping.event_type);
    if (!has_client_id && !mapping.client_id_seed.empty()) json.Key("client_id").String(MadeClientId(mapping, row));
  }
  bool any_attribute = false;
  each(true, [&](const std::string& name, const Mapping::Column& column, const Row::Cell& cell) {
    if (!any_attribute) json.Key("attributes").BeginObject();
    any_attribute = true;
    json.Key(std::string_view(column.field).substr(11));
    return WriteAttribute(name, cell, column.type, mapping.list_separator, &json);
  });
  if (any_attribute) json.EndObject();
  json.EndObject();
  if (!status.ok()) out->resize(before);
  return status;
}

}  // namespace bowerbird::ingest
