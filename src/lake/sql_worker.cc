// bowerbird-sql: answers one query, read from standard input as RunSql (sql.h) writes it, and ends. It is the one
// program that holds DuckDB. What a query may do is bounded four times over: by what the text may name (CheckTree), by
// DuckDB's own settings, locked, by limits of the system on this process, and by whoever started it, who kills it.
#include <duckdb.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "lake/sql_mask.h"
#include "lake/sql_result.h"

namespace bowerbird::lake {
namespace {

namespace dom = simdjson::dom;

constexpr uint64_t kBytesBeside = uint64_t{1} << 30;  // the library, stacks, and what is reserved and not used
constexpr int kNestedMax = 250;

struct Request {
  std::string sql, form, out;
  bool cut = false;
  std::string mask;  ///< a seed in hexadecimal digits; empty: nothing is masked
  uint64_t rows_max = 0, bytes_max = 0, memory_bytes = 0, threads = 0;
  std::vector<std::pair<std::string, std::string>> views;
  std::vector<std::string> paths;
};

absl::StatusOr<Request> ReadRequest() {
  std::string text;
  char buffer[64 << 10];
  for (ssize_t bytes = 0; (bytes = read(0, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<size_t>(bytes));
  dom::parser parser;
  dom::element root;
  Request request;
  std::string_view sql, form, out, mask;
  dom::array views, paths;
  if (parser.parse(text).get(root) || root["sql"].get(sql) || root["form"].get(form) || root["out"].get(out) ||
      root["rows_max"].get(request.rows_max) || root["bytes_max"].get(request.bytes_max) ||
      root["memory_bytes"].get(request.memory_bytes) || root["threads"].get(request.threads) ||
      root["cut"].get(request.cut) || root["mask"].get(mask) || root["views"].get(views) || root["paths"].get(paths)) {
    return absl::InternalError("bowerbird-sql is started by bowerbird, with a request on standard input");
  }
  request.sql = sql;
  request.form = form;
  request.out = out;
  request.mask = mask;
  for (const dom::element view : views) {
    request.views.emplace_back(std::string_view(view["name"]), std::string_view(view["sql"]));
  }
  for (const dom::element path : paths) request.paths.emplace_back(std::string_view(path));
  return request;
}

void LimitProcess(const Request& request) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const auto limit = [](auto resource, uint64_t value) {
    const rlimit both{value, value};
    setrlimit(resource, &both);
  };
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_AS, request.memory_bytes + request.memory_bytes / 2 + kBytesBeside);
  if (request.out.empty()) limit(RLIMIT_FSIZE, 0);
  std::signal(SIGXFSZ, SIG_IGN);
  base::GiveWay(5);
}

std::string Quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

std::string List(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts)
    fmt::format_to(std::back_inserter(list), "{}{}", list.empty() ? "" : ", ", Quote(text));
  return "[" + list + "]";
}

/// What DuckDB says of a query: of its text, of what it lacked, or of a limit.
absl::Status QueryError(std::string_view message, const Request& request) {
  if (message.find("Out of Memory") != std::string_view::npos || message.find("bad_alloc") != std::string_view::npos) {
    return absl::ResourceExhaustedError(
        fmt::format("the query needs more than the limit of {} bytes of memory", request.memory_bytes));
  }
  return absl::InvalidArgumentError(std::string(message));
}

class Database {
 public:
  ~Database() {
    duckdb_disconnect(&connection_);
    duckdb_close(&database_);
  }
  duckdb_connection connection() const { return connection_; }

  absl::Status Open(const Request& request) {
    duckdb_config config = nullptr;
    duckdb_create_config(&config);
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"threads", fmt::format("{}", std::max<uint64_t>(1, request.threads))},
             {"memory_limit", fmt::format("{}B", request.memory_bytes)},
             {"temp_directory", ""},
             {"autoinstall_known_extensions", "false"},
             {"autoload_known_extensions", "false"},
             {"allow_community_extensions", "false"}}) {
      duckdb_set_config(config, name.c_str(), value.c_str());
    }
    char* error = nullptr;
    const bool opened = duckdb_open_ext(nullptr, &database_, config, &error) == DuckDBSuccess;
    duckdb_destroy_config(&config);
    if (!opened || duckdb_connect(database_, &connection_) != DuckDBSuccess)
      return absl::InternalError(fmt::format("DuckDB: {}", error == nullptr ? "cannot connect" : error));
    std::vector<std::string> paths = request.paths;
    if (!request.out.empty()) paths.push_back(request.out);
    RETURN_IF_ERROR(Run("SET TimeZone = 'UTC'"));
    RETURN_IF_ERROR(Run(fmt::format("SET max_expression_depth = {}", kNestedMax)));
    RETURN_IF_ERROR(Run(fmt::format("SET allowed_paths = {}", List(paths))));
    RETURN_IF_ERROR(Run("SET enable_external_access = false"));
    RETURN_IF_ERROR(ReadSystemNames());
    RETURN_IF_ERROR(AddViews(request));
    return Run("SET lock_configuration = true");
  }
  /// Names, in lower case, that are something of DuckDB's own where no view and no common table expression has them.
  const std::set<std::string>& system_names() const { return system_names_; }

 private:
  /// A statement of our own.
  absl::Status Run(const std::string& sql) {
    duckdb_result result;
    const bool done = duckdb_query(connection_, sql.c_str(), &result) == DuckDBSuccess;
    const char* error = done ? nullptr : duckdb_result_error(&result);
    absl::Status status =
        done ? absl::OkStatus() : absl::InternalError(fmt::format("DuckDB: {}", error == nullptr ? sql : error));
    duckdb_destroy_result(&result);
    return status;
  }

  absl::Status AddViews(const Request& request) {
    std::optional<UserMask> mask;
    if (!request.mask.empty()) {
      ASSIGN_OR_RETURN(mask, UserMask::Register(connection_, request.mask));
    }
    for (const auto& [name, sql] : request.views) {
      std::string shown = sql;
      if (mask.has_value()) {
        ASSIGN_OR_RETURN(shown, mask->Mask(name, sql));
      }
      RETURN_IF_ERROR(Run(fmt::format("CREATE VIEW \"{}\" AS {}", name, shown)));
    }
    return absl::OkStatus();
  }

  absl::Status ReadSystemNames() {
    duckdb_result result;
    const bool done = duckdb_query(connection_,
                                   "SELECT lower(view_name) FROM duckdb_views() WHERE internal AND schema_name <> "
                                   "'information_schema'",
                                   &result) == DuckDBSuccess;
    while (done) {
      duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
      if (chunk == nullptr) break;
      auto* names = static_cast<duckdb_string_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)));
      for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); ++row)
        system_names_.emplace(duckdb_string_t_data(names + row), duckdb_string_t_length(names[row]));
      duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return system_names_.empty() ? absl::InternalError("DuckDB: its own views are not known") : absl::OkStatus();
  }

  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
  std::set<std::string> system_names_;
};

/// The query as DuckDB's own parser reads it, as JSON: only a SELECT has that form.
absl::StatusOr<std::string> ParseTree(const Database& database, const Request& request) {
  duckdb_prepared_statement statement = nullptr;
  duckdb_result result;
  if (duckdb_prepare(database.connection(), "SELECT json_serialize_sql($1::VARCHAR)", &statement) != DuckDBSuccess) {
    absl::Status status = absl::InternalError(fmt::format("DuckDB: {}", duckdb_prepare_error(statement)));
    duckdb_destroy_prepare(&statement);
    return status;
  }
  duckdb_bind_varchar_length(statement, 1, request.sql.data(), request.sql.size());
  absl::StatusOr<std::string> tree = absl::InternalError("DuckDB: the query was not read");
  if (duckdb_execute_prepared(statement, &result) != DuckDBSuccess) {
    tree = QueryError(duckdb_result_error(&result), request);
  } else if (duckdb_data_chunk chunk = duckdb_fetch_chunk(result); chunk != nullptr) {
    auto* text = static_cast<duckdb_string_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)));
    tree = std::string(duckdb_string_t_data(text), duckdb_string_t_length(*text));
    duckdb_destroy_data_chunk(&chunk);
  }
  duckdb_destroy_result(&result);
  duckdb_destroy_prepare(&statement);
  return tree;
}

std::string_view TextAt(const dom::object& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

/// What a query may read: the views, its own common table expressions, and functions that make rows of numbers. Every
/// other function in the place of a table reads something else: files, settings, another text as SQL.
class TreeCheck {
 public:
  TreeCheck(const Request& request, const std::set<std::string>& system_names) : system_names_(system_names) {
    for (const auto& view : request.views) tables_.insert(view.first);
  }

  absl::Status Check(const dom::element& root) {
    FindExpressions(root);
    for (const std::string& name : expressions_) RETURN_IF_ERROR(CheckExpressionName(name));
    tables_.insert(expressions_.begin(), expressions_.end());
    return CheckNode(root);
  }

 private:
  void FindExpressions(const dom::element& element) {
    if (dom::object object; element.get(object) == simdjson::SUCCESS) {
      if (dom::array map; object["cte_map"]["map"].get(map) == simdjson::SUCCESS) {
        for (const dom::element entry : map) {
          if (dom::object named; entry.get(named) == simdjson::SUCCESS)
            expressions_.insert(std::string(TextAt(named, "key")));
        }
      }
      if (const std::string_view name = TextAt(object, "cte_name"); !name.empty())
        expressions_.insert(std::string(name));
      for (const auto field : object) FindExpressions(field.value);
    } else if (dom::array array; element.get(array) == simdjson::SUCCESS) {
      for (const dom::element one : array) FindExpressions(one);
    }
  }

  /// Outside of its scope the name of an expression means something else: then it must mean nothing. So it is no name
  /// of DuckDB's own tables, and none that it would take for a file.
  absl::Status CheckExpressionName(std::string_view name) const {
    std::string lower;
    bool plain = !name.empty();
    for (const char c : name) {
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      plain &= std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    }
    if (plain && !system_names_.contains(lower)) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format(
        "found WITH {}; expected a name of letters, digits and '_' that is none of DuckDB's own", Quote(name)));
  }

  absl::Status CheckNode(const dom::element& element) const {
    if (dom::object object; element.get(object) == simdjson::SUCCESS) {
      RETURN_IF_ERROR(CheckObject(object));
      for (const auto field : object) RETURN_IF_ERROR(CheckNode(field.value));
    } else if (dom::array array; element.get(array) == simdjson::SUCCESS) {
      for (const dom::element one : array) RETURN_IF_ERROR(CheckNode(one));
    }
    return absl::OkStatus();
  }

  absl::Status CheckObject(const dom::object& object) const {
    static constexpr std::string_view kRowFunctions[] = {"range", "generate_series", "unnest", "json_each",
                                                         "json_tree"};
    static constexpr std::string_view kRefusedFunctions[] = {
        "getenv",  "current_setting", "getvariable",         "write_log",
        "nextval", "currval",         "json_serialize_plan", UserMask::kFunction};
    const std::string_view type = TextAt(object, "type");
    if (type == "BASE_TABLE") {
      const std::string table(TextAt(object, "table_name"));
      const std::string_view schema = TextAt(object, "schema_name"), catalog = TextAt(object, "catalog_name");
      if ((schema.empty() || schema == "main") && catalog.empty() && Has(table)) return absl::OkStatus();
      return absl::InvalidArgumentError(fmt::format("found table {}{}{}; expected one of {}", schema,
                                                    schema.empty() ? "" : ".", Quote(table), fmt::join(tables_, ", ")));
    }
    dom::object function;
    if (type == "TABLE_FUNCTION" && object["function"].get(function) == simdjson::SUCCESS) {
      const std::string_view name = TextAt(function, "function_name");
      if (std::find(std::begin(kRowFunctions), std::end(kRowFunctions), name) != std::end(kRowFunctions))
        return absl::OkStatus();
      return absl::InvalidArgumentError(fmt::format("found the function {} in the place of a table; expected one of {}",
                                                    name, fmt::join(kRowFunctions, ", ")));
    }
    const std::string_view scalar = TextAt(object, "function_name");
    if (std::find(std::begin(kRefusedFunctions), std::end(kRefusedFunctions), scalar) != std::end(kRefusedFunctions))
      return absl::InvalidArgumentError(fmt::format("the function {} is not for queries over the lake", scalar));
    return absl::OkStatus();
  }

  bool Has(std::string_view table) const {
    return std::any_of(tables_.begin(), tables_.end(), [&](const std::string& known) {
      return std::equal(known.begin(), known.end(), table.begin(), table.end(),
                        [](char a, char b) { return std::tolower(a) == std::tolower(b); });
    });
  }

  const std::set<std::string>& system_names_;
  std::set<std::string> tables_, expressions_;
};

absl::Status CheckTree(const std::string& tree, const Database& database, const Request& request) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(tree).get(root) != simdjson::SUCCESS)
    return absl::InvalidArgumentError("the query is nested too deeply");
  bool wrong = false;
  if (root["error"].get(wrong) == simdjson::SUCCESS && wrong) {
    std::string_view message;
    if (root["error_message"].get(message) != simdjson::SUCCESS) message = "it cannot be read";
    if (message.find("Only SELECT") != std::string_view::npos) message = "expected a SELECT: the lake is only read";
    return absl::InvalidArgumentError(std::string(message));
  }
  dom::array statements;
  size_t count = 0;
  if (root["statements"].get(statements) == simdjson::SUCCESS) count = statements.size();
  if (count != 1) return absl::InvalidArgumentError(fmt::format("found {} statements; expected one SELECT", count));
  return TreeCheck(request, database.system_names()).Check(root);
}

/// The one statement of `sql`, which must be of the kind; closed with it.
class Statement {
 public:
  ~Statement() {
    duckdb_destroy_prepare(&prepared_);
    duckdb_destroy_extracted(&extracted_);
  }
  absl::Status Prepare(const Database& database, const std::string& sql, duckdb_statement_type kind,
                       const Request& request) {
    const idx_t count = duckdb_extract_statements(database.connection(), sql.c_str(), &extracted_);
    if (count != 1) {
      const char* error = count == 0 ? duckdb_extract_statements_error(extracted_) : nullptr;
      return QueryError(error == nullptr ? "expected one SELECT" : error, request);
    }
    if (duckdb_prepare_extracted_statement(database.connection(), extracted_, 0, &prepared_) != DuckDBSuccess)
      return QueryError(duckdb_prepare_error(prepared_), request);
    if (duckdb_prepared_statement_type(prepared_) != kind)
      return absl::InvalidArgumentError("expected a SELECT: the lake is only read");
    return absl::OkStatus();
  }
  duckdb_prepared_statement get() const { return prepared_; }

 private:
  duckdb_extracted_statements extracted_ = nullptr;
  duckdb_prepared_statement prepared_ = nullptr;
};

absl::StatusOr<std::string> Select(const Database& database, const Request& request) {
  Statement statement;
  RETURN_IF_ERROR(statement.Prepare(database, request.sql, DUCKDB_STATEMENT_TYPE_SELECT, request));
  duckdb_result result;
  if (duckdb_execute_prepared_streaming(statement.get(), &result) != DuckDBSuccess) {
    absl::Status status = QueryError(duckdb_result_error(&result), request);
    duckdb_destroy_result(&result);
    return status;
  }
  SqlResultWriter writer({request.form == "csv", request.rows_max, request.bytes_max, request.cut});
  writer.Begin(&result);
  absl::Status status;
  while (status.ok() && !writer.truncated()) {
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk == nullptr) {
      if (const char* error = duckdb_result_error(&result); error != nullptr && *error != '\0')
        status = QueryError(error, request);
      break;
    }
    status = writer.Add(chunk);
    duckdb_destroy_data_chunk(&chunk);
  }
  duckdb_destroy_result(&result);
  if (!status.ok()) return status;
  return writer.Finish();
}

absl::StatusOr<std::string> CopyOut(const Database& database, const Request& request) {
  Statement statement;
  const std::string sql =
      fmt::format("COPY (\n{}\n) TO {} (FORMAT parquet, COMPRESSION zstd)", request.sql, Quote(request.out));
  RETURN_IF_ERROR(statement.Prepare(database, sql, DUCKDB_STATEMENT_TYPE_COPY, request));
  duckdb_result result;
  absl::StatusOr<std::string> rows;
  if (duckdb_execute_prepared(statement.get(), &result) != DuckDBSuccess) {
    rows = QueryError(duckdb_result_error(&result), request);
  } else {
    rows = fmt::format("{}", duckdb_rows_changed(&result));
  }
  duckdb_destroy_result(&result);
  return rows;
}

absl::StatusOr<std::string> Answer() {
  ASSIGN_OR_RETURN(const Request request, ReadRequest());
  LimitProcess(request);
  // Bound by length elsewhere, but read as C's text where it runs: the two must be the same query.
  if (request.sql.find('\0') != std::string::npos) return absl::InvalidArgumentError("the query has a NUL in it");
  Database database;
  RETURN_IF_ERROR(database.Open(request));
  ASSIGN_OR_RETURN(const std::string tree, ParseTree(database, request));
  RETURN_IF_ERROR(CheckTree(tree, database, request));
  return request.out.empty() ? Select(database, request) : CopyOut(database, request);
}

void Print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(1, text.data(), text.size());
    if (written <= 0) _exit(1);
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace
}  // namespace bowerbird::lake

int main() {
  using bowerbird::lake::Print;
  absl::StatusOr<std::string> answer = absl::InternalError("nothing was answered");
  try {
    answer = bowerbird::lake::Answer();
  } catch (const std::bad_alloc&) {
    answer = absl::ResourceExhaustedError("the query needs more than the limit of memory");
  } catch (const std::exception& exception) {
    answer = absl::InternalError(exception.what());
  }
  const char* word = "ok";
  if (absl::IsResourceExhausted(answer.status())) {
    word = "limit";
  } else if (absl::IsInternal(answer.status())) {
    word = "internal";
  } else if (!answer.ok()) {
    word = "invalid";
  }
  Print(word);
  Print("\n");
  Print(answer.ok() ? *answer : std::string(answer.status().message()));
  // What DuckDB still has under way need not be waited for.
  _exit(0);
}
