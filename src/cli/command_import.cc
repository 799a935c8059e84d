#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "app/app.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "ingest/importer.h"
#include "ingest/movielens.h"
#include "ingest/starter.h"

namespace bowerbird::cli {
namespace {

namespace fs = std::filesystem;
using simdjson::dom::element;

constexpr size_t kRowsToInfer = 20'000;

std::string_view Text(element parent, std::string_view key) {
  std::string_view text;
  if (parent[key].get(text) != simdjson::SUCCESS) return {};
  return text;
}

/// Sends batches through the API and reads the verdicts. Remembers which items the events named.
class ApiSink final : public ingest::Sink {
 public:
  explicit ApiSink(Connection* connection) : connection_(connection) {}

  absl::StatusOr<Result> Send(ingest::Kind kind, const std::vector<std::string>& objects) override {
    const bool events = kind == ingest::Kind::kEvents;
    std::string body = events ? "{\"events\":[" : "{\"upsert\":[";
    for (size_t i = 0; i < objects.size(); ++i) {
      if (i > 0) body.push_back(',');
      body += objects[i];
    }
    body += "]}";
    ASSIGN_OR_RETURN(const std::string answer,
                     connection_->Checked("POST", events ? "/v1/events?history=true" : "/v1/items:batch", body));
    element document;
    if (parser_.parse(answer).get(document) != simdjson::SUCCESS) return absl::InternalError("the answer is not JSON");
    return events ? ReadVerdicts(document, objects) : ReadRejected(document, objects);
  }

  const base::StringSet& items_named() const { return items_named_; }

 private:
  absl::StatusOr<Result> ReadVerdicts(element document, const std::vector<std::string>& objects) {
    Result result;
    if (document["accepted"].get(result.accepted) != simdjson::SUCCESS)
      return absl::InternalError("the answer has no count of accepted events");
    // Verdicts are absent, or none, when every event was accepted.
    simdjson::dom::array verdicts;
    if (document["verdicts"].get(verdicts) == simdjson::SUCCESS) {
      size_t index = 0;
      for (const element verdict : verdicts) {
        if (Text(verdict, "verdict") == "rejected") {
          result.rejected.push_back({index, fmt::format("{}: {}", Text(verdict, "field"), Text(verdict, "detail"))});
        }
        ++index;
      }
    }
    for (const std::string& object : objects) {
      element event;
      if (object_parser_.parse(object).get(event) != simdjson::SUCCESS) continue;
      const std::string_view item = Text(event, "item");
      if (!item.empty() && !items_named_.contains(item)) items_named_.insert(std::string(item));
    }
    return result;
  }

  absl::StatusOr<Result> ReadRejected(element document, const std::vector<std::string>& objects) {
    Result result;
    simdjson::dom::array rejected;
    if (document["applied"].get(result.accepted) != simdjson::SUCCESS)
      return absl::InternalError("the answer has no count of applied items");
    if (document["rejected"].get(rejected) != simdjson::SUCCESS) return result;
    if (rejected.size() == 0) return result;
    base::StringMap<size_t> index_of;
    for (size_t i = 0; i < objects.size(); ++i) {
      element item;
      if (object_parser_.parse(objects[i]).get(item) == simdjson::SUCCESS) index_of[std::string(Text(item, "id"))] = i;
    }
    for (const element verdict : rejected) {
      const auto it = index_of.find(Text(verdict, "id"));
      result.rejected.push_back({it == index_of.end() ? 0 : it->second,
                                 fmt::format("{}: {}", Text(verdict, "field"), Text(verdict, "detail"))});
    }
    return result;
  }

  Connection* const connection_;
  simdjson::dom::parser parser_, object_parser_;
  base::StringSet items_named_;
};

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

/// Events may name items that nobody described: they become items with an id only, so that they can be recommended.
absl::Status MakeBareItems(Connection& connection, ApiSink& sink) {
  std::vector<std::string> batch;
  uint64_t made = 0;
  const auto send = [&]() -> absl::Status {
    if (batch.empty()) return absl::OkStatus();
    made += batch.size();
    RETURN_IF_ERROR(sink.Send(ingest::Kind::kItems, batch).status());
    batch.clear();
    return absl::OkStatus();
  };
  for (const std::string& id : sink.items_named()) {
    ASSIGN_OR_RETURN(const server::HttpResponse known,
                     connection.Call("GET", "/v1/items/" + server::PercentEncode(id), ""));
    if (known.status != 404) continue;
    std::string object;
    base::JsonWriter(&object).BeginObject().Key("id").String(id).Key("title").String(id).EndObject();
    batch.push_back(std::move(object));
    if (batch.size() == 1000) RETURN_IF_ERROR(send());
  }
  RETURN_IF_ERROR(send());
  if (made > 0)
    std::printf("%s items that the events name and nobody described: made with their id as title\n",
                Thousands(made).c_str());
  return absl::OkStatus();
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
  if (kind == ingest::Kind::kEvents && !options.only_known_items) return MakeBareItems(*connection, sink);
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
