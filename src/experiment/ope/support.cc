#include "experiment/ope/support.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

double Kish(double sum, double squares) { return squares > 0 ? sum * sum / squares : 0; }

// Of weights divided by the greatest of all, so that squares stay numbers.
struct Sums {
  uint64_t rows = 0;
  double sum = 0, squares = 0, max = 0, uncut_sum = 0, uncut_squares = 0;
  double above_sum = 0, above_on_support = 0;

  void Add(double weight, double uncut, double above, double on_support, double scale) {
    ++rows;
    sum += weight / scale;
    squares += weight / scale * (weight / scale);
    max = std::max(max, weight / scale);
    uncut_sum += uncut / scale;
    uncut_squares += uncut / scale * (uncut / scale);
    above_sum += above / scale;
    above_on_support += above / scale * on_support;
  }

  Support Read(double scale) const {
    const double count = static_cast<double>(rows);
    Support support{.rows = rows, .effective = Kish(sum, squares)};
    if (sum > 0) support.weight_share_max = max / sum;
    const double mean = uncut_sum / count;
    support.mean_weight = mean * scale;
    support.mean_weight_error = scale * std::sqrt(std::max(0.0, uncut_squares / count - mean * mean) / count);
    if (above_sum > 0) support.target_share = above_on_support / above_sum;
    return support;
  }
};

std::string TooFewRows(const Support& support, std::string_view of_what) {
  return fmt::format(
      "the effective sample size is {:.1f} of {} rows{}; expected at least {}: one row carries {:.1f}% of all weight",
      support.effective, support.rows, of_what, kEffectiveMin, 100 * support.weight_share_max);
}

}  // namespace

Diagnostics Diagnose(std::span<const LoggedSlate> slates, const Weights& weights, PropensityKind kind) {
  const double scale =
      std::max(1.0, weights.uncut.empty() ? 1.0 : *std::max_element(weights.uncut.begin(), weights.uncut.end()));
  Sums all;
  std::map<uint32_t, Sums> by_position;
  double reward_sum = 0, reward_squares = 0;
  for (size_t s = 0; s < slates.size(); ++s) {
    const std::span<const double> used = weights.of(s);
    double above = 1;
    for (size_t place = 0; place < used.size(); ++place) {
      const LoggedPosition& shown = slates[s].positions[place];
      const double uncut = weights.uncut[weights.offsets[s] + place];
      for (Sums* sums : {&all, &by_position[shown.position]}) {
        sums->Add(used[place], uncut, above, shown.target_on_support, scale);
      }
      // A prefix that the target would not show says nothing of what it would show below.
      if (kind == PropensityKind::kConditional) above = uncut;
      const double earned = used[place] / scale * std::abs(shown.reward);
      reward_sum += earned;
      reward_squares += earned * earned;
    }
  }
  Diagnostics diagnostics{.requests = slates.size(), .effective_rewards = Kish(reward_sum, reward_squares)};
  if (all.rows == 0) return diagnostics;
  diagnostics.all = all.Read(scale);
  if (all.uncut_sum > 0) diagnostics.cut_share = 1 - all.sum / all.uncut_sum;
  // What was lost at a position is lost to every prefix that goes on from it.
  double share_above = 1, kept = 0;
  for (const auto& [position, sums] : by_position) {
    PositionSupport support{sums.Read(scale), position};
    if (kind == PropensityKind::kConditional) share_above = support.target_share *= share_above;
    diagnostics.by_position.push_back(support);
    kept += support.target_share * static_cast<double>(support.rows);
  }
  diagnostics.all.target_share = kept / static_cast<double>(all.rows);
  return diagnostics;
}

std::string WhyRefused(const Diagnostics& diagnostics) {
  const Support& all = diagnostics.all;
  if (all.rows == 0) return "no request has a position";
  for (const PositionSupport& support : diagnostics.by_position) {
    const double missed = std::abs(support.mean_weight - support.target_share);
    // Weights that hardly differ have an error of rounding alone; a millionth is no misfit.
    if (missed > kMeanWeightErrorsMax * support.mean_weight_error + 1e-6 && support.rows >= kEffectiveMin) {
      return fmt::format(
          "the mean weight of position {} is {:.3f} with a standard error of {:.3f}; expected {:.3f}, within {} "
          "errors: "
          "the propensities are not those that the log was drawn with, or its heaviest rows are still to come",
          support.position + 1, support.mean_weight, support.mean_weight_error, support.target_share,
          kMeanWeightErrorsMax);
    }
  }
  if (const double kept = all.target_share * (1 - diagnostics.cut_share); kept < kSupportMin) {
    return fmt::format(
        "{:.1f}% of the target's probability is on what the log shows, of which cutting weights leaves {:.1f}%; "
        "expected "
        "at least {:.0f}% in all: what is missing would count as worth nothing",
        100 * all.target_share, 100 * (1 - diagnostics.cut_share), 100 * kSupportMin);
  }
  if (all.effective < kEffectiveMin) return TooFewRows(all, "");
  for (const PositionSupport& support : diagnostics.by_position) {
    const bool counts =
        static_cast<double>(support.rows) >= kPositionShareMin * static_cast<double>(diagnostics.requests);
    if (counts && support.effective < kEffectiveMin) {
      return TooFewRows(support, fmt::format(" at position {}", support.position + 1));
    }
  }
  if (diagnostics.effective_rewards < kEffectiveRewardsMin) {
    return fmt::format("the rewards of {:.1f} effective rows carry the value; expected at least {}",
                       diagnostics.effective_rewards, kEffectiveRewardsMin);
  }
  return "";
}

}  // namespace bowerbird::experiment::ope
