#include "mcp/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/status_macros.h"

namespace bowerbird::mcp {
namespace {

using simdjson::dom::element;

std::string_view TypeName(ParameterType type) {
  switch (type) {
    case ParameterType::kText:
      return "string";
    case ParameterType::kInteger:
      return "integer";
    case ParameterType::kNumber:
      return "number";
    case ParameterType::kFlag:
      return "boolean";
  }
  return "string";
}

bool Bounded(const Parameter& parameter) { return parameter.min > -1e308 || parameter.max < 1e308; }

absl::Status Wrong(const Parameter& parameter, element given) {
  std::string range;
  if (parameter.type == ParameterType::kText && Bounded(parameter)) {
    range = fmt::format(" of at most {:g} bytes", parameter.max);
  } else if (Bounded(parameter)) {
    range = fmt::format(" from {:g} to {:g}", parameter.min, parameter.max);
  }
  std::string found = simdjson::minify(given);
  if (found.size() > 80) found = fmt::format("{} bytes", found.size());
  return absl::InvalidArgumentError(
      fmt::format("{}: found {}; expected {}{}", parameter.name, found, TypeName(parameter.type), range));
}

absl::StatusOr<Arguments::Value> ReadValue(const Parameter& parameter, element given) {
  const auto within = [&](double value) { return value >= parameter.min && value <= parameter.max; };
  std::string_view text;
  int64_t integer = 0;
  double number = 0;
  bool flag = false;
  switch (parameter.type) {
    case ParameterType::kText:
      if (given.get(text) || static_cast<double>(text.size()) > parameter.max) return Wrong(parameter, given);
      return Arguments::Value(std::string(text));
    case ParameterType::kInteger:
      // Some clients write every number with a point.
      if (given.get(integer) != simdjson::SUCCESS) {
        if (given.get(number) || !(number >= -9e15 && number <= 9e15) ||
            number != static_cast<double>(static_cast<int64_t>(number)))
          return Wrong(parameter, given);
        integer = static_cast<int64_t>(number);
      }
      if (!within(static_cast<double>(integer))) return Wrong(parameter, given);
      return Arguments::Value(integer);
    case ParameterType::kNumber:
      if (given.get(number) || !within(number)) return Wrong(parameter, given);
      return Arguments::Value(number);
    case ParameterType::kFlag:
      if (given.get(flag)) return Wrong(parameter, given);
      return Arguments::Value(flag);
  }
  return Wrong(parameter, given);
}

}  // namespace

absl::StatusOr<Arguments> ReadArguments(const Tool& tool, simdjson::dom::object given) {
  Arguments arguments;
  for (const auto field : given) {
    const auto parameter = std::find_if(tool.parameters.begin(), tool.parameters.end(),
                                        [&](const Parameter& one) { return one.name == field.key; });
    if (parameter == tool.parameters.end()) {
      std::vector<std::string> names;
      names.reserve(tool.parameters.size());
      for (const Parameter& one : tool.parameters) names.push_back(one.name);
      return absl::InvalidArgumentError(
          fmt::format("{}: {} takes no such argument; expected {}", field.key.substr(0, 80), tool.name,
                      names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    }
    if (field.value.is_null()) continue;  // how some clients leave one out
    ASSIGN_OR_RETURN(Arguments::Value value, ReadValue(*parameter, field.value));
    arguments.Set(parameter->name, std::move(value));
  }
  for (const Parameter& parameter : tool.parameters) {
    if (parameter.required && !arguments.Has(parameter.name)) {
      return absl::InvalidArgumentError(fmt::format("{}: found nothing; expected {}: {}", parameter.name,
                                                    TypeName(parameter.type), parameter.description));
    }
  }
  return arguments;
}

void WriteSchema(const Tool& tool, base::JsonWriter* json) {
  json->BeginObject().Key("type").String("object").Key("properties").BeginObject();
  for (const Parameter& parameter : tool.parameters) {
    json->Key(parameter.name).BeginObject().Key("type").String(TypeName(parameter.type));
    json->Key("description").String(parameter.description);
    if (parameter.type == ParameterType::kText && Bounded(parameter)) {
      json->Key("maxLength").Double(parameter.max);
    } else if (Bounded(parameter)) {
      json->Key("minimum").Double(parameter.min).Key("maximum").Double(parameter.max);
    }
    json->EndObject();
  }
  json->EndObject().Key("required").BeginArray();
  for (const Parameter& parameter : tool.parameters) {
    if (parameter.required) json->String(parameter.name);
  }
  json->EndArray().Key("additionalProperties").Bool(false).EndObject();
}

std::string Arguments::Json() const {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject();
  for (const auto& [name, value] : values_) {
    json.Key(name);
    if (const auto* string = std::get_if<std::string>(&value)) json.String(*string);
    if (const auto* integer = std::get_if<int64_t>(&value)) json.Int(*integer);
    if (const auto* number = std::get_if<double>(&value)) json.Double(*number);
    if (const auto* flag = std::get_if<bool>(&value)) json.Bool(*flag);
  }
  json.EndObject();
  return text;
}

}  // namespace bowerbird::mcp
