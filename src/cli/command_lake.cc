#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kCellBytesMax = 60;

absl::Status NotUnderstood() { return absl::InternalError("the server's answer is not what was asked for"); }

/// A value as a cell of a table: a string as it is, null as nothing, the rest as JSON.
std::string CellText(const dom::element& value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  return value.is_null() ? "" : simdjson::minify(value);
}

void PrintTable(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& is_number) {
  std::vector<size_t> widths(is_number.size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::min(kCellBytesMax, std::max(widths[i], row[i].size()));
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - std::min(widths[i], row[i].size()), ' ');
      line += is_number[i] ? gap + row[i] : row[i] + gap;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
  }
}

absl::Status PrintAnswer(const std::string& body) {
  dom::parser parser;
  dom::element root;
  dom::array columns, rows, damaged;
  if (parser.parse(body).get(root) || root["columns"].get(columns) || root["rows"].get(rows) ||
      root["damaged"].get(damaged)) {
    return NotUnderstood();
  }
  std::vector<std::vector<std::string>> table(1);
  std::vector<bool> is_number;
  for (const dom::element column : columns) {
    table[0].push_back(CellText(column["name"]));
    const std::string type = CellText(column["type"]);
    is_number.push_back(type.ends_with("INT") || type.ends_with("INTEGER") || type == "DOUBLE" || type == "FLOAT" ||
                        type == "DECIMAL");
  }
  for (const dom::element row : rows) {
    dom::array values;
    if (row.get(values)) return NotUnderstood();
    std::vector<std::string>& cells = table.emplace_back();
    for (const dom::element value : values) cells.push_back(CellText(value));
  }
  PrintTable(table, is_number);
  for (const dom::element file : damaged) std::fprintf(stderr, "warning: left out: %s\n", CellText(file).c_str());
  return absl::OkStatus();
}

absl::Status PrintProblems(const Folder& folder, const char* target, bool json, const char* fine) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(folder.dir, folder.app));
  ASSIGN_OR_RETURN(const std::string body, connection->Checked("POST", target, "{}"));
  dom::parser parser;
  dom::array problems;
  if (parser.parse(body)["problems"].get(problems)) return NotUnderstood();
  if (json) {
    std::printf("%s\n", body.c_str());
  } else {
    for (const dom::element problem : problems) std::printf("%s\n", CellText(problem).c_str());
  }
  if (problems.size() > 0) return absl::DataLossError(fmt::format("{} files are damaged", problems.size()));
  if (!json) std::printf("%s\n", fine);
  return absl::OkStatus();
}

uint64_t Number(const dom::element& object, const char* key) {
  uint64_t number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

}  // namespace

absl::Status LakeSql(const LakeSqlOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("sql").String(options.sql).Key("format").String(options.csv ? "csv" : "json");
  if (options.seconds > 0) json.Key("timeout_ms").Uint(static_cast<uint64_t>(options.seconds * 1000));
  json.EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/sql", body));
  if (!options.json && !options.csv) return PrintAnswer(answer);
  std::printf("%s%s", answer.c_str(), options.csv ? "" : "\n");
  return absl::OkStatus();
}

absl::Status LakeStatus(const LakeOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ASSIGN_OR_RETURN(const std::string body, connection->Checked("GET", "/v1/lake", ""));
  if (options.json) {
    std::printf("%s\n", body.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  dom::array tables;
  if (parser.parse(body).get(root) || root["tables"].get(tables)) return NotUnderstood();
  std::printf("%s\n", CellText(root["folder"]).c_str());
  std::vector<std::vector<std::string>> rows = {{"table", "rows", "files", "bytes", "not yet", "missed", "until"}};
  for (const dom::element table : tables) {
    rows.push_back({CellText(table["name"]), Thousands(Number(table, "rows")), Thousands(Number(table, "files")),
                    Thousands(Number(table, "bytes")), Thousands(Number(table, "lag")),
                    Thousands(Number(table, "missed")), CellText(table["last_time"])});
  }
  PrintTable(rows, {false, true, true, true, true, true, false});
  return absl::OkStatus();
}

absl::Status LakeVerify(const LakeOptions& options) {
  return PrintProblems(options.folder, "/v1/lake:verify", options.json, "every file is whole");
}

absl::Status LakeMaintain(const LakeOptions& options) {
  return PrintProblems(options.folder, "/v1/lake:maintain", options.json, "done");
}

absl::Status JobRun(const JobRunOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  constexpr int64_t kDayUs = 86'400'000'000;
  std::string date = options.date;
  if (date.empty()) date = base::FormatTimeUs(base::SystemClock::Get().NowUs() - kDayUs).substr(0, 10);
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("name").String(options.name).Key("date").String(date);
  json.Key("engine").String(options.engine).EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/jobs/batch", body));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  double seconds = 0;
  if (parser.parse(answer).get(root) || root["seconds"].get(seconds)) return NotUnderstood();
  std::printf("%s of %s: %s rows in %.2f s\n  %s\n", CellText(root["table"]).c_str(), date.c_str(),
              Thousands(Number(root, "rows")).c_str(), seconds, CellText(root["file"]).c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
