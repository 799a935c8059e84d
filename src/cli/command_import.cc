#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "app/app.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "cli/api_sink.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "ingest/importer.h"
#include "ingest/movielens.h"
#include "ingest/starter.h"

namespace bowerbird::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRowsToInfer = 20'000;

absl::StatusOr<std::unique_ptr<ingest::RowSource>> OpenSource(const ImportOptions& options) {
  return OpenRows(options.form, options.path, options.separator);
}

/// The first import into a folder writes its config: the starter and what the input needs declared.
absl::Status PrepareFolder(const ImportOptions& options, ingest::Kind kind) {
  if (fs::exists(app::App::Folder(options.folder.dir, options.folder.app) + "/bowerbird.toml")) return absl::OkStatus();
  ingest::Declarations declarations;
  if (options.form == "movielens") {
    declarations = ingest::MovieLensDeclarations();
  } else {
    ASSIGN_OR_RETURN(const auto source, OpenSource(options));
    ASSIGN_OR_RETURN(declarations, ingest::Infer(kind, *source, options.map, options.type, kRowsToInfer));
  }
  const std::string text = ingest::AddDeclarations(config::StarterText(), declarations);
  ASSIGN_OR_RETURN(const bool made, app::App::InitFolder(options.folder.dir, options.folder.app, text));
  if (made) {
    std::fprintf(stderr, "wrote %s/bowerbird.toml: look it over\n",
                 app::App::Folder(options.folder.dir, options.folder.app).c_str());
  }
  return absl::OkStatus();
}

void PrintReport(const std::string& what, const ingest::ImportReport& report, const std::string& rejects_path) {
  std::printf("%s: %s rows, %s accepted, %s rejected", what.c_str(), Thousands(report.rows).c_str(),
              Thousands(report.accepted).c_str(), Thousands(report.rejected).c_str());
  if (report.skipped > 0) std::printf(", %s done by an earlier run", Thousands(report.skipped).c_str());
  if (report.changed) std::printf(", read from the start: the file is another one than an earlier run took");
  if (report.seconds > 0) std::printf("; %.1f s", report.seconds);
  std::printf("\n");
  if (report.rejected > 0) std::printf("  rejected rows, with line and reason: %s\n", rejects_path.c_str());
}

}  // namespace

absl::StatusOr<std::unique_ptr<ingest::RowSource>> OpenRows(const std::string& form, const std::string& path,
                                                            const std::string& separator) {
  if (form == "csv") return ingest::OpenCsv(path, separator == "\\t" ? "\t" : separator);
  if (form == "jsonl") return ingest::OpenJsonLines(path);
  return ingest::OpenParquet(path);
}

absl::Status Import(const ImportOptions& options) {
  const ingest::Kind kind = options.kind == "items" ? ingest::Kind::kItems : ingest::Kind::kEvents;
  RETURN_IF_ERROR(PrepareFolder(options, kind));
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  ApiSink sink(connection.get());
  const std::string app_folder = app::App::Folder(options.folder.dir, options.folder.app);
  const std::string checkpoints = app_folder + "/imports";
  const std::string rejects = options.rejects.empty() ? checkpoints : options.rejects;
  std::error_code error;
  fs::create_directories(rejects, error);
  if (options.form == "movielens") {
    ASSIGN_OR_RETURN(const ingest::MovieLensReport report,
                     ingest::ImportMovieLens(options.path, sink, checkpoints, rejects, 1000, ShowProgress));
    PrintReport("items", report.items, rejects + "/movielens_items_rejected.tsv");
    PrintReport("ratings", report.ratings, rejects + "/movielens_ratings_rejected.tsv");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto source, OpenSource(options));
  base::StringMap<expression::Type> types;
  if (kind == ingest::Kind::kItems) {
    ASSIGN_OR_RETURN(const auto config, config::Load(app_folder + "/bowerbird.toml"));
    for (const config::Attribute& attribute : config->item_attributes) {
      if (!attribute.embedding) types[attribute.name] = attribute.type;
    }
  }
  ASSIGN_OR_RETURN(ingest::Mapping mapping,
                   ingest::MakeMapping(kind, source->columns(), options.map, types, options.type));
  mapping.list_separator = options.list_separator;
  const std::string name = fs::absolute(options.path).string();
  const std::string id = base::HexEncode(std::to_string(base::Hash64(name + options.kind))).substr(0, 16);
  mapping.client_id_seed = id;
  ingest::ImportOptions import;
  import.name = name;
  import.checkpoint_path = checkpoints + "/" + id;
  import.rejects_path = rejects + "/" + fs::path(options.path).filename().string() + "_rejected.tsv";
  import.progress = [&](double share, uint64_t rows) { ShowProgress(options.kind, share, rows); };
  ASSIGN_OR_RETURN(const ingest::ImportReport report, ingest::Import(*source, mapping, sink, import));
  PrintReport(options.kind, report, import.rejects_path);
  if (kind == ingest::Kind::kEvents && !options.only_known_items) {
    ASSIGN_OR_RETURN(const uint64_t made, sink.MakeBareItems());
    if (made > 0) {
      std::printf("%s items that the events name and nobody described: made with their id as title\n",
                  Thousands(made).c_str());
    }
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
