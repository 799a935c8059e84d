#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rows/set_info.h"

namespace bowerbird::rows {

/// What sets of rows are usually like, learned from those before: outside of it, something broke on the way, and no
/// model is to be trained on that.
///
/// Learned  from the last kSetsMax sets before one; with fewer than kSetsMin, nothing is usual yet and nothing is
///          refused. A number's bounds are its mean over them, give or take kDeviations standard deviations and at
///          least a share of the mean. How far the values of a feature lie from those of the other sets is their PSI,
///          bounded by kPsiTimes the greatest among the sets it is learned from, and at least kPsiMin.
/// Source   population stability index: Siddiqi 2006, over at most ten bins of equal counts.
struct BoundsRules {
  static constexpr size_t kSetsMax = 14, kSetsMin = 14;
  static constexpr double kDeviations = 4;
  static constexpr double kVolumeShare = 0.5, kRateShare = 0.3;
  static constexpr double kNullSlack = 0.02;  ///< a null rate may always be so much off
  static constexpr double kPsiTimes = 2, kPsiMin = 0.1;
};

struct Bound {
  std::string name;  ///< "volume", "null_rate of ials", "label_rate of click", "psi of ials"
  double low = 0, high = 0, found = 0;
  bool Holds() const { return found >= low && found <= high; }
  /// "label_rate of click: found 0.31; expected 0.08 to 0.12".
  std::string ToString() const;
};

/// Every bound of `set` as learned from `before`, ascending in time; empty: too few of them.
std::vector<Bound> LearnBounds(std::span<const SetInfo> before, const SetInfo& set);

/// Distance of two distributions of a feature, over bins that hold equal shares of `reference`; 0: nothing to compare.
double Psi(const FeatureStats& reference, const FeatureStats& found);

}  // namespace bowerbird::rows
