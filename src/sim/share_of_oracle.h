#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bowerbird::sim {

/// The four ways in which a user may be served. A user stays with one.
enum class Policy : uint32_t { kPersonal, kPopularity, kRandom, kOracle };
inline constexpr uint32_t kPolicies = 4;

/// One user's sessions.
struct UserOutcome {
  Policy policy = Policy::kPersonal;
  double utility = 0;
  uint32_t sessions = 0;
};

struct ShareOfOracle {
  /// Utility per session by policy: the sum over all sessions over their number; 0 without sessions.
  double utility[kPolicies] = {};
  uint64_t sessions[kPolicies] = {};
  uint64_t users[kPolicies] = {};
  /// (personal - popularity) / (oracle - popularity), and its 95% interval by a bootstrap over users within each
  /// policy.
  double share = 0;
  double low = 0;
  double high = 0;
};

/// Data     users without sessions are left out. The interval is that of 1,000 resamples under `seed`.
/// Source   percentile bootstrap over users (Efron and Tibshirani 1993): sessions of one user are not independent.
ShareOfOracle MeasureShare(std::span<const UserOutcome> users, uint64_t seed);

}  // namespace bowerbird::sim
