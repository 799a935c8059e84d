#include "state/fold.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/vector_math.h"
#include "catalog/keys.h"
#include "fmt/format.h"
#include "state/next_record.h"

namespace bowerbird::state {
namespace {

constexpr size_t kCategoriesMax = 8;  // of one event

int64_t ClampTime(int64_t time_us) { return std::clamp<int64_t>(time_us, 0, kTimeUsMax); }

/// Whether this positive action went on to another item than the user's last, and from which.
void NoteMove(const UserOp& op, const UserRecord& record, ItemEvent* event) {
  event->moved_s = 0;
  event->after = kAnywhere;
  if (op.kind != UserOp::Kind::kAction || op.strength_bf16 == 0) return;
  const Action* last = record.actions.empty() ? nullptr : &record.actions.back();
  if (last != nullptr && last->item == op.item) return;
  const auto time_s =
      static_cast<uint32_t>(std::clamp<int64_t>(op.event_time_us / 1'000'000, 1, std::numeric_limits<uint32_t>::max()));
  event->moved_s = time_s;
  const bool follows =
      last != nullptr && last->strength_bf16 != 0 && last->time_s <= time_s && time_s - last->time_s <= kMoveGapS;
  if (follows) event->after = last->item;
}

}  // namespace

double EventStrength(const config::EventType& type, const v1::Event& event) {
  if (type.polarity != config::Polarity::kPositive) return 0.0;
  if (type.value_zero == type.value_one) return type.weight;
  const double share = (event.value() - type.value_zero) / (type.value_one - type.value_zero);
  return type.weight * std::clamp(share, 0.0, 1.0);
}

FoldPolicy::FoldPolicy(const config::Config& config)
    : category_attribute_(config.state.category_attribute),
      age_us_max_(config.collect.age_us_max),
      user_layout_{config.state.sequence_max, config.state.dedupe_prints, config.state.dedupe_window_us,
                   config.state.affinity_top, config.state.affinity_half_life_us},
      item_layout_{std::max<int64_t>(config.state.item_bucket_us, 1'000'000), config.state.item_buckets_max} {
  meaning_ = fmt::format("age_max={} categories={}", age_us_max_, category_attribute_);
  for (const config::EventType& type : config.event_types) {
    types_.emplace(type.name, type);
    meaning_ += fmt::format(" event {}: code={} weight={} polarity={} value={}..{}", type.name, type.code, type.weight,
                            static_cast<int>(type.polarity), type.value_zero, type.value_one);
  }
  for (size_t i = 0; i < config.surfaces.size(); ++i) {
    surfaces_.emplace(config.surfaces[i].name, static_cast<uint8_t>(std::min<size_t>(i + 1, 255)));
    meaning_ += fmt::format(" surface {}", config.surfaces[i].name);
  }
}

std::string FoldPolicy::LayoutText() const {
  return fmt::format(
      "format=2 moves={}/{}/{}s/{}s sequence_max={} dedupe_prints={} dedupe_window_us={} affinity_top={} "
      "affinity_half_life_us={} "
      "item_bucket_us={} "
      "item_buckets_max={}",
      kMovesMax, kMovesAnywhereMax, kMovesSpanS, kMoveGapS, user_layout_.sequence_max, user_layout_.dedupe_prints,
      user_layout_.dedupe_window_us, user_layout_.affinity_top, user_layout_.affinity_half_life_us,
      item_layout_.bucket_us, item_layout_.buckets_max);
}

absl::Status FoldPolicy::Check(const v1::Event& event, uint32_t partition, uint32_t partitions) const {
  if (event.schema() > kSchema) {
    return absl::InvalidArgumentError(fmt::format("schema: found {}; expected at most {}", event.schema(), kSchema));
  }
  if (event.user().empty()) return absl::InvalidArgumentError("user: found none; expected an id");
  if (!types_.contains(event.type())) {
    return absl::InvalidArgumentError(
        fmt::format("type: found \"{}\"; expected an event type of the config", event.type()));
  }
  const uint32_t expected = catalog::PartitionOf(catalog::UserKey(event.user_key()), partitions);
  if (expected != partition) {
    return absl::InvalidArgumentError(
        fmt::format("user_key: found a key of partition {}; expected one of partition {}", expected, partition));
  }
  if (event.has_merge()) return DecodeUserRecord(event.merge().record()).status();
  return absl::OkStatus();
}

void FoldPolicy::CollectCategories(const v1::Event& event, UserOp* op) const {
  const auto add = [op](std::string_view category) {
    if (!category.empty() && op->categories.size() < kCategoriesMax) op->categories.push_back(category);
  };
  for (const std::string& category : event.item_categories()) add(category);
  if (!op->categories.empty() || category_attribute_.empty()) return;
  const auto attribute = event.item_attributes().find(category_attribute_);
  if (attribute == event.item_attributes().end()) return;
  add(attribute->second.string_value());
  for (const std::string& category : attribute->second.strings().values()) add(category);
}

Verdict FoldPolicy::Judge(const v1::Event& event, const UserRecord& record, Change* change) const {
  const int64_t time_us = ClampTime(event.event_time_us());
  if (event.has_merge() &&
      record.HasMerged(catalog::UserKey(event.merge().source_key()), event.merge().source_offset())) {
    return Verdict::kDuplicate;
  }
  if (event.dedupe_print() != 0) {
    if (record.prints.Contains(event.dedupe_print())) return Verdict::kDuplicate;
    // Live events beyond age_max are marked late at intake. One that is that old and not marked was imported as
    // history, where the order of arrival says nothing about when it happened.
    const bool history = !event.late() && age_us_max_ > 0 && ClampTime(event.receive_time_us()) - time_us > age_us_max_;
    if (!history && record.prints.MayHaveDropped(time_us)) return Verdict::kTooLate;
  }
  const config::EventType& type = types_.find(event.type())->second;
  const bool impression = event.type() == "impression";
  const bool hide = event.type() == "hide";
  const bool unhide = event.type() == "unhide";
  const double strength = EventStrength(type, event);

  change->strength = strength;
  UserOp& op = change->user;
  op.kind = event.has_merge()          ? UserOp::Kind::kMerge
            : event.becomes_key() != 0 ? UserOp::Kind::kBecome
            : event.item().empty()     ? UserOp::Kind::kCount
            : impression               ? UserOp::Kind::kImpression
            : hide                     ? UserOp::Kind::kHide
            : unhide                   ? UserOp::Kind::kUnhide
                                       : UserOp::Kind::kAction;
  op.event_time_us = time_us;
  op.print = event.dedupe_print();
  op.receive_time_us = ClampTime(event.receive_time_us());
  op.item = catalog::ItemKey(event.item().empty() ? 0 : event.item_key());
  op.id = record.id.empty() ? std::string_view(event.user()) : std::string_view();
  op.payload = {};
  if (op.kind == UserOp::Kind::kMerge) {
    op.other = catalog::UserKey(event.merge().source_key());
    op.offset = event.merge().source_offset();
    op.identified = event.merge().identified();
    op.hops = static_cast<uint8_t>(std::min(event.merge().hops(), kMergeHopsMax));
    op.payload = event.merge().record();
  } else if (op.kind == UserOp::Kind::kBecome) {
    op.other = catalog::UserKey(event.becomes_key());
    op.payload = event.becomes();
  }
  op.collection = {};
  op.categories.clear();
  if (op.kind == UserOp::Kind::kAction) {
    const auto surface = surfaces_.find(event.surface());
    op.type = type.code;
    op.surface = surface == surfaces_.end() ? 0 : surface->second;
    op.strength_bf16 = base::ToBf16(static_cast<float>(strength));
    if (type.polarity == config::Polarity::kPositive) op.collection = event.collection();
    if (op.strength_bf16 != 0) CollectCategories(event, &op);
  }

  change->has_item = HasItem(op.kind);
  if (change->has_item) {
    change->item.item = op.item;
    change->item.bucket = item_layout_.BucketOf(time_us);
    change->item.kind = impression                                             ? ItemEvent::Kind::kImpression
                        : type.polarity == config::Polarity::kPositive         ? ItemEvent::Kind::kAction
                        : hide || type.polarity == config::Polarity::kNegative ? ItemEvent::Kind::kNegative
                                                                               : ItemEvent::Kind::kNone;
    change->item.weight = ToItemWeight(strength);
    NoteMove(op, record, &change->item);
    if (change->item.kind == ItemEvent::Kind::kNone) change->has_item = false;
  }
  return Verdict::kCounted;
}

std::optional<Handover> FoldPolicy::HandoverOf(const v1::Event& event, const UserRecord& record,
                                               const Change& change) const {
  const UserOp& op = change.user;
  const bool becomes = op.kind == UserOp::Kind::kBecome;
  if (!becomes && record.becomes.empty()) return std::nullopt;
  Handover handover;
  if (becomes) {
    // Said again, with nothing done since.
    if (record.becomes_key == op.other && record.events == 0) return std::nullopt;
    UserRecord left = record;
    left.prints = {};
    left.merged.clear();
    left.becomes.clear();
    left.becomes_key = {};
    handover.record = EncodeUserRecord(left);
    handover.user = op.payload;
    handover.user_key = op.other;
    handover.identified = true;
  } else if (op.kind == UserOp::Kind::kMerge) {
    if (!IsHandedOn(op, record)) return std::nullopt;
    handover.record = op.payload;
    handover.hops = op.hops + 1;
  } else {
    UserRecord one;
    UserOp alone = op;
    alone.id = event.user();
    alone.print = 0;
    ApplyUserOp(user_layout_, alone, &one, nullptr);
    if (op.kind == UserOp::Kind::kUnhide) one.unhidden.push_back(op.item);
    handover.record = EncodeUserRecord(one);
    handover.hops = 1;
  }
  if (!becomes) {
    handover.user = record.becomes;
    handover.user_key = record.becomes_key;
  }
  handover.source = catalog::UserKey(event.user_key());
  handover.source_id = event.user();
  handover.event_time_us = op.event_time_us;
  handover.receive_time_us = op.receive_time_us;
  return handover;
}

v1::Event MergeEvent(const Handover& handover) {
  v1::Event event;
  event.set_type("identify");
  event.set_user(handover.user);
  event.set_anonymous(handover.source_id);
  event.set_event_time_us(handover.event_time_us);
  event.set_receive_time_us(handover.receive_time_us);
  event.set_schema(FoldPolicy::kSchema);
  event.set_user_key(handover.user_key.value);
  v1::Merge* merge = event.mutable_merge();
  merge->set_source_key(handover.source.value);
  merge->set_source_offset(handover.source_offset);
  merge->set_identified(handover.identified);
  merge->set_hops(handover.hops);
  merge->set_record(handover.record);
  for (const auto& [id, value] : handover.signals) {
    v1::SignalValue* signal = merge->add_signals();
    signal->set_id(id);
    signal->set_value(value);
  }
  return event;
}

}  // namespace bowerbird::state
