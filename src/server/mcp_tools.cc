#include "server/mcp_tools.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "app/replay_answer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "lake/mask.h"
#include "mcp/doc_index.h"
#include "server/hosted_app.h"
#include "server/lake_query.h"
#include "server/mcp_explain.h"
#include "server/mcp_health.h"
#include "server/mcp_tables.h"
#include "server/profile_reader.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;
using mcp::ParameterType;

constexpr std::string_view kDocs = "bowerbird://docs/", kTables = "bowerbird://tables/";
constexpr char kProfileParts[] = "interests,signals,sequence,hidden,collections,segments";
constexpr size_t kDigestDigits = 16;

const std::vector<mcp::Tool>& AllTools() {
  static const std::vector<mcp::Tool>& tools = *new std::vector<mcp::Tool>{
      {"list_tables",
       "List tables",
       "The tables that run_sql reads: what a row of each is, how many rows, from when to when, and how far it is "
       "behind "
       "the log. Begin here.",
       {}},
      {"describe_table",
       "Describe a table",
       "The columns of one table with their types and what they hold.",
       {{"table", ParameterType::kText, "a name of list_tables", true, 0, 128}}},
      {"run_sql",
       "Run SQL",
       "One SELECT in DuckDB's SQL over the tables of list_tables. It reads nothing else and writes nothing. What "
       "exceeds "
       "the limit of rows is cut, and `truncated` says so: aggregate instead of reading rows. Times are UTC.",
       {{"sql", ParameterType::kText, "such as: select type, count(*) from events group by 1", true, 0, 64 << 10},
        {"max_rows", ParameterType::kInteger, "rows wanted at most; 200 without it", false, 1, McpTools::kRowsMax}}},
      {"experiment_report",
       "Report on an experiment",
       "What an experiment's results say: effects with their intervals, guardrails, health checks, and a verdict.",
       {{"experiment", ParameterType::kText, "its id", true, 0, 64}}},
      {"power",
       "Plan an experiment",
       "How many users and days it takes to see a change of a metric.",
       {{"metric", ParameterType::kText, "a metric of the config", true, 0, 128},
        {"effect", ParameterType::kNumber, "the relative change to be seen, such as 0.02", true, 1e-6, 10}}},
      {"explain_request",
       "Explain an answer",
       "Why an answer of the past was as it was: what it was computed from, and of each shown item which generators "
       "proposed it, its features and its scores. Column request_id of events and served has the ids.",
       {{"request_id", ParameterType::kText, "of the answer", true, 1, 128}}},
      {"explain_user",
       "Explain a user",
       "What is understood of a user: lifecycle, interests, segments, signals, what the user did and the newest "
       "actions.",
       {{"user", ParameterType::kText, "as column user of events has it", true, 1, 256}}},
      {"pipeline_health",
       "Pipeline health",
       "Whether events are folded, tables written and answers whole, with a sentence about each thing that is wrong.",
       {}},
      {"search_docs",
       "Search the documentation",
       "Finds sections of Bowerbird's own documentation by words: concepts, configuration, the API, file formats.",
       {{"query", ParameterType::kText, "some words", true, 1, 500},
        {"count", ParameterType::kInteger, "sections wanted; 5 without it", false, 1, 20}}}};
  return tools;
}

const mcp::DocIndex& Docs() {
  static const mcp::DocIndex& index = *new mcp::DocIndex(mcp::DocTexts());
  return index;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

/// The first row of an answer of RunSql; empty: there is none.
absl::StatusOr<std::vector<std::string>> FirstRow(const std::string& answer) {
  dom::parser parser;
  dom::array rows;
  if (parser.parse(answer)["rows"].get(rows) != simdjson::SUCCESS)
    return absl::InternalError("the lake's answer is not what was asked for");
  std::vector<std::string> cells;
  for (const dom::element row : rows) {
    dom::array values;
    if (row.get(values) != simdjson::SUCCESS) continue;
    for (const dom::element value : values) {
      std::string_view text;
      cells.push_back(value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value));
    }
    break;
  }
  return cells;
}

uint64_t CountRows(const std::string& answer) {
  dom::parser parser;
  dom::array rows;
  return parser.parse(answer)["rows"].get(rows) == simdjson::SUCCESS ? rows.size() : 0;
}

}  // namespace

base::HashSeed MaskSeed(const app::App& app) {
  // No item's id has the first byte: nobody can have these hashed.
  const uint64_t words[2] = {app.hasher()
                                 .Item("\xff"
                                       "mask/0")
                                 .value,
                             app.hasher()
                                 .Item("\xff"
                                       "mask/1")
                                 .value};
  base::HashSeed seed;
  static_assert(sizeof(words) == sizeof(seed));
  std::memcpy(seed.data(), words, sizeof(seed));
  return seed;
}

McpTools::McpTools(Api* api, Caller caller, ExperimentTools experiments)
    : api_(api), caller_(std::move(caller)), experiments_(std::move(experiments)) {}

std::span<const mcp::Tool> McpTools::tools() const { return AllTools(); }

absl::StatusOr<std::string> McpTools::Call(const mcp::Tool& tool, const mcp::Arguments& arguments) {
  const int64_t start_us = base::MonotonicUs();
  rows_ = 0;
  absl::StatusOr<std::string> text = Run(tool.name, arguments);
  // The arguments themselves may name people: their digest tells whether two calls were the same.
  const std::string detail = fmt::format(
      "arguments sha256:{} rows {} seconds {:.3f} {}", base::Sha256Hex(arguments.Json()).substr(0, kDigestDigits),
      rows_, static_cast<double>(base::MonotonicUs() - start_us) * 1e-6, caller_.masked ? "masked" : "unmasked");
  const int status = text.ok() ? 200 : ProblemResponse(text.status()).status;
  const absl::Status recorded = api_->RecordAction(*caller_.request, fmt::format("mcp {}", tool.name), detail, status);
  if (!recorded.ok())
    return absl::UnavailableError("the call is not answered, because the audit log could not be written");
  return text;
}

absl::StatusOr<std::string> McpTools::Run(const std::string& tool, const mcp::Arguments& arguments) {
  if (tool == "list_tables") return ListTables();
  if (tool == "describe_table") return DescribeTable(arguments.Text("table"));
  if (tool == "run_sql") return RunSql(arguments.Text("sql"), arguments.Integer("max_rows", kRows));
  if (tool == "explain_request") return ExplainRequest(arguments.Text("request_id"));
  if (tool == "explain_user") return ExplainUser(arguments.Text("user"));
  if (tool == "pipeline_health") return PipelineHealth();
  if (tool == "search_docs") return SearchDocs(arguments.Text("query"), arguments.Integer("count", 5));
  if (tool == "experiment_report") {
    const std::string id = arguments.Text("experiment");
    if (experiments_.report) return experiments_.report(app(), id);
    return absl::NotFoundError(fmt::format("experiment: found no experiment '{}'", id));
  }
  if (tool == "power") {
    const std::string metric = arguments.Text("metric");
    if (experiments_.power) return experiments_.power(app(), metric, arguments.Number("effect", 0));
    return absl::NotFoundError(fmt::format("metric: found no metric '{}'", metric));
  }
  return absl::InternalError(fmt::format("tool {} is listed and does nothing", tool));
}

absl::StatusOr<std::string> McpTools::Ask(std::string sql, int64_t rows_max, bool masked) const {
  lake::SqlQuery query;
  query.sql = std::move(sql);
  query.limits = LakeLimits(app().config()->lake);
  query.limits.rows = std::min(query.limits.rows, static_cast<uint64_t>(rows_max));
  query.limits.result_bytes = std::min(query.limits.result_bytes, kBytesMax);
  query.cut = true;
  if (masked) query.mask = MaskSeed(app());
  query.cancelled = caller_.request->client_gone;
  ASSIGN_OR_RETURN(lake::SqlAnswer answer, AskLake(&app(), query));
  answer.body.pop_back();  // the object goes on
  std::string rest;
  base::JsonWriter json(&rest);
  json.BeginObject().Key("damaged").BeginArray();
  for (const std::string& file : answer.damaged) json.String(file);
  json.EndArray().EndObject();
  return answer.body + "," + rest.substr(1);
}

absl::StatusOr<std::string> McpTools::RunSql(const std::string& sql, int64_t rows_max) {
  ASSIGN_OR_RETURN(std::string answer, Ask(sql, rows_max, caller_.masked));
  rows_ = CountRows(answer);
  return answer;
}

absl::StatusOr<std::string> McpTools::ListTables() {
  RETURN_IF_ERROR(app().lake().CatchUp().status());
  ASSIGN_OR_RETURN(const std::vector<lake::TableStatus> tables, app().lake().Status());
  rows_ = tables.size();
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("tables").BeginArray();
  const auto write = [&](const std::string& name, const lake::TableStatus& table) {
    json.BeginObject().Key("name").String(name).Key("a_row_is").String(TableNote(name));
    json.Key("rows")
        .Uint(table.rows)
        .Key("records_behind_the_log")
        .Uint(table.lag)
        .Key("damaged_files")
        .Uint(table.damaged);
    json.Key("first_append").String(table.parts == 0 ? "" : base::FormatTimeUs(table.first_us));
    json.Key("last_append").String(table.parts == 0 ? "" : base::FormatTimeUs(table.last_us)).EndObject();
  };
  for (const lake::TableStatus& table : tables) {
    // The files hold changes; the view of the same name has the latest of each, and fewer rows.
    const bool changes = table.name == "items" || table.name == "users";
    write(changes ? fmt::format("{}_changes", table.name.substr(0, table.name.size() - 1)) : table.name, table);
    if (!changes) continue;
    json.BeginObject().Key("name").String(table.name).Key("a_row_is").String(TableNote(table.name)).EndObject();
  }
  json.EndArray().Key("users_are_masked").Bool(caller_.masked).EndObject();
  return text;
}

absl::StatusOr<std::string> McpTools::DescribeTable(const std::string& name) {
  // Nothing but a name may get into the query.
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!plain) return absl::NotFoundError(fmt::format("table: found '{}'; list_tables shows the names", name));
  ASSIGN_OR_RETURN(const std::string answer, Ask(fmt::format("SELECT * FROM {} LIMIT 0", name), 1, caller_.masked));
  std::string of = name;
  if (of == "item_changes") of = "items";
  if (of == "user_changes") of = "users";
  const lake::Table* table = lake::FindLogTable(of);
  dom::parser parser;
  dom::array columns;
  if (parser.parse(answer)["columns"].get(columns) != simdjson::SUCCESS)
    return absl::InternalError("the lake's answer is not what was asked for");
  rows_ = columns.size();
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("table").String(name).Key("a_row_is").String(TableNote(name)).Key("columns").BeginArray();
  for (const dom::element column : columns) {
    const std::string_view column_name = column["name"];
    const std::string_view type_name = column["type"];
    std::string type(type_name);
    if (table != nullptr) {
      const auto field = std::find_if(table->fields->begin(), table->fields->end(),
                                      [&](const lake::Field& one) { return one.name == column_name; });
      if (field != table->fields->end()) type = lake::SqlType(*field);
    }
    json.BeginObject().Key("name").String(column_name).Key("type").String(type);
    if (const std::string_view note = ColumnNote(name, column_name); !note.empty()) json.Key("holds").String(note);
    json.EndObject();
  }
  json.EndArray();
  if (caller_.masked && of != "items") {
    json.Key("masked").String(
        "Users are named user_ and 16 digits, texts that people wrote text_ and 16 digits: equal where the original is "
        "equal, so that they can be counted and joined. Bytes and what may name a user otherwise are null.");
  }
  json.EndObject();
  return text;
}

absl::StatusOr<std::string> McpTools::ExplainRequest(const std::string& id) {
  ASSIGN_OR_RETURN(
      const std::string answer,
      Ask(fmt::format("SELECT partition, \"offset\" FROM served WHERE request_id = {} LIMIT 1", Quoted(id)), 1, false));
  ASSIGN_OR_RETURN(const std::vector<std::string> place, FirstRow(answer));
  if (place.size() != 2) {
    return absl::NotFoundError(
        fmt::format("request_id: found no answer '{}'; column request_id of table served has them", id));
  }
  ASSIGN_OR_RETURN(
      const v1::ServedRecord record,
      app::ReadServed(app().history(), static_cast<uint32_t>(std::stoul(place[0])), std::stoull(place[1])));
  rows_ = 1;
  const base::HashSeed seed = MaskSeed(app());
  const bool masked = caller_.masked;
  const Naming naming{masked,
                      [&](std::string_view user) { return masked ? lake::MaskedUser(seed, user) : std::string(user); },
                      [&](std::string_view text) { return masked ? lake::MaskedText(seed, text) : std::string(text); }};
  return ExplainServed(record, naming, [this](const std::string& item) {
    const absl::StatusOr<v1::Item> found = app().catalog().Get(item);
    return found.ok() ? found->title() : std::string();
  });
}

absl::StatusOr<std::string> McpTools::UserOf(const std::string& named) const {
  if (!caller_.masked) return named;
  if (!lake::IsMaskedUser(named)) {
    return absl::InvalidArgumentError(
        "user: expected user_ and 16 digits, as column user of events has it: users are masked here");
  }
  // A mask cannot be turned back: the row that has it says where the id stands.
  struct Place {
    const char *table, *column;
  };
  for (const Place& place : {Place{"events", "user"}, Place{"user_changes", "id"}, Place{"served", "user"}}) {
    ASSIGN_OR_RETURN(const std::string masked,
                     Ask(fmt::format("SELECT partition, \"offset\" FROM {} WHERE \"{}\" = {} LIMIT 1", place.table,
                                     place.column, Quoted(named)),
                         1, true));
    ASSIGN_OR_RETURN(const std::vector<std::string> at, FirstRow(masked));
    if (at.size() != 2) continue;
    ASSIGN_OR_RETURN(const std::string plain,
                     Ask(fmt::format("SELECT \"{}\" FROM {} WHERE partition = {} AND \"offset\" = {}", place.column,
                                     place.table, at[0], at[1]),
                         1, false));
    ASSIGN_OR_RETURN(const std::vector<std::string> id, FirstRow(plain));
    if (id.size() == 1) return id[0];
  }
  return absl::NotFoundError(fmt::format("user: found no user '{}' in events, users or served", named));
}

absl::StatusOr<std::string> McpTools::ExplainUser(const std::string& user) {
  ASSIGN_OR_RETURN(const std::string id, UserOf(user));
  struct Waited {
    absl::Notification done;
    v1::ProfileResult result;
  };
  const auto waited = std::make_shared<Waited>();
  ProfileCaller caller;
  caller.request = caller_.request;
  caller.parts = kProfileParts;
  caller.timeout_us = kProfileUs;
  caller.gone = caller_.request->client_gone;
  ReadProfile(api_, caller, id, [waited](v1::ProfileResult result) {
    waited->result = std::move(result);
    waited->done.Notify();
  });
  if (!waited->done.WaitForNotificationWithTimeout(absl::Microseconds(kProfileUs)))
    return absl::DeadlineExceededError("the user's state was not read in time; try again");
  if (!waited->result.has_profile()) {
    // What is said of an id that is masked here must not name it.
    return absl::UnavailableError(fmt::format("user: {}", waited->result.code()));
  }
  const auto key = static_cast<int64_t>(app().hasher().User(id).value);
  ASSIGN_OR_RETURN(
      const std::string counted,
      Ask(fmt::format("SELECT type, count(*), min(event_time), max(event_time) FROM events WHERE user_key = {} "
                      "AND type IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1",
                      key),
          kRows, false));
  dom::parser parser;
  dom::array rows;
  if (parser.parse(counted)["rows"].get(rows) != simdjson::SUCCESS)
    return absl::InternalError("the lake's answer is not what was asked for");
  rows_ = 1;
  const absl::StatusOr<v1::User> attributes = app().catalog().GetUser(waited->result.profile().id());
  const base::HashSeed seed = MaskSeed(app());
  const bool masked = caller_.masked;
  const Naming naming{masked,
                      [&](std::string_view name) { return masked ? lake::MaskedUser(seed, name) : std::string(name); },
                      [&](std::string_view text) { return masked ? lake::MaskedText(seed, text) : std::string(text); }};
  return ExplainProfile(waited->result.profile(), attributes.ok() ? &*attributes : nullptr, simdjson::minify(rows),
                        naming);
}

absl::StatusOr<std::string> McpTools::PipelineHealth() {
  HealthFacts facts;
  facts.health = app().Health();
  facts.gauges = app().Gauges();
  facts.lake_enabled = app().config()->lake.enabled;
  facts.snapshot = app().live().View()->snapshot_version();
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(app().lake().folder() + "/..", error);
  if (!error) {
    facts.disk_free_bytes = space.available;
    facts.disk_bytes = space.capacity;
  }
  rows_ = 1;
  return HealthReport(facts);
}

absl::StatusOr<std::string> McpTools::SearchDocs(const std::string& query, int64_t count) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("sections").BeginArray();
  for (const mcp::DocHit& hit : Docs().Search(query, static_cast<size_t>(count))) {
    json.BeginObject().Key("path").String(hit.path).Key("heading").String(hit.heading);
    json.Key("excerpt").String(hit.excerpt).Key("score").Double(hit.score).EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

absl::StatusOr<std::vector<mcp::Resource>> McpTools::Resources() {
  std::vector<mcp::Resource> resources;
  for (const mcp::DocText& document : mcp::DocTexts()) {
    const std::string path(document.path);
    resources.push_back({fmt::format("{}{}", kDocs, path), path, "Bowerbird's documentation", "text/markdown"});
  }
  for (const char* table : {"events", "served", "items", "users", "item_changes", "user_changes"}) {
    resources.push_back(
        {fmt::format("{}{}", kTables, table), table, fmt::format("Columns of table {}", table), "application/json"});
  }
  return resources;
}

absl::StatusOr<std::string> McpTools::Read(std::string_view uri) {
  if (uri.starts_with(kTables)) return DescribeTable(std::string(uri.substr(kTables.size())));
  if (uri.starts_with(kDocs)) {
    for (const mcp::DocText& document : mcp::DocTexts()) {
      if (document.path == uri.substr(kDocs.size())) return std::string(document.text);
    }
  }
  return absl::NotFoundError(fmt::format("found no resource '{}'; resources/list shows them", uri.substr(0, 200)));
}

}  // namespace bowerbird::server
