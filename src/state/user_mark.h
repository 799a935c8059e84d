#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace bowerbird::v1 {
class Event;
class Mark;
}  // namespace bowerbird::v1

namespace bowerbird::state {

/// Why a user's events are marked traffic, or why they are not. Values are stored.
enum class MarkReason : uint8_t {
  kRules = 0,  ///< nothing but rules says something, and none does so far
  kRate = 1,
  kEntropy = 2,
  kAgent = 3,
  kByHand = 4,    ///< an operator says that this is no person: for ever
  kUnmarked = 5,  ///< an operator says that this is a person, whatever the rules say
};
inline constexpr size_t kMarkReasons = 6;

/// "rate", as v1::Mark says it.
std::string_view MarkReasonName(MarkReason reason);
/// kRules for a text that is none of them.
MarkReason MarkReasonOf(std::string_view name);
inline bool IsByRule(MarkReason reason) { return reason >= MarkReason::kRate && reason <= MarkReason::kAgent; }

/// What is known of a user at one point of the log.
struct UserMark {
  MarkReason reason = MarkReason::kRules;
  int64_t from_us = 0, until_us = 0;  ///< by event time; of a mark by a rule
  uint64_t source_offset = 0;         ///< of a mark by a rule: the record that it follows from

  /// Whether an event of this time, folded now, is marked traffic. Those of before from_us are too: they come late.
  bool Covers(int64_t time_us) const {
    return reason == MarkReason::kByHand || (IsByRule(reason) && time_us < until_us);
  }
};
UserMark MarkOf(const v1::Mark& mark);

/// Whether an event is left out of all that is learned and counted of users and items: it is of a marked user, or its
/// program says that it is no person's.
bool IsLeftOut(const UserMark& mark, const v1::Event& event, int64_t event_time_us);

/// When a user's events are marked traffic, told by all mark records so far: for readers of history, to whom an event
/// is marked although it lies before the record that says so.
class MarkedTimes {
 public:
  /// In the order of the log.
  void Add(const UserMark& mark);
  bool Covers(int64_t time_us) const { return Meets(time_us, time_us + 1); }
  /// Whether some time from `from_us` to before `to_us` is marked.
  bool Meets(int64_t from_us, int64_t to_us) const;
  /// An operator said that this is a person.
  bool unmarked() const { return by_hand_ == MarkReason::kUnmarked; }

 private:
  MarkReason by_hand_ = MarkReason::kRules;           ///< the operator's last word
  std::vector<std::pair<int64_t, int64_t>> by_rule_;  ///< [from, until), those that overlap the last one joined to it
};

}  // namespace bowerbird::state
