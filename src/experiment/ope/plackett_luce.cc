#include "experiment/ope/plackett_luce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/hash.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

// exp(log weight) over its sum, of the items that are not taken; 0 for those that are. Relative to the greatest that is
// left, so that it holds where one item had nearly all weight.
void Shares(std::span<const float> log_weights, const std::vector<bool>& taken, std::vector<double>* shares) {
  float greatest = std::numeric_limits<float>::lowest();
  for (size_t i = 0; i < log_weights.size(); ++i) {
    if (!taken[i]) greatest = std::max(greatest, log_weights[i]);
  }
  double sum = 0;
  for (size_t i = 0; i < log_weights.size(); ++i) {
    (*shares)[i] = taken[i] ? 0 : std::exp(static_cast<double>(log_weights[i]) - static_cast<double>(greatest));
    sum += (*shares)[i];
  }
  for (double& share : *shares) share /= sum;
}

// The most that each item's probability at a position can be, whatever stands above: when the `position` heaviest
// others do. {items}.
std::vector<double> GreatestShares(std::span<const float> log_weights, uint32_t position) {
  std::vector<uint32_t> order(log_weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return log_weights[a] > log_weights[b]; });
  // Of the items from the rank on; summed from the lightest up.
  std::vector<double> weight(order.size()), from_rank(order.size() + 1);
  for (size_t rank = order.size(); rank-- > 0;) {
    const double relative = log_weights[order[rank]] - static_cast<double>(log_weights[order[0]]);
    weight[rank] = std::exp(relative);
    from_rank[rank] = from_rank[rank + 1] + weight[rank];
  }
  std::vector<double> greatest(order.size());
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double left = rank < position ? weight[rank] + from_rank[position + 1] : from_rank[position];
    greatest[order[rank]] = left > 0 ? weight[rank] / left : 1;
  }
  return greatest;
}

absl::Status CheckPolicy(std::span<const float> log_weights, size_t positions, uint32_t draws) {
  if (positions == 0 || positions > log_weights.size() || positions > kPositionsMax) {
    return absl::InvalidArgumentError(fmt::format("{} positions of {} items; expected 1 to {}", positions,
                                                  log_weights.size(),
                                                  std::min<size_t>(log_weights.size(), kPositionsMax)));
  }
  for (const float log_weight : log_weights) {
    if (!std::isfinite(log_weight)) {
      return absl::InvalidArgumentError(fmt::format("a log weight is {}; expected a number", log_weight));
    }
  }
  if (draws < 2) return absl::InvalidArgumentError(fmt::format("{} draws; expected at least 2", draws));
  return absl::OkStatus();
}

absl::Status CheckPage(const DrawnPage& drawn) {
  const size_t items = drawn.items.size();
  if (drawn.logged_log_weights.size() != items || drawn.target_log_weights.size() != items ||
      drawn.rewards.size() != drawn.page.size()) {
    return absl::InvalidArgumentError(fmt::format(
        "request '{}': {} candidates with {} and {} log weights, {} shown with {} rewards; expected one each",
        drawn.request, items, drawn.logged_log_weights.size(), drawn.target_log_weights.size(), drawn.page.size(),
        drawn.rewards.size()));
  }
  std::vector<bool> shown(items);
  for (const uint32_t index : drawn.page) {
    if (index >= items || shown[index]) {
      return absl::InvalidArgumentError(fmt::format(
          "request '{}': candidate {} of {} is shown; expected each at most once", drawn.request, index, items));
    }
    shown[index] = true;
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<uint32_t> DrawPage(std::span<const float> log_weights, uint32_t positions, base::Rng* rng) {
  std::vector<double> keys(log_weights.size());
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = log_weights[i] + rng->Gumbel();
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + positions, order.end(),
                    [&](uint32_t a, uint32_t b) { return keys[a] > keys[b]; });
  order.resize(positions);
  return order;
}

absl::StatusOr<Marginals> EstimateMarginals(std::span<const float> log_weights, uint32_t positions, uint32_t draws,
                                            uint64_t seed) {
  RETURN_IF_ERROR(CheckPolicy(log_weights, positions, draws));
  Marginals result{.positions = positions, .items = static_cast<uint32_t>(log_weights.size())};
  // Means and squared deviations as they come (Welford 1962), so that what never varies has an error of exactly 0.
  result.probability.resize(size_t{positions} * result.items);
  result.standard_error.resize(result.probability.size());
  std::vector<double> shares(log_weights.size());
  std::vector<bool> taken(log_weights.size());
  base::Rng rng(seed);
  for (uint32_t draw = 0; draw < draws; ++draw) {
    const std::vector<uint32_t> page = DrawPage(log_weights, positions, &rng);
    taken.assign(taken.size(), false);
    for (uint32_t position = 0; position < positions; ++position) {
      Shares(log_weights, taken, &shares);
      for (uint32_t item = 0; item < result.items; ++item) {
        const size_t at = result.index(position, item);
        const double deviation = shares[item] - result.probability[at];
        result.probability[at] += deviation / (draw + 1.0);
        result.standard_error[at] += deviation * (shares[item] - result.probability[at]);
      }
      taken[page[position]] = true;
    }
  }
  for (double& value : result.standard_error) value = std::sqrt(value / (draws - 1.0) / draws);
  for (uint32_t position = 1; position < positions; ++position) {
    const std::vector<double> greatest = GreatestShares(log_weights, position);
    for (uint32_t item = 0; item < result.items; ++item) {
      double& error = result.standard_error[result.index(position, item)];
      error = std::max(error, greatest[item] / draws);
    }
  }
  return result;
}

std::vector<double> ConditionalProbabilities(std::span<const float> log_weights, std::span<const uint32_t> page) {
  std::vector<bool> taken(log_weights.size());
  std::vector<double> shares(log_weights.size()), result;
  for (const uint32_t item : page) {
    Shares(log_weights, taken, &shares);
    result.push_back(shares[item]);
    taken[item] = true;
  }
  return result;
}

absl::StatusOr<LoggedSlate> ReadPage(const DrawnPage& drawn, uint32_t draws, uint64_t seed) {
  RETURN_IF_ERROR(CheckPage(drawn));
  const uint32_t positions = static_cast<uint32_t>(drawn.page.size());
  ASSIGN_OR_RETURN(const Marginals logged, EstimateMarginals(drawn.logged_log_weights, positions, draws, seed));
  // Another stream: errors of the two that go together would not average out of their ratio.
  ASSIGN_OR_RETURN(const Marginals target,
                   EstimateMarginals(drawn.target_log_weights, positions, draws, base::CombineHash(seed, 1)));
  const std::vector<double> logged_given = ConditionalProbabilities(drawn.logged_log_weights, drawn.page);
  const std::vector<double> target_given = ConditionalProbabilities(drawn.target_log_weights, drawn.page);
  LoggedSlate slate{.request = drawn.request};
  for (uint32_t position = 0; position < positions; ++position) {
    const uint32_t shown = drawn.page[position];
    const size_t at = logged.index(position, shown);
    if (logged.standard_error[at] > kMarginalErrorMax * logged.probability[at]) {
      return absl::FailedPreconditionError(
          fmt::format("request '{}': p(item {} at position {}) is {:.3g} with a standard error of {:.3g} after {} "
                      "draws; expected an "
                      "error of at most {:.0f}%: take more draws",
                      drawn.request, drawn.items[shown], position, logged.probability[at], logged.standard_error[at],
                      draws, 100 * kMarginalErrorMax));
    }
    slate.positions.push_back({.position = position,
                               .item = drawn.items[shown],
                               .logged = {logged_given[position], logged.probability[at]},
                               .target = {target_given[position], target.probability[at]},
                               .reward = drawn.rewards[position]});
  }
  return slate;
}

}  // namespace bowerbird::experiment::ope
