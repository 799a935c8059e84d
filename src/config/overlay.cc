#include "config/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status_macros.h"
#include "config/problem_list.h"
#include "config/problems.h"
#include "config/toml_value.h"

namespace bowerbird::config {
namespace {

using Kind = TomlValue::Kind;

absl::StatusOr<TomlValue> Read(std::string_view text, std::string_view file) {
  Problems problems(file);
  TomlDocument document = ParseToml(text, &problems);
  if (problems.size() > 0) return absl::InvalidArgumentError(ProblemList(problems.Take()));
  return std::move(document.root);
}

bool Equal(const TomlValue& a, const TomlValue& b) {
  const bool numbers =
      (a.kind == Kind::kInteger || a.kind == Kind::kFloat) && (b.kind == Kind::kInteger || b.kind == Kind::kFloat);
  if (numbers) return a.number == b.number;
  if (a.kind != b.kind) return false;
  if (a.kind == Kind::kTable) {
    return a.members.size() == b.members.size() && std::ranges::all_of(a.members, [&](const TomlMember& member) {
             const TomlMember* other = b.Find(member.key);
             return other != nullptr && Equal(member.value, other->value);
           });
  }
  return a.text == b.text && a.boolean == b.boolean &&
         std::equal(a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(), Equal);
}

void Lay(const TomlValue& patch, std::string_view path, TomlValue* onto, std::vector<std::string>* changed) {
  for (const TomlMember& member : patch.members) {
    const std::string at = JoinPath(path, member.key);
    const auto found = std::ranges::find(onto->members, member.key, &TomlMember::key);
    if (member.value.kind == Kind::kTable) {
      TomlMember* table =
          found == onto->members.end() ? &onto->members.emplace_back(TomlMember{member.key, 0, {}}) : &*found;
      if (found == onto->members.end() && member.value.members.empty()) changed->push_back(at);
      if (table->value.kind != Kind::kTable) table->value = {};
      Lay(member.value, at, &table->value, changed);
      continue;
    }
    if (found != onto->members.end() && Equal(found->value, member.value)) continue;
    changed->push_back(at);
    if (found == onto->members.end()) {
      onto->members.push_back(member);
    } else {
      found->value = member.value;
    }
  }
}

std::string StringText(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      text += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text + '"';
}

std::string NumberText(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// A key as TOML takes it: PathKey cuts long ones for messages.
std::string KeyText(std::string_view key) {
  std::string bare = PathKey(key);
  return bare.starts_with('"') ? StringText(key) : bare;
}

absl::Status WriteValue(const TomlValue& value, std::string* text) {
  switch (value.kind) {
    case Kind::kString:
      *text += StringText(value.text);
      break;
    case Kind::kInteger:
      *text += fmt::format("{}", value.integer);
      break;
    case Kind::kFloat:
      *text += NumberText(value.number);
      break;
    case Kind::kBool:
      *text += value.boolean ? "true" : "false";
      break;
    case Kind::kDate:
      return absl::InvalidArgumentError(fmt::format("line {}: found a date or time; no key takes one", value.line));
    case Kind::kArray:
      // A line an element: a line may hold so many dots only.
      *text += "[";
      for (const TomlValue& element : value.elements) {
        *text += "\n";
        RETURN_IF_ERROR(WriteValue(element, text));
        *text += ",";
      }
      *text += "]";
      break;
    case Kind::kTable: {
      const char* separator = "{";
      for (const TomlMember& member : value.members) {
        *text += fmt::format("{}{} = ", std::exchange(separator, ", "), KeyText(member.key));
        RETURN_IF_ERROR(WriteValue(member.value, text));
      }
      *text += value.members.empty() ? "{}" : "}";
      break;
    }
  }
  return absl::OkStatus();
}

/// A table under its header: its values first, then its tables.
absl::Status WriteTable(const TomlValue& table, const std::string& header, std::string* text) {
  if (!header.empty()) *text += fmt::format("[{}]\n", header);
  for (const TomlMember& member : table.members) {
    if (member.value.kind == Kind::kTable) continue;
    *text += KeyText(member.key) + " = ";
    RETURN_IF_ERROR(WriteValue(member.value, text));
    *text += "\n";
  }
  for (const TomlMember& member : table.members) {
    if (member.value.kind != Kind::kTable) continue;
    const std::string below = header.empty() ? KeyText(member.key) : header + "." + KeyText(member.key);
    RETURN_IF_ERROR(WriteTable(member.value, below, text));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OverlaidText> Overlay(std::string_view text, std::string_view patch, std::string_view patch_file) {
  ASSIGN_OR_RETURN(TomlValue patched, Read(text, "bowerbird.toml"));
  ASSIGN_OR_RETURN(const TomlValue changes, Read(patch, patch_file));
  OverlaidText result;
  Lay(changes, "", &patched, &result.changed);
  RETURN_IF_ERROR(WriteTable(patched, "", &result.text));
  return result;
}

}  // namespace bowerbird::config
