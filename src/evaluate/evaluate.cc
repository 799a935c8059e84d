#include "evaluate/evaluate.h"

#include <algorithm>
#include <chrono>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "evaluate/holdout.h"
#include "evaluate/tuning.h"
#include "fmt/format.h"

namespace bowerbird::evaluate {

namespace {

// Settings are compared on at most this many users: differences between settings show there as well.
constexpr size_t kTuningUsers = 8192;

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

constexpr std::pair<ModelKind, std::string_view> kModelNames[] = {{ModelKind::kIals, "ials"},
                                                                  {ModelKind::kCoOccurrence, "co_occurrence"},
                                                                  {ModelKind::kPopularity, "popularity"},
                                                                  {ModelKind::kRandom, "random"}};

std::string_view NameOf(ModelKind kind) {
  for (const auto& [model, name] : kModelNames) {
    if (model == kind) return name;
  }
  return "unknown";
}

absl::StatusOr<Holdout> Cut(const Options& options) {
  switch (options.protocol) {
    case Protocol::kSplit:
      return CutGivenSplit(options.interactions, options.test, options.seed);
    case Protocol::kLastOut:
      return CutLastOut(options.interactions);
    case Protocol::kTemporal:
      return CutAtTime(options.interactions, options.test_share);
  }
  return absl::InvalidArgumentError("unknown protocol");
}

std::string_view NameOf(Protocol protocol) {
  return protocol == Protocol::kSplit ? "split" : protocol == Protocol::kLastOut ? "loo" : "temporal";
}

// One evaluation from cut to report.
class Evaluation {
 public:
  Evaluation(const Options& options, Holdout holdout, std::ostream& log)
      : options_(options), holdout_(std::move(holdout)), log_(log) {}

  absl::StatusOr<Report> Run() {
    report_.protocol = NameOf(options_.protocol);
    report_.model = NameOf(options_.model);
    report_.split_hash = holdout_.hash;
    report_.users = holdout_.user_count;
    report_.items = holdout_.item_count;
    report_.train = holdout_.train.size();
    report_.validation = holdout_.validation.size();
    report_.test = holdout_.test.size();
    report_.repeats_dropped = holdout_.repeats_dropped;
    log_ << fmt::format("{} users, {} items; {} train, {} validation, {} test interactions; split {}\n", report_.users,
                        report_.items, report_.train, report_.validation, report_.test, report_.split_hash);
    switch (options_.model) {
      case ModelKind::kIals:
        RETURN_IF_ERROR(TuneIalsModel());
        break;
      case ModelKind::kCoOccurrence:
        RETURN_IF_ERROR(TuneCoOccurrenceModel());
        break;
      default:
        break;
    }
    // From here on train is everything before the test part.
    std::vector<Interaction> known = holdout_.train;
    known.insert(known.end(), holdout_.validation.begin(), holdout_.validation.end());
    ASSIGN_OR_RETURN(const TrainingData train, TrainingData::Build(holdout_.user_count, holdout_.item_count, known));
    ASSIGN_OR_RETURN(const Wanted wanted, Wanted::Build(holdout_.user_count, holdout_.item_count, holdout_.test));
    report_.test_users = wanted.users.size();
    report_.popularity = Measure(PopularityRanker(train.matrix), train, wanted);
    report_.random = Measure(RandomRanker(options_.seed, holdout_.item_count), train, wanted);
    RETURN_IF_ERROR(FitAndMeasure(train, wanted));
    LogTable();
    return std::move(report_);
  }

 private:
  absl::StatusOr<std::pair<TrainingData, Wanted>> TuningParts() const {
    ASSIGN_OR_RETURN(TrainingData train, TrainingData::Build(holdout_.user_count, holdout_.item_count, holdout_.train));
    ASSIGN_OR_RETURN(Wanted wanted, Wanted::Build(holdout_.user_count, holdout_.item_count, holdout_.validation));
    wanted.Sample(kTuningUsers, options_.seed);
    return std::pair(std::move(train), std::move(wanted));
  }

  absl::Status TuneIalsModel() {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const auto parts, TuningParts());
    ials_.factors = options_.factors;
    ials_.threads = options_.threads;
    ials_.seed = options_.seed;
    ASSIGN_OR_RETURN(const TunedIals tuned, TuneIals(parts.first, parts.second, ials_, log_));
    ials_ = tuned.options;
    report_.validation_ndcg = tuned.validation_ndcg;
    report_.tuned = {{"factors", ials_.factors},
                     {"unobserved_weight", ials_.objective.unobserved_weight},
                     {"regularization", ials_.objective.regularization},
                     {"epochs", ials_.epochs}};
    report_.tune_s = watch.Seconds();
    return absl::OkStatus();
  }

  absl::Status TuneCoOccurrenceModel() {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const auto parts, TuningParts());
    const std::vector<int64_t>& times = parts.first.times_us;
    co_occurrence_.neighbors = 200;
    co_occurrence_.threads = options_.threads;
    co_occurrence_.now_us = *std::max_element(times.begin(), times.end());
    ASSIGN_OR_RETURN(const TunedCoOccurrence tuned, TuneCoOccurrence(parts.first, parts.second, co_occurrence_, log_));
    co_occurrence_ = tuned.options;
    report_.validation_ndcg = tuned.validation_ndcg;
    report_.tuned = {{"neighbors", co_occurrence_.neighbors},
                     {"popularity_exponent", co_occurrence_.popularity_exponent},
                     {"support_shrinkage", co_occurrence_.support_shrinkage},
                     {"gap_half_life_s", co_occurrence_.gap_half_life_us * 1e-6},
                     {"age_half_life_s", co_occurrence_.age_half_life_us * 1e-6}};
    report_.tune_s = watch.Seconds();
    return absl::OkStatus();
  }

  absl::Status FitAndMeasure(const TrainingData& train, const Wanted& wanted) {
    const Stopwatch watch;
    if (options_.model == ModelKind::kIals) {
      std::vector<double> epoch_seconds;
      ials_.progress = [&](const learn::cf::IalsEpoch& epoch) {
        epoch_seconds.push_back(epoch.seconds);
        return true;
      };
      ASSIGN_OR_RETURN(const learn::cf::IalsModel model, learn::cf::TrainIals(train.matrix, ials_));
      report_.train_s = watch.Seconds();
      std::sort(epoch_seconds.begin(), epoch_seconds.end());
      report_.epoch_s = epoch_seconds[epoch_seconds.size() / 2];
      MeasureModel(IalsRanker(model), train, wanted);
    } else if (options_.model == ModelKind::kCoOccurrence) {
      co_occurrence_.now_us = *std::max_element(train.times_us.begin(), train.times_us.end());
      ASSIGN_OR_RETURN(const learn::cf::CoOccurrenceLists lists,
                       learn::cf::CountCoOccurrence(holdout_.user_count, holdout_.item_count, train.users, train.items,
                                                    train.times_us, train.weights, co_occurrence_));
      report_.train_s = watch.Seconds();
      MeasureModel(CoOccurrenceRanker(lists, train.matrix), train, wanted);
    } else {
      report_.metrics = options_.model == ModelKind::kPopularity ? report_.popularity : report_.random;
    }
    return absl::OkStatus();
  }

  void MeasureModel(const Ranker& ranker, const TrainingData& train, const Wanted& wanted) {
    const Stopwatch watch;
    report_.metrics = Measure(ranker, train, wanted);
    report_.evaluate_s = watch.Seconds();
  }

  std::vector<Metrics> Measure(const Ranker& ranker, const TrainingData& train, const Wanted& wanted) const {
    const uint32_t longest = *std::max_element(options_.cutoffs.begin(), options_.cutoffs.end());
    const RankedLists lists =
        RankAll(ranker, wanted.users, train.matrix.by_user, holdout_.item_count, longest, options_.threads);
    std::vector<uint32_t> item_users;
    for (uint32_t item = 0; item < holdout_.item_count; ++item)
      item_users.push_back(static_cast<uint32_t>(train.matrix.by_item.size(item)));
    std::vector<Metrics> metrics;
    for (uint32_t k : options_.cutoffs)
      metrics.push_back(MeasureLists(lists, wanted.items, k, item_users, holdout_.user_count));
    return metrics;
  }

  void LogTable() const {
    log_ << fmt::format("{:14} {:>4} {:>8} {:>8} {:>8} {:>9} {:>8}\n", "", "k", "recall", "ndcg", "hr", "coverage",
                        "novelty");
    const auto rows = [&](std::string_view name, const std::vector<Metrics>& all) {
      for (const Metrics& m : all) {
        log_ << fmt::format("{:14} {:>4} {:>8.4f} {:>8.4f} {:>8.4f} {:>9.4f} {:>8.2f}\n", name, m.k, m.recall, m.ndcg,
                            m.hit_rate, m.coverage, m.novelty);
      }
    };
    rows(report_.model, report_.metrics);
    if (options_.model != ModelKind::kPopularity) rows("popularity", report_.popularity);
    if (options_.model != ModelKind::kRandom) rows("random", report_.random);
    log_ << std::flush;
  }

  const Options& options_;
  const Holdout holdout_;
  std::ostream& log_;
  Report report_;
  learn::cf::IalsOptions ials_;
  learn::cf::CoOccurrenceOptions co_occurrence_;
};

void WriteMetrics(const std::vector<Metrics>& all, base::JsonWriter& json) {
  for (const Metrics& m : all) {
    json.Key(fmt::format("recall@{}", m.k)).Double(m.recall);
    json.Key(fmt::format("ndcg@{}", m.k)).Double(m.ndcg);
    json.Key(fmt::format("hr@{}", m.k)).Double(m.hit_rate);
    json.Key(fmt::format("coverage@{}", m.k)).Double(m.coverage);
    json.Key(fmt::format("novelty@{}", m.k)).Double(m.novelty);
  }
}

}  // namespace

absl::StatusOr<ModelKind> ParseModelKind(std::string_view name) {
  for (const auto& [model, known] : kModelNames) {
    if (known == name) return model;
  }
  return absl::InvalidArgumentError(
      fmt::format("model is '{}'; expected ials, co_occurrence, popularity or random", name));
}

absl::StatusOr<Report> Run(const Options& options, std::ostream& log) {
  if (options.cutoffs.empty() ||
      std::find(options.cutoffs.begin(), options.cutoffs.end(), 0u) != options.cutoffs.end()) {
    return absl::InvalidArgumentError("cutoffs are empty or hold 0; expected list lengths of at least 1");
  }
  ASSIGN_OR_RETURN(Holdout holdout, Cut(options));
  return Evaluation(options, std::move(holdout), log).Run();
}

std::string ToJson(const Report& report) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("protocol").String(report.protocol).Key("model").String(report.model);
  json.Key("split_hash").String(report.split_hash);
  for (const auto& [name, value] : {std::pair{"users", report.users},
                                    {"items", report.items},
                                    {"train", report.train},
                                    {"validation", report.validation},
                                    {"test", report.test},
                                    {"test_users", report.test_users},
                                    {"repeats_dropped", report.repeats_dropped}}) {
    json.Key(name).Uint(value);
  }
  WriteMetrics(report.metrics, json);
  for (const auto& [name, value] : {std::pair{"epoch_s", report.epoch_s},
                                    {"train_s", report.train_s},
                                    {"tune_s", report.tune_s},
                                    {"evaluate_s", report.evaluate_s}}) {
    json.Key(name).Double(value);
  }
  json.Key("tuned").BeginObject();
  for (const auto& [name, value] : report.tuned) json.Key(name).Double(value);
  json.Key(fmt::format("validation_ndcg@{}", kTuningCutoff)).Double(report.validation_ndcg).EndObject();
  for (const auto& [name, metrics] : {std::pair{"popularity", &report.popularity}, {"random", &report.random}}) {
    json.Key(name).BeginObject();
    WriteMetrics(*metrics, json);
    json.EndObject();
  }
  json.EndObject();
  return text;
}

}  // namespace bowerbird::evaluate
