#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/demo_page.h"
#include "cli/playground_source.h"
#include "cli/progress.h"
#include "cli/temporary_folder.h"
#include "server/server.h"

namespace bowerbird::cli {
namespace {

namespace fs = std::filesystem;
using simdjson::dom::element;

constexpr uint16_t kPort = 8080;
constexpr uint32_t kShown = 10;
constexpr size_t kLatelyShown = 3;
constexpr double kTellingActions = 50;
constexpr int64_t kCallUs = 600'000'000;

void Say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

double SecondsSince(int64_t start_us) { return static_cast<double>(base::MonotonicUs() - start_us) * 1e-6; }

std::string_view Text(element parent, std::string_view key) {
  std::string_view text;
  if (parent[key].get(text) != simdjson::SUCCESS) return {};
  return text;
}

struct Shown {
  std::string id, title, reason;
};

/// What is printed: one person's first page.
struct FirstPage {
  Person person;
  uint64_t actions = 0;
  std::vector<std::string> lately;  ///< titles, the newest first
  std::vector<Shown> items;
};

struct Timings {
  double import_s = 0, train_s = 0, index_s = 0, page_s = 0, total_s = 0;
};

/// The people as the page reads them; there are none before the import is done.
class People {
 public:
  void Set(const std::vector<Person>& people) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginArray();
    for (const Person& person : people)
      json.BeginObject().Key("id").String(person.id).Key("name").String(person.name).EndObject();
    json.EndArray();
    absl::MutexLock lock(&mutex_);
    json_ = std::move(text);
  }
  std::string Json() const {
    absl::ReaderMutexLock lock(&mutex_);
    return json_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::string json_ ABSL_GUARDED_BY(mutex_) = "[]";
};

/// Of the people, the one whose history tells most, with the page that it gets.
absl::StatusOr<FirstPage> AskFirstPage(Connection& connection, const std::vector<Person>& people,
                                       const Gallery& gallery) {
  simdjson::dom::parser parser;
  element document;
  FirstPage page;
  double best = 0;
  for (const Person& person : people) {
    ASSIGN_OR_RETURN(
        const std::string profile,
        connection.Checked("GET", fmt::format("/v1/users/{}/profile", server::PercentEncode(person.id)), ""));
    uint64_t actions = 0;
    simdjson::dom::array sequence;
    if (parser.parse(profile).get(document) || document["events"].get(actions) || document["sequence"].get(sequence) ||
        sequence.size() == 0)
      continue;
    const double distance = std::abs(std::log(static_cast<double>(actions) / kTellingActions));
    if (!page.person.id.empty() && distance >= best) continue;
    best = distance;
    page.person = person;
    page.actions = actions;
    page.lately.clear();
    for (const element action : sequence) {
      if (page.lately.size() == kLatelyShown) break;
      std::string title = gallery.Title(Text(action, "item"));
      if (std::find(page.lately.begin(), page.lately.end(), title) == page.lately.end())
        page.lately.push_back(std::move(title));
    }
  }
  if (page.person.id.empty()) return absl::FailedPreconditionError("nobody has done anything that can be learned from");
  std::string body;
  base::JsonWriter(&body)
      .BeginObject()
      .Key("surface")
      .String("home")
      .Key("user")
      .String(page.person.id)
      .Key("n")
      .Uint(kShown)
      .Key("explain")
      .Bool(true)
      .Key("fields")
      .BeginArray()
      .String("title")
      .EndArray()
      .EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection.Checked("POST", "/v1/recommend", body));
  simdjson::dom::array items;
  if (parser.parse(answer).get(document) || document["items"].get(items))
    return absl::InternalError("the answer is not a feed");
  for (const element item : items) {
    Shown shown{.id = std::string(Text(item, "id"))};
    shown.title = gallery.Title(shown.id);
    if (element why; item["explanation"].get(why) == simdjson::SUCCESS) shown.reason = Text(why, "reason");
    page.items.push_back(std::move(shown));
  }
  return page;
}

absl::Status Post(Connection& connection, std::string_view target, double* seconds) {
  const int64_t start_us = base::MonotonicUs();
  RETURN_IF_ERROR(connection.Checked("POST", target, "{}").status());
  *seconds = SecondsSince(start_us);
  return absl::OkStatus();
}

std::string PageUrl(uint16_t port, const Person& person) {
  return fmt::format("http://127.0.0.1:{}/demo/?user={}", port, server::PercentEncode(person.id));
}

void Print(const FirstPage& page, const std::string& url, const Timings& timings) {
  std::printf("\nA page for '%s' (%s actions", page.person.name.c_str(), Thousands(page.actions).c_str());
  if (!page.lately.empty()) std::printf("; lately: %s", fmt::format("{}", fmt::join(page.lately, "; ")).c_str());
  std::printf(")\n\n");
  for (size_t i = 0; i < page.items.size(); ++i)
    std::printf("%3zu  %s\n     %s\n", i + 1, page.items[i].title.c_str(), page.items[i].reason.c_str());
  std::printf("\nfirst page after %.1f s (import %.1f, train %.1f, index %.1f)\n", timings.total_s, timings.import_s,
              timings.train_s, timings.index_s);
  std::printf("\n  Look at it: %s\n", url.c_str());
}

std::string Json(const PlaygroundSource& source, const Filling& filling, const FirstPage& page, const std::string& url,
                 const Timings& timings) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject();
  source.WriteUnderstood(json);
  json.Key("rows").Uint(filling.rows).Key("events").Uint(filling.events).Key("rejected").Uint(filling.rejected);
  json.Key("users").Uint(filling.users).Key("items").Uint(filling.items);
  json.Key("user").String(page.person.id).Key("page").BeginArray();
  for (const Shown& shown : page.items) {
    json.BeginObject().Key("id").String(shown.id).Key("title").String(shown.title);
    json.Key("reason").String(shown.reason).EndObject();
  }
  json.EndArray().Key("url").String(url).Key("seconds").BeginObject();
  json.Key("import").Double(timings.import_s).Key("train").Double(timings.train_s);
  json.Key("index").Double(timings.index_s).Key("page").Double(timings.page_s);
  json.Key("total").Double(timings.total_s).EndObject().EndObject();
  return text;
}

absl::StatusOr<std::unique_ptr<PlaygroundSource>> Source(const PlaygroundOptions& options) {
  if (!options.csv.empty()) return PlaygroundOfCsv(options.csv, options.map);
  if (!options.movielens.empty()) return PlaygroundOfMovieLens(options.movielens);
  return PlaygroundOfWorld(base::SystemClock::Get().NowUs());
}

/// On the port that was asked for; where none was, on the usual one or, if that is taken, on any.
absl::StatusOr<std::unique_ptr<server::Server>> Start(server::Server::Options options, const PlaygroundOptions& asked) {
  options.config.port = asked.port >= 0 ? static_cast<uint16_t>(asked.port) : asked.headless ? 0 : kPort;
  auto started = server::Server::Start(options);
  if (started.ok() || asked.port >= 0 || asked.headless) return started;
  options.config.port = 0;
  return server::Server::Start(options);
}

}  // namespace

absl::Status Playground(const PlaygroundOptions& options) {
  const int64_t start_us = base::MonotonicUs();
  const TemporaryFolder folder(options.dir, "bowerbird-playground");
  if (folder.path().empty()) return absl::UnavailableError("no temporary folder can be made");
  const std::string app_folder = app::App::Folder(folder.path(), "default");
  if (fs::exists(app_folder)) {
    return absl::FailedPreconditionError(
        fmt::format("{} holds an app already; a playground begins with an empty folder", folder.path()));
  }
  ASSIGN_OR_RETURN(const auto source, Source(options));
  std::fprintf(stderr, "%s", source->Understood().c_str());

  // Declared before the server: its threads ask them until it is gone.
  Gallery gallery;
  People people;
  RETURN_IF_ERROR(app::App::InitFolder(folder.path(), "default", source->ConfigText()).status());
  server::Server::Options server_options;
  server_options.dir = folder.path();
  server_options.config.log_level = "warn";
  server_options.routes = [&](server::Api& api) {
    AddDemoRoutes(
        api, [&people] { return people.Json(); }, &gallery);
  };
  ASSIGN_OR_RETURN(const auto server, Start(server_options, options));
  const std::string address = fmt::format("127.0.0.1:{}", server->port());

  Timings timings;
  const std::string imports = app_folder + "/imports";
  std::error_code ignored;
  fs::create_directories(imports, ignored);
  ASSIGN_OR_RETURN(const Filling filling, source->Fill(address, imports, gallery));
  timings.import_s = SecondsSince(start_us);
  Say(fmt::format("{} events of {} users on {} items; learning", Thousands(filling.events), Thousands(filling.users),
                  Thousands(filling.items)));
  if (filling.rejected > 0) {
    Say(fmt::format("{} rows could not be taken{}", Thousands(filling.rejected),
                    options.dir.empty() ? "; --dir keeps the file that says why"
                                        : fmt::format("; line and reason: {}", filling.rejects_path)));
  }
  ASSIGN_OR_RETURN(server::HttpClient client, server::HttpClient::Connect(address, kCallUs));
  const auto connection = Connection::Over(std::move(client));
  RETURN_IF_ERROR(Post(*connection, "/v1/jobs/train-cf", &timings.train_s));
  RETURN_IF_ERROR(Post(*connection, "/v1/jobs/index-build", &timings.index_s));
  const int64_t asked_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(const FirstPage page, AskFirstPage(*connection, filling.people, gallery));
  people.Set(filling.people);
  timings.page_s = SecondsSince(asked_us);
  timings.total_s = SecondsSince(start_us);
  const std::string url = PageUrl(server->port(), page.person);
  if (options.json) {
    std::printf("%s\n", Json(*source, filling, page, url, timings).c_str());
  } else {
    Print(page, url, timings);
    if (!options.headless) std::printf("  Ctrl-C ends it%s.\n", options.dir.empty() ? " and removes its data" : "");
  }
  std::fflush(stdout);
  if (!options.headless) server::Server::WaitForSignal();
  server->Drain();
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
