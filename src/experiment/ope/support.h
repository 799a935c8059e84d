#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "experiment/ope/slate.h"
#include "experiment/ope/weights.h"

namespace bowerbird::experiment::ope {

/// What a log must have for a verdict. Each bound is where the interval would no longer mean what it says.

/// Effective rows, of all and of each position that counts. With m of them, the mean weight itself is known to one part
/// in sqrt(m), and one row can carry 1 / sqrt(m) of all weight: a tenth at 100, more below.
inline constexpr double kEffectiveMin = 100;
/// Effective rows with a reward. A sum of m rare rewards is known to one part in sqrt(m), a third at 10; below, its
/// distribution is so skewed that neither a normal interval nor a bootstrap covers what it states.
inline constexpr double kEffectiveRewardsMin = 10;
/// Of the target's probability, on what the log can show and after cutting weights. What is missing counts as reward 0,
/// and no interval knows: at 0.95, a twentieth of the value if the missing items are as good as others.
inline constexpr double kSupportMin = 0.95;
/// By how many of its standard errors the mean weight of a position may miss the share on support, which it equals in
/// expectation: beyond, the propensities are not those that the log was drawn with.
inline constexpr double kMeanWeightErrorsMax = 4;
/// Positions that fewer requests reach than this share are asked no effective rows of their own: pages differ in
/// length.
inline constexpr double kPositionShareMin = 0.05;

/// Of one position, or of all together.
struct Support {
  uint64_t rows = 0;            ///< logged positions
  double effective = 0;         ///< Kish: (sum w)^2 / sum w^2, of the weights in use
  double weight_share_max = 0;  ///< of the heaviest row
  double mean_weight = 0;       ///< before cutting
  double mean_weight_error = 0;
  double target_share = 0;  ///< of the target's probability, on logged support
};

struct PositionSupport : Support {
  uint32_t position = 0;
};

struct Diagnostics {
  uint64_t requests = 0;
  Support all;
  double effective_rewards = 0;  ///< Kish over weight * |reward|
  double cut_share = 0;          ///< of all weight, lost to cutting
  std::vector<PositionSupport> by_position;
};

/// `weights` are those of `slates`, of the same kind.
Diagnostics Diagnose(std::span<const LoggedSlate> slates, const Weights& weights, PropensityKind kind);

/// Why no verdict follows, in words that name the numbers; empty if one does. The worst of several reasons comes first:
/// propensities that do not fit, then what is missing, then too few effective rows.
std::string WhyRefused(const Diagnostics& diagnostics);

}  // namespace bowerbird::experiment::ope
