#include "state/user_mark.h"

#include <algorithm>
#include <array>

#include "bowerbird/v1/event.pb.h"

namespace bowerbird::state {
namespace {

constexpr std::array<std::string_view, kMarkReasons> kNames = {"rules", "rate",    "entropy",
                                                               "agent", "by_hand", "unmarked"};

}  // namespace

std::string_view MarkReasonName(MarkReason reason) { return kNames[static_cast<size_t>(reason)]; }

MarkReason MarkReasonOf(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? MarkReason::kRules : static_cast<MarkReason>(found - kNames.begin());
}

UserMark MarkOf(const v1::Mark& mark) {
  const MarkReason reason = MarkReasonOf(mark.reason());
  if (!IsByRule(reason)) return {reason};
  return {reason, mark.from_us(), mark.until_us(), mark.source_offset()};
}

bool IsLeftOut(const UserMark& mark, const v1::Event& event, int64_t event_time_us) {
  if (mark.reason == MarkReason::kUnmarked) return false;
  return !event.agent().empty() || mark.Covers(event_time_us);
}

void MarkedTimes::Add(const UserMark& mark) {
  if (!IsByRule(mark.reason)) {
    by_hand_ = mark.reason;
    return;
  }
  if (mark.from_us >= mark.until_us) return;
  if (!by_rule_.empty() && mark.from_us <= by_rule_.back().second && mark.until_us >= by_rule_.back().first) {
    by_rule_.back().first = std::min(by_rule_.back().first, mark.from_us);
    by_rule_.back().second = std::max(by_rule_.back().second, mark.until_us);
    return;
  }
  by_rule_.emplace_back(mark.from_us, mark.until_us);
}

bool MarkedTimes::Meets(int64_t from_us, int64_t to_us) const {
  if (by_hand_ != MarkReason::kRules) return by_hand_ == MarkReason::kByHand;
  return std::any_of(by_rule_.begin(), by_rule_.end(),
                     [&](const auto& marked) { return marked.first < to_us && from_us < marked.second; });
}

}  // namespace bowerbird::state
