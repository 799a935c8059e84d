#include "lake/spark.h"

#include <fmt/format.h>

#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "lake/child_process.h"
#include "lake/job_texts.h"
#include "store/file.h"

namespace bowerbird::lake {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPrintedBytesMax = 1u << 20;

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

}  // namespace

SparkRows::~SparkRows() {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

absl::StatusOr<std::unique_ptr<SparkRows>> RunSpark(const Lake& lake, const std::vector<TableFiles>& tables,
                                                    const SparkQuery& query) {
  std::error_code error;
  fs::create_directories(query.folder, error);
  if (error) return absl::UnavailableError(fmt::format("create {}: {}", query.folder, error.message()));
  auto rows = std::make_unique<SparkRows>(query.folder);
  const std::string script = query.folder + "/run_on_spark.py", out = query.folder + "/rows";
  RETURN_IF_ERROR(store::AtomicWriteFile(script, SparkScriptText()));
  ChildOptions options;
  options.arguments = {query.program, script};
  options.input = SparkRequest(tables, lake, query.query.sql, out);
  options.environment = true;
  options.seconds = query.query.limits.seconds;
  options.output_bytes_max = kPrintedBytesMax;
  options.cancelled = query.query.cancelled;
  ASSIGN_OR_RETURN(const ChildResult result, RunChild(options));
  const std::string printed(absl::StripTrailingAsciiWhitespace(result.output));
  if (result.status != 0 || !absl::SimpleAtoi(printed.substr(printed.rfind('\n') + 1), &rows->rows)) {
    return absl::UnavailableError(fmt::format("{}: {}", query.program, result.errors));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(out, error)) {
    if (entry.path().extension() == ".parquet") rows->file = entry.path();
  }
  if (!rows->file.empty()) return rows;
  return absl::UnavailableError(fmt::format("{}: it wrote no file", query.program));
}

}  // namespace bowerbird::lake
