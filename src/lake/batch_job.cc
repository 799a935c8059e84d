#include "lake/batch_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "lake/child_process.h"
#include "lake/job_texts.h"
#include "store/file.h"

namespace bowerbird::lake {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDayUs = 86'400'000'000;
constexpr uint64_t kPrintedBytesMax = 1u << 20;

std::string DayText(int64_t time_us) { return base::FormatTimeUs(time_us).substr(0, 10); }

absl::StatusOr<int64_t> ParseDay(std::string_view day) {
  const auto time_us = base::ParseTimeUs(day);
  if (day.size() == 10 && time_us.ok() && DayText(*time_us) == day) return *time_us;
  return absl::InvalidArgumentError(fmt::format("date: found '{}'; expected a day such as 2026-11-27", day));
}

/// Null: not a plain column.
const char* SparkType(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return "boolean";
    case Kind::kInt32:
      return "int";
    case Kind::kInt64:
      return "bigint";
    case Kind::kFloat:
      return "float";
    case Kind::kDouble:
      return "double";
    case Kind::kTime:
      return "timestamp";
    case Kind::kText:
      return "string";
    case Kind::kBytes:
      return "binary";
    case Kind::kList:
    case Kind::kStruct:
    case Kind::kMap:
      break;
  }
  return nullptr;
}

std::string SparkRequest(const std::vector<TableFiles>& tables, const Lake& lake, const std::string& sql,
                         const std::string& out) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("sql").String(sql).Key("out").String(out).Key("tables").BeginArray();
  for (const TableFiles& files : tables) {
    if (files.paths.empty()) continue;
    json.BeginObject().Key("name").String(files.name).Key("folder").String(lake.folder() + "/" + files.name);
    json.Key("columns").BeginObject();
    if (files.table != nullptr) {
      for (const Field& field : *files.table->fields) {
        if (const char* type = SparkType(field.kind)) json.Key(field.name).String(type);
      }
    }
    json.EndObject().Key("paths").BeginArray();
    for (const std::string& path : files.paths) json.String(path);
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

struct Written {
  std::string file;
  uint64_t rows = 0;
};

absl::StatusOr<Written> RunOnSpark(const Lake& lake, const std::vector<TableFiles>& tables, const BatchJob& job,
                                   const std::string& sql, const std::string& folder) {
  const std::string script = folder + "/.run_on_spark.py", out = folder + "/.part-spark";
  RETURN_IF_ERROR(store::AtomicWriteFile(script, SparkScriptText()));
  ChildOptions options;
  options.arguments = {job.spark_program, script};
  options.input = SparkRequest(tables, lake, sql, out);
  options.environment = true;
  options.seconds = job.limits.seconds;
  options.output_bytes_max = kPrintedBytesMax;
  options.cancelled = job.cancelled;
  absl::StatusOr<ChildResult> result = RunChild(options);
  std::error_code ignored;
  fs::remove(script, ignored);
  RETURN_IF_ERROR(result.status());
  const std::string printed(absl::StripTrailingAsciiWhitespace(result->output));
  Written written;
  if (result->status != 0 || !absl::SimpleAtoi(printed.substr(printed.rfind('\n') + 1), &written.rows)) {
    return absl::UnavailableError(fmt::format("{}: {}", job.spark_program, result->errors));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(out, ignored)) {
    if (entry.path().extension() == ".parquet") written.file = entry.path();
  }
  if (written.file.empty()) return absl::UnavailableError(fmt::format("{}: it wrote no file", job.spark_program));
  return written;
}

}  // namespace

std::vector<std::string_view> JobNames() {
  std::vector<std::string_view> names;
  for (const JobText& job : JobTexts()) names.push_back(job.name);
  return names;
}

absl::StatusOr<std::string> JobSql(std::string_view name, std::string_view day, Engine engine) {
  ASSIGN_OR_RETURN(const int64_t day_us, ParseDay(day));
  for (const JobText& job : JobTexts()) {
    if (job.name != name) continue;
    const std::string sql =
        absl::StrReplaceAll(std::string(job.sql), {{"{{marked_users}}", std::string(MarkedUsersText())}});
    // One row for each value of a list has no name that both engines know.
    return absl::StrReplaceAll(sql, {{"{{day}}", std::string(day)},
                                     {"{{day_before}}", DayText(day_us - kDayUs)},
                                     {"{{day_after}}", DayText(day_us + kDayUs)},
                                     {"{{explode}}", engine == Engine::kSpark ? "explode" : "unnest"}});
  }
  return absl::NotFoundError(fmt::format("job: found '{}'; expected one of {}", name, fmt::join(JobNames(), ", ")));
}

absl::StatusOr<BatchJobResult> RunBatchJob(Lake* lake, const BatchJob& job) {
  const int64_t start_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(const std::string sql, JobSql(job.name, job.day, job.engine));
  ASSIGN_OR_RETURN(const int64_t day_us, ParseDay(job.day));
  RETURN_IF_ERROR(lake->CatchUp().status());
  ASSIGN_OR_RETURN(const std::vector<TableFiles> tables, lake->Files());
  for (const TableFiles& files : tables) {
    if (files.damaged.empty() || files.table == nullptr) continue;
    return absl::DataLossError(
        fmt::format("the numbers would lack what these files hold: {}", fmt::join(files.damaged, "; ")));
  }
  ASSIGN_OR_RETURN(TableStore * store, lake->JobTable(job.name));
  const absl::MutexLock lock(&store->writing());
  const std::string folder = lake->folder() + "/" + job.name;
  Written written;
  std::error_code ignored;
  if (job.engine == Engine::kSpark) {
    ASSIGN_OR_RETURN(written, RunOnSpark(*lake, tables, job, sql, folder));
  } else {
    written.file = folder + "/.part-duckdb.parquet";
    fs::remove(written.file, ignored);
    SqlQuery query;
    query.sql = sql;
    query.limits = job.limits;
    query.cancelled = job.cancelled;
    ASSIGN_OR_RETURN(written.rows, RunSqlTo(tables, query, written.file));
  }
  Manifest next = *store->manifest();
  const std::string directory = fmt::format("date={}", job.day);
  ASSIGN_OR_RETURN(
      Part part, AdoptPart(store, written.file, directory, ++next.sequence, written.rows, day_us, day_us + kDayUs - 1));
  fs::remove_all(folder + "/.part-spark", ignored);
  std::erase_if(next.parts, [&](const Part& former) { return former.path.starts_with(directory + "/"); });
  next.parts.push_back(part);
  RETURN_IF_ERROR(store->Commit(std::move(next)));
  return BatchJobResult{job.name, store->PathOf(part), written.rows,
                        static_cast<double>(base::MonotonicUs() - start_us) * 1e-6};
}

}  // namespace bowerbird::lake
