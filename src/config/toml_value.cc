#include "config/toml_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "config/duplicates.h"
#include "config/plane_shift.h"

// What the parser asserts, some text does not hold ("1979-05-27Tz07:32:00Z"): it finds out by itself, and says so.
#define TOML_ASSERT(expr) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

namespace bowerbird::config {
namespace {

constexpr size_t kTextBytesMax = 1 << 20;
constexpr size_t kLineDotsMax = 128;
constexpr int kDuplicatesMax = 64;

TomlValue Convert(const toml::node& node);

TomlMember ConvertMember(const toml::key& key, const toml::node& node) {
  return {ShiftDown(key.str()), key.source().begin.line, Convert(node)};
}

TomlValue Convert(const toml::node& node) {
  using Kind = TomlValue::Kind;
  TomlValue value;
  value.line = node.source().begin.line;
  if (const auto* text = node.as_string()) {
    value.kind = Kind::kString;
    value.text = ShiftDown(text->get());
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Kind::kInteger;
    value.integer = integer->get();
    value.number = static_cast<double>(value.integer);
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = Kind::kFloat;
    value.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = Kind::kBool;
    value.boolean = boolean->get();
  } else if (const auto* array = node.as_array()) {
    value.kind = Kind::kArray;
    for (const toml::node& element : *array) value.elements.push_back(Convert(element));
  } else if (const auto* table = node.as_table()) {
    // The library sorts by key; declarations count in the order of the file.
    std::vector<std::tuple<uint32_t, uint32_t, const toml::key*, const toml::node*>> members;
    for (auto it = table->cbegin(); it != table->cend(); ++it) {
      const toml::source_position& begin = it->first.source().begin;
      members.emplace_back(begin.line, begin.column, &it->first, &it->second);
    }
    std::ranges::sort(members);
    for (const auto& [line, column, key, child] : members) value.members.push_back(ConvertMember(*key, *child));
  } else {
    value.kind = Kind::kDate;
  }
  return value;
}

/// Refuses what would make the library's own structures nest without bound: every dotted part is one level, and a
/// dotted key cannot span lines.
bool WithinBounds(std::string_view text, Problems* problems) {
  if (text.size() > kTextBytesMax) {
    problems->Add(0, "", fmt::format("{} bytes", text.size()), fmt::format("at most {} bytes", kTextBytesMax));
    return false;
  }
  if (HasShifted(text)) {
    problems->Add(0, "", "a private-use character from U+F0080 to U+FFEFF", "a text without these");
    return false;
  }
  uint32_t line = 1;
  size_t dots = 0;
  for (char c : text) {
    dots += c == '.' ? 1 : 0;
    if (c == '\n') {
      ++line;
      dots = 0;
    }
    if (dots > kLineDotsMax) {
      problems->Add(line, "", "a line with very many dots", fmt::format("at most {} on a line", kLineDotsMax));
      return false;
    }
  }
  return true;
}

/// The member that a path as written ("surfaces.home", "a.b") leads to, if its parts are bare keys.
const TomlMember* FindPath(const TomlValue& root, std::string_view path) {
  const TomlValue* table = &root;
  while (true) {
    const size_t dot = path.find('.');
    const TomlMember* member = table->Find(path.substr(0, dot));
    if (member == nullptr || dot == path.npos) return member;
    path.remove_prefix(dot + 1);
    table = &member->value;
    if (table->kind == TomlValue::Kind::kArray && !table->elements.empty()) table = &table->elements.back();
  }
}

struct Duplicate {
  uint32_t line;
  std::string path;
};

void Report(const std::vector<Duplicate>& duplicates, const TomlValue* root, Problems* problems) {
  for (const Duplicate& duplicate : duplicates) {
    const TomlMember* first = root == nullptr ? nullptr : FindPath(*root, duplicate.path);
    const std::string where =
        first == nullptr || first->line >= duplicate.line ? "" : fmt::format(" (the first is on line {})", first->line);
    problems->Add(duplicate.line, duplicate.path, fmt::format("a second \"{}\"{}", duplicate.path, where),
                  "each name once");
  }
}

}  // namespace

const TomlMember* TomlValue::Find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &TomlMember::key);
  return found == members.end() ? nullptr : &*found;
}

TomlDocument ParseToml(std::string_view text, Problems* problems) {
  TomlDocument document;
  if (!WithinBounds(text, problems)) return document;
  MaskableText maskable(text);
  std::vector<Duplicate> duplicates;
  while (true) {
    const std::string masked_text = ShiftUp(maskable.Text());
    const toml::parse_result result = toml::parse(masked_text);
    if (result) {
      document.complete = true;
      document.root = Convert(result.table());
      Report(duplicates, &document.root, problems);
      return document;
    }
    const std::string description = ShiftDown(result.error().description());
    const uint32_t line = result.error().source().begin.line;
    const bool duplicate = description.find("cannot redefine") != description.npos;
    if (!duplicate || duplicates.size() == kDuplicatesMax) {
      Report(duplicates, nullptr, problems);
      problems->Add(line, "", fmt::format("what is not TOML ({})", description), "TOML 1.0, see toml.io");
      return document;
    }
    const bool header = description.find("table header") != description.npos;
    const Masked masked = header ? maskable.MaskTable(line) : maskable.MaskKey(line);
    duplicates.push_back({line, header                 ? masked.table
                                : masked.table.empty() ? masked.key
                                                       : masked.table + "." + masked.key});
  }
}

std::string Describe(const TomlValue& value) {
  switch (value.kind) {
    case TomlValue::Kind::kString:
      return fmt::format("string {}", Quote(value.text));
    case TomlValue::Kind::kInteger:
      return fmt::format("integer {}", value.integer);
    case TomlValue::Kind::kFloat:
      return fmt::format("number {}", value.number);
    case TomlValue::Kind::kBool:
      return value.boolean ? "true" : "false";
    case TomlValue::Kind::kDate:
      return "a date or time";
    case TomlValue::Kind::kArray:
      return "a list";
    case TomlValue::Kind::kTable:
      return "a table";
  }
  return "";
}

std::string PathKey(std::string_view key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : Quote(key);
}

std::string JoinPath(std::string_view path, std::string_view key) {
  return path.empty() ? PathKey(key) : fmt::format("{}.{}", path, PathKey(key));
}

}  // namespace bowerbird::config
