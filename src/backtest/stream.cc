#include "backtest/stream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "ingest/mapping.h"

namespace bowerbird::backtest {
namespace {

constexpr uint64_t kProgressRows = 20'000;

/// Dense numbers in order of first appearance.
class Numbering {
 public:
  explicit Numbering(std::vector<std::string>* names) : names_(names) {}
  uint32_t operator()(const std::string& name) {
    const auto [at, added] = numbers_.try_emplace(name, static_cast<uint32_t>(names_->size()));
    if (added) names_->push_back(name);
    return at->second;
  }

 private:
  base::StringMap<uint32_t> numbers_;
  std::vector<std::string>* names_;
};

struct Columns {
  std::optional<size_t> user, item, time, type, session;
};

absl::StatusOr<Columns> FindColumns(const std::vector<std::string>& names, const StreamMapping& mapping) {
  Columns columns;
  std::vector<std::string> of_events;
  for (const auto part : absl::StrSplit(mapping.columns, ',', absl::SkipWhitespace())) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (pair.first != "session") {
      of_events.emplace_back(part);
      continue;
    }
    const auto found = std::find(names.begin(), names.end(), pair.second);
    if (found == names.end()) {
      return absl::InvalidArgumentError(
          fmt::format("--map: found column '{}'; the file has {}", pair.second, fmt::join(names, ", ")));
    }
    columns.session = static_cast<size_t>(found - names.begin());
  }
  ASSIGN_OR_RETURN(const ingest::Mapping fields,
                   ingest::MakeMapping(ingest::Kind::kEvents, names, fmt::format("{}", fmt::join(of_events, ",")), {},
                                       mapping.event_type));
  const auto find = [&](std::string_view field) -> std::optional<size_t> {
    for (size_t i = 0; i < fields.columns.size(); ++i) {
      if (fields.columns[i].field == field) return i;
    }
    return std::nullopt;
  };
  columns.user = find("user");
  columns.item = find("item");
  columns.time = find("time");
  if (mapping.event_type.empty()) columns.type = find("type");
  for (const auto& [column, field] : {std::pair(columns.item, "item"), std::pair(columns.time, "time")}) {
    if (column.has_value()) continue;
    return absl::InvalidArgumentError(
        fmt::format("no column for '{}' among {}; say --map {}=COLUMN", field, fmt::join(names, ", "), field));
  }
  return columns;
}

}  // namespace

absl::StatusOr<Stream> ReadStream(ingest::RowSource& source, const StreamMapping& mapping,
                                  const std::function<void(double, uint64_t)>& progress) {
  const std::vector<std::string>& names = source.columns();
  ASSIGN_OR_RETURN(const Columns columns, FindColumns(names, mapping));
  Stream stream;
  for (const auto& column : {columns.user, columns.item, columns.time, columns.type, columns.session}) {
    if (column.has_value()) stream.columns.push_back(names[*column]);
  }
  Numbering users(&stream.users), items(&stream.items), types(&stream.types);
  std::vector<std::string> session_names;
  Numbering sessions(&session_names);
  if (!mapping.event_type.empty()) types(mapping.event_type);

  ingest::Row row;
  const auto refuse = [&](std::string_view reason) {
    if (stream.refused++ == 0) stream.first_refusal = fmt::format("line {}: {}", row.line, reason);
  };
  while (true) {
    ASSIGN_OR_RETURN(const bool any, source.Next(&row));
    if (!any) break;
    if (++stream.rows % kProgressRows == 0 && progress) progress(source.progress(), stream.rows);
    if (!row.error.empty()) {
      refuse(row.error);
      continue;
    }
    const auto cell = [&](size_t column) -> const std::string& { return row.cells[column].text; };
    const auto absent = [&](std::optional<size_t> column) {
      return column.has_value() && (!row.cells[*column].present || cell(*column).empty());
    };
    if (absent(columns.user) || absent(columns.item) || absent(columns.time) || absent(columns.type)) {
      refuse("found no user, item, time or type; expected all of them");
      continue;
    }
    const absl::StatusOr<int64_t> time_us = ingest::ReadTimeUs(cell(*columns.time));
    if (!time_us.ok()) {
      refuse(fmt::format("{}: found '{}'; expected a time", names[*columns.time], cell(*columns.time).substr(0, 80)));
      continue;
    }
    if (*time_us < mapping.from_us || *time_us >= mapping.until_us) {
      ++stream.outside;
      continue;
    }
    Stream::Action action;
    action.time_us = *time_us;
    action.user = users(cell(*columns.user));
    action.item = items(cell(*columns.item));
    if (columns.type.has_value()) action.type = types(cell(*columns.type));
    if (columns.session.has_value() && !absent(columns.session)) action.session = sessions(cell(*columns.session));
    stream.actions.push_back(action);
  }
  if (progress) progress(1, stream.rows);
  if (stream.actions.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("found no action among {} rows: {} outside of the time, {} refused{}{}; expected some", stream.rows,
                    stream.outside, stream.refused, stream.refused > 0 ? ", the first at " : "", stream.first_refusal));
  }
  std::stable_sort(stream.actions.begin(), stream.actions.end(),
                   [](const Stream::Action& a, const Stream::Action& b) { return a.time_us < b.time_us; });
  return stream;
}

}  // namespace bowerbird::backtest
