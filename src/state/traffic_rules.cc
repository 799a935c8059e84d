#include "state/traffic_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace bowerbird::state {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr uint32_t kDayS = 86'400;
/// Gaps below are the rate's business.
constexpr uint32_t kGapSMin = 2;
constexpr size_t kStepsAnOctave = 4;
/// Of gaps of up to a day.
constexpr size_t kSteps = 17 * kStepsAnOctave + 1;

uint32_t SecondsOf(int64_t time_us) {
  return static_cast<uint32_t>(std::clamp<int64_t>(time_us / kSecondUs, 0, std::numeric_limits<uint32_t>::max()));
}

size_t StepOf(uint32_t gap_s) {
  if (gap_s == 0) return 0;
  return std::min(kSteps - 1, static_cast<size_t>(std::lround(std::log2(gap_s) * kStepsAnOctave)));
}

uint32_t Between(uint32_t a, uint32_t b) { return a > b ? a - b : b - a; }

}  // namespace

std::optional<double> GapEntropy(std::span<const Action> actions) {
  std::array<uint32_t, kSteps> counts{};
  uint32_t gaps = 0, short_gaps = 0;
  const Action* last = nullptr;
  for (const Action& action : actions) {
    if (last != nullptr && last->item == action.item) continue;
    if (last != nullptr) {
      const uint32_t gap_s = Between(action.time_s, last->time_s);
      ++counts[StepOf(gap_s)];
      ++gaps;
      if (gap_s < kGapSMin) ++short_gaps;
    }
    last = &action;
  }
  if (gaps == 0 || gaps * 2 < actions.size() || short_gaps * 2 > gaps) return std::nullopt;
  if (Between(actions.back().time_s, actions.front().time_s) > kDayS) return std::nullopt;
  double bits = 0;
  for (const uint32_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / gaps;
    bits -= share * std::log2(share);
  }
  return bits;
}

TrafficRules::TrafficRules(const config::Traffic& traffic, int64_t age_us_max)
    : traffic_(traffic), age_us_max_(age_us_max) {}

std::optional<UserMark> TrafficRules::Judge(const v1::Event& event, const UserOp& op, const UserRecord& record) const {
  if (op.kind == UserOp::Kind::kMerge) {
    // It is judged where it goes on to.
    if (!record.becomes.empty()) return std::nullopt;
    if (op.identified) return Carried(op, record);
  }
  if (!traffic_.enabled || op.kind >= UserOp::Kind::kBecome) return std::nullopt;
  const UserMark& mark = record.mark;
  if (mark.reason == MarkReason::kByHand || mark.reason == MarkReason::kUnmarked) return std::nullopt;
  // A mark is said again when an eighth of its time has passed.
  const int64_t time_us = op.event_time_us;
  if (mark.Covers(time_us) && mark.until_us - time_us >= traffic_.mark_us - traffic_.mark_us / 8) return std::nullopt;
  const bool history = !event.late() && age_us_max_ > 0 && op.receive_time_us - time_us > age_us_max_;
  if (history) return std::nullopt;
  const std::optional<Finding> finding = Find(event, op, record);
  if (!finding.has_value()) return std::nullopt;
  return UserMark{finding->reason, finding->from_us, std::min(time_us + traffic_.mark_us, kTimeUsMax), 0};
}

std::optional<UserMark> TrafficRules::Carried(const UserOp& op, const UserRecord& record) {
  const absl::StatusOr<UserRecord> other = DecodeUserRecord(op.payload);
  if (!other.ok() || other->mark.reason == MarkReason::kRules || other->mark.reason == MarkReason::kUnmarked)
    return std::nullopt;
  if (record.mark.reason != other->mark.reason || record.mark.until_us != other->mark.until_us) return std::nullopt;
  return record.mark;
}

std::optional<TrafficRules::Finding> TrafficRules::Find(const v1::Event& event, const UserOp& op,
                                                        const UserRecord& record) const {
  if (!event.agent().empty()) return Finding{MarkReason::kAgent, op.event_time_us};
  if (const uint32_t since_s = RateSince(SecondsOf(op.event_time_us), record); since_s != 0)
    return Finding{MarkReason::kRate, since_s * kSecondUs};
  const bool acts = op.kind == UserOp::Kind::kAction || op.kind == UserOp::Kind::kMerge;
  if (!acts || traffic_.entropy <= 0) return std::nullopt;
  if (const uint32_t since_s = EntropySince(record); since_s != 0)
    return Finding{MarkReason::kEntropy, since_s * kSecondUs};
  return std::nullopt;
}

uint32_t TrafficRules::RateSince(uint32_t time_s, const UserRecord& record) const {
  if (traffic_.rate == 0) return 0;
  const size_t count = size_t{traffic_.rate} + 1;
  const uint32_t window_s = SecondsOf(traffic_.rate_window_us);
  const auto within = [&](uint32_t at_s) { return at_s <= time_s && time_s - at_s < window_s; };
  // What is looked at first tells nearly always. Events that come in another order than they happened in are counted.
  uint32_t since_s = record.prints.OldestOfNewest(count, within);
  const std::vector<Action>& actions = record.actions;
  if (since_s == 0 && actions.size() >= count && within(actions[actions.size() - count].time_s)) {
    since_s = time_s;
    for (size_t i = actions.size() - count; i < actions.size(); ++i) {
      if (!within(actions[i].time_s)) return 0;
      since_s = std::min(since_s, actions[i].time_s);
    }
  }
  return since_s;
}

uint32_t TrafficRules::EntropySince(const UserRecord& record) const {
  const size_t count = traffic_.entropy_actions;
  if (record.actions.size() < count || record.actions_total % (count / 4) != 0) return 0;
  const std::span<const Action> newest(record.actions.end() - static_cast<ptrdiff_t>(count), record.actions.end());
  const std::optional<double> bits = GapEntropy(newest);
  return bits.has_value() && *bits < traffic_.entropy ? newest.front().time_s : 0;
}

}  // namespace bowerbird::state
