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

uint32_t MoveTimeS(int64_t time_us) {
  return static_cast<uint32_t>(std::clamp<int64_t>(time_us / 1'000'000, 1, std::numeric_limits<uint32_t>::max()));
}

/// Whether this positive action went on to another item than the user's last, and from which.
void NoteMove(const UserOp& op, const UserRecord& record, ItemEvent* event) {
  event->moved_s = 0;
  event->after = kAnywhere;
  if (op.kind != UserOp::Kind::kAction || op.strength_bf16 == 0) return;
  const Action* last = record.actions.empty() ? nullptr : &record.actions.back();
  if (last != nullptr && last->item == op.item) return;
  const uint32_t time_s = MoveTimeS(op.event_time_us);
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
      item_layout_{std::max<int64_t>(config.state.item_bucket_us, 1'000'000), config.state.item_buckets_max},
      traffic_rules_(config.traffic, config.collect.age_us_max) {
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
  const bool ours = event.has_forget() || event.has_mark();
  if (event.user().empty() && !event.has_forget()) {
    return absl::InvalidArgumentError("user: found none; expected an id");
  }
  if (event.has_mark() && MarkReasonName(MarkReasonOf(event.mark().reason())) != event.mark().reason()) {
    return absl::InvalidArgumentError(fmt::format(
        "mark.reason: found \"{}\"; expected rate, entropy, agent, by_hand, unmarked or rules", event.mark().reason()));
  }
  if (!ours && !types_.contains(event.type())) {
    return absl::InvalidArgumentError(
        fmt::format("type: found \"{}\"; expected an event type of the config", event.type()));
  }
  const uint32_t expected = catalog::PartitionOf(catalog::UserKey(event.user_key()), partitions);
  if (expected != partition) {
    return absl::InvalidArgumentError(
        fmt::format("user_key: found a key of partition {}; expected one of partition {}", expected, partition));
  }
  if (!event.has_merge()) return absl::OkStatus();
  if (static_cast<uint32_t>(event.merge().blocks_size()) > kMovedBlocksMax) {
    return absl::InvalidArgumentError(
        fmt::format("merge.blocks: found {}; expected at most {}", event.merge().blocks_size(), kMovedBlocksMax));
  }
  for (const std::string& block : event.merge().blocks()) {
    if (absl::Status damage = DecodeLifelongBlock(block).status(); !damage.ok()) return damage;
  }
  return DecodeUserRecord(event.merge().record()).status();
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

Verdict FoldPolicy::JudgeMark(const v1::Event& event, const UserRecord& record, Change* change) {
  *change = {};
  UserOp& op = change->user;
  op.kind = UserOp::Kind::kMark;
  op.event_time_us = ClampTime(event.event_time_us());
  op.id = record.id.empty() ? std::string_view(event.user()) : std::string_view();
  op.mark = state::MarkOf(event.mark());
  op.mark.from_us = ClampTime(op.mark.from_us);
  op.mark.until_us = ClampTime(op.mark.until_us);
  if (!IsByRule(op.mark.reason)) return Verdict::kCounted;
  // A second copy of one that was said, or one that was said before it; or of who is somebody else since.
  const bool said = IsByRule(record.mark.reason) && op.mark.source_offset <= record.mark.source_offset;
  return said || event.mark().first_time_us() != record.first_time_us ? Verdict::kDuplicate : Verdict::kCounted;
}

Verdict FoldPolicy::Judge(const v1::Event& event, const UserRecord& record, Change* change) const {
  const int64_t time_us = ClampTime(event.event_time_us());
  if (event.has_forget()) {
    *change = {};
    change->user.kind = UserOp::Kind::kForget;
    change->user.event_time_us = time_us;
    return Verdict::kCounted;
  }
  if (event.has_mark()) return JudgeMark(event, record, change);
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
  change->left_out = IsLeftOut(record.mark, event, time_us);
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
  op.moves_blocks = false;
  op.block_count = 0;
  op.blocks.clear();
  if (op.kind == UserOp::Kind::kMerge) {
    op.other = catalog::UserKey(event.merge().source_key());
    op.offset = event.merge().source_offset();
    op.identified = event.merge().identified();
    op.left_out = change->left_out;
    op.hops = static_cast<uint8_t>(std::min(event.merge().hops(), kMergeHopsMax));
    op.payload = event.merge().record();
    op.block_count = static_cast<uint32_t>(event.merge().blocks_size());
    op.blocks.assign(event.merge().blocks().begin(), event.merge().blocks().end());
  } else if (op.kind == UserOp::Kind::kBecome) {
    op.other = catalog::UserKey(event.becomes_key());
    op.payload = event.becomes();
    op.moves_blocks = event.schema() >= log::kEventSchemaMovesBlocks && record.becomes.empty();
  }
  op.collection = {};
  op.categories.clear();
  if (op.kind == UserOp::Kind::kAction) {
    const auto surface = surfaces_.find(event.surface());
    op.type = type.code;
    op.surface = surface == surfaces_.end() ? 0 : surface->second;
    op.strength_bf16 = base::ToBf16(static_cast<float>(strength));
    if (type.polarity == config::Polarity::kPositive) op.collection = event.collection();
    if (op.strength_bf16 != 0 && !change->left_out) CollectCategories(event, &op);
  }

  change->has_item = !change->left_out && HasItem(op.kind) && CountForItem(event, type, &change->item);
  if (change->has_item) NoteMove(op, record, &change->item);
  return Verdict::kCounted;
}

bool FoldPolicy::CountForItem(const v1::Event& event, const config::EventType& type, ItemEvent* counted) const {
  counted->item = catalog::ItemKey(event.item_key());
  counted->bucket = item_layout_.BucketOf(ClampTime(event.event_time_us()));
  const bool negative = event.type() == "hide" || type.polarity == config::Polarity::kNegative;
  counted->kind = event.type() == "impression"                   ? ItemEvent::Kind::kImpression
                  : type.polarity == config::Polarity::kPositive ? ItemEvent::Kind::kAction
                  : negative                                     ? ItemEvent::Kind::kNegative
                                                                 : ItemEvent::Kind::kNone;
  counted->weight = ToItemWeight(EventStrength(type, event));
  return counted->kind != ItemEvent::Kind::kNone;
}

bool FoldPolicy::JudgeRedacted(const v1::Event& event, ItemEvent* counted) const {
  const auto type = types_.find(event.type());
  if (event.redacted().left_out()) return false;
  if (event.item().empty() || type == types_.end() || !CountForItem(event, type->second, counted)) return false;
  counted->moved_s = event.redacted().moved() ? MoveTimeS(ClampTime(event.event_time_us())) : 0;
  counted->after = event.redacted().moved() ? catalog::ItemKey(event.redacted().after()) : kAnywhere;
  return true;
}

double FoldPolicy::StrengthOf(const v1::Event& event) const {
  const auto type = types_.find(event.type());
  return type == types_.end() ? 0.0 : EventStrength(type->second, event);
}

std::optional<Handover> FoldPolicy::HandoverOf(const v1::Event& event, const UserRecord& record,
                                               const Change& change) const {
  const UserOp& op = change.user;
  if (op.kind == UserOp::Kind::kForget || op.kind == UserOp::Kind::kMark) return std::nullopt;
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
    handover.blocks.assign(op.blocks.begin(), op.blocks.end());
    handover.hops = op.hops + 1;
    handover.agent = event.agent();
  } else {
    UserRecord one;
    UserOp alone = op;
    alone.id = event.user();
    alone.print = 0;
    ApplyUserOp(user_layout_, alone, &one, nullptr);
    if (op.kind == UserOp::Kind::kUnhide) one.unhidden.push_back(op.item);
    handover.agent = event.agent();
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

std::optional<Handover> FoldPolicy::MarkOf(const v1::Event& event, const UserRecord& record,
                                           const Change& change) const {
  const std::optional<UserMark> mark = traffic_rules_.Judge(event, change.user, record);
  if (!mark.has_value()) return std::nullopt;
  Handover handover;
  handover.user = event.user();
  handover.user_key = catalog::UserKey(event.user_key());
  handover.source = handover.user_key;
  handover.source_id = event.user();
  handover.event_time_us = change.user.event_time_us;
  handover.receive_time_us = change.user.receive_time_us;
  handover.mark = mark;
  handover.first_time_us = record.first_time_us;
  return handover;
}

v1::Event MarkEvent(const std::string& user, catalog::UserKey key, const UserMark& mark, int64_t time_us) {
  v1::Event event;
  // Without a type: no job counts it as something that a user did.
  event.set_user(user);
  event.set_event_time_us(time_us);
  event.set_receive_time_us(time_us);
  event.set_schema(FoldPolicy::kSchema);
  event.set_user_key(key.value);
  v1::Mark* said = event.mutable_mark();
  said->set_reason(std::string(MarkReasonName(mark.reason)));
  said->set_from_us(mark.from_us);
  said->set_until_us(mark.until_us);
  said->set_source_offset(mark.source_offset);
  return event;
}

v1::Event HandoverEvent(const Handover& handover) {
  if (handover.mark.has_value()) {
    UserMark mark = *handover.mark;
    mark.source_offset = handover.source_offset;
    v1::Event marked = MarkEvent(handover.user, handover.user_key, mark, handover.event_time_us);
    marked.set_receive_time_us(handover.receive_time_us);
    marked.mutable_mark()->set_first_time_us(handover.first_time_us);
    return marked;
  }
  v1::Event event;
  event.set_type("identify");
  event.set_user(handover.user);
  event.set_anonymous(handover.source_id);
  event.set_event_time_us(handover.event_time_us);
  event.set_receive_time_us(handover.receive_time_us);
  event.set_schema(FoldPolicy::kSchema);
  event.set_user_key(handover.user_key.value);
  if (!handover.agent.empty()) event.set_agent(handover.agent);
  v1::Merge* merge = event.mutable_merge();
  merge->set_source_key(handover.source.value);
  merge->set_source_offset(handover.source_offset);
  merge->set_identified(handover.identified);
  merge->set_hops(handover.hops);
  merge->set_record(handover.record);
  for (const std::string& block : handover.blocks) merge->add_blocks(block);
  for (const auto& [id, value] : handover.signals) {
    v1::SignalValue* signal = merge->add_signals();
    signal->set_id(id);
    signal->set_value(value);
  }
  return event;
}

}  // namespace bowerbird::state
