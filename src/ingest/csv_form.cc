#include "ingest/csv_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "ingest/line_reader.h"
#include "ingest/mapping.h"

namespace bowerbird::ingest {
namespace {

constexpr size_t kLinesMax = 200;
/// The share of lines that must have the same number of fields.
constexpr double kAlike = 0.8;
constexpr std::string_view kSeparators[] = {",", "\t", ";", "|", "::"};

/// The fields of one line, quotes taken off. A record that spans lines comes out wrong; enough lines do not.
std::vector<std::string> Cut(std::string_view line, std::string_view separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size();) {
    if (line[i] == '"') {
      quoted = !quoted;
      ++i;
    } else if (!quoted && line.substr(i).starts_with(separator)) {
      fields.emplace_back();
      i += separator.size();
    } else {
      fields.back().push_back(line[i++]);
    }
  }
  return fields;
}

bool IsNumberOrTime(const std::string& text) {
  double number = 0;
  return absl::SimpleAtod(text, &number) || ReadTimeUs(text).ok();
}

bool IsHeader(const std::vector<std::vector<std::string>>& rows) {
  const std::vector<std::string>& first = rows[0];
  for (size_t c = 0; c < first.size(); ++c) {
    if (first[c].empty() || IsNumberOrTime(first[c])) return false;
    if (std::count(first.begin(), first.end(), first[c]) > 1) return false;
  }
  const auto known = [](const std::string& name) {
    return !FieldByName(Kind::kEvents, name).empty() || !FieldByName(Kind::kItems, name).empty();
  };
  if (std::any_of(first.begin(), first.end(), known)) return true;
  for (size_t r = 1; r < rows.size(); ++r) {
    for (size_t c = 0; c < std::min(rows[r].size(), first.size()); ++c) {
      if (rows[r][c] == first[c]) return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<CsvForm> TellCsvForm(const std::string& path) {
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(path));
  std::vector<std::string> lines;
  std::string line;
  while (lines.size() < kLinesMax) {
    bool truncated = false;
    ASSIGN_OR_RETURN(const bool any, reader.Next(&line, &truncated));
    if (!any) break;
    if (lines.empty() && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (!line.empty() && !truncated) lines.push_back(line);
  }
  if (lines.size() < 2) {
    return absl::InvalidArgumentError(fmt::format("{}: found {} lines; expected rows of a table", path, lines.size()));
  }
  CsvForm form;
  size_t fields_most = 1;
  for (const std::string_view separator : kSeparators) {
    std::map<size_t, size_t> counts;
    for (const std::string& text : lines) ++counts[Cut(text, separator).size()];
    const auto usual = std::max_element(counts.begin(), counts.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    if (usual->first > fields_most &&
        static_cast<double>(usual->second) >= kAlike * static_cast<double>(lines.size())) {
      fields_most = usual->first;
      form.separator = separator;
    }
  }
  if (form.separator.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: found '{}'; expected at least two columns, separated by a comma, tab, semicolon, | or ::", path,
        lines[0].substr(0, 80)));
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(lines.size());
  for (const std::string& text : lines) rows.push_back(Cut(text, form.separator));
  form.header = IsHeader(rows);
  if (form.header) {
    form.columns = rows[0];
  } else {
    for (size_t c = 0; c < fields_most; ++c) form.columns.push_back(fmt::format("column_{}", c + 1));
  }
  return form;
}

}  // namespace bowerbird::ingest
