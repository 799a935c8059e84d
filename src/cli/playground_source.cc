#include "cli/playground_source.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "cli/api_sink.h"
#include "cli/demo_world.h"
#include "cli/progress.h"
#include "ingest/csv_form.h"
#include "ingest/movielens.h"
#include "ingest/starter.h"

namespace bowerbird::cli {
namespace {

namespace fs = std::filesystem;
using simdjson::dom::element;

constexpr size_t kPeople = 40;
/// A history of about so many actions tells most: long enough to have a taste, short enough to leave something to find.
constexpr double kTellingActions = 50;
constexpr size_t kRowsToGuess = 20'000;
constexpr uint32_t kBatchRows = 1000;
constexpr int64_t kCallUs = 600'000'000;

constexpr uint64_t kWorldSeed = 1;
constexpr uint32_t kWorldItems = 1200, kWorldUsers = 400;
constexpr double kWorldDays = 30;

std::string_view Text(element parent, std::string_view key) {
  std::string_view text;
  if (parent[key].get(text) != simdjson::SUCCESS) return {};
  return text;
}

class CsvSource final : public PlaygroundSource {
 public:
  CsvSource(std::string path, ingest::CsvForm form, std::unique_ptr<ingest::RowSource> rows, ingest::TableGuess guess)
      : path_(std::move(path)), form_(std::move(form)), rows_(std::move(rows)), guess_(std::move(guess)) {}

  std::string ConfigText() const override { return TableConfigText(guess_); }

  absl::StatusOr<Filling> Fill(const std::string& address, const std::string& folder, Gallery& gallery) override {
    ASSIGN_OR_RETURN(server::HttpClient client, server::HttpClient::Connect(address, kCallUs));
    const auto connection = Connection::Over(std::move(client));
    ApiSink api(connection.get());
    Tally tally(&api, &gallery);
    RETURN_IF_ERROR(SendItems(tally));
    RETURN_IF_ERROR(rows_->Rewind());
    ingest::NamedActions named(rows_.get(), &guess_);
    ingest::Mapping mapping = guess_.EventMapping();
    mapping.client_id_seed = "playground";
    ingest::ImportOptions options;
    options.name = path_;
    options.rejects_path = folder + "/" + fs::path(path_).filename().string() + "_rejected.tsv";
    options.batch_rows = kBatchRows;
    options.progress = [](double share, uint64_t rows) { ShowProgress("events", share, rows); };
    ASSIGN_OR_RETURN(const ingest::ImportReport report, ingest::Import(named, mapping, tally, options));
    return Filling{report.rows,    report.accepted, report.rejected,      options.rejects_path,
                   gallery.size(), tally.users(),   tally.People(kPeople)};
  }

  std::string Understood() const override {
    size_t name_width = 6, field_width = 6;
    for (const auto& column : guess_.columns) {
      name_width = std::max(name_width, column.name.size());
      field_width = std::max(field_width, column.field.size());
    }
    std::string text = fmt::format("{}: columns separated by {}, {}\n", path_, SeparatorName(),
                                   form_.header ? "named by the first line" : "without a line of names");
    for (const auto& column : guess_.columns) {
      text += fmt::format("  {:<{}}  {:<{}}  {}\n", column.name, name_width, column.field.empty() ? "-" : column.field,
                          field_width, column.why);
    }
    for (const ingest::ActionMeaning& action : guess_.actions) {
      const std::string effect = action.polarity == "neutral" ? "teaches nothing"
                                 : action.polarity == "negative"
                                     ? fmt::format("against the item, weight {:g}", action.weight)
                                     : fmt::format("for the item, weight {:g}", action.weight);
      text += fmt::format("  action '{}' -> {}: {}{}\n", action.word, action.type, effect,
                          action.known ? "" : " (an unknown word)");
    }
    if (guess_.actions.empty()) text += fmt::format("  every row is taken for a {}\n", guess_.event_type);
    if (guess_.value_scale) {
      text += fmt::format("  a value of {:g} or less teaches nothing, {:g} teaches in full\n",
                          guess_.value_scale->first, guess_.value_scale->second);
    }
    return text + "  not right? --map user=COLUMN,item=COLUMN,time=COLUMN,title=COLUMN,... says it\n";
  }

  void WriteUnderstood(base::JsonWriter& json) const override {
    json.Key("source").String("csv").Key("separator").String(form_.separator).Key("header").Bool(form_.header);
    json.Key("columns").BeginArray();
    for (const auto& column : guess_.columns) {
      json.BeginObject().Key("name").String(column.name).Key("field").String(column.field);
      json.Key("why").String(column.why).EndObject();
    }
    json.EndArray().Key("actions").BeginArray();
    for (const ingest::ActionMeaning& action : guess_.actions) {
      json.BeginObject().Key("word").String(action.word).Key("type").String(action.type);
      json.Key("polarity").String(action.polarity).Key("weight").Double(action.weight).EndObject();
    }
    json.EndArray();
    if (guess_.actions.empty()) json.Key("event_type").String(guess_.event_type);
  }

 private:
  std::string SeparatorName() const {
    if (form_.separator == ",") return "commas";
    if (form_.separator == "\t") return "tabs";
    if (form_.separator == ";") return "semicolons";
    return form_.separator;
  }

  /// Every item of the table once, as its first row describes it; by its id alone where that row says what no item can
  /// have.
  absl::Status SendItems(Tally& tally) {
    RETURN_IF_ERROR(rows_->Rewind());
    const ingest::Mapping mapping = guess_.ItemMapping();
    const bool titled = guess_.Has("item.title");
    size_t id_column = 0;
    while (guess_.columns[id_column].field != "item") ++id_column;
    base::StringSet known;
    std::vector<std::string> batch, ids;
    const auto send = [&]() -> absl::Status {
      ASSIGN_OR_RETURN(const ingest::Sink::Result result, tally.Send(ingest::Kind::kItems, batch));
      std::vector<std::string> bare;
      bare.reserve(result.rejected.size());
      for (const ingest::Sink::Rejected& rejected : result.rejected) bare.push_back(BareItemJson(ids[rejected.index]));
      batch.clear();
      ids.clear();
      return bare.empty() ? absl::OkStatus() : tally.Send(ingest::Kind::kItems, bare).status();
    };
    ingest::Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool any, rows_->Next(&row));
      if (!any) break;
      if (!row.error.empty()) continue;
      const ingest::Row::Cell& id = row.cells[id_column];
      if (!id.present || known.contains(id.text)) continue;
      known.insert(id.text);
      std::string object;
      if (!ingest::RowToJson(row, rows_->columns(), mapping, &object).ok()) {
        object = BareItemJson(id.text);
      } else if (!titled) {
        std::string quoted;
        base::JsonWriter(&quoted).String(id.text);
        object.replace(0, 1, fmt::format("{{\"title\":{},", quoted));
      }
      batch.push_back(std::move(object));
      ids.push_back(id.text);
      if (batch.size() == kBatchRows) RETURN_IF_ERROR(send());
    }
    return batch.empty() ? absl::OkStatus() : send();
  }

  const std::string path_;
  const ingest::CsvForm form_;
  const std::unique_ptr<ingest::RowSource> rows_;
  const ingest::TableGuess guess_;
};

class MovieLensSource final : public PlaygroundSource {
 public:
  explicit MovieLensSource(std::string folder) : folder_(std::move(folder)) {}

  std::string ConfigText() const override {
    ingest::TableGuess table;
    table.event_type = "rating";
    table.value_scale = {2, 5};
    for (const auto& [name, type] : ingest::MovieLensDeclarations().item_attributes)
      table.columns.push_back({.name = name, .field = "item.attributes." + name, .type = type});
    return TableConfigText(table);
  }

  absl::StatusOr<Filling> Fill(const std::string& address, const std::string& folder, Gallery& gallery) override {
    ASSIGN_OR_RETURN(server::HttpClient client, server::HttpClient::Connect(address, kCallUs));
    const auto connection = Connection::Over(std::move(client));
    ApiSink api(connection.get());
    Tally tally(&api, &gallery);
    ASSIGN_OR_RETURN(const ingest::MovieLensReport report,
                     ingest::ImportMovieLens(folder_, tally, folder, folder, kBatchRows, ShowProgress));
    return Filling{report.ratings.rows,     report.ratings.accepted,
                   report.ratings.rejected, folder + "/movielens_ratings_rejected.tsv",
                   gallery.size(),          tally.users(),
                   tally.People(kPeople)};
  }

  std::string Understood() const override { return fmt::format("{}: films, ratings and tags of MovieLens\n", folder_); }
  void WriteUnderstood(base::JsonWriter& json) const override { json.Key("source").String("movielens"); }

 private:
  const std::string folder_;
};

class WorldSource final : public PlaygroundSource {
 public:
  explicit WorldSource(sim::world::World world) : world_(std::move(world)) {}

  std::string ConfigText() const override { return DemoConfigText(world_.options().embedding_dim); }

  absl::StatusOr<Filling> Fill(const std::string& address, const std::string&, Gallery& gallery) override {
    ASSIGN_OR_RETURN(server::HttpClient client, server::HttpClient::Connect(address, kCallUs));
    sim::Audience audience(world_);
    Filling filling;
    ASSIGN_OR_RETURN(filling.events, ImportWorld(world_, audience, client, gallery, nullptr));
    filling.rows = filling.events;
    filling.items = gallery.size();
    filling.users = world_.user_count();
    for (uint32_t u = 0; u < std::min<uint32_t>(kPeople, world_.user_count()); ++u) {
      const sim::world::UserNumber user(u);
      filling.people.push_back({world_.UserId(user), world_.UserName(user)});
    }
    return filling;
  }

  std::string Understood() const override {
    return "no file given: a small simulated world of people with taste (--csv FILE or --movielens DIR for your own)\n";
  }
  void WriteUnderstood(base::JsonWriter& json) const override { json.Key("source").String("world"); }

 private:
  sim::world::World world_;
};

}  // namespace

struct Tally::Parser {
  simdjson::dom::parser parser;
};

Tally::Tally(ingest::Sink* sink, Gallery* gallery)
    : sink_(sink), gallery_(gallery), parser_(std::make_unique<Parser>()) {}
Tally::~Tally() = default;

absl::StatusOr<ingest::Sink::Result> Tally::Send(ingest::Kind kind, const std::vector<std::string>& objects) {
  ASSIGN_OR_RETURN(Result result, sink_->Send(kind, objects));
  std::vector<bool> refused(objects.size());
  for (const Rejected& rejected : result.rejected) refused[rejected.index] = true;
  for (size_t i = 0; i < objects.size(); ++i) {
    element object;
    if (refused[i] || parser_->parser.parse(objects[i]).get(object) != simdjson::SUCCESS) continue;
    if (kind == ingest::Kind::kEvents) {
      const std::string_view user = Text(object, "user");
      const auto it = actions_.find(user);
      ++(it != actions_.end() ? it : actions_.emplace(std::string(user), 0).first)->second;
      continue;
    }
    Exhibit exhibit{.id = std::string(Text(object, "id")), .title = std::string(Text(object, "title"))};
    if (exhibit.title.empty()) exhibit.title = exhibit.id;
    simdjson::dom::array categories;
    if (object["categories"].get(categories) == simdjson::SUCCESS) {
      for (const element category : categories) {
        std::string& topic = exhibit.topic.empty() ? exhibit.topic : exhibit.subtopic;
        if (topic.empty()) topic = std::string_view(category);
      }
    }
    gallery_->Add(std::move(exhibit));
  }
  return result;
}

std::vector<Person> Tally::People(size_t count) const {
  const auto distance = [](uint32_t actions) { return std::abs(std::log(actions / kTellingActions)); };
  std::vector<std::pair<double, std::string_view>> ranked;
  for (const auto& [user, actions] : actions_) ranked.emplace_back(distance(actions), user);
  const size_t kept = std::min(count, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(kept), ranked.end());
  std::vector<Person> people;
  for (size_t i = 0; i < kept; ++i) people.push_back({std::string(ranked[i].second), std::string(ranked[i].second)});
  return people;
}

absl::StatusOr<std::unique_ptr<PlaygroundSource>> PlaygroundOfCsv(const std::string& path, const std::string& map) {
  ASSIGN_OR_RETURN(ingest::CsvForm form, ingest::TellCsvForm(path));
  ASSIGN_OR_RETURN(auto rows,
                   ingest::OpenCsv(path, form.separator, form.header ? std::vector<std::string>() : form.columns));
  ASSIGN_OR_RETURN(ingest::TableGuess guess, ingest::GuessColumns(*rows, map, kRowsToGuess));
  return std::make_unique<CsvSource>(path, std::move(form), std::move(rows), std::move(guess));
}

std::unique_ptr<PlaygroundSource> PlaygroundOfMovieLens(const std::string& folder) {
  return std::make_unique<MovieLensSource>(folder);
}

absl::StatusOr<std::unique_ptr<PlaygroundSource>> PlaygroundOfWorld(int64_t now_us) {
  sim::world::WorldOptions options;
  options.seed = kWorldSeed;
  options.items = kWorldItems;
  options.users = kWorldUsers;
  options.days = kWorldDays;
  options.end_time_us = now_us;
  ASSIGN_OR_RETURN(sim::world::World world, sim::world::World::Create(options));
  return std::make_unique<WorldSource>(std::move(world));
}

}  // namespace bowerbird::cli
