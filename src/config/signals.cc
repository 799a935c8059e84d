#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "config/sections.h"

namespace bowerbird::config {
namespace {

using expression::Type;

constexpr size_t kSignalsMax = 256;
constexpr uint32_t kTopMax = 10'000;

enum class Of : uint8_t { kNothing, kAnything, kNumber, kText, kEventType };
enum class Key : uint8_t { kRefused, kOptional, kRequired };

/// What each kind takes. A kind's `of`, where optional, has a default; without one it is required.
struct Kind {
  std::string_view name;
  Of of;
  std::string_view of_default;
  Key half_life, window;
  bool counts_keys;  ///< `top` has a meaning without `by`: how many are kept
  uint32_t top_default;
};
constexpr Kind kKinds[] = {
    {"last_n", Of::kAnything, "item.id", Key::kRefused, Key::kOptional, true, 50},
    {"count", Of::kNothing, "", Key::kRefused, Key::kRequired, false, 32},
    {"decayed_sum", Of::kNumber, "event.weight", Key::kRequired, Key::kRefused, false, 32},
    {"ratio", Of::kEventType, "", Key::kOptional, Key::kOptional, false, 32},
    {"top_k", Of::kText, "", Key::kOptional, Key::kOptional, true, 10},
    {"distinct", Of::kAnything, "", Key::kRefused, Key::kOptional, false, 32},
    {"time_since", Of::kNothing, "", Key::kRefused, Key::kRefused, false, 32},
};

/// Fields of an event that a signal can read besides the declared attributes.
constexpr std::pair<std::string_view, Type> kEventFields[] = {
    {"weight", Type::kNumber},  {"value", Type::kNumber}, {"dwell_ms", Type::kNumber},   {"position", Type::kNumber},
    {"surface", Type::kString}, {"query", Type::kString}, {"collection", Type::kString}, {"type", Type::kString},
};

class SignalReader {
 public:
  SignalReader(TableReader table, Draft* draft, Signal* signal)
      : table_(std::move(table)), draft_(draft), signal_(signal) {}

  void Read() {
    if (!ReadKind()) return;
    ReadOn();
    ReadOf();
    table_.Text("by", 1, 128, &signal_->by);
    if (!signal_->by.empty()) CheckField("by", signal_->by, Of::kText);
    ReadTimes();
    ReadTop();
    table_.RefuseUnknown(fmt::format("a signal of kind \"{}\"", kind_->name));
  }

 private:
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
    std::vector<NameAt> names;
    table_.Require("on", "a list of event types");
    if (!table_.Names("on", &names)) return;
    if (names.empty()) table_.Refuse("on", "an empty list", "at least one event type");
    for (const NameAt& name : names) {
      if (CheckEventType(name, *draft_)) signal_->on.push_back(name.text);
    }
  }

  void ReadOf() {
    if (kind_->of == Of::kNothing) return;
    signal_->of = kind_->of_default;
    if (kind_->of_default.empty()) {
      table_.Require("of", kind_->of == Of::kEventType ? "the event type that is counted against those of `on`"
                                                       : "what is counted, such as \"item.category\"");
    }
    table_.Text("of", 1, 128, &signal_->of);
    if (signal_->of.empty()) return;
    if (kind_->of == Of::kEventType) {
      CheckEventType({signal_->of, table_.LineOf("of"), table_.PathOf("of")}, *draft_);
    } else {
      CheckField("of", signal_->of, kind_->of);
    }
  }

  void ReadTimes() {
    ReadTime("half_life", kind_->half_life, &signal_->half_life_us);
    ReadTime("window", kind_->window, &signal_->window_us);
  }
  void ReadTime(std::string_view key, Key use, int64_t* out) {
    if (use == Key::kRefused) return;
    if (use == Key::kRequired) table_.Require(key, "a duration in quotes such as \"7d\"");
    table_.Duration(key, kSecondUs, kDurationUsMax, out);
  }

  void ReadTop() {
    if (!kind_->counts_keys && signal_->by.empty()) return;
    signal_->top = kind_->top_default;
    table_.Integer("top", 1, kTopMax, &signal_->top);
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
    const std::string_view wanted = of == Of::kNumber ? " of type number"
                                    : of == Of::kText ? " of type string or strings"
                                                      : "";
    table_.Refuse(key, found,
                  fmt::format("\"event.FIELD\" or \"item.ATTRIBUTE\"{}: a field of the event, a declared attribute "
                              "of an event type in `on`, item.id, item.category or a declared item attribute",
                              wanted));
  }

  std::optional<Type> FieldType(std::string_view field) {
    constexpr std::string_view kEvent = "event.", kItem = "item.";
    if (field.starts_with(kEvent)) return EventField(field.substr(kEvent.size()));
    if (field.starts_with(kItem)) return ItemField(field.substr(kItem.size()));
    return std::nullopt;
  }

  std::optional<Type> EventField(std::string_view name) const {
    for (const std::string& type_name : signal_->on) {
      for (const Attribute& attribute : draft_->config.FindEventType(type_name)->attributes) {
        if (attribute.name == name) return attribute.type;
      }
    }
    for (const auto& [field, type] : kEventFields) {
      if (field == name) return type;
    }
    return std::nullopt;
  }

  /// What a signal reads of the item must be in the event when it is replayed: the id and the categories always are, a
  /// declared attribute is stamped from now on.
  std::optional<Type> ItemField(std::string_view name) {
    for (Attribute& attribute : draft_->config.item_attributes) {
      if (attribute.name != name || attribute.embedding) continue;
      attribute.stamp = true;
      return attribute.type;
    }
    if (name == "id") return Type::kString;
    const bool categories = name == "category" || name == "categories";
    if (categories && !draft_->config.state.category_attribute.empty()) return Type::kStrings;
    return std::nullopt;
  }

  TableReader table_;
  Draft* draft_;
  Signal* signal_;
  const Kind* kind_ = nullptr;
};

}  // namespace

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
