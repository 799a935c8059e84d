#include "serve/lifecycle.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace bowerbird::serve {
namespace {

constexpr int64_t kDayS = 86'400, kDormantS = 28 * kDayS, kNewS = 7 * kDayS, kBackS = 14 * kDayS;
constexpr int kCoreDays = 8;

}  // namespace

std::string_view LifecycleOf(const state::UserState& user, int64_t now_us) {
  if (user.events == 0) return "";
  const int64_t now_s = now_us / 1'000'000, first_s = user.first_time_us / 1'000'000,
                last_s = user.last_time_us / 1'000'000;
  if (now_s - last_s >= kDormantS) return "dormant";
  if (now_s - first_s < kNewS) return "new";
  // A late action stands where it was folded, not where it belongs.
  std::vector<int64_t> times_s;
  times_s.reserve(user.actions.size());
  for (const state::Action& action : user.actions) times_s.push_back(action.time_s);
  std::ranges::sort(times_s, std::greater<>());
  int days = 0;
  int64_t later_s = last_s, counted_day = -1;
  bool came_back = false;
  for (const int64_t time_s : times_s) {
    came_back |= later_s - time_s >= kDormantS && now_s - later_s <= kBackS;
    if (now_s - time_s < kDormantS && time_s / kDayS != counted_day) {
      counted_day = time_s / kDayS;
      ++days;
    }
    later_s = time_s;
  }
  if (came_back) return "resurrected";
  return days >= kCoreDays ? "core" : "casual";
}

}  // namespace bowerbird::serve
