#include "cli/experiment_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "config/problem_list.h"
#include "config/toml_text.h"
#include "config/toml_value.h"

namespace bowerbird::cli {
namespace {

using config::TomlMember;
using config::TomlValue;
using Kind = TomlValue::Kind;
namespace dom = simdjson::dom;

/// What a definition is made of; the rest is the server's.
constexpr std::array<std::string_view, 13> kDefinition = {"id",      "description", "owner",  "layer",  "unit",
                                                          "design",  "targeting",   "arms",   "forced", "sticky",
                                                          "trigger", "metrics",     "traffic"};

/// Each leaf of a table of changes as {path, value}.
absl::Status WriteChanges(const std::string& path, const TomlValue& value, base::JsonWriter* json) {
  if (value.kind == Kind::kTable) {
    for (const TomlMember& member : value.members)
      RETURN_IF_ERROR(WriteChanges(config::JoinPath(path, member.key), member.value, json));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string text, config::TomlValueText(value));
  json->BeginObject().Key("path").String(path).Key("value").String(text).EndObject();
  return absl::OkStatus();
}

absl::Status Write(const TomlValue& value, base::JsonWriter* json) {
  switch (value.kind) {
    case Kind::kString:
      json->String(value.text);
      break;
    case Kind::kInteger:
      json->Int(value.integer);
      break;
    case Kind::kFloat:
      json->Double(value.number);
      break;
    case Kind::kBool:
      json->Bool(value.boolean);
      break;
    case Kind::kDate:
      return absl::InvalidArgumentError(fmt::format("line {}: found a date; no field takes one", value.line));
    case Kind::kArray:
      json->BeginArray();
      for (const TomlValue& element : value.elements) RETURN_IF_ERROR(Write(element, json));
      json->EndArray();
      break;
    case Kind::kTable:
      json->BeginObject();
      for (const TomlMember& member : value.members) {
        json->Key(member.key);
        if (member.key == "changes" && member.value.kind == Kind::kTable) {
          json->BeginArray();
          RETURN_IF_ERROR(WriteChanges("", member.value, json));
          json->EndArray();
        } else {
          RETURN_IF_ERROR(Write(member.value, json));
        }
      }
      json->EndObject();
      break;
  }
  return absl::OkStatus();
}

TomlValue FromJson(dom::element element) {
  TomlValue value;
  dom::array list;
  dom::object object;
  std::string_view text;
  int64_t integer = 0;
  if (element.get(text) == simdjson::SUCCESS) {
    value.kind = Kind::kString;
    value.text = text;
  } else if (element.get(value.boolean) == simdjson::SUCCESS) {
    value.kind = Kind::kBool;
  } else if (element.get(integer) == simdjson::SUCCESS) {
    value.kind = Kind::kInteger;
    value.integer = integer;
  } else if (element.get(value.number) == simdjson::SUCCESS) {
    value.kind = Kind::kFloat;
  } else if (element.get(list) == simdjson::SUCCESS) {
    value.kind = Kind::kArray;
    for (const dom::element one : list) value.elements.push_back(FromJson(one));
  } else if (element.get(object) == simdjson::SUCCESS) {
    value.kind = Kind::kTable;
    for (const auto member : object) value.members.push_back({std::string(member.key), 0, FromJson(member.value)});
  }
  return value;
}

/// Defaults need not be said.
bool IsEmpty(const TomlValue& value) {
  return (value.kind == Kind::kString && value.text.empty()) || (value.kind == Kind::kBool && !value.boolean) ||
         (value.kind == Kind::kArray && value.elements.empty()) ||
         (value.kind == Kind::kTable && value.members.empty());
}

}  // namespace

absl::StatusOr<std::string> ExperimentJson(std::string_view toml, const std::string& file) {
  config::Problems problems(file);
  const config::TomlDocument document = config::ParseToml(toml, &problems);
  if (!document.complete || problems.size() > 0)
    return absl::InvalidArgumentError(config::ProblemList(problems.Take()));
  std::string out;
  base::JsonWriter json(&out);
  RETURN_IF_ERROR(Write(document.root, &json));
  return out;
}

absl::StatusOr<std::string> ExperimentToml(dom::element experiment) {
  dom::object object;
  if (experiment.get(object) != simdjson::SUCCESS) return absl::InternalError("the answer is not an experiment");
  TomlValue root;
  for (const auto field : object) {
    if (std::ranges::find(kDefinition, field.key) == kDefinition.end()) continue;
    TomlValue value = FromJson(field.value);
    for (TomlValue& element : value.elements)
      std::erase_if(element.members, [](const TomlMember& member) { return IsEmpty(member.value); });
    if (!IsEmpty(value)) root.members.push_back({std::string(field.key), 0, std::move(value)});
  }
  return config::TomlText(root);
}

}  // namespace bowerbird::cli
