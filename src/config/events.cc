#include <fmt/format.h>

#include <algorithm>
#include <bitset>

#include "config/attributes.h"
#include "config/sections.h"

namespace bowerbird::config {
namespace {

constexpr uint32_t kEventAttributesMax = 64;
constexpr uint8_t kCodeMin = 16;

constexpr std::pair<std::string_view, Polarity> kPolarities[] = {
    {"positive", Polarity::kPositive}, {"negative", Polarity::kNegative}, {"neutral", Polarity::kNeutral}};
constexpr std::pair<std::string_view, ItemUse> kItemUses[] = {
    {"required", ItemUse::kRequired}, {"optional", ItemUse::kOptional}, {"none", ItemUse::kNone}};

/// The keys that built-in and declared types share.
void ReadCommon(TableReader* table, Problems* problems, EventType* type) {
  table->Number("weight", Interval::Closed(0, 1000), &type->weight);
  if (type->polarity == Polarity::kNeutral && type->weight != 0) {
    table->Refuse("weight", fmt::format("number {}", type->weight),
                  "0, because the type is neutral: only positive and negative types are learned from");
  }
  const size_t problems_before = problems->size();
  constexpr Interval kValues = Interval::Closed(-1e12, 1e12);
  table->Number("value_zero", kValues, &type->value_zero);
  table->Number("value_one", kValues, &type->value_one);
  const bool given = table->Has("value_zero") || table->Has("value_one");
  if (given && type->value_zero == type->value_one && problems->size() == problems_before) {
    table->Refuse(table->Has("value_one") ? "value_one" : "value_zero", fmt::format("number {}", type->value_one),
                  "value_zero and value_one to differ: the values at which the action counts nothing and in full");
  }
  ReadAttributes(table->Table("attributes"), AttributeUse::kEvent, kEventAttributesMax, problems, &type->attributes,
                 nullptr);
}

void ReadDeclared(TableReader table, Draft* draft, EventType* type) {
  table.Choice<Polarity>("polarity", kPolarities, &type->polarity);
  if (type->polarity == Polarity::kNeutral) type->weight = 0;
  table.Choice<ItemUse>("item", kItemUses, &type->item);
  table.Integer("code", kCodeMin, 255, &type->code);
  if (type->code != 0) {
    for (const EventType& other : draft->config.event_types) {
      if (&other == type || other.code != type->code) continue;
      table.Refuse("code", fmt::format("integer {}", type->code),
                   fmt::format("a code that no other event type has: \"{}\" has it", other.name));
    }
  }
  ReadCommon(&table, draft->problems, type);
  table.RefuseUnknown("an event type");
}

/// Gives the types without a code the lowest free ones, in order.
void AssignCodes(const TableReader& events, Draft* draft) {
  std::bitset<256> taken;
  for (const EventType& type : draft->config.event_types) taken.set(type.code);
  uint32_t next = kCodeMin;
  for (EventType& type : draft->config.event_types) {
    if (type.code != 0) continue;
    while (next < 256 && taken.test(next)) ++next;
    if (next == 256) {
      draft->problems->Add(events.line(), events.path(), "more types than codes",
                           fmt::format("at most {} declared types", 256 - kCodeMin));
      return;
    }
    type.code = static_cast<uint8_t>(next++);
  }
}

}  // namespace

void ReadEvents(TableReader* root, Draft* draft) {
  TableReader events = root->Table("events");
  std::vector<EventType>& types = draft->config.event_types;
  const size_t built_in = types.size();
  for (auto& [name, table] : events.NamedTables(256 - kCodeMin + built_in)) {
    CheckName(name, draft->problems);
    const auto known = std::ranges::find(types, name.text, &EventType::name);
    if (known != types.end()) {
      ReadCommon(&table, draft->problems, &*known);
      table.RefuseUnknown(fmt::format("the built-in event type \"{}\"", name.text));
      continue;
    }
    EventType type;
    type.name = name.text;
    type.ordinal = static_cast<uint32_t>(types.size());
    types.push_back(std::move(type));
    ReadDeclared(std::move(table), draft, &types.back());
  }
  if (types.size() > built_in) AssignCodes(events, draft);
}

std::vector<std::string_view> EventTypeNames(const Config& config) {
  std::vector<std::string_view> names;
  names.reserve(config.event_types.size());
  for (const EventType& type : config.event_types) names.push_back(type.name);
  return names;
}

bool CheckEventType(const NameAt& name, const Draft& draft) {
  if (draft.config.FindEventType(name.text) != nullptr) return true;
  draft.problems->Add(name.line, name.path, Quote(name.text),
                      OneOf("a declared or built-in event type", name.text, EventTypeNames(draft.config)));
  return false;
}

}  // namespace bowerbird::config
