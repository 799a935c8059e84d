#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace bowerbird::experiment::ope {

/// Positions of a page are below this; anything else is a mistake in the log, and would cost memory by position.
inline constexpr uint32_t kPositionsMax = 1024;
/// Rewards and weights stay within this, so that their products and sums remain numbers.
inline constexpr double kMagnitudeMax = 1e100;

/// How likely a policy was to show an item at a position.
struct Propensity {
  std::optional<double> conditional;  ///< given the items above it
  std::optional<double> marginal;     ///< over all that could have stood above it
};

/// One shown item, and what came of it.
struct LoggedPosition {
  uint32_t position = 0;  ///< on the page, from 0
  uint64_t item = 0;
  Propensity logged;  ///< of the policy that wrote the log: in (0, 1], for it did show the item
  Propensity target;  ///< of the policy to judge, for the same item there: in [0, 1]
  /// Share of the target's probability, at this position, on items that the logging policy could have shown there.
  double target_on_support = 1;
  double reward = 0;
};

/// One answer of the logging policy. Answers are independent of each other unless they are of one cluster; positions of
/// one are not.
///
/// A position that was logged without its page is a slate of one, at its own position; its conditional and marginal
/// probabilities are then the same.
struct LoggedSlate {
  std::string request;
  std::vector<LoggedPosition> positions;  ///< ascending by position; may be empty
  /// Answers that depend on each other have the same, such as those to one user; 0: of none.
  uint64_t cluster = 0;
};

enum class PropensityKind : uint8_t { kConditional, kMarginal };

/// What estimators with that kind of propensity rely on.
///
/// Errors  InvalidArgument: no slate; positions that do not ascend, reach kPositionsMax or, for kConditional, leave one
///         out; a probability that is missing or out of range; a reward beyond kMagnitudeMax. Names request and
///         position.
absl::Status CheckSlates(std::span<const LoggedSlate> slates, PropensityKind kind);

/// `propensity` of that kind; it must be there (CheckSlates).
double Of(const Propensity& propensity, PropensityKind kind);

}  // namespace bowerbird::experiment::ope
