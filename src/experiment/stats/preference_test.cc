#include "experiment/stats/preference.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::stats {
namespace {

TEST(PreferenceTest, CountsRequestsAndUsersApart) {
  // User 1 prefers the treatment twice and the control once, by more; user 2 is torn; user 3 did nothing.
  const std::vector<RequestCredit> requests = {{1, 0, 1}, {1, 0, 1}, {1, 5, 0}, {2, 1, 0}, {2, 0, 1}, {3, 0, 0}};
  const auto preference = ReadPreference(requests, 0.05);
  ASSERT_TRUE(preference.ok()) << preference.status();
  EXPECT_EQ(preference->requests, (Wins{2, 3, 1}));
  EXPECT_EQ(preference->users, (Wins{1, 0, 2}));
  EXPECT_DOUBLE_EQ(preference->difference.effect.value, -1. / 3);
  EXPECT_NEAR(preference->requests.preference(), 3.5 / 6 - .5, 1e-12);
  EXPECT_EQ(preference->sign_p_value, 1);
}

TEST(PreferenceTest, TheSignTestIsExact) {
  // scipy.stats.binomtest(2, 12).pvalue = 0.03857...
  std::vector<RequestCredit> requests;
  for (uint64_t user = 0; user < 12; ++user) requests.push_back({user, user < 2 ? 1. : 0., user < 2 ? 0. : 1.});
  requests.push_back({99, 0, 0});
  EXPECT_NEAR(ReadPreference(requests, 0.05)->sign_p_value, 158. / 4096, 1e-12);
}

TEST(PreferenceTest, AUserWhoComesOftenCountsOnce) {
  std::vector<RequestCredit> requests;
  for (int i = 0; i < 1'000; ++i) requests.push_back({0, 1, 0});
  for (uint64_t user = 1; user <= 20; ++user) requests.push_back({user, 0, 1});
  const auto preference = ReadPreference(requests, 0.05);
  EXPECT_GT(preference->difference.effect.value, 0);
  EXPECT_LT(preference->difference.p_value, 0.05);
  EXPECT_LT(preference->requests.preference(), 0);
}

TEST(PreferenceTest, UsersWhoLeanOneWayDoNotRaiseFalseAlarms) {
  // Each user favours one ranking on all of their requests, by a coin: taken for independent, requests would be sure.
  base::Rng rng(3);
  int alarms = 0, sign_alarms = 0;
  constexpr int kRepeats = 1'000;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    std::vector<RequestCredit> requests;
    for (uint64_t user = 0; user < 60; ++user) {
      const bool for_control = rng.Bernoulli(.5);
      for (uint64_t left = 1 + rng.Below(20); left > 0; --left) {
        const double clicks = static_cast<double>(rng.Below(3));
        requests.push_back({user, for_control ? clicks : 0, for_control ? 0 : clicks});
      }
    }
    const auto preference = ReadPreference(requests, 0.05);
    alarms += preference->difference.p_value < 0.05 ? 1 : 0;
    sign_alarms += preference->sign_p_value < 0.05 ? 1 : 0;
  }
  // Four standard errors of 50; the sign test is discrete and so below its level.
  EXPECT_NEAR(alarms, 50, 28);
  EXPECT_LE(sign_alarms, 78);
}

TEST(PreferenceTest, TooLittleOrNoNumberIsRefused) {
  const std::vector<RequestCredit> one = {{1, 0, 1}}, same = {{1, 0, 1}, {2, 0, 1}},
                                   nan = {{1, std::numeric_limits<double>::quiet_NaN(), 1}, {2, 0, 1}};
  EXPECT_EQ(ReadPreference({}, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadPreference(one, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadPreference(same, 0.05).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadPreference(nan, 0.05).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadPreference(same, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bowerbird::experiment::stats
