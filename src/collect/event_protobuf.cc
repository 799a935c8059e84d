#include "collect/event_protobuf.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>

#include "base/utf8.h"
#include "bowerbird/v1/service.pb.h"
#include "collect/wire_reader.h"

namespace bowerbird::collect {
namespace {

using catalog::Problem;
using v1::Event;
using v1::Value;
using Type = WireReader::Type;

/// Fields from here on are intake's.
constexpr uint32_t kFirstStampedField = Event::kSchemaFieldNumber;

Problem Malformed(std::string field, std::string_view message) {
  return {"malformed_protobuf", std::move(field), fmt::format("found bytes that are no bowerbird.v1.{}", message)};
}

std::string_view NameOf(uint32_t field) {
  const google::protobuf::FieldDescriptor* descriptor = Event::descriptor()->FindFieldByNumber(static_cast<int>(field));
  return descriptor == nullptr ? std::string_view() : std::string_view(descriptor->name());
}

/// Reads the fields of one event or value; keeps the first problem, whose field is relative to the event.
class EventParser {
 public:
  explicit EventParser(Event* event) : event_(event) {}

  std::optional<Problem> Parse(std::string_view bytes) {
    WireReader in(bytes);
    while (!problem_ && in.Next()) ReadField(in);
    if (!problem_ && !in.ok()) problem_ = Malformed("", "Event");
    return std::move(problem_);
  }

 private:
  bool Expect(const WireReader& in, Type type) {
    if (in.type() == type) return true;
    problem_ = Problem{"wrong_type", std::string(NameOf(in.field())), "found another wire type than the field's"};
    return false;
  }
  void Text(const WireReader& in, std::string* out) {
    if (Expect(in, Type::kBytes)) out->assign(in.bytes());
  }
  /// Zero where it does not fit, with a problem.
  uint32_t Uint32(const WireReader& in) {
    if (!Expect(in, Type::kVarint)) return 0;
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    if (in.number() <= kMax) return static_cast<uint32_t>(in.number());
    problem_ = Problem{"out_of_range", std::string(NameOf(in.field())),
                       fmt::format("found {}; expected 0 to {}", in.number(), kMax)};
    return 0;
  }

  void ReadField(const WireReader& in) {
    switch (in.field()) {
      case Event::kTypeFieldNumber:
        return Text(in, event_->mutable_type());
      case Event::kUserFieldNumber:
        return Text(in, event_->mutable_user());
      case Event::kAnonymousFieldNumber:
        return Text(in, event_->mutable_anonymous());
      case Event::kItemFieldNumber:
        return Text(in, event_->mutable_item());
      case Event::kClientIdFieldNumber:
        return Text(in, event_->mutable_client_id());
      case Event::kSurfaceFieldNumber:
        return Text(in, event_->mutable_surface());
      case Event::kRequestIdFieldNumber:
        return Text(in, event_->mutable_request_id());
      case Event::kCollectionFieldNumber:
        return Text(in, event_->mutable_collection());
      case Event::kQueryFieldNumber:
        return Text(in, event_->mutable_query());
      case Event::kEventTimeUsFieldNumber:
        if (Expect(in, Type::kVarint)) event_->set_event_time_us(static_cast<int64_t>(in.number()));
        return;
      case Event::kPositionFieldNumber:
        return event_->set_position(Uint32(in));
      case Event::kDwellMsFieldNumber:
        return event_->set_dwell_ms(Uint32(in));
      case Event::kValueFieldNumber:
        if (Expect(in, Type::kFixed64)) event_->set_value(in.real());
        return;
      case Event::kAttributesFieldNumber:
        if (Expect(in, Type::kBytes)) ReadAttribute(in.bytes());
        return;
      case Event::kAgentFieldNumber:
        return Text(in, event_->mutable_agent());
      default:
        RejectUnknown(in.field());
    }
  }

  void RejectUnknown(uint32_t field) {
    const std::string_view name = NameOf(field);
    if (field >= kFirstStampedField && !name.empty()) {
      problem_ = Problem{"unknown_field", std::string(name), "found a field that intake stamps; expected it left out"};
    } else {
      problem_ =
          Problem{"unknown_field", "", fmt::format("found field number {}; expected one of bowerbird.v1.Event", field)};
    }
  }

  /// A map's entry: protobuf's parser would merge an entry's repeated value, which nobody means.
  void ReadAttribute(std::string_view entry) {
    WireReader in(entry);
    std::string_view name, bytes;
    bool has_value = false;
    while (in.Next()) {
      if (in.type() != Type::kBytes || in.field() > 2 || (in.field() == 2 && has_value)) {
        problem_ = Malformed("attributes", "Value");
        return;
      }
      (in.field() == 1 ? name : bytes) = in.bytes();
      has_value |= in.field() == 2;
    }
    if (!in.ok() || !base::IsValidUtf8(name)) {
      problem_ = Malformed("attributes", "Value");
      return;
    }
    Value* value = &(*event_->mutable_attributes())[std::string(name)];
    value->Clear();
    if (ReadValue(bytes, value)) return;
    problem_ =
        Malformed(fmt::format("attributes.{}", name.substr(0, base::FindInvalidUtf8(name.substr(0, 64)))), "Value");
  }

  /// One kind, once.
  static bool ReadValue(std::string_view bytes, Value* value) {
    WireReader in(bytes);
    while (in.Next()) {
      if (value->kind_case() != Value::KIND_NOT_SET) return false;
      const auto is = [&](int field, Type type) {
        return in.field() == static_cast<uint32_t>(field) && in.type() == type;
      };
      if (is(Value::kBoolValueFieldNumber, Type::kVarint)) {
        value->set_bool_value(in.number() != 0);
      } else if (is(Value::kNumberValueFieldNumber, Type::kFixed64)) {
        value->set_number_value(in.real());
      } else if (is(Value::kStringValueFieldNumber, Type::kBytes)) {
        value->mutable_string_value()->assign(in.bytes());
      } else if (is(Value::kTimeUsFieldNumber, Type::kVarint)) {
        value->set_time_us(static_cast<int64_t>(in.number()));
      } else if (is(Value::kStringsFieldNumber, Type::kBytes)) {
        WireReader list(in.bytes());
        v1::StringList* strings = value->mutable_strings();
        while (list.Next()) {
          if (list.field() != v1::StringList::kValuesFieldNumber || list.type() != Type::kBytes) return false;
          strings->add_values()->assign(list.bytes());
        }
        if (!list.ok()) return false;
      } else {
        return false;
      }
    }
    return in.ok();
  }

  Event* const event_;
  std::optional<Problem> problem_;
};

}  // namespace

absl::Status EventProtobufReader::Read(std::string_view body, const Visit& visit) {
  const config::Collect& limits = config_->collect;
  if (body.size() > limits.body_bytes_max) {
    return catalog::ToStatus(
        {"body_too_large", "",
         fmt::format("found a body of {} bytes; expected at most {}", body.size(), limits.body_bytes_max)});
  }
  WireReader in(body);
  int64_t index = 0;
  while (in.Next()) {
    if (in.field() != v1::CollectRequest::kEventsFieldNumber || in.type() != Type::kBytes) {
      return catalog::ToStatus({"unknown_field", "",
                                fmt::format("found field number {} beside events; expected only events (history is a "
                                            "query parameter)",
                                            in.field())});
    }
    if (index >= limits.batch_events_max) {
      return catalog::ToStatus(
          {"too_many_events", "events",
           fmt::format("found more than {0} events; expected at most {0}", limits.batch_events_max)});
    }
    event_.Clear();
    std::optional<Problem> problem = EventParser(&event_).Parse(in.bytes());
    if (problem) {
      problem->field = problem->field.empty() ? fmt::format("events[{}]", index)
                                              : fmt::format("events[{}].{}", index, problem->field);
    }
    visit(index, &event_, event_.event_time_us() != 0, problem ? &*problem : nullptr);
    ++index;
  }
  if (!in.ok()) return catalog::ToStatus(Malformed("", "CollectRequest"));
  return absl::OkStatus();
}

}  // namespace bowerbird::collect
