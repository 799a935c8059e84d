#include "lake/sql.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <charconv>
#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "lake/child_process.h"
#include "lake/program_folder.h"

namespace bowerbird::lake {
namespace {

std::string Quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

std::string NoRowsOf(const Table& table) {
  std::string columns;
  for (const Field& field : *table.fields)
    fmt::format_to(std::back_inserter(columns), "CAST(NULL AS {}) AS \"{}\", ", SqlType(field), field.name);
  return fmt::format("SELECT {}CAST(NULL AS DATE) AS date, CAST(NULL AS BIGINT) AS hour WHERE false", columns);
}

/// The table's rows in all of its columns: null where its files are older than a column.
std::string RowsOf(const TableFiles& files) {
  if (files.paths.empty()) return NoRowsOf(*files.table);
  std::string list;
  for (const std::string& path : files.paths)
    fmt::format_to(std::back_inserter(list), "{}{}", list.empty() ? "" : ", ", Quote(path));
  if (!files.by_day) return fmt::format("SELECT * FROM read_parquet([{}], hive_partitioning = false)", list);
  const std::string rows = fmt::format(
      "SELECT * FROM read_parquet([{}], hive_partitioning = true, hive_types = {{'date': DATE{}}}{})", list,
      files.table == nullptr ? "" : ", 'hour': BIGINT", files.of_one_schema ? "" : ", union_by_name = true");
  const bool all_columns = files.of_one_schema || files.table == nullptr;
  return all_columns ? rows : fmt::format("{} UNION ALL BY NAME {}", NoRowsOf(*files.table), rows);
}

std::string_view SeedBytes(const base::HashSeed& seed) {
  return {reinterpret_cast<const char*>(seed.data()), seed.size()};
}

std::string Request(const std::vector<TableFiles>& tables, const SqlQuery& query, const std::string& out) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("sql").String(query.sql);
  json.Key("form").String(query.form == SqlForm::kJson ? "json" : "csv").Key("out").String(out);
  json.Key("rows_max").Uint(query.limits.rows).Key("bytes_max").Uint(query.limits.result_bytes);
  json.Key("memory_bytes").Uint(query.limits.memory_bytes).Key("threads").Uint(query.limits.threads);
  json.Key("cut").Bool(query.cut).Key("mask").String(query.mask.has_value() ? base::HexEncode(SeedBytes(*query.mask))
                                                                            : "");
  json.Key("views").BeginArray();
  for (const SqlView& view : SqlViews(tables))
    json.BeginObject().Key("name").String(view.name).Key("sql").String(view.sql).EndObject();
  json.EndArray().Key("paths").BeginArray();
  for (const TableFiles& files : tables) {
    for (const std::string& path : files.paths) json.String(path);
  }
  json.EndArray().EndObject();
  return text;
}

/// "ok\nBODY", or "WORD\nMESSAGE" with what went wrong.
absl::StatusOr<std::string> Interpret(ChildResult result, const SqlLimits& limits) {
  const size_t line = result.output.find('\n');
  if (line == std::string::npos || result.status != 0) {
    return absl::ResourceExhaustedError(fmt::format(
        "the query ended the process that ran it ({}), most likely by asking for more than the limit of {} bytes of "
        "memory",
        WIFSIGNALED(result.status) ? fmt::format("signal {}", WTERMSIG(result.status))
                                   : fmt::format("status {}", WEXITSTATUS(result.status)),
        limits.memory_bytes));
  }
  const std::string word = result.output.substr(0, line);
  result.output.erase(0, line + 1);
  if (word == "ok") return std::move(result.output);
  if (word == "limit") return absl::ResourceExhaustedError(result.output);
  if (word == "internal") return absl::InternalError(result.output);
  return absl::InvalidArgumentError(result.output);
}

absl::StatusOr<std::string> Run(const std::vector<TableFiles>& tables, const SqlQuery& query, const std::string& out) {
  if (!base::IsValidUtf8(query.sql) || query.sql.find('\0') != std::string::npos)
    return absl::InvalidArgumentError("the query is not text in UTF-8");
  ChildOptions options;
  ASSIGN_OR_RETURN(const std::string program, BesideProgram("bowerbird-sql"));
  options.arguments = {program};
  options.input = Request(tables, query, out);
  options.seconds = query.limits.seconds;
  // The answer, the word before it, and what is left of the limits.
  options.output_bytes_max = query.limits.result_bytes + 128;
  options.cancelled = query.cancelled;
  ASSIGN_OR_RETURN(ChildResult result, RunChild(options));
  return Interpret(std::move(result), query.limits);
}

}  // namespace

std::vector<SqlView> SqlViews(const std::vector<TableFiles>& tables) {
  std::vector<SqlView> views;
  for (const TableFiles& files : tables) {
    if (files.table == nullptr && files.paths.empty()) continue;  // a job's table: its columns are those of its files
    if (files.name != "items" && files.name != "users") {
      views.push_back({files.name, RowsOf(files)});
      continue;
    }
    const std::string changes = files.name == "items" ? "item_changes" : "user_changes";
    views.push_back({changes, RowsOf(files)});
    // Every change of an id is in one partition: its offsets tell the last one.
    views.push_back({files.name, fmt::format("SELECT * EXCLUDE (nth) FROM (SELECT *, row_number() OVER (PARTITION BY "
                                             "id ORDER BY \"offset\" DESC) AS nth FROM {} WHERE id IS NOT NULL) "
                                             "WHERE nth = 1 AND NOT deleted",
                                             changes)});
  }
  return views;
}

absl::StatusOr<SqlAnswer> RunSql(const std::vector<TableFiles>& tables, const SqlQuery& query) {
  const int64_t start_us = base::MonotonicUs();
  SqlAnswer answer;
  ASSIGN_OR_RETURN(answer.body, Run(tables, query, ""));
  for (const TableFiles& files : tables)
    answer.damaged.insert(answer.damaged.end(), files.damaged.begin(), files.damaged.end());
  answer.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  return answer;
}

absl::StatusOr<uint64_t> RunSqlTo(const std::vector<TableFiles>& tables, const SqlQuery& query,
                                  const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, Run(tables, query, path));
  uint64_t rows = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rows);
  if (error != std::errc()) return absl::InternalError("bowerbird-sql did not say how many rows it wrote");
  (void)end;
  return rows;
}

}  // namespace bowerbird::lake
