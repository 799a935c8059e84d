#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/trials.h"
#include "sim/trial/interleave_trial.h"

namespace bowerbird::cli {
namespace {

namespace trial = sim::trial;
namespace stats = experiment::stats;

using Reading = trial::PairReading trial::PairReport::*;

/// How many times as many users an A/B test takes are wanted.
constexpr double kRatioWanted = 10;
constexpr double kAlpha = 0.05;

/// The value that a share of `sorted` is below; linear between two.
double Quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

/// What one way of counting actions says over all pairs.
struct Summary {
  uint32_t decided = 0, same_sign = 0;
  /// Decided pairs whose truth is told from 0, and those among them of the same sign.
  uint32_t sure = 0, sure_same_sign = 0;
  /// The same by what both recipes yield where everybody gets the one or the other.
  uint32_t deployed = 0, deployed_same_sign = 0;
  /// Of the pairs whose truth is told from 0, decided or not, so that luck of the interleaving does not choose them;
  /// ascending.
  std::vector<double> users_ab, users_interleave, ratios, ratios_cuped;

  double ShareAbove(double ratio) const {
    const auto first = std::lower_bound(ratios.begin(), ratios.end(), ratio);
    return ratios.empty() ? 0 : static_cast<double>(ratios.end() - first) / static_cast<double>(ratios.size());
  }
};

Summary Summarize(const std::vector<trial::PairReport>& pairs, Reading reading) {
  Summary summary;
  for (const trial::PairReport& pair : pairs) {
    const trial::PairReading& read = pair.*reading;
    const bool is_sure = pair.truth.p_value < kAlpha;
    if (pair.decided(reading)) {
      const bool same = pair.same_sign(reading);
      ++summary.decided;
      summary.same_sign += same ? 1 : 0;
      summary.sure += is_sure ? 1 : 0;
      summary.sure_same_sign += is_sure && same ? 1 : 0;
      if (pair.deployed.p_value < kAlpha) {
        ++summary.deployed;
        summary.deployed_same_sign += pair.deployed.effect.value * read.interleaved.difference.effect.value > 0 ? 1 : 0;
      }
    }
    if (!is_sure || read.users_interleaved == 0 || read.users_ab == 0) continue;
    const auto interleaved = static_cast<double>(read.users_interleaved);
    summary.users_interleave.push_back(interleaved);
    summary.users_ab.push_back(static_cast<double>(read.users_ab));
    summary.ratios.push_back(static_cast<double>(read.users_ab) / interleaved);
    summary.ratios_cuped.push_back(static_cast<double>(read.users_ab_cuped) / interleaved);
  }
  for (auto* values : {&summary.users_ab, &summary.users_interleave, &summary.ratios, &summary.ratios_cuped}) {
    std::sort(values->begin(), values->end());
  }
  return summary;
}

constexpr trial::PairKind kKinds[] = {trial::PairKind::kWeights, trial::PairKind::kError, trial::PairKind::kRetrained};

Summary SummarizeKind(const std::vector<trial::PairReport>& pairs, trial::PairKind kind, Reading reading) {
  std::vector<trial::PairReport> of_kind;
  std::copy_if(pairs.begin(), pairs.end(), std::back_inserter(of_kind),
               [&](const trial::PairReport& pair) { return pair.pair.kind == kind; });
  return Summarize(of_kind, reading);
}

double Share(uint32_t part, uint32_t all) { return all > 0 ? static_cast<double>(part) / all : 0; }

/// Null where there is nothing to take it from.
void WriteQuantile(const char* name, const std::vector<double>& sorted, double share, base::JsonWriter* json) {
  json->Key(name);
  sorted.empty() ? json->Null() : json->Double(Quantile(sorted, share));
}

void WriteSummary(const Summary& summary, base::JsonWriter* json) {
  json->Key("decided").Uint(summary.decided).Key("same_sign").Uint(summary.same_sign);
  json->Key("same_sign_share").Double(Share(summary.same_sign, summary.decided));
  json->Key("sure").Uint(summary.sure).Key("sure_same_sign").Uint(summary.sure_same_sign);
  json->Key("deployed").Uint(summary.deployed).Key("deployed_same_sign").Uint(summary.deployed_same_sign);
  json->Key("compared").Uint(summary.ratios.size());
  WriteQuantile("users_ab", summary.users_ab, .5, json);
  WriteQuantile("users_interleave", summary.users_interleave, .5, json);
  WriteQuantile("ratio_low", summary.ratios, .25, json);
  WriteQuantile("ratio_median", summary.ratios, .5, json);
  WriteQuantile("ratio_high", summary.ratios, .75, json);
  json->Key("ratio_wanted").Double(kRatioWanted);
  json->Key("ratio_wanted_share").Double(summary.ShareAbove(kRatioWanted));
  WriteQuantile("ratio_cuped_median", summary.ratios_cuped, .5, json);
}

void WriteComparison(const char* name, const stats::Comparison& comparison, base::JsonWriter* json) {
  json->Key(name).BeginObject().Key("mean").Double(comparison.effect.value);
  json->Key("low").Double(comparison.interval.low).Key("high").Double(comparison.interval.high);
  json->Key("p").Double(comparison.p_value).EndObject();
}

void WriteReading(const char* name, const trial::PairReport& pair, Reading reading, base::JsonWriter* json) {
  const trial::PairReading& read = pair.*reading;
  const stats::Wins& wins = read.interleaved.users;
  json->Key(name).BeginObject().Key("decided").Bool(pair.decided(reading));
  json->Key("same_sign").Bool(pair.same_sign(reading));
  WriteComparison("preference", read.interleaved.difference, json);
  json->Key("users_for_control").Uint(wins.control).Key("users_for_treatment").Uint(wins.treatment);
  json->Key("users_tied").Uint(wins.ties).Key("sign_p").Double(read.interleaved.sign_p_value);
  WriteComparison("ab_effect", read.ab_effect, json);
  json->Key("users_interleave").Uint(read.users_interleaved).Key("users_ab").Uint(read.users_ab);
  json->Key("users_ab_cuped").Uint(read.users_ab_cuped).EndObject();
}

std::string ToJson(const SimInterleaveOptions& options, const std::vector<trial::PairReport>& pairs) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("seed").Uint(options.seed).Key("pairs").Uint(pairs.size());
  json.Key("items").Uint(options.items).Key("users").Uint(options.users).Key("days").Uint(options.days);
  json.Key("credit").String("clicks");
  WriteSummary(Summarize(pairs, &trial::PairReport::clicks), &json);
  json.Key("value").BeginObject();
  WriteSummary(Summarize(pairs, &trial::PairReport::value), &json);
  json.EndObject().Key("kinds").BeginObject();
  for (const trial::PairKind kind : kKinds) {
    json.Key(trial::PairKindName(kind)).BeginObject();
    WriteSummary(SummarizeKind(pairs, kind, &trial::PairReport::clicks), &json);
    json.EndObject();
  }
  json.EndObject().Key("rows").BeginArray();
  for (const trial::PairReport& pair : pairs) {
    json.BeginObject().Key("family").String(sim::world::FamilyName(pair.family));
    json.Key("kind").String(trial::PairKindName(pair.pair.kind)).Key("size").Double(pair.pair.size);
    json.Key("overlap").Double(pair.overlap).Key("users").Uint(pair.users).Key("visits").Uint(pair.visits);
    WriteComparison("truth", pair.truth, &json);
    WriteComparison("deployed", pair.deployed, &json);
    WriteReading("clicks", pair, &trial::PairReport::clicks, &json);
    WriteReading("value", pair, &trial::PairReport::value, &json);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

void PrintSummary(const char* name, size_t pairs, const Summary& summary) {
  std::printf("credit by %s: %u of %zu pairs decided, %u with the sign of the truth (%.1f%%)\n", name, summary.decided,
              pairs, summary.same_sign, 100 * Share(summary.same_sign, summary.decided));
  std::printf("  where the truth is sure: %u of %u; where both were deployed and differ: %u of %u\n",
              summary.sure_same_sign, summary.sure, summary.deployed_same_sign, summary.deployed);
  if (summary.ratios.empty()) {
    std::printf("  no pair whose truth is sure: nothing to compare users over\n");
    return;
  }
  std::printf("  users for 80%% power, median of %zu pairs: %.0f by A/B test, %.0f interleaved\n",
              summary.ratios.size(), Quantile(summary.users_ab, .5), Quantile(summary.users_interleave, .5));
  std::printf(
      "  an A/B test takes %.1f times as many (quartiles %.1f and %.1f), %.1f with CUPED; %g times or more for "
      "%.0f%% of the pairs\n",
      Quantile(summary.ratios, .5), Quantile(summary.ratios, .25), Quantile(summary.ratios, .75),
      Quantile(summary.ratios_cuped, .5), kRatioWanted, 100 * summary.ShareAbove(kRatioWanted));
}

}  // namespace

absl::Status SimInterleave(const SimInterleaveOptions& options) {
  trial::InterleaveTrialOptions trial_options;
  trial_options.seed = options.seed;
  trial_options.pairs = options.pairs;
  trial_options.items = options.items;
  trial_options.users = options.users;
  trial_options.days = options.days;
  ASSIGN_OR_RETURN(const std::vector<trial::PairReport> pairs,
                   trial::RunInterleaveTrial(
                       trial_options, [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }));
  if (options.json) {
    std::printf("%s\n", ToJson(options, pairs).c_str());
  } else {
    PrintSummary("clicks", pairs.size(), Summarize(pairs, &trial::PairReport::clicks));
    PrintSummary("value", pairs.size(), Summarize(pairs, &trial::PairReport::value));
    for (const trial::PairKind kind : kKinds) {
      const Summary summary = SummarizeKind(pairs, kind, &trial::PairReport::clicks);
      const std::string name(trial::PairKindName(kind));
      const std::string times =
          summary.ratios.empty() ? "no pair to compare"
                                 : fmt::format("{:.1f} times as many users by A/B test", Quantile(summary.ratios, .5));
      std::printf("clicks, %s: %u of %u of one sign, %s\n", name.c_str(), summary.same_sign, summary.decided,
                  times.c_str());
    }
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
