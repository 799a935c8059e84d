#include "serve/lifecycle.h"

#include "gtest/gtest.h"

namespace bowerbird::serve {
namespace {

constexpr int64_t kDayUs = 86'400'000'000, kNowUs = 20'000 * kDayUs;

/// Who acted so many days ago, each.
state::UserState ActedDaysAgo(const std::vector<int>& days) {
  state::UserState user;
  for (const int day : days) {
    const int64_t time_us = kNowUs - day * kDayUs;
    user.actions.push_back({catalog::ItemKey(1), static_cast<uint32_t>(time_us / 1'000'000), 2, 0, 0});
    user.first_time_us = user.events == 0 ? time_us : std::min(user.first_time_us, time_us);
    user.last_time_us = std::max(user.last_time_us, time_us);
    ++user.events;
  }
  return user;
}

TEST(LifecycleTest, FollowsWhatTheUserDidAndWhen) {
  EXPECT_EQ(LifecycleOf({}, kNowUs), "");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({3, 1}), kNowUs), "new");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({60, 50, 28}), kNowUs), "dormant");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({60, 50, 27}), kNowUs), "casual");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({60, 50, 5}), kNowUs), "resurrected");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({60, 50, 16, 5}), kNowUs), "casual") << "back for longer";
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({40, 27, 20, 18, 12, 9, 7, 4, 1}), kNowUs), "core");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({40, 27, 20, 18, 12, 9, 7, 4}), kNowUs), "casual");
  EXPECT_EQ(LifecycleOf(ActedDaysAgo({40, 2, 1, 1, 1, 1, 1, 1, 1, 1}), kNowUs), "resurrected");
}

TEST(LifecycleTest, ALateActionIsNoGap) { EXPECT_EQ(LifecycleOf(ActedDaysAgo({30, 10, 45, 9, 1}), kNowUs), "casual"); }

}  // namespace
}  // namespace bowerbird::serve
