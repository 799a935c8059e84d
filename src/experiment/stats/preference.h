#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "experiment/stats/compare.h"

namespace bowerbird::experiment::stats {

/// What one interleaved request earned for each of two rankings.
struct RequestCredit {
  uint64_t user = 0;
  double control = 0, treatment = 0;
};

/// How many preferred which.
struct Wins {
  uint64_t control = 0, treatment = 0, ties = 0;

  /// (treatment + ties / 2) / all - 1/2, in [-1/2, 1/2]: above 0 the treatment is preferred. 0 of nobody. Source:
  /// Chapelle, Joachims, Radlinski, Yue 2012, "Large-Scale Validation and Analysis of Interleaved Search Evaluation".
  double preference() const;
  bool operator==(const Wins&) const = default;
};

/// Two-sided: of as many wins without ties, where either is as likely.
double SignPValue(const Wins& wins);

/// Which of two rankings users prefer.
struct Preference {
  Wins requests;
  Wins users;               ///< by the sum of a user's requests
  Comparison difference;    ///< treatment less control a request, mean over users of each user's mean
  double sign_p_value = 1;  ///< of the users' wins
};

/// Reads interleaved requests. A user's requests are alike, so that users and not requests are taken for independent:
/// each user counts once, however often they came.
///
/// Data     any order; users who never came are not asked.
/// Source   paired t test; exact sign test (Conover 1999, chapter 3.4).
/// Errors   InvalidArgument: a credit is not finite, or alpha is outside of (0, 1). FailedPrecondition: fewer than two
///          users, or all users' differences are equal.
/// Cost     linear; a table of users.
absl::StatusOr<Preference> ReadPreference(std::span<const RequestCredit> requests, double alpha);

}  // namespace bowerbird::experiment::stats
