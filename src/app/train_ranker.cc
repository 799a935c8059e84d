#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "app/rows_job.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "features/values.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "learn/ranker/boosted_trees.h"
#include "rows/labelled.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

using learn::ranker::Examples;

/// Of the examples by time: what is trained on, and until where the training is ended by.
constexpr double kTrainShare = 0.8, kValidationShare = 0.9;
/// Fewer say nothing.
constexpr size_t kExamplesMin = 200;

/// What an item was worth: the weights of the objectives it met over those of all, in [0, 1].
class Utility {
 public:
  explicit Utility(const rows::SetInfo& set) {
    for (const rows::ObjectiveInfo& objective : set.objectives) {
      weights_.push_back(objective.weight);
      total_ += std::max(0.0, objective.weight);
    }
  }
  double total() const { return total_; }
  float Of(std::span<const int> labels) const {
    double sum = 0;
    for (size_t i = 0; i < labels.size(); ++i) sum += weights_[i] * labels[i];
    return static_cast<float>(std::clamp(sum / total_, 0.0, 1.0));
  }

 private:
  std::vector<double> weights_;
  double total_ = 0;
};

/// Examples in the order of their requests' times.
struct Timed {
  std::vector<int64_t> times_us;
  Examples examples;
};

std::string MeaningOf(const rows::SetInfo& set) {
  std::string meaning = fmt::format("negatives {} by {};", set.negatives, rows::CorrectionName(set.correction));
  for (const std::string& feature : set.features) meaning += " " + feature;
  for (const rows::ObjectiveInfo& objective : set.objectives)
    fmt::format_to(std::back_inserter(meaning), "; {}: {} within {} us, weight {}", objective.name, objective.on,
                   objective.window_us, objective.weight);
  return meaning;
}

absl::StatusOr<std::vector<rows::SetInfo>> SetsToTrainOn(App& app, const RankerOptions& options) {
  ASSIGN_OR_RETURN(std::vector<SetReport> reports, ReportRows(app));
  std::vector<rows::SetInfo> sets;
  for (SetReport& report : reports) {
    ASSIGN_OR_RETURN(const int64_t day_us, base::ParseTimeUs(report.info.day));
    if (day_us < options.from_us || (options.to_us != 0 && day_us >= options.to_us)) continue;
    if (const std::vector<std::string> refusals = report.Refusals(); !refusals.empty()) {
      return absl::FailedPreconditionError(fmt::format("set {}: outside of what the sets before it say: {}",
                                                       report.info.day, fmt::join(refusals, "; ")));
    }
    if (!sets.empty() && MeaningOf(sets.front()) != MeaningOf(report.info)) {
      return absl::FailedPreconditionError(
          fmt::format("set {}: found {}; expected what set {} has: {}. Build the days again", report.info.day,
                      MeaningOf(report.info), sets.front().day, MeaningOf(sets.front())));
    }
    sets.push_back(std::move(report.info));
  }
  if (sets.empty())
    return absl::FailedPreconditionError("rows: found no set of these days; expected `rows build` first");
  return sets;
}

/// Places of the features that a ranker of the surface may ask for: of those of tables only what the surface names.
std::vector<size_t> FeaturesOf(const config::Surface& surface, const std::vector<std::string>& names) {
  std::vector<size_t> places;
  for (size_t f = 0; f < names.size(); ++f) {
    const bool of_tables = features::NumberName::Parse(names[f]).has_value();
    if (!of_tables ||
        std::ranges::find(surface.features, names[f], &config::RankFeature::name) != surface.features.end())
      places.push_back(f);
  }
  return places;
}

absl::StatusOr<Timed> ReadExamples(App& app, const std::vector<rows::SetInfo>& sets, const config::Surface& surface) {
  const Utility utility(sets.front());
  if (!(utility.total() > 0))
    return absl::FailedPreconditionError(
        "objectives: found no weight above 0; expected one: what a ranker is to bring about");
  const std::vector<size_t> places = FeaturesOf(surface, sets.front().features);
  Timed read;
  for (const rows::SetInfo& set : sets) {
    RETURN_IF_ERROR(app.JobsCancelled());
    RETURN_IF_ERROR(rows::ReadLabelled(&app.lake(), set, [&](const rows::Labelled& labelled) {
      if (labelled.surface != surface.name || !(labelled.weight > 0)) return absl::OkStatus();
      read.times_us.push_back(labelled.time_us);
      Examples& examples = read.examples;
      for (const size_t place : places) examples.features.push_back(labelled.features[place]);
      examples.targets.push_back(utility.Of(labelled.labels));
      examples.weights.push_back(static_cast<float>(labelled.weight));
      return absl::OkStatus();
    }));
  }
  const size_t width = places.size();
  std::vector<uint32_t> order(read.times_us.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](uint32_t i) { return read.times_us[i]; });
  Timed sorted;
  for (const size_t place : places) sorted.examples.feature_names.push_back(sets.front().features[place]);
  sorted.examples.features.reserve(read.examples.features.size());
  for (const uint32_t i : order) {
    sorted.times_us.push_back(read.times_us[i]);
    const auto row = read.examples.features.begin() + static_cast<ptrdiff_t>(i * width);
    sorted.examples.features.insert(sorted.examples.features.end(), row, row + static_cast<ptrdiff_t>(width));
    sorted.examples.targets.push_back(read.examples.targets[i]);
    sorted.examples.weights.push_back(read.examples.weights[i]);
  }
  return sorted;
}

Examples Slice(const Timed& all, size_t begin, size_t end) {
  const size_t width = all.examples.width();
  const auto cut = [](const std::vector<float>& values, size_t from, size_t to) {
    return std::vector<float>(values.begin() + static_cast<ptrdiff_t>(from),
                              values.begin() + static_cast<ptrdiff_t>(to));
  };
  Examples out;
  out.feature_names = all.examples.feature_names;
  out.features = cut(all.examples.features, begin * width, end * width);
  out.targets = cut(all.examples.targets, begin, end);
  out.weights = cut(all.examples.weights, begin, end);
  return out;
}

/// The first example of another request time than the one at the share: no request is in two parts.
size_t CutAt(const Timed& all, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(all.times_us.size()));
  return static_cast<size_t>(std::ranges::upper_bound(all.times_us, all.times_us[at]) - all.times_us.begin());
}

/// Chance that an example that was worth something has a greater score than one that was not.
double Auc(std::span<const float> scores, std::span<const float> targets) {
  std::vector<uint32_t> order(scores.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](uint32_t i) { return scores[i]; });
  double positives = 0, negatives = 0, wins = 0;
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    double tied_positives = 0, tied_negatives = 0;
    for (; end < order.size() && !(scores[order[i]] < scores[order[end]]); ++end)
      ++(targets[order[end]] > 0 ? tied_positives : tied_negatives);
    wins += tied_positives * (negatives + tied_negatives / 2);
    positives += tied_positives;
    negatives += tied_negatives;
    i = end;
  }
  return positives > 0 && negatives > 0 ? wins / positives / negatives : 0.5;
}

std::string InputsJson(const std::vector<rows::SetInfo>& sets, const RankerOptions& options, int64_t train_until_us,
                       int64_t validation_until_us) {
  std::string text;
  base::JsonWriter json(&text);
  int64_t known_until_us = 0;
  json.BeginObject().Key("surface").String(options.surface).Key("sets").BeginArray();
  for (const rows::SetInfo& set : sets) {
    known_until_us = std::max(known_until_us, set.as_of_us);
    json.BeginObject().Key("day").String(set.day).Key("as_of_us").Int(set.as_of_us).EndObject();
  }
  // Labels tell of everything until the log's end, so that is where the training ended.
  json.EndArray().Key("trained_until_us").Int(known_until_us);
  json.Key("split").BeginObject().Key("train_until_us").Int(train_until_us);
  json.Key("validation_until_us").Int(validation_until_us).EndObject();
  json.Key("negatives").Double(sets.front().negatives);
  json.Key("correction").String(rows::CorrectionName(sets.front().correction)).EndObject();
  return text;
}

absl::StatusOr<JobResult> Train(App& app, const RankerOptions& options) {
  const int64_t start_us = base::MonotonicUs();
  const auto say = [&](const std::string& line) {
    if (options.progress) options.progress(line);
  };
  const std::shared_ptr<const config::Config> config = app.config();
  const config::Surface* surface = config->FindSurface(options.surface);
  if (surface == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("surface: found '{}'; expected one that the config declares", options.surface));
  }
  ASSIGN_OR_RETURN(const std::vector<rows::SetInfo> sets, SetsToTrainOn(app, options));
  ASSIGN_OR_RETURN(const Timed all, ReadExamples(app, sets, *surface));
  if (all.times_us.size() < kExamplesMin) {
    return absl::FailedPreconditionError(
        fmt::format("rows of surface {}: found {} seen items of which every label is known; expected at least {}",
                    options.surface, all.times_us.size(), kExamplesMin));
  }
  const size_t train_end = CutAt(all, kTrainShare), validation_end = std::max(train_end, CutAt(all, kValidationShare));
  const Examples train = Slice(all, 0, train_end), validation = Slice(all, train_end, validation_end),
                 test = Slice(all, validation_end, all.times_us.size());
  say(fmt::format("{} sets: {} examples to train on, {} to end by, {} to judge by", sets.size(), train.size(),
                  validation.size(), test.size()));
  learn::ranker::BoostOptions boost;
  boost.stop = [&] { return !app.JobsCancelled().ok(); };
  learn::ranker::BoostReport report;
  ASSIGN_OR_RETURN(model::TreeEnsemble trees, learn::ranker::Boost(train, validation, boost, &report));
  std::vector<float> scores(test.size());
  trees.Predict(test.features, test.width(), scores);
  JobResult result;
  result.artifact = "ranker/" + options.surface;
  result.metrics = {{"examples", static_cast<double>(all.times_us.size())},
                    {"trees", report.trees},
                    {"train_loss", report.train_loss},
                    {"validation_loss", report.validation_loss},
                    {"validation_loss_of_mean", report.base_loss},
                    {"test_loss", learn::ranker::LogLoss(scores, test)},
                    {"test_auc", Auc(scores, test.targets)}};
  for (size_t f = 0; f < test.width(); ++f) {
    if (test.feature_names[f] != "ials") continue;
    std::vector<float> ials(test.size());
    for (size_t i = 0; i < ials.size(); ++i) {
      const float value = test.features[i * test.width() + f];
      ials[i] = std::isfinite(value) ? value : 0;
    }
    result.metrics.emplace_back("test_auc_of_ials", Auc(ials, test.targets));
  }
  trees.bias += static_cast<float>(sets.front().log_odds_offset);
  registry::Contents contents;
  ASSIGN_OR_RETURN(const std::string bytes, trees.Serialize());
  contents.write = [&](const std::string& folder) {
    return store::AtomicWriteFile(folder + "/trees.safetensors", bytes);
  };
  contents.inputs_json =
      InputsJson(sets, options, all.times_us[train_end - 1], all.times_us[std::max<size_t>(1, validation_end) - 1]);
  contents.metrics = result.metrics;
  ASSIGN_OR_RETURN(result.version, app.registry().Publish("ranker", options.surface, contents));
  if (options.promote) RETURN_IF_ERROR(app.rankers().Promote(options.surface, result.version));
  result.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  return result;
}

}  // namespace

absl::StatusOr<JobResult> TrainRanker(App& app, const RankerOptions& options) {
  return app.RunJob([&] { return Train(app, options); });
}

}  // namespace bowerbird::app
