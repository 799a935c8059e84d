#include "config/signal_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

namespace bowerbird::config {
namespace {

using expression::Type;

constexpr std::string_view kSignals = "signals.";

/// Whether it says values and not a number.
bool IsSet(const Signal& signal) { return signal.kind == "last_n" || signal.kind == "top_k"; }

bool IsNameByte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' ||
         byte == '.';
}

/// The names in a text that say one key of a signal: "signals.interests.lamps". What stands in quotes may be among
/// them, which does no harm: a name that nothing reads costs nothing.
std::set<std::string> KeyNames(std::string_view text) {
  std::set<std::string> names;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && IsNameByte(text[end])) ++end;
    const std::string_view name = text.substr(begin, end - begin);
    if (name.starts_with(kSignals) && name.find('.', kSignals.size()) != name.npos) names.emplace(name);
    begin = end + 1;
  }
  return names;
}

}  // namespace

void AddSignalFields(const Config& config, bool per_item, std::string_view text, expression::Schema* schema,
                     std::vector<SignalField>* fields) {
  const auto add = [&](const std::string& name, Type type, SignalField field) {
    if (schema->Add(name, type).ok()) fields->push_back(std::move(field));
  };
  for (const Signal& signal : config.signals) {
    if (signal.per_item != per_item) continue;
    const bool set = IsSet(signal) || !signal.by.empty();
    add(fmt::format("{}{}", kSignals, signal.name), set ? Type::kStrings : Type::kNumber, {signal.name, ""});
  }
  for (const std::string& name : KeyNames(text)) {
    const size_t dot = name.find('.', kSignals.size());
    const std::string_view signal_name = std::string_view(name).substr(kSignals.size(), dot - kSignals.size());
    for (const Signal& signal : config.signals) {
      if (signal.name != signal_name || signal.per_item != per_item || signal.by.empty()) continue;
      add(name, IsSet(signal) ? Type::kStrings : Type::kNumber, {signal.name, name.substr(dot + 1)});
    }
  }
}

std::shared_ptr<const expression::Program> CompileOverItemSignals(const Config& config, const expression::Schema& items,
                                                                  std::string_view text, ItemSignalFields* signals,
                                                                  expression::CompileError* error) {
  expression::Schema schema = items;
  signals->first = items.size();
  AddSignalFields(config, /*per_item=*/true, text, &schema, &signals->fields);
  std::shared_ptr<const expression::Program> program = expression::Program::Compile(text, schema, error);
  const auto is_signal = [&](uint32_t attribute) { return attribute >= signals->first; };
  if (program == nullptr || std::ranges::none_of(program->attributes(), is_signal)) signals->fields.clear();
  return program;
}

}  // namespace bowerbird::config
