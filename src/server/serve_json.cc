#include "server/serve_json.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

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

absl::Status Bad(std::string_view code, std::string field, std::string detail) {
  return catalog::ToStatus({std::string(code), std::move(field), std::move(detail)});
}

std::string_view Describe(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return "a list";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::STRING:
      return "a string";
    case dom::element_type::BOOL:
      return "a boolean";
    case dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

/// Reads any of the request messages by its descriptor: their fields are scalars, messages and lists of them, and
/// requests are small, so reflection costs a few microseconds. (Answers, which are large, are written by hand.)
class MessageReader {
 public:
  absl::Status Read(dom::object object, const std::string& path, pb::Message* message) {
    for (const dom::key_value_pair pair : object) {
      const std::string name(pair.key);
      const std::string shown =
          name.size() <= kShownBytesMax ? name : fmt::format("{}...", name.substr(0, kShownBytesMax));
      const std::string field_path = path.empty() ? shown : path + "." + shown;
      const pb::FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
      if (field == nullptr) {
        std::string known;
        for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
          known += (i == 0 ? "" : ", ") + std::string(message->GetDescriptor()->field(i)->name());
        }
        return Bad("unknown_field", field_path, fmt::format("found an unknown field; expected some of {}", known));
      }
      const bool set = field->is_repeated() ? message->GetReflection()->FieldSize(*message, field) > 0
                                            : message->GetReflection()->HasField(*message, field);
      if (set) return Bad("repeated_field", field_path, "found the field twice; expected it once");
      if (pair.value.is_null()) continue;
      if (!field->is_repeated()) {
        RETURN_IF_ERROR(ReadValue(pair.value, field_path, field, message));
        continue;
      }
      dom::array list;
      if (pair.value.get(list) != simdjson::SUCCESS) {
        return Bad("wrong_type", field_path, fmt::format("found {}; expected a list", Describe(pair.value)));
      }
      size_t index = 0;
      for (const dom::element element : list) {
        RETURN_IF_ERROR(ReadValue(element, fmt::format("{}[{}]", field_path, index++), field, message));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadValue(dom::element value, const std::string& path, const pb::FieldDescriptor* field,
                         pb::Message* message) {
    const pb::Reflection* reflection = message->GetReflection();
    const bool repeated = field->is_repeated();
    const auto wrong = [&](std::string_view expected) {
      return Bad("wrong_type", path, fmt::format("found {}; expected {}", Describe(value), expected));
    };
    switch (field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_STRING: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return wrong("a string");
        repeated ? reflection->AddString(message, field, std::string(text))
                 : reflection->SetString(message, field, std::string(text));
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_BOOL: {
        bool flag = false;
        if (value.get(flag) != simdjson::SUCCESS) return wrong("true or false");
        reflection->SetBool(message, field, flag);
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_UINT32: {
        uint64_t number = 0;
        double decimal = 0;
        if (value.get(number) != simdjson::SUCCESS) {
          if (value.get(decimal) != simdjson::SUCCESS) return wrong("a whole number");
          if (decimal < 0 || decimal != std::floor(decimal) || decimal > std::numeric_limits<uint32_t>::max()) {
            return Bad("out_of_range", path,
                       fmt::format("found {}; expected a whole number from 0 to 4294967295", decimal));
          }
          number = static_cast<uint64_t>(decimal);
        }
        if (number > std::numeric_limits<uint32_t>::max()) {
          return Bad("out_of_range", path,
                     fmt::format("found {}; expected a whole number from 0 to 4294967295", number));
        }
        reflection->SetUInt32(message, field, static_cast<uint32_t>(number));
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_DOUBLE: {
        double number = 0;
        if (value.get(number) != simdjson::SUCCESS) return wrong("a number");
        reflection->SetDouble(message, field, number);
        return absl::OkStatus();
      }
      case pb::FieldDescriptor::CPPTYPE_MESSAGE: {
        dom::object object;
        if (value.get(object) != simdjson::SUCCESS) return wrong("an object");
        return Read(object, path,
                    repeated ? reflection->AddMessage(message, field) : reflection->MutableMessage(message, field));
      }
      default:
        return absl::InternalError(fmt::format("{}: a field of this type is not read", path));
    }
  }
};

absl::Status Parse(std::string_view json, pb::Message* message) {
  thread_local dom::parser parser;
  const size_t capacity = std::max<size_t>(json.size(), 64 * 1024);
  if ((parser.capacity() < json.size() || parser.max_depth() != kDepthMax) &&
      parser.allocate(capacity, kDepthMax) != simdjson::SUCCESS) {
    return absl::ResourceExhaustedError("no memory to read the body");
  }
  dom::element root;
  if (const auto error = parser.parse(json.data(), json.size()).get(root); error != simdjson::SUCCESS) {
    return Bad("malformed_json", "", fmt::format("the body is not JSON: {}", simdjson::error_message(error)));
  }
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS)
    return Bad("wrong_type", "", fmt::format("found {}; expected an object", Describe(root)));
  return MessageReader().Read(object, "", message);
}

void WriteItems(const std::vector<serve::AnswerItem>& items, JsonWriter* json) {
  json->Key("items").BeginArray();
  for (const serve::AnswerItem& item : items) {
    json->BeginObject().Key("id").String(item.id).Key("score").Float(item.score).Key("position").Uint(item.position);
    if (item.item.has_value()) {
      json->Key("item");
      collect::WriteItem(*item.item, json);
    }
    if (item.explanation.has_value()) {
      const serve::AnswerExplanation& why = *item.explanation;
      json->Key("explanation").BeginObject().Key("sources").BeginArray();
      for (const serve::AnswerSource& source : why.sources) {
        json->BeginObject()
            .Key("generator")
            .String(source.generator)
            .Key("score")
            .Float(source.score)
            .Key("rank")
            .Uint(source.rank);
        if (!source.because.empty()) json->Key("because").String(source.because);
        json->EndObject();
      }
      json->EndArray().Key("features").BeginArray();
      for (const serve::AnswerFeature& feature : why.features) {
        json->BeginObject().Key("name").String(feature.name).Key("value").Float(feature.value).EndObject();
      }
      json->EndArray()
          .Key("rank_score")
          .Float(why.rank_score)
          .Key("final_score")
          .Float(why.final_score)
          .Key("rules")
          .BeginArray();
      for (const std::string& rule : why.rules) json->String(rule);
      json->EndArray().Key("reason").String(why.reason).EndObject();
    }
    json->EndObject();
  }
  json->EndArray();
}

void WriteOutcomes(const std::vector<serve::AnswerOutcome>& outcomes, JsonWriter* json) {
  json->Key("outcomes").BeginArray();
  const auto number = [json](std::string_view key, uint32_t value) {
    if (value != 0) json->Key(key).Uint(value);
  };
  for (const serve::AnswerOutcome& outcome : outcomes) {
    json->BeginObject().Key("id").String(outcome.id).Key("stage").String(outcome.stage);
    json->Key("code").String(outcome.code).Key("detail").String(outcome.detail);
    number("position", outcome.position);
    if (outcome.rank != 0) {
      json->Key("rank").Uint(outcome.rank).Key("candidates").Uint(outcome.candidates);
      json->Key("score").Float(outcome.score).Key("last_score").Float(outcome.last_score);
      json->Key("page").Uint(outcome.page);
    }
    if (!outcome.generator.empty()) {
      json->Key("generator").String(outcome.generator).Key("generator_rank").Uint(outcome.generator_rank);
      json->Key("generator_score").Float(outcome.generator_score);
      json->Key("generator_count").Uint(outcome.generator_count);
    }
    if (!outcome.rules.empty()) {
      json->Key("rules").BeginArray();
      for (const std::string& rule : outcome.rules) json->String(rule);
      json->EndArray();
    }
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace

absl::StatusOr<v1::RecommendRequest> ParseRecommend(std::string_view json) {
  v1::RecommendRequest request;
  RETURN_IF_ERROR(Parse(json, &request));
  return request;
}

absl::StatusOr<v1::RankRequest> ParseRank(std::string_view json) {
  v1::RankRequest request;
  RETURN_IF_ERROR(Parse(json, &request));
  return request;
}

absl::StatusOr<v1::BatchGetProfilesRequest> ParseProfiles(std::string_view json) {
  v1::BatchGetProfilesRequest request;
  RETURN_IF_ERROR(Parse(json, &request));
  return request;
}

void WriteAnswer(const serve::Answer& answer, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("request_id").String(answer.request_id);
  WriteItems(answer.items, &json);
  json.Key("next_cursor").String(answer.next_cursor).Key("snapshot").String(answer.snapshot);
  json.Key("config_version").String(answer.config_version).Key("degraded").BeginArray();
  for (const std::string& name : answer.degraded) json.String(name);
  json.EndArray().Key("explored").Bool(answer.explored);
  if (!answer.outcomes.empty()) WriteOutcomes(answer.outcomes, &json);
  json.EndObject();
}

void WriteRankAnswer(const serve::RankAnswer& answer, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("request_id").String(answer.request_id);
  WriteItems(answer.items, &json);
  json.Key("left_out").BeginArray();
  for (const std::string& id : answer.left_out) json.String(id);
  json.EndArray();
  if (!answer.degraded.empty()) {
    json.Key("degraded").BeginArray();
    for (const std::string& name : answer.degraded) json.String(name);
    json.EndArray();
  }
  json.EndObject();
}

void WriteCollection(const v1::CollectionResponse& collection, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("name").String(collection.name()).Key("items").BeginArray();
  for (const v1::Item& item : collection.items()) collect::WriteItem(item, &json);
  json.EndArray().Key("total").Uint(collection.total()).EndObject();
}

namespace {

void WriteInterests(const google::protobuf::RepeatedPtrField<v1::Interest>& interests, bool actions, JsonWriter* json) {
  json->BeginArray();
  for (const v1::Interest& interest : interests) {
    json->BeginObject().Key("category").String(interest.category()).Key("weight").Double(interest.weight());
    json->Key("share").Double(interest.share());
    if (actions) json->Key("actions").Uint(interest.actions());
    json->EndObject();
  }
  json->EndArray();
}

/// `signal` is a v1::ProfileSignal or what it says of one key.
template <typename Signal>
void WriteReading(const Signal& signal, JsonWriter* json) {
  if (signal.has_number()) json->Key("number").Double(signal.number());
  if (signal.items().empty()) return;
  json->Key("items").BeginArray();
  for (const v1::SignalItem& item : signal.items()) {
    json->BeginObject().Key("value").String(item.value());
    if (item.count() != 0) json->Key("count").Double(item.count());
    if (item.time_us() != 0) json->Key("time_us").Int(item.time_us());
    json->EndObject();
  }
  json->EndArray();
}

void WriteSignals(const google::protobuf::RepeatedPtrField<v1::ProfileSignal>& signals, JsonWriter* json) {
  json->BeginArray();
  for (const v1::ProfileSignal& signal : signals) {
    json->BeginObject().Key("name").String(signal.name()).Key("kind").String(signal.kind());
    json->Key("newest_us").Int(signal.newest_us());
    WriteReading(signal, json);
    if (!signal.keys().empty()) {
      json->Key("keys").BeginArray();
      for (const v1::SignalOfKey& key : signal.keys()) {
        json->BeginObject().Key("key").String(key.key());
        WriteReading(key, json);
        json->EndObject();
      }
      json->EndArray();
    }
    json->EndObject();
  }
  json->EndArray();
}

void WriteAction(const v1::ProfileAction& action, JsonWriter* json) {
  json->BeginObject().Key("type").String(action.type()).Key("item").String(action.item());
  json->Key("time_us").Int(action.time_us()).Key("surface").String(action.surface()).EndObject();
}

void WriteFeatureRow(const v1::FeatureRow& row, JsonWriter* json) {
  json->BeginObject().Key("table").String(row.table()).Key("version").String(row.version());
  json->Key("as_of_us").Int(row.as_of_us()).Key("values").BeginArray();
  for (const v1::FeatureValue& value : row.values()) {
    json->BeginObject().Key("name").String(value.name());
    if (value.has_number()) json->Key("number").Double(value.number());
    if (!value.vector().empty()) {
      json->Key("vector").BeginArray();
      for (const float x : value.vector()) json->Float(x);
      json->EndArray();
    }
    json->EndObject();
  }
  json->EndArray().EndObject();
}

void WriteProfile(const v1::ProfileResponse& profile, JsonWriter* out) {
  JsonWriter& json = *out;
  json.BeginObject().Key("id").String(profile.id()).Key("events").Uint(profile.events());
  json.Key("first_time_us").Int(profile.first_time_us()).Key("last_time_us").Int(profile.last_time_us());
  json.Key("time_us").Int(profile.time_us()).Key("lifecycle").String(profile.lifecycle());
  json.Key("segments").BeginArray();
  for (const std::string& segment : profile.segments()) json.String(segment);
  json.EndArray().Key("interests");
  WriteInterests(profile.interests(), false, out);
  json.Key("short_interests");
  WriteInterests(profile.short_interests(), true, out);
  json.Key("signals");
  WriteSignals(profile.signals(), out);
  json.Key("sequence").BeginArray();
  for (const v1::ProfileAction& action : profile.sequence()) WriteAction(action, out);
  json.EndArray().Key("hidden").BeginArray();
  for (const std::string& item : profile.hidden()) json.String(item);
  json.EndArray().Key("collections").BeginArray();
  for (const v1::CollectionSummary& collection : profile.collections()) {
    json.BeginObject().Key("name").String(collection.name()).Key("items").Uint(collection.items()).EndObject();
  }
  json.EndArray().Key("embedding").BeginArray();
  for (const float x : profile.embedding()) json.Float(x);
  json.EndArray().Key("embedding_version").String(profile.embedding_version()).Key("features").BeginArray();
  for (const v1::FeatureRow& row : profile.features()) WriteFeatureRow(row, out);
  json.EndArray().Key("marked").Bool(profile.marked());
  if (profile.has_mark()) {
    const v1::ProfileMark& mark = profile.mark();
    json.Key("mark").BeginObject().Key("reason").String(mark.reason());
    json.Key("from_us").Int(mark.from_us()).Key("until_us").Int(mark.until_us()).EndObject();
  }
  json.EndObject();
}

template <typename T>
absl::Status ReadNumber(const base::StringMap<std::string>& query, std::string_view name, T* out) {
  const auto found = query.find(name);
  if (found == query.end()) return absl::OkStatus();
  const char* end = found->second.data() + found->second.size();
  const auto [stopped, error] = std::from_chars(found->second.data(), end, *out);
  if (error == std::errc() && stopped == end) return absl::OkStatus();
  return catalog::ToStatus({"wrong_type", std::string(name), "expected a whole number"});
}

}  // namespace

absl::StatusOr<v1::HistoryRequest> ParseHistory(const base::StringMap<std::string>& query) {
  int64_t from_us = 0, to_us = 0;
  uint64_t before = 0;
  uint32_t limit = 0;
  RETURN_IF_ERROR(ReadNumber(query, "from_us", &from_us));
  RETURN_IF_ERROR(ReadNumber(query, "to_us", &to_us));
  RETURN_IF_ERROR(ReadNumber(query, "before", &before));
  RETURN_IF_ERROR(ReadNumber(query, "limit", &limit));
  v1::HistoryRequest request;
  request.set_from_us(from_us);
  request.set_to_us(to_us);
  request.set_before(before);
  request.set_limit(limit);
  if (const auto type = query.find("type"); type != query.end()) request.set_type(type->second);
  if (const auto category = query.find("category"); category != query.end()) request.set_category(category->second);
  return request;
}

void WriteFeatures(const v1::FeatureRow& row, std::string* out) {
  JsonWriter json(out);
  WriteFeatureRow(row, &json);
}

void WriteHistory(const v1::HistoryResponse& history, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("actions").BeginArray();
  for (const v1::ProfileAction& action : history.actions()) WriteAction(action, &json);
  json.EndArray().Key("total").Uint(history.total()).Key("next").Uint(history.next()).EndObject();
}

void WriteItemSignals(const v1::ItemSignalsResponse& signals, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("id").String(signals.id()).Key("table_version").Uint(signals.table_version());
  json.Key("table_time_us").Int(signals.table_time_us()).Key("time_us").Int(signals.time_us()).Key("signals");
  WriteSignals(signals.signals(), &json);
  json.EndObject();
}

void WriteProfile(const v1::ProfileResponse& profile, std::string* out) {
  JsonWriter json(out);
  WriteProfile(profile, &json);
}

void WriteProfiles(const v1::BatchGetProfilesResponse& profiles, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("results").BeginArray();
  for (const v1::ProfileResult& result : profiles.results()) {
    json.BeginObject().Key("id").String(result.id()).Key("status").Int(result.status());
    if (result.status() != 0) json.Key("code").String(result.code()).Key("detail").String(result.detail());
    if (result.has_profile()) {
      json.Key("profile");
      WriteProfile(result.profile(), &json);
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
}

}  // namespace bowerbird::server
