#include "experiment/stats/preference.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/estimate.h"
#include "experiment/stats/input.h"
#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {
namespace {

struct OfUser {
  double difference = 0;  ///< sum over requests
  uint64_t requests = 0;
};

void Count(double difference, Wins* wins) {
  if (difference > 0) {
    ++wins->treatment;
  } else if (difference < 0) {
    ++wins->control;
  } else {
    ++wins->ties;
  }
}

}  // namespace

double Wins::preference() const {
  const double all = static_cast<double>(control) + static_cast<double>(treatment) + static_cast<double>(ties);
  return all > 0 ? (static_cast<double>(treatment) + static_cast<double>(ties) / 2) / all - 0.5 : 0;
}

double SignPValue(const Wins& wins) {
  const uint64_t fewer = std::min(wins.control, wins.treatment), all = wins.control + wins.treatment;
  if (2 * fewer >= all) return 1;
  const double k = static_cast<double>(fewer), n = static_cast<double>(all);
  return std::min(1.0, 2 * BetaCdf(0.5, n - k, k + 1));
}

absl::StatusOr<Preference> ReadPreference(std::span<const RequestCredit> requests, double alpha) {
  Preference preference;
  // Users in the order of their first request, so that sums do not depend on the order of a hash table.
  absl::flat_hash_map<uint64_t, size_t> row_of;
  std::vector<OfUser> users;
  for (const RequestCredit& request : requests) {
    RETURN_IF_ERROR(CheckFinite("credit.control", request.control));
    RETURN_IF_ERROR(CheckFinite("credit.treatment", request.treatment));
    const double difference = request.treatment - request.control;
    Count(difference, &preference.requests);
    const size_t row = row_of.try_emplace(request.user, users.size()).first->second;
    if (row == users.size()) users.emplace_back();
    users[row].difference += difference;
    ++users[row].requests;
  }
  Moments means;
  for (const OfUser& user : users) {
    Count(user.difference, &preference.users);
    means.Add(user.difference / static_cast<double>(user.requests));
  }
  ASSIGN_OR_RETURN(const Estimate mean, MeanOf("users", means));
  ASSIGN_OR_RETURN(preference.difference, TestAgainstZero(mean, alpha));
  preference.sign_p_value = SignPValue(preference.users);
  return preference;
}

}  // namespace bowerbird::experiment::stats
