#include "lake/batch_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "lake/job_texts.h"
#include "lake/spark.h"

namespace bowerbird::lake {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDayUs = 86'400'000'000;

std::string DayText(int64_t time_us) { return base::FormatTimeUs(time_us).substr(0, 10); }

absl::StatusOr<int64_t> ParseDay(std::string_view day) {
  const auto time_us = base::ParseTimeUs(day);
  if (day.size() == 10 && time_us.ok() && DayText(*time_us) == day) return *time_us;
  return absl::InvalidArgumentError(fmt::format("date: found '{}'; expected a day such as 2026-11-27", day));
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
  SqlQuery query;
  query.sql = sql;
  query.limits = job.limits;
  query.cancelled = job.cancelled;
  std::string file = folder + "/.part-duckdb.parquet";
  uint64_t rows = 0;
  std::unique_ptr<SparkRows> from_spark;
  if (job.engine == Engine::kSpark) {
    ASSIGN_OR_RETURN(from_spark, RunSpark(*lake, tables, {job.spark_program, query, folder + "/.part-spark"}));
    file = from_spark->file;
    rows = from_spark->rows;
  } else {
    std::error_code ignored;
    fs::remove(file, ignored);
    ASSIGN_OR_RETURN(rows, RunSqlTo(tables, query, file));
  }
  Manifest next = *store->manifest();
  const std::string directory = fmt::format("date={}", job.day);
  ASSIGN_OR_RETURN(Part part, AdoptPart(store, file, directory, ++next.sequence, rows, day_us, day_us + kDayUs - 1));
  std::erase_if(next.parts, [&](const Part& former) { return former.path.starts_with(directory + "/"); });
  next.parts.push_back(part);
  RETURN_IF_ERROR(store->Commit(std::move(next)));
  return BatchJobResult{job.name, store->PathOf(part), rows,
                        static_cast<double>(base::MonotonicUs() - start_us) * 1e-6};
}

}  // namespace bowerbird::lake
