#include "sim/share_of_oracle.h"

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::sim {
namespace {

std::vector<UserOutcome> Users(uint32_t each, double personal, double noise, uint64_t seed = 1) {
  base::Rng rng(seed);
  const double means[kPolicies] = {personal, 2, 1, 6};
  std::vector<UserOutcome> users;
  for (uint32_t user = 0; user < each * kPolicies; ++user) {
    const uint32_t policy = user % kPolicies;
    const auto sessions = static_cast<uint32_t>(1 + rng.Below(5));
    users.push_back({static_cast<Policy>(policy), sessions * (means[policy] + noise * rng.Normal()), sessions});
  }
  return users;
}

TEST(ShareOfOracleTest, IsTheShareOfTheAdvantageOverPopularity) {
  const ShareOfOracle share = MeasureShare(Users(10, 4, 0), 1);
  EXPECT_DOUBLE_EQ(share.utility[0], 4);
  EXPECT_DOUBLE_EQ(share.share, .5);
  EXPECT_DOUBLE_EQ(share.low, .5);
  EXPECT_DOUBLE_EQ(share.high, .5);
}

TEST(ShareOfOracleTest, TheIntervalCoversTheTruthAboutAsOftenAsItSays) {
  int covered = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const ShareOfOracle share = MeasureShare(Users(60, 4, 2, seed), seed);
    covered += share.low <= .5 && .5 <= share.high;
  }
  EXPECT_GE(covered, 51);
  EXPECT_LE(covered, 60);
}

TEST(ShareOfOracleTest, NoUsersIsZeroAndNotNan) {
  const ShareOfOracle share = MeasureShare({}, 1);
  EXPECT_EQ(share.share, 0);
  EXPECT_EQ(share.high, 0);
}

TEST(ShareOfOracleTest, UsersWithoutSessionsAreLeftOut) {
  std::vector<UserOutcome> users = Users(10, 4, 0);
  users.push_back({Policy::kPersonal, 0, 0});
  EXPECT_EQ(MeasureShare(users, 1).users[0], 10);
}

}  // namespace
}  // namespace bowerbird::sim
