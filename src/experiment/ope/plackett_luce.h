#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/rng.h"
#include "experiment/ope/slate.h"

namespace bowerbird::experiment::ope {

/// Pages drawn item by item, without replacement, in proportion to exp(log weight) of what is left (Plackett 1975, Luce
/// 1959). The items and their weights are the same at every position: a pool that a cap or a penalty changes by what
/// stands above is another policy.

/// `positions` items, best first: the greatest of log weight + Gumbel noise (Yellott 1977). positions <= items.
std::vector<uint32_t> DrawPage(std::span<const float> log_weights, uint32_t positions, base::Rng* rng);

/// p(item at position), and how far off it may be.
struct Marginals {
  uint32_t positions = 0, items = 0;
  std::vector<double> probability;     ///< {positions, items}, row-major; each position sums to 1
  std::vector<double> standard_error;  ///< likewise; 0 at position 0, which is exact

  size_t index(uint32_t position, uint32_t item) const { return size_t{position} * items + item; }
};

/// Over `draws` pages: at each position the mean of the probability of every item given what was drawn above it. The
/// plain share of pages with the item there has the same mean and more spread, and is 0 for rare items, whose
/// propensity is divided by.
///
/// The error is at least what one more page could add. So an item that stood above in every page, and of which nothing
/// is known further down, has a probability of 0 with an error that is not.
///
/// Cost    O(draws * positions * items). Same: a seed gives the same bits on one machine.
/// Errors  InvalidArgument: no position, more positions than items, a log weight that is not finite, under two draws.
absl::StatusOr<Marginals> EstimateMarginals(std::span<const float> log_weights, uint32_t positions, uint32_t draws,
                                            uint64_t seed);

/// The probability of each shown item given those above it; `page` holds distinct indexes of `log_weights`.
std::vector<double> ConditionalProbabilities(std::span<const float> log_weights, std::span<const uint32_t> page);

/// One request whose page was drawn by one such policy, and is read for another over the same candidates.
struct DrawnPage {
  std::string request;
  std::span<const uint64_t> items;                                ///< the candidates
  std::span<const float> logged_log_weights, target_log_weights;  ///< one a candidate
  std::span<const uint32_t> page;                                 ///< indexes of what was shown, from the top
  std::span<const double> rewards;                                ///< one a shown item
};

/// An estimated logged marginal may be this far off, in parts of itself: its inverse is a weight.
inline constexpr double kMarginalErrorMax = 0.1;

/// With both kinds of probability under both policies.
///
/// Errors  InvalidArgument: as EstimateMarginals, or shapes that do not fit, or an item shown twice.
/// FailedPrecondition:
///         the logged marginal of a shown item is off by more than kMarginalErrorMax; more draws would do.
absl::StatusOr<LoggedSlate> ReadPage(const DrawnPage& drawn, uint32_t draws, uint64_t seed);

}  // namespace bowerbird::experiment::ope
