#include <utility>

#include "app/app.h"
#include "base/status_macros.h"
#include "catalog/item_rules.h"
#include "catalog/problem.h"
#include "state/fold.h"

namespace bowerbird::app {

absl::Status App::MarkUser(std::string_view id, state::MarkReason decision) {
  if (auto problem = catalog::CheckId(id, "id", config()->collect.id_bytes_max)) return catalog::ToStatus(*problem);
  const uint32_t partitions = log_->PartitionCount(log::Topic::kEvents);
  ASSIGN_OR_RETURN(const std::vector<state::State::Person> people, state_->Identities(hasher_.User(id), id));
  std::vector<log::AppendRecord> records;
  std::vector<catalog::UserKey> users;
  for (const state::State::Person& person : people) {
    if (person.id.empty()) continue;
    const v1::Event mark = state::MarkEvent(person.id, person.key, {decision}, options_.clock->NowUs());
    users.push_back(person.key);
    records.push_back(
        {log::Topic::kEvents, catalog::PartitionOf(person.key, partitions), person.id, mark.SerializeAsString()});
  }
  ASSIGN_OR_RETURN(const std::vector<log::Offset> offsets, log_->Append(std::move(records)));
  for (size_t i = 0; i < offsets.size(); ++i)
    last_acknowledged_->Set(users[i], {catalog::PartitionOf(users[i], partitions), offsets[i]});
  return state_->CatchUp();
}

void App::AddTrafficGauges(const state::State::Counters& state, std::vector<Gauge>* gauges) {
  for (const state::MarkReason reason :
       {state::MarkReason::kRate, state::MarkReason::kEntropy, state::MarkReason::kAgent, state::MarkReason::kByHand}) {
    const auto index = static_cast<size_t>(reason);
    const std::string name(state::MarkReasonName(reason));
    gauges->push_back({"bowerbird_traffic_marked_events",
                       "Events of marked users, left out of signals, training and metrics, since the start.",
                       static_cast<double>(state.left_out[index]),
                       {{"reason", name}}});
    gauges->push_back({"bowerbird_traffic_marks",
                       "Times that a rule or an operator marked a user, since the start.",
                       static_cast<double>(state.marks[index]),
                       {{"reason", name}}});
  }
}

}  // namespace bowerbird::app
