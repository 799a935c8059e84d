#include "sim/share_of_oracle.h"

#include <algorithm>
#include <array>

#include "base/rng.h"

namespace bowerbird::sim {
namespace {

constexpr int kResamples = 1000;

double Share(double personal, double popularity, double oracle) {
  return oracle > popularity ? (personal - popularity) / (oracle - popularity) : 0;
}

}  // namespace

ShareOfOracle MeasureShare(std::span<const UserOutcome> users, uint64_t seed) {
  std::array<std::vector<UserOutcome>, kPolicies> arms;
  for (const UserOutcome& user : users) {
    if (user.sessions > 0) arms[static_cast<uint32_t>(user.policy)].push_back(user);
  }
  ShareOfOracle out;
  for (uint32_t p = 0; p < kPolicies; ++p) {
    for (const UserOutcome& user : arms[p]) {
      out.utility[p] += user.utility;
      out.sessions[p] += user.sessions;
    }
    out.users[p] = arms[p].size();
    if (out.sessions[p] > 0) out.utility[p] /= static_cast<double>(out.sessions[p]);
  }
  const auto share_of = [](const double(&utility)[kPolicies]) {
    return Share(utility[static_cast<uint32_t>(Policy::kPersonal)], utility[static_cast<uint32_t>(Policy::kPopularity)],
                 utility[static_cast<uint32_t>(Policy::kOracle)]);
  };
  out.share = share_of(out.utility);

  base::Rng rng(seed);
  std::vector<double> shares;
  for (int resample = 0; resample < kResamples; ++resample) {
    double utility[kPolicies] = {};
    for (uint32_t p = 0; p < kPolicies; ++p) {
      double sum = 0;
      uint64_t sessions = 0;
      for (size_t draw = 0; draw < arms[p].size(); ++draw) {
        const UserOutcome& user = arms[p][rng.Below(arms[p].size())];
        sum += user.utility;
        sessions += user.sessions;
      }
      utility[p] = sessions > 0 ? sum / static_cast<double>(sessions) : 0;
    }
    shares.push_back(share_of(utility));
  }
  std::sort(shares.begin(), shares.end());
  out.low = shares[static_cast<size_t>(.025 * kResamples)];
  out.high = shares[static_cast<size_t>(.975 * kResamples)];
  return out;
}

}  // namespace bowerbird::sim
