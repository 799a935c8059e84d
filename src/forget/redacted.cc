#include "forget/redacted.h"

#include "state/item_signal_input.h"
#include "state/user_record.h"

namespace bowerbird::forget {
namespace {

/// Stands for the name of somebody who was forgotten where a record needs one: in an id's record of whom it became.
constexpr char kNobody[] = "(forgotten)";

}  // namespace

v1::Event RedactedEvent(const config::Config& config, const signal::Set& item_signals, const v1::Event& event,
                        bool counted, const state::ItemEvent* item, bool left_out) {
  v1::Event left;
  left.set_schema(event.schema());
  left.set_event_time_us(event.event_time_us());
  v1::Redacted* redacted = left.mutable_redacted();
  // What one id hands over to another was counted for its items where it was done.
  if (!counted || event.has_merge() || event.has_mark()) return left;
  if (left_out) redacted->set_left_out(true);
  left.set_type(event.type());
  left.set_item(event.item());
  left.set_item_key(event.item_key());
  left.set_late(event.late());
  *left.mutable_item_categories() = event.item_categories();
  *left.mutable_item_attributes() = event.item_attributes();
  const config::EventType* type = config.FindEventType(event.type());
  // A value that says how much the action weighs for its item.
  if (type != nullptr && type->value_zero != type->value_one) left.set_value(event.value());
  if (!left_out) state::KeepForItemSignals(item_signals, event, &left);
  if (item != nullptr && item->moved_s != 0) {
    redacted->set_moved(true);
    redacted->set_after(item->after.value);
  }
  return left;
}

v1::Event RedactedForget(const v1::Event& event) {
  v1::Event left = event;
  left.clear_user();
  return left;
}

bool StripNames(const ForgottenUsers& forgotten, int64_t append_time_us, v1::Event* event) {
  const auto names = [&](const ForgottenUser* user) { return user != nullptr && append_time_us <= user->time_us; };
  bool any = false;
  if (names(forgotten.Find(event->anonymous()))) {
    event->clear_anonymous();
    any = true;
  }
  if (event->becomes() != kNobody && names(forgotten.Find(catalog::UserKey(event->becomes_key())))) {
    event->set_becomes(kNobody);
    any = true;
  }
  if (!event->has_merge()) return any;
  absl::StatusOr<state::UserRecord> record = state::DecodeUserRecord(event->merge().record());
  if (record.ok() && names(forgotten.Find(record->id))) {
    record->id.clear();
    event->mutable_merge()->set_record(state::EncodeUserRecord(*record));
    any = true;
  }
  return any;
}

v1::ServedRecord RedactedServed(const v1::ServedRecord& record) {
  v1::ServedRecord left;
  left.set_schema(record.schema());
  left.set_redacted(true);
  left.set_kind(record.kind());
  left.mutable_request()->set_surface(record.request().surface());
  left.set_time_us(record.time_us());
  left.set_config_version(record.config_version());
  left.set_snapshot(record.snapshot());
  left.set_explored(record.explored());
  *left.mutable_degraded() = record.degraded();
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.position() == 0) continue;
    v1::ServedCandidate* shown = left.add_candidates();
    shown->set_item(candidate.item());
    shown->set_item_key(candidate.item_key());
    shown->set_position(candidate.position());
    shown->set_propensity(candidate.propensity());
  }
  return left;
}

v1::Exposure RedactedExposure(const v1::Exposure& exposure) {
  v1::Exposure left = exposure;
  left.clear_unit_id();
  left.clear_user();
  left.clear_user_key();
  left.clear_request_id();
  return left;
}

v1::DeadLetter RedactedDeadLetter(const v1::DeadLetter& letter) {
  v1::DeadLetter left;
  left.set_topic(letter.topic());
  left.set_partition(letter.partition());
  left.set_offset(letter.offset());
  left.set_reason("of a user who was forgotten");
  return left;
}

}  // namespace bowerbird::forget
