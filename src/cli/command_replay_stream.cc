#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "backtest/backtest.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ingest/mapping.h"
#include "store/file.h"

namespace bowerbird::cli {
namespace {

namespace fs = std::filesystem;

/// A data set that people know: where its rows are and what they mean.
struct KnownStream {
  std::string_view name, file, form, columns, type, until, config;
};
constexpr KnownStream kKnownStreams[] = {
    {.name = "globo",
     .file = "clicks.csv.zst",
     .form = "csv",
     .columns = "user=user_id,item=click_article_id,time=click_timestamp,session=session_id",
     .type = "click",
     .until = "2017-10-17",
     .config = R"([surfaces.next]
explore = 0
# Small models of the last hours: they are made 384 times.
[pipeline]
window = "6h"
factors = 32
epochs = 4
[state]
item_table_interval = "10s"
)"},
};

/// The defaults, but that a prediction is no experiment.
constexpr std::string_view kDefaultConfig = R"([surfaces.home]
explore = 0
[surfaces.next]
explore = 0
)";

absl::StatusOr<int64_t> TimeOf(std::string_view option, std::string text) {
  if (text.size() == 10) text += "T00:00:00Z";
  const absl::StatusOr<int64_t> time_us = ingest::ReadTimeUs(text);
  if (time_us.ok()) return *time_us;
  return absl::InvalidArgumentError(
      fmt::format("{}: found '{}'; expected a day (2017-10-17), RFC 3339, or seconds since 1970", option, text));
}

/// A folder of its own, removed at the end.
class ScratchFolder {
 public:
  static absl::StatusOr<ScratchFolder> Make() {
    std::string pattern = (fs::temp_directory_path() / "bowerbird-replay-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return absl::UnavailableError(fmt::format("{}: cannot be made", pattern));
    return ScratchFolder(pattern);
  }
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

double Rate(uint64_t hits, const backtest::Tally& tally) {
  return static_cast<double>(hits) / static_cast<double>(std::max<uint64_t>(1, tally.predictions));
}

void WriteTally(const backtest::Report& report, const backtest::Tally& tally, base::JsonWriter* json) {
  json->Key("predictions").Uint(tally.predictions).Key("unseen_targets").Uint(tally.unseen);
  json->Key("hit_rate").BeginObject();
  for (size_t m = 0; m < report.methods.size(); ++m) json->Key(report.methods[m]).Double(Rate(tally.hits[m], tally));
  json->EndObject();
}

void PrintJson(const ReplayStreamOptions& options, const backtest::Stream& stream, const backtest::Report& report) {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject().Key("n").Uint(options.n).Key("share").Double(options.share).Key("seed").Uint(options.seed);
  json.Key("surface").String(options.surface);
  json.Key("columns_read").BeginArray();
  for (const std::string& column : stream.columns) json.String(column);
  json.EndArray();
  json.Key("actions").Uint(report.actions).Key("users").Uint(report.users).Key("items").Uint(report.items);
  json.Key("rows_refused").Uint(stream.refused).Key("rows_outside").Uint(stream.outside);
  json.Key("days").BeginArray();
  for (const backtest::Tally& day : report.days) {
    json.BeginObject().Key("day").String(day.day);
    WriteTally(report, day, &json);
    json.EndObject();
  }
  json.EndArray().Key("all").BeginObject();
  WriteTally(report, report.all, &json);
  json.EndObject().Key("beats_all").Bool(report.BeatsAll());
  json.Key("trainings").Uint(report.trainings).Key("events_per_second").Double(report.events_per_second);
  json.Key("seconds").Double(report.seconds).Key("train_seconds").Double(report.train_seconds);
  json.Key("predict_seconds").Double(report.predict_seconds).Key("baseline_seconds").Double(report.baseline_seconds);
  json.Key("peak_memory_bytes").Uint(report.peak_memory_bytes).EndObject();
  std::printf("%s\n", out.c_str());
}

void PrintTable(const ReplayStreamOptions& options, const backtest::Stream& stream, const backtest::Report& report) {
  std::printf("%s actions of %s users on %s items; read: %s\n", Thousands(report.actions).c_str(),
              Thousands(report.users).c_str(), Thousands(report.items).c_str(),
              fmt::format("{}", fmt::join(stream.columns, ", ")).c_str());
  if (stream.refused > 0)
    std::printf("%s rows are no action, the first at %s\n", Thousands(stream.refused).c_str(),
                stream.first_refusal.c_str());
  std::printf("\nhit rate@%u of the next action\n%-12s%13s%8s", options.n, "day", "predictions", "unseen");
  for (const std::string& method : report.methods) std::printf("%15s", method.c_str());
  std::printf("\n");
  const auto line = [&](const std::string& day, const backtest::Tally& tally) {
    std::printf("%-12s%13s%8s", day.c_str(), Thousands(tally.predictions).c_str(), Thousands(tally.unseen).c_str());
    for (const uint64_t hits : tally.hits) std::printf("%15.4f", Rate(hits, tally));
    std::printf("\n");
  };
  for (const backtest::Tally& day : report.days) line(day.day, day);
  line("all", report.all);
  std::printf("\nbowerbird is %s every baseline, each day and over all\n",
              report.BeatsAll() ? "ahead of" : "not ahead of");
  std::printf("%.0f events/s collected, logged and folded; %.0f predictions/s; %llu trainings, %.1f s each\n",
              report.events_per_second,
              static_cast<double>(report.all.predictions) / std::max(1e-9, report.predict_seconds),
              static_cast<unsigned long long>(report.trainings),
              report.train_seconds / static_cast<double>(std::max<uint64_t>(1, report.trainings)));
  std::printf("%.0f s in all (training %.0f, answers %.0f, baselines %.0f); peak memory %.0f MB\n", report.seconds,
              report.train_seconds, report.predict_seconds, report.baseline_seconds,
              static_cast<double>(report.peak_memory_bytes) / 1e6);
}

}  // namespace

absl::Status ReplayStream(ReplayStreamOptions options) {
  backtest::StreamMapping mapping;
  backtest::Options run;
  run.config = kDefaultConfig;
  for (const KnownStream& known : kKnownStreams) {
    if (options.form != known.name) continue;
    options.form = known.form;
    options.path = (fs::path(options.path) / known.file).string();
    if (options.map.empty()) options.map = known.columns;
    if (options.type.empty()) options.type = known.type;
    if (options.until.empty()) options.until = known.until;
    run.config = known.config;
  }
  mapping.columns = options.map;
  mapping.event_type = options.type;
  if (!options.from.empty()) {
    ASSIGN_OR_RETURN(mapping.from_us, TimeOf("--from", options.from));
  }
  if (!options.until.empty()) {
    ASSIGN_OR_RETURN(mapping.until_us, TimeOf("--until", options.until));
  }
  if (!options.config.empty()) {
    ASSIGN_OR_RETURN(run.config, store::ReadFile(options.config));
  }
  ASSIGN_OR_RETURN(const auto source, OpenRows(options.form, options.path, options.separator));
  ASSIGN_OR_RETURN(
      const backtest::Stream stream,
      backtest::ReadStream(*source, mapping, [](double share, uint64_t rows) { ShowProgress("rows", share, rows); }));
  std::optional<ScratchFolder> scratch;
  run.dir = options.dir;
  if (run.dir.empty()) {
    ASSIGN_OR_RETURN(ScratchFolder made, ScratchFolder::Make());
    scratch.emplace(std::move(made));
    run.dir = scratch->path();
  }
  run.surface = options.surface;
  run.n = options.n;
  run.share = options.share;
  run.seed = options.seed;
  run.progress = [](double share, uint64_t actions) { ShowProgress("replay", share, actions); };
  ASSIGN_OR_RETURN(const backtest::Report report, backtest::Run(stream, run));
  if (options.json) {
    PrintJson(options, stream, report);
  } else {
    PrintTable(options, stream, report);
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
