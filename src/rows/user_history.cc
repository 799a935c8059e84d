#include "rows/user_history.h"

#include <utility>

namespace bowerbird::rows {

std::optional<CountedEvent> UserHistory::Fold(const state::FoldPolicy& policy, const Objectives& objectives,
                                              uint32_t partition, uint32_t partitions, LogTimeUs log_us,
                                              const v1::Event& event) {
  state::Change change;
  if (!policy.Check(event, partition, partitions).ok()) return std::nullopt;
  if (policy.Judge(event, record_, &change) != state::Verdict::kCounted) return std::nullopt;
  state::ApplyUserOp(policy.user_layout(), change.user, &record_, nullptr);
  // An impression leaves the actions as they are.
  if (change.user.kind != state::UserOp::Kind::kImpression && change.user.kind != state::UserOp::Kind::kCount)
    current_ = false;
  if (change.left_out || change.user.kind == state::UserOp::Kind::kMark) return std::nullopt;
  CountedEvent counted;
  counted.user = event.user_key();
  counted.item = event.item().empty() ? 0 : event.item_key();
  counted.time_us = change.user.event_time_us;
  counted.log_us = log_us;
  counted.position = event.position();
  counted.impression = change.user.kind == state::UserOp::Kind::kImpression;
  counted.objectives = objectives.Matching(event, change.user.event_time_us, change.strength);
  counted.request_id = event.request_id();
  return counted;
}

std::shared_ptr<const std::vector<state::Action>> UserHistory::Actions(const state::FoldPolicy& policy) {
  if (!current_) {
    // The key is nobody's business here.
    const auto user = state::MakeUserState(catalog::UserKey(), record_, policy.user_layout().sequence_max);
    actions_ =
        user->actions.empty() ? nullptr : std::make_shared<const std::vector<state::Action>>(std::move(user->actions));
    current_ = true;
  }
  return actions_;
}

}  // namespace bowerbird::rows
