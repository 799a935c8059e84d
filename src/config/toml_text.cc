#include "config/toml_text.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/status_macros.h"

namespace bowerbird::config {
namespace {

using Kind = TomlValue::Kind;

void WriteString(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}", byte);
    } else {
      *out += c;
    }
  }
  *out += '"';
}

std::string NumberText(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", number);
  // Without any of these it would be read as an integer.
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

absl::Status Write(const TomlValue& value, std::string* out) {
  switch (value.kind) {
    case Kind::kString:
      WriteString(value.text, out);
      return absl::OkStatus();
    case Kind::kInteger:
      fmt::format_to(std::back_inserter(*out), "{}", value.integer);
      return absl::OkStatus();
    case Kind::kFloat:
      *out += NumberText(value.number);
      return absl::OkStatus();
    case Kind::kBool:
      *out += value.boolean ? "true" : "false";
      return absl::OkStatus();
    case Kind::kDate:
      return absl::InvalidArgumentError("found a date; no key of the config takes one");
    case Kind::kArray:
      *out += '[';
      for (const TomlValue& element : value.elements) {
        // A line each: how much a line may hold is bounded.
        *out += '\n';
        RETURN_IF_ERROR(Write(element, out));
        *out += ',';
      }
      *out += ']';
      return absl::OkStatus();
    case Kind::kTable: {
      *out += '{';
      bool first = true;
      for (const TomlMember& member : value.members) {
        if (!std::exchange(first, false)) *out += ", ";
        *out += PathKey(member.key) + " = ";
        RETURN_IF_ERROR(Write(member.value, out));
      }
      *out += '}';
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status WriteTable(const std::string& path, const TomlValue& table, std::string* out) {
  if (!path.empty()) fmt::format_to(std::back_inserter(*out), "[{}]\n", path);
  for (const TomlMember& member : table.members) {
    if (member.value.kind == Kind::kTable) continue;
    *out += PathKey(member.key) + " = ";
    RETURN_IF_ERROR(Write(member.value, out));
    *out += '\n';
  }
  for (const TomlMember& member : table.members) {
    if (member.value.kind == Kind::kTable) RETURN_IF_ERROR(WriteTable(JoinPath(path, member.key), member.value, out));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> TomlText(const TomlValue& document) {
  std::string out;
  RETURN_IF_ERROR(WriteTable("", document, &out));
  return out;
}

absl::StatusOr<std::string> TomlValueText(const TomlValue& value) {
  std::string out;
  RETURN_IF_ERROR(Write(value, &out));
  return out;
}

}  // namespace bowerbird::config
