#include "server/experiment_json.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "catalog/problem.h"
#include "collect/item_json.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;
namespace pb = google::protobuf;
using base::JsonWriter;

constexpr size_t kDepthMax = 16;
constexpr size_t kShownBytesMax = 64;  ///< of a name of the client's in a problem
/// Experiment's fields from this number on are the server's.
constexpr int kServerFields = 20;

absl::Status Bad(std::string_view code, std::string field, std::string detail) {
  return catalog::ToStatus({std::string(code), std::move(field), std::move(detail)});
}

std::string Shown(std::string_view name) { return std::string(name.substr(0, kShownBytesMax)); }

/// False: it is of no kind that a Value has.
bool ReadValue(dom::element element, v1::Value* value) {
  bool flag = false;
  double number = 0;
  std::string_view text;
  dom::array list;
  if (element.get(flag) == simdjson::SUCCESS) {
    value->set_bool_value(flag);
  } else if (element.get(number) == simdjson::SUCCESS) {
    value->set_number_value(number);
  } else if (element.get(text) == simdjson::SUCCESS) {
    value->set_string_value(std::string(text));
  } else if (element.get(list) == simdjson::SUCCESS) {
    auto* strings = value->mutable_strings();
    for (const dom::element one : list) {
      if (one.get(text) != simdjson::SUCCESS) return false;
      strings->add_values(std::string(text));
    }
  } else {
    return false;
  }
  return true;
}

class Reader {
 public:
  /// Fields of a higher number are refused at the root.
  explicit Reader(int fields_max) : fields_max_(fields_max) {}

  absl::Status Read(dom::object object, const std::string& path, pb::Message* message) {
    std::set<std::string_view> seen;
    for (const dom::key_value_pair pair : object) {
      const std::string at = path.empty() ? Shown(pair.key) : path + "." + Shown(pair.key);
      const pb::FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(std::string(pair.key));
      if (field == nullptr) return Unknown(*message->GetDescriptor(), at, path.empty());
      if (path.empty() && field->number() >= fields_max_)
        return Bad("read_only_field", at, "expected it to be left out: only the server says it");
      if (!seen.insert(pair.key).second) return Bad("repeated_field", at, "found the field twice; expected it once");
      // What is there gives way to what is said.
      message->GetReflection()->ClearField(message, field);
      if (!pair.value.is_null()) RETURN_IF_ERROR(ReadField(pair.value, at, field, message));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Unknown(const pb::Descriptor& type, const std::string& at, bool root) const {
    std::string known;
    for (int i = 0; i < type.field_count(); ++i) {
      if (root && type.field(i)->number() >= fields_max_) continue;
      known += (known.empty() ? "" : ", ") + std::string(type.field(i)->name());
    }
    return Bad("unknown_field", at, fmt::format("found an unknown field; expected some of {}", known));
  }

  absl::Status ReadField(dom::element value, const std::string& at, const pb::FieldDescriptor* field,
                         pb::Message* message) {
    if (field->is_map()) return ReadMap(value, at, field, message);
    if (!field->is_repeated()) return ReadOne(value, at, field, message);
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS) return Bad("wrong_type", at, "expected a list");
    size_t index = 0;
    for (const dom::element element : list)
      RETURN_IF_ERROR(ReadOne(element, fmt::format("{}[{}]", at, index++), field, message));
    return absl::OkStatus();
  }

  /// Keys are strings; values strings or Values.
  absl::Status ReadMap(dom::element value, const std::string& at, const pb::FieldDescriptor* field,
                       pb::Message* message) {
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return Bad("wrong_type", at, "expected an object");
    std::set<std::string_view> seen;
    const pb::FieldDescriptor* key_field = field->message_type()->map_key();
    const pb::FieldDescriptor* value_field = field->message_type()->map_value();
    for (const dom::key_value_pair pair : object) {
      const std::string member = at + "." + Shown(pair.key);
      if (!seen.insert(pair.key).second) return Bad("repeated_field", member, "found the field twice");
      pb::Message* entry = message->GetReflection()->AddMessage(message, field);
      entry->GetReflection()->SetString(entry, key_field, std::string(pair.key));
      RETURN_IF_ERROR(ReadOne(pair.value, member, value_field, entry));
    }
    return absl::OkStatus();
  }

  absl::Status ReadOne(dom::element value, const std::string& at, const pb::FieldDescriptor* field,
                       pb::Message* message) {
    const pb::Reflection* reflection = message->GetReflection();
    const bool repeated = field->is_repeated();
    switch (field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_STRING: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return Bad("wrong_type", at, "expected a string");
        repeated ? reflection->AddString(message, field, std::string(text))
                 : reflection->SetString(message, field, std::string(text));
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_BOOL: {
        bool flag = false;
        if (value.get(flag) != simdjson::SUCCESS) return Bad("wrong_type", at, "expected true or false");
        reflection->SetBool(message, field, flag);
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_DOUBLE: {
        double number = 0;
        if (value.get(number) != simdjson::SUCCESS) return Bad("wrong_type", at, "expected a number");
        reflection->SetDouble(message, field, number);
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_ENUM: {
        std::string_view text;
        std::string names;
        for (int i = 0; i < field->enum_type()->value_count(); ++i)
          names += (i == 0 ? "" : ", ") + absl::AsciiStrToLower(field->enum_type()->value(i)->name());
        const pb::EnumValueDescriptor* found =
            value.get(text) == simdjson::SUCCESS
                ? field->enum_type()->FindValueByName(absl::AsciiStrToUpper(std::string(text)))
                : nullptr;
        if (found == nullptr) return Bad("invalid_argument", at, "expected one of " + names);
        reflection->SetEnum(message, field, found);
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_MESSAGE: {
        pb::Message* child =
            repeated ? reflection->AddMessage(message, field) : reflection->MutableMessage(message, field);
        if (field->message_type() == v1::Value::descriptor()) {
          if (ReadValue(value, dynamic_cast<v1::Value*>(child))) return absl::OkStatus();
          return Bad("wrong_type", at, "expected true, false, a number, a string or a list of strings");
        }
        dom::object object;
        if (value.get(object) != simdjson::SUCCESS) return Bad("wrong_type", at, "expected an object");
        return Read(object, at, child);
      }
      default:
        return absl::InternalError(fmt::format("{}: a field of this type is not read", at));
    }
  }

  const int fields_max_;
};

absl::Status Parse(std::string_view json, int fields_max, pb::Message* message) {
  dom::parser parser;
  if (parser.allocate(std::max<size_t>(json.size(), 1024), kDepthMax) != simdjson::SUCCESS)
    return absl::ResourceExhaustedError("no memory to read the body");
  dom::element root;
  if (const auto error = parser.parse(json.data(), json.size()).get(root); error != simdjson::SUCCESS)
    return Bad("malformed_json", "", fmt::format("the body is not JSON: {}", simdjson::error_message(error)));
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS) return Bad("wrong_type", "", "expected an object");
  return Reader(fields_max).Read(object, "", message);
}

void Write(const pb::Message& message, JsonWriter* json);

void WriteOne(const pb::Message& message, const pb::FieldDescriptor* field, int index, JsonWriter* json) {
  const pb::Reflection* reflection = message.GetReflection();
  const bool repeated = field->is_repeated();
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_STRING:
      json->String(repeated ? reflection->GetRepeatedString(message, field, index)
                            : reflection->GetString(message, field));
      return;
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      json->Bool(reflection->GetBool(message, field));
      return;
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      json->Double(reflection->GetDouble(message, field));
      return;
    case pb::FieldDescriptor::CPPTYPE_INT64:
      json->Int(reflection->GetInt64(message, field));
      return;
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      json->Uint(reflection->GetUInt64(message, field));
      return;
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      json->Uint(reflection->GetUInt32(message, field));
      return;
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      json->String(absl::AsciiStrToLower(reflection->GetEnum(message, field)->name()));
      return;
    case pb::FieldDescriptor::CPPTYPE_MESSAGE: {
      const pb::Message& child =
          repeated ? reflection->GetRepeatedMessage(message, field, index) : reflection->GetMessage(message, field);
      if (const auto* value = dynamic_cast<const v1::Value*>(&child)) return collect::WriteValue(*value, json);
      return Write(child, json);
    }
    default:
      json->Null();
  }
}

/// By key, so that equal maps are equal texts.
void WriteMap(const pb::Message& message, const pb::FieldDescriptor* field, JsonWriter* json) {
  const pb::FieldDescriptor* key_field = field->message_type()->map_key();
  const pb::FieldDescriptor* value_field = field->message_type()->map_value();
  std::vector<std::pair<std::string, const pb::Message*>> entries;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    const pb::Message& entry = message.GetReflection()->GetRepeatedMessage(message, field, i);
    entries.emplace_back(entry.GetReflection()->GetString(entry, key_field), &entry);
  }
  std::ranges::sort(entries);
  json->BeginObject();
  for (const auto& [key, entry] : entries) {
    json->Key(key);
    WriteOne(*entry, value_field, 0, json);
  }
  json->EndObject();
}

void Write(const pb::Message& message, JsonWriter* json) {
  json->BeginObject();
  for (int f = 0; f < message.GetDescriptor()->field_count(); ++f) {
    const pb::FieldDescriptor* field = message.GetDescriptor()->field(f);
    json->Key(field->name());
    if (field->is_map()) {
      WriteMap(message, field, json);
    } else if (field->is_repeated()) {
      json->BeginArray();
      for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) WriteOne(message, field, i, json);
      json->EndArray();
    } else {
      WriteOne(message, field, 0, json);
    }
  }
  json->EndObject();
}

}  // namespace

absl::Status ParseExperiment(std::string_view json, v1::Experiment* experiment) {
  const std::string id = experiment->id();
  RETURN_IF_ERROR(Parse(json, kServerFields, experiment));
  if (id.empty() || experiment->id() == id) return absl::OkStatus();
  return Bad("invalid_argument", "id",
             fmt::format("found '{}'; expected '{}': an id cannot change", Shown(experiment->id()), id));
}

absl::StatusOr<v1::AssignRequest> ParseAssign(std::string_view json) {
  v1::AssignRequest request;
  RETURN_IF_ERROR(Parse(json, std::numeric_limits<int>::max(), &request));
  return request;
}

absl::Status ParseSmall(std::string_view json, pb::Message* message) {
  return Parse(json.empty() ? "{}" : json, std::numeric_limits<int>::max(), message);
}

void WriteMessage(const pb::Message& message, std::string* out) {
  JsonWriter json(out);
  Write(message, &json);
}

void WriteValue(const v1::Value& value, std::string* out) {
  JsonWriter json(out);
  collect::WriteValue(value, &json);
}

absl::StatusOr<OfrepContext> ParseOfrep(std::string_view body) {
  dom::parser parser;
  if (parser.allocate(std::max<size_t>(body.size(), 1024), kDepthMax) != simdjson::SUCCESS)
    return absl::ResourceExhaustedError("no memory to read the body");
  dom::element root;
  if (const auto error = parser.parse(body.data(), body.size()).get(root); error != simdjson::SUCCESS)
    return absl::InvalidArgumentError(fmt::format("the body is not JSON: {}", simdjson::error_message(error)));
  dom::object whole, context;
  OfrepContext read;
  if (root.get(whole) != simdjson::SUCCESS) return absl::InvalidArgumentError("expected an object with `context`");
  const auto found = whole["context"];
  if (found.error() != simdjson::SUCCESS) return read;
  if (found.get(context) != simdjson::SUCCESS) return absl::InvalidArgumentError("context: expected an object");
  for (const dom::key_value_pair pair : context) {
    if (pair.key == "targetingKey") {
      std::string_view key;
      if (pair.value.get(key) != simdjson::SUCCESS)
        return absl::InvalidArgumentError("context.targetingKey: expected a string");
      read.targeting_key = key;
      continue;
    }
    v1::Value value;
    // Whatever a product puts into its context beside what we can use.
    if (ReadValue(pair.value, &value)) read.attributes[std::string(pair.key)] = std::move(value);
  }
  return read;
}

}  // namespace bowerbird::server
