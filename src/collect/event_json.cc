#include "collect/event_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/closest_name.h"
#include "collect/json_reader.h"

namespace bowerbird::collect {
namespace {

enum class FieldId : uint8_t {
  kType,
  kUser,
  kAnonymous,
  kItem,
  kClientId,
  kEventTimeUs,
  kTime,
  kSurface,
  kRequestId,
  kPosition,
  kValue,
  kDwellMs,
  kCollection,
  kQuery,
  kAttributes,
  kAgent,
  kUnknown,
};

/// In the order of FieldId.
constexpr std::string_view kFieldNames[] = {
    "type",       "user",     "anonymous", "item",     "client_id",  "event_time_us", "time",       "surface",
    "request_id", "position", "value",     "dwell_ms", "collection", "query",         "attributes", "agent"};
static_assert(std::size(kFieldNames) == static_cast<size_t>(FieldId::kUnknown));

/// Fields of v1::Event that only intake writes.
constexpr std::string_view kStampedNames[] = {
    "schema",          "user_key",     "item_key", "receive_time_us", "config_version", "late", "item_categories",
    "item_attributes", "dedupe_print", "becomes",  "becomes_key",     "merge",          "mark"};

constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
constexpr int64_t kUint32Max = std::numeric_limits<uint32_t>::max();

}  // namespace

struct EventJsonReader::Impl {
  explicit Impl(std::shared_ptr<const config::Config> config) : config(std::move(config)) {}

  /// Clients send their fields in the same order again and again: the one behind the last is tried first.
  FieldId Find(std::string_view key) {
    const size_t guess = next_field[static_cast<size_t>(last_field)];
    if (guess < std::size(kFieldNames) && kFieldNames[guess] == key) return last_field = static_cast<FieldId>(guess);
    const auto it = std::find(std::begin(kFieldNames), std::end(kFieldNames), key);
    const auto found = static_cast<FieldId>(it - std::begin(kFieldNames));
    if (found != FieldId::kUnknown) {
      next_field[static_cast<size_t>(last_field)] = static_cast<uint8_t>(found);
      last_field = found;
    }
    return found;
  }

  void RejectUnknown(std::string_view key, const JsonPath& path) {
    const JsonPath field_path{&path, key};
    if (std::find(std::begin(kStampedNames), std::end(kStampedNames), key) != std::end(kStampedNames)) {
      return reader.Reject("unknown_field", field_path, "found a field that intake stamps; expected it left out");
    }
    const std::string_view closest = base::ClosestName(key, kFieldNames);
    reader.Reject("unknown_field", field_path,
                  closest.empty()
                      ? fmt::format("found an unknown field; expected one of: {}", fmt::join(kFieldNames, ", "))
                      : fmt::format("found an unknown field; did you mean \"{}\"?", closest));
  }

  void ReadAttributes(JsonReader::Value value, const JsonPath& path) {
    reader.ReadObject(value, path, [&](std::string_view key, JsonReader::Value attribute) {
      reader.ReadAttribute(key, attribute, path, event.mutable_attributes());
    });
  }

  void ReadField(FieldId id, JsonReader::Value value, const JsonPath& path) {
    int64_t number = 0;
    switch (id) {
      case FieldId::kType:
        reader.ReadText(value, path, event.mutable_type());
        return;
      case FieldId::kUser:
        reader.ReadText(value, path, event.mutable_user());
        return;
      case FieldId::kAnonymous:
        reader.ReadText(value, path, event.mutable_anonymous());
        return;
      case FieldId::kItem:
        reader.ReadText(value, path, event.mutable_item());
        return;
      case FieldId::kClientId:
        reader.ReadText(value, path, event.mutable_client_id());
        return;
      case FieldId::kSurface:
        reader.ReadText(value, path, event.mutable_surface());
        return;
      case FieldId::kRequestId:
        reader.ReadText(value, path, event.mutable_request_id());
        return;
      case FieldId::kCollection:
        reader.ReadText(value, path, event.mutable_collection());
        return;
      case FieldId::kQuery:
        reader.ReadText(value, path, event.mutable_query());
        return;
      case FieldId::kTime:
      case FieldId::kEventTimeUs: {
        const bool read = id == FieldId::kTime ? reader.ReadTime(value, path, &number)
                                               : reader.ReadInteger(value, path, kInt64Min, kInt64Max, &number);
        if (!read) return;
        if (has_time) {
          reader.Reject("duplicate_field", path, "found both time and event_time_us; expected one of them");
          return;
        }
        has_time = true;
        event.set_event_time_us(number);
        return;
      }
      case FieldId::kPosition:
        if (reader.ReadInteger(value, path, 0, kUint32Max, &number)) event.set_position(static_cast<uint32_t>(number));
        return;
      case FieldId::kDwellMs:
        if (reader.ReadInteger(value, path, 0, kUint32Max, &number)) event.set_dwell_ms(static_cast<uint32_t>(number));
        return;
      case FieldId::kValue: {
        double real = 0;
        if (reader.ReadNumber(value, path, &real)) event.set_value(real);
        return;
      }
      case FieldId::kAttributes:
        ReadAttributes(value, path);
        return;
      case FieldId::kAgent:
        reader.ReadText(value, path, event.mutable_agent());
        return;
      case FieldId::kUnknown:
        return;
    }
  }

  void BeginEvent() {
    event.Clear();
    has_time = false;
    last_field = FieldId::kUnknown;
    seen = 0;
  }

  void ReadEventField(std::string_view key, JsonReader::Value value, const JsonPath& path) {
    // A rejected event is read to its end all the same: what follows must be JSON.
    if (reader.rejected()) return reader.Skip(value);
    const FieldId id = Find(key);
    if (id == FieldId::kUnknown) {
      RejectUnknown(key, path);
      return reader.Skip(value);
    }
    const JsonPath field_path{&path, kFieldNames[static_cast<size_t>(id)]};
    const uint32_t bit = 1u << static_cast<uint32_t>(id);
    if ((seen & bit) != 0) {
      reader.Reject("duplicate_field", field_path, "found twice; expected once");
      return reader.Skip(value);
    }
    seen |= bit;
    ReadField(id, value, field_path);
  }

  void HandOver(int64_t index, const Visit& visit) {
    if (reader.refused()) return;
    const std::optional<catalog::Problem> problem = reader.TakeProblem();
    visit(index, &event, has_time, problem ? &*problem : nullptr);
  }

  /// Reads one event, hands it over, and refuses the body when it is one too many.
  void ReadEvent(JsonReader::Value value, int64_t index, const Visit& visit) {
    if (index >= config->collect.batch_events_max) {
      return reader.Refuse(
          "too_many_events", "events",
          fmt::format("found more than {0} events; expected at most {0}", config->collect.batch_events_max));
    }
    const JsonPath list{nullptr, "events"};
    const JsonPath path{&list, {}, index};
    BeginEvent();
    if (JsonReader::IsNull(value)) {
      reader.Reject("wrong_type", path, "found null; expected an object");
    } else {
      reader.ReadObject(value, path,
                        [&](std::string_view key, JsonReader::Value field) { ReadEventField(key, field, path); });
    }
    HandOver(index, visit);
  }

  void ReadEvents(JsonReader::Value value, const Visit& visit) {
    const JsonPath path{nullptr, "events"};
    if (JsonReader::IsNull(value)) return;
    reader.ReadArray(value, path, [&](int64_t index, JsonReader::Value event) { ReadEvent(event, index, visit); });
    // Not a list: there are no verdicts to give.
    if (const auto problem = reader.TakeProblem()) reader.Refuse(problem->code, problem->field, problem->detail);
  }

  void ReadBody(const Visit& visit) {
    using simdjson::ondemand::json_type;
    json_type type;
    if (const auto error = reader.document().type().get(type)) return reader.RefuseMalformed(error);
    if (type == json_type::array) {
      simdjson::ondemand::array array;
      if (const auto error = reader.document().get_array().get(array)) return reader.RefuseMalformed(error);
      return reader.VisitElements(array,
                                  [&](int64_t index, JsonReader::Value value) { ReadEvent(value, index, visit); });
    }
    if (type != json_type::object) {
      return reader.Refuse("wrong_type", "",
                           "found a body that is neither an object nor a list; expected {\"events\": [...]}");
    }
    ReadRootObject(visit);
  }

  /// A batch or a single event: the first key tells.
  void ReadRootObject(const Visit& visit) {
    simdjson::ondemand::object object;
    if (const auto error = reader.document().get_object().get(object)) return reader.RefuseMalformed(error);
    enum class Body : uint8_t { kEmpty, kBatch, kEvent } body = Body::kEmpty;
    const JsonPath root;
    BeginEvent();
    reader.VisitFields(object, [&](std::string_view key, JsonReader::Value value) {
      if (body == Body::kEmpty) {
        body = key == "events" ? Body::kBatch : Body::kEvent;
        if (body == Body::kBatch) return ReadEvents(value, visit);
      } else if (body == Body::kBatch) {
        return reader.Refuse(key == "events" ? "duplicate_field" : "unknown_field", JsonPath{&root, key}.ToString(),
                             "found a field beside events; expected only events");
      }
      ReadEventField(key, value, root);
    });
    if (body != Body::kBatch) HandOver(-1, visit);
  }

  const std::shared_ptr<const config::Config> config;
  JsonReader reader;
  v1::Event event;
  bool has_time = false;
  uint32_t seen = 0;  ///< one bit a FieldId
  FieldId last_field = FieldId::kUnknown;
  uint8_t next_field[std::size(kFieldNames) + 1] = {};
};

EventJsonReader::EventJsonReader(std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}
EventJsonReader::~EventJsonReader() = default;

absl::Status EventJsonReader::Read(std::string_view body, const Visit& visit) {
  JsonReader& reader = impl_->reader;
  if (reader.Begin(body, impl_->config->collect.body_bytes_max)) impl_->ReadBody(visit);
  reader.End();
  // A rare large body does not hold its memory for good.
  reader.Shrink(1u << 20);
  return reader.refused() ? catalog::ToStatus(reader.refusal()) : absl::OkStatus();
}

}  // namespace bowerbird::collect
