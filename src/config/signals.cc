#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "config/sections.h"

namespace bowerbird::config {
namespace {

using expression::Type;

constexpr size_t kSignalsMax = 256;
constexpr uint32_t kKeptMax = 1000;
/// Of all keys together: what one signal may hold of one user or item.
constexpr uint32_t kKeptMaxOfOne = 10'000;
constexpr uint32_t kTopDefault = 32;

enum class Of : uint8_t { kNothing, kAnything, kNumber, kText, kEventTypes };
enum class Key : uint8_t { kRefused, kOptional, kRequired };

/// What each kind takes. A kind's `of`, where optional, has a default; without one it is required.
struct Kind {
  std::string_view name;
  Of of;
  std::string_view of_default;
  Key half_life, window;
  uint32_t n_default;  ///< 0: the kind has no `n`
};
constexpr Kind kKinds[] = {
    {"last_n", Of::kAnything, "item.id", Key::kRefused, Key::kOptional, 50},
    {"count", Of::kNothing, "", Key::kRefused, Key::kRequired, 0},
    {"decayed_sum", Of::kNumber, "event.weight", Key::kRequired, Key::kRefused, 0},
    {"ratio", Of::kEventTypes, "", Key::kOptional, Key::kOptional, 0},
    {"top_k", Of::kText, "", Key::kOptional, Key::kOptional, 10},
    {"distinct", Of::kAnything, "", Key::kRefused, Key::kRefused, 0},
    {"time_since", Of::kNothing, "", Key::kRefused, Key::kRefused, 0},
};

/// Fields of an event that a signal can read besides the declared attributes.
constexpr std::pair<std::string_view, Type> kEventFields[] = {
    {"weight", Type::kNumber},  {"value", Type::kNumber}, {"dwell_ms", Type::kNumber},   {"position", Type::kNumber},
    {"surface", Type::kString}, {"query", Type::kString}, {"collection", Type::kString}, {"type", Type::kString},
};

constexpr std::string_view kEvent = "event.", kItem = "item.";
/// Who acted: told apart, never named.
constexpr std::string_view kEventUser = "event.user";
/// `of` of a decayed sum that counts events.
constexpr std::string_view kOne = "1";

/// What is read of the item must be in the event when it is replayed: the id and the categories always are, a declared
/// attribute is stamped from now on.
std::optional<Type> StampedItemField(Draft* draft, std::string_view name) {
  for (Attribute& attribute : draft->config.item_attributes) {
    if (attribute.name != name || attribute.embedding) continue;
    attribute.stamp = true;
    return attribute.type;
  }
  if (name == "id") return Type::kString;
  if (name == "category" && !draft->config.state.category_attribute.empty()) return Type::kStrings;
  return std::nullopt;
}

class SignalReader {
 public:
  SignalReader(TableReader table, Draft* draft, Signal* signal)
      : table_(std::move(table)), draft_(draft), signal_(signal) {}

  void Read() {
    ReadPer();
    if (!ReadKind()) return;
    table_.Text("owner", 1, 128, &signal_->owner);
    table_.Text("description", 1, 1024, &signal_->description);
    ReadOn();
    ReadOf();
    table_.Text("by", 1, 128, &signal_->by);
    if (!signal_->by.empty()) CheckField("by", signal_->by, Of::kText);
    ReadTimes();
    ReadKept();
    if (kind_->of == Of::kEventTypes) ReadPrior();
    ReadWhere();
    table_.RefuseUnknown(fmt::format("a signal of kind \"{}\"", kind_->name));
  }

 private:
  void ReadPer() {
    constexpr std::pair<std::string_view, bool> kPers[] = {{"user", false}, {"item", true}};
    table_.Choice<bool>("per", kPers, &signal_->per_item);
  }

  bool ReadKind() {
    std::vector<std::pair<std::string_view, const Kind*>> kinds;
    std::vector<std::string_view> names;
    for (const Kind& kind : kKinds) {
      kinds.emplace_back(kind.name, &kind);
      names.push_back(kind.name);
    }
    table_.Require("kind", fmt::format("one of {}", fmt::join(names, ", ")));
    table_.Choice<const Kind*>("kind", kinds, &kind_);
    if (kind_ == nullptr) return false;
    signal_->kind = kind_->name;
    return true;
  }

  void ReadOn() {
    table_.Require("on", "a list of event types");
    ReadEventTypes("on", &signal_->on);
  }

  void ReadEventTypes(std::string_view key, std::vector<std::string>* types) {
    std::vector<NameAt> names;
    if (!table_.Names(key, &names)) return;
    if (names.empty()) table_.Refuse(key, "an empty list", "at least one event type");
    for (const NameAt& name : names) {
      if (CheckEventType(name, *draft_)) types->push_back(name.text);
    }
  }

  void ReadOf() {
    if (kind_->of == Of::kNothing) return;
    if (kind_->of == Of::kEventTypes) return ReadOfTypes();
    // The last items of an item say nothing.
    if (!signal_->per_item || kind_->of == Of::kNumber) signal_->of = kind_->of_default;
    if (signal_->of.empty()) {
      table_.Require("of", signal_->per_item ? "what is counted, such as \"event.surface\""
                                             : "what is counted, such as \"item.category\"");
    }
    table_.Text("of", 1, 128, &signal_->of);
    if (signal_->of.empty() || (kind_->of == Of::kNumber && signal_->of == kOne)) return;
    if (signal_->of == kEventUser && !FieldType(kEventUser).has_value()) return CheckUser();
    CheckField("of", signal_->of, kind_->of);
  }

  /// How many different users there were is kept as hashes; a list of them would be known to everybody who sees the
  /// item.
  void CheckUser() {
    if (!signal_->per_item) {
      table_.Refuse("of", "\"event.user\" of a signal per user", "per = \"item\" beside it, or another field");
    } else if (kind_->name != "distinct") {
      table_.Refuse("of", fmt::format("\"event.user\" of kind \"{}\"", kind_->name),
                    "kind \"distinct\", which counts users without keeping who they are, or another field");
    }
  }

  /// One event type, or a list of them.
  void ReadOfTypes() {
    table_.Require("of", "the event types that are counted against those of `on`");
    const TomlMember* member = table_.Take("of");
    if (member == nullptr) return;
    if (member->value.kind == TomlValue::Kind::kArray) return ReadEventTypes("of", &signal_->of_types);
    std::string type;
    table_.Text("of", 1, 128, &type);
    if (!type.empty() && CheckEventType({type, table_.LineOf("of"), table_.PathOf("of")}, *draft_)) {
      signal_->of_types.push_back(type);
    }
  }

  void ReadTimes() {
    ReadTime("half_life", kind_->half_life, &signal_->half_life_us);
    ReadTime("window", kind_->window, &signal_->window_us);
    if (signal_->half_life_us > 0 && signal_->window_us > 0) {
      table_.Refuse("window", "a window beside a half_life", "one of the two");
    }
  }
  void ReadTime(std::string_view key, Key use, int64_t* out) {
    if (use == Key::kRefused) return;
    if (use == Key::kRequired) table_.Require(key, "a duration in quotes such as \"7d\"");
    table_.Duration(key, kSecondUs, kDurationUsMax, out);
  }

  void ReadKept() {
    if (kind_->n_default > 0) {
      signal_->n = kind_->n_default;
      table_.Integer("n", 1, kKeptMax, &signal_->n);
    }
    if (signal_->by.empty()) return;
    signal_->top = kTopDefault;
    table_.Integer("top", 1, kKeptMax, &signal_->top);
    if (signal_->top * std::max(signal_->n, 1u) > kKeptMaxOfOne) {
      table_.Refuse("top", fmt::format("{} times an n of {}", signal_->top, signal_->n),
                    fmt::format("at most {} values of one {}", kKeptMaxOfOne, signal_->per_item ? "item" : "user"));
    }
  }

  void ReadPrior() {
    table_.Number("prior", Interval::Closed(0, 1e6), &signal_->prior);
    table_.Number("prior_weight", Interval::AboveTo(0, 1e9), &signal_->prior_weight);
    if (table_.Has("prior") && !table_.Has("prior_weight")) {
      table_.Refuse("prior", "a prior without a weight",
                    "a prior_weight beside it: how many events of `on` the prior counts for");
    } else if (!table_.Has("prior") && table_.Has("prior_weight")) {
      table_.Refuse("prior_weight", "the weight of no prior", "a prior beside it");
    }
  }

  void ReadWhere() {
    std::vector<std::string> types = signal_->on;
    types.insert(types.end(), signal_->of_types.begin(), signal_->of_types.end());
    ReadEventWhere(&table_, draft_, types, &signal_->where, &signal_->where_fields);
  }

  static bool Fits(Type type, Of of) {
    if (of == Of::kNumber) return type == Type::kNumber;
    return of != Of::kText || type == Type::kString || type == Type::kStrings;
  }

  void CheckField(std::string_view key, const std::string& field, Of of) {
    if (field.starts_with("item.") && draft_->broken_attributes.contains(field.substr(5))) return;
    const std::optional<Type> type = FieldType(field);
    if (type.has_value() && Fits(*type, of)) return;
    std::string found = Quote(field);
    if (type) found += fmt::format(", which is {}", TypeName(*type));
    const std::string_view wanted = of == Of::kNumber ? " of type number (or \"1\")"
                                    : of == Of::kText ? " of type string or strings"
                                                      : "";
    table_.Refuse(key, found,
                  fmt::format("\"event.FIELD\" or \"item.ATTRIBUTE\"{}: a field of the event, a declared attribute "
                              "of an event type in `on`, item.id, item.category or a declared item attribute",
                              wanted));
  }

  std::optional<Type> FieldType(std::string_view field) {
    if (field.starts_with(kEvent)) return EventField(field.substr(kEvent.size()));
    if (field.starts_with(kItem)) return ItemField(field.substr(kItem.size()));
    return std::nullopt;
  }

  std::optional<Type> EventField(std::string_view name) const {
    for (const std::vector<std::string>* types : {&signal_->on, &signal_->of_types}) {
      for (const std::string& type : *types) {
        for (const Attribute& attribute : draft_->config.FindEventType(type)->attributes) {
          if (attribute.name == name) return attribute.type;
        }
      }
    }
    for (const auto& [field, type] : kEventFields) {
      if (field == name) return type;
    }
    return std::nullopt;
  }

  std::optional<Type> ItemField(std::string_view name) { return StampedItemField(draft_, name); }

  TableReader table_;
  Draft* draft_;
  Signal* signal_;
  const Kind* kind_ = nullptr;
};

}  // namespace

void ReadEventWhere(TableReader* table, Draft* draft, std::span<const std::string> types,
                    std::shared_ptr<const expression::Program>* where, std::vector<std::string>* fields) {
  const TomlMember* member = table->Take("where");
  if (member == nullptr) return;
  std::string text;
  table->Text("where", 1, expression::Program::kTextBytesMax, &text);
  if (text.empty()) return;
  expression::Schema schema;
  const auto add = [&](std::string field, Type type) {
    if (schema.Add(field, type).ok()) fields->push_back(std::move(field));
  };
  for (const std::string& type : types) {
    for (const Attribute& attribute : draft->config.FindEventType(type)->attributes) {
      add("event." + attribute.name, attribute.type);
    }
  }
  for (const auto& [field, type] : kEventFields) add(fmt::format("event.{}", field), type);
  for (const Attribute& attribute : draft->config.item_attributes) {
    if (!attribute.embedding) add("item." + attribute.name, attribute.type);
  }
  add("item.id", Type::kString);
  if (!draft->config.state.category_attribute.empty()) add("item.category", Type::kStrings);
  expression::CompileError error;
  *where = expression::Program::Compile(text, schema, &error);
  if (*where == nullptr) {
    const bool on_broken = std::ranges::any_of(draft->broken_attributes,
                                               [&](const std::string& name) { return text.find(name) != text.npos; });
    if (!on_broken) {
      table->Refuse("where", fmt::format("{} at {} of {}", error.found, error.position, Quote(text)), error.expected);
    }
    return;
  }
  for (const uint32_t attribute : (*where)->attributes()) {
    const std::string& field = (*fields)[attribute];
    if (field.starts_with(kItem)) StampedItemField(draft, std::string_view(field).substr(kItem.size()));
  }
}

void ReadSignals(TableReader* root, Draft* draft) {
  TableReader signals = root->Table("signals");
  for (auto& [name, table] : signals.NamedTables(kSignalsMax)) {
    if (name.text.find('.') != name.text.npos || !expression::IsAttributeName(name.text)) {
      draft->problems->Add(name.line, name.path, "the name " + Quote(name.text),
                           "letters, digits or '_', not starting with a digit, and no word of the expression language");
    }
    Signal signal;
    signal.name = name.text;
    SignalReader(std::move(table), draft, &signal).Read();
    draft->config.signals.push_back(std::move(signal));
  }
}

}  // namespace bowerbird::config
