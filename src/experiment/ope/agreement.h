#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "experiment/ope/estimate.h"
#include "experiment/ope/interval.h"
#include "experiment/ope/open_bandit.h"

namespace bowerbird::experiment::ope {

/// What one policy showed while others answered their own share of the same traffic.
struct PolicyLog {
  std::string policy;
  std::vector<OpenBanditRow> rows;
};

/// An estimate beside what the target's own log says.
struct Agreement {
  std::string campaign, log, target;
  Estimate estimate;
  double truth = 0;              ///< clicks a row of the target's own log
  double difference = 0;         ///< value - truth
  Interval difference_interval;  ///< with the noise of both logs
  bool covers = false;           ///< the interval holds 0; no verdict where the estimate is refused
};

/// Reads `log` for the policy of `target`, whose propensities are its own shares, by kIps, kSnips and kCascadeDr. Rows
/// are slots without their pages: kRips would be kIps, and kCascadeDr is the plain doubly robust estimator.
///
/// That shares and truth come from one log costs nothing: the truth is the mean of the target's clicks by item and
/// position weighted by these very shares. What differs is clicks alone, and both bootstraps resample those.
///
/// Errors  InvalidArgument: the target's log lacks a position of the other; as EstimateValue.
absl::StatusOr<std::vector<Agreement>> JudgeByOtherLog(const std::string& campaign, const PolicyLog& log,
                                                       const PolicyLog& target, uint64_t seed);

/// One object; numbers that are no verdict (`refused` says why) are null.
std::string ToJson(std::span<const Agreement> agreements);

/// Lines for a person.
std::string ToTable(std::span<const Agreement> agreements);

}  // namespace bowerbird::experiment::ope
