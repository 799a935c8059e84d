#include "signal/event_field.h"

#include <algorithm>
#include <utility>

namespace bowerbird::signal {
namespace {

constexpr std::string_view kEvent = "event.", kItem = "item.";

expression::ValueView Text(std::string_view text) {
  if (text.empty()) return std::monostate();
  return text;
}

expression::ValueView Attribute(const google::protobuf::Map<std::string, v1::Value>& attributes,
                                const std::string& name, std::vector<std::string_view>* strings) {
  const auto found = attributes.find(name);
  if (found == attributes.end()) return std::monostate();
  const v1::Value& value = found->second;
  switch (value.kind_case()) {
    case v1::Value::kBoolValue:
      return value.bool_value();
    case v1::Value::kNumberValue:
      return value.number_value();
    case v1::Value::kStringValue:
      return Text(value.string_value());
    case v1::Value::kTimeUs:
      return expression::TimeUs{value.time_us()};
    case v1::Value::kStrings:
      strings->assign(value.strings().values().begin(), value.strings().values().end());
      return std::span<const std::string_view>(*strings);
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return std::monostate();
}

}  // namespace

EventField::EventField(const config::Config& config, std::span<const std::string> types, std::string_view name) {
  if (name.starts_with(kItem)) {
    attribute_ = name.substr(kItem.size());
    const config::Attribute* declared = config.FindItemAttribute(attribute_);
    if (declared != nullptr && !declared->embedding) {
      source_ = Source::kItemAttribute;
    } else if (attribute_ == "id") {
      source_ = Source::kItemId;
    } else {
      source_ = Source::kItemCategory;
      attribute_ = config.state.category_attribute;
    }
    return;
  }
  if (!name.starts_with(kEvent)) return;  // "1"
  attribute_ = name.substr(kEvent.size());
  source_ = Source::kAttribute;
  for (const std::string& type_name : types) {
    const config::EventType* type = config.FindEventType(type_name);
    if (type == nullptr) continue;
    const auto has_name = [&](const config::Attribute& attribute) { return attribute.name == attribute_; };
    if (std::ranges::any_of(type->attributes, has_name)) return;
  }
  constexpr std::pair<std::string_view, Source> kFields[] = {
      {"weight", Source::kWeight},         {"value", Source::kValue},     {"dwell_ms", Source::kDwell},
      {"position", Source::kPosition},     {"surface", Source::kSurface}, {"query", Source::kQuery},
      {"collection", Source::kCollection}, {"type", Source::kType},       {"user", Source::kUser}};
  for (const auto& [field, source] : kFields) {
    if (field == attribute_) source_ = source;
  }
}

expression::ValueView EventField::Get(const Input& input, std::vector<std::string_view>* strings) const {
  const v1::Event& event = *input.event;
  const auto number = [](uint32_t value) -> expression::ValueView {
    if (value == 0) return std::monostate();
    return static_cast<double>(value);
  };
  switch (source_) {
    case Source::kOne:
      return 1.0;
    case Source::kWeight:
      return input.strength;
    case Source::kValue:
      return event.value();
    case Source::kDwell:
      return number(event.dwell_ms());
    case Source::kPosition:
      return number(event.position());
    case Source::kSurface:
      return Text(event.surface());
    case Source::kQuery:
      return Text(event.query());
    case Source::kCollection:
      return Text(event.collection());
    case Source::kType:
      return Text(event.type());
    case Source::kUser:
      return Text(input.user_print);
    case Source::kAttribute:
      return Attribute(event.attributes(), attribute_, strings);
    case Source::kItemId:
      return Text(event.item());
    case Source::kItemCategory:
      if (event.item_categories().empty()) return Attribute(event.item_attributes(), attribute_, strings);
      strings->assign(event.item_categories().begin(), event.item_categories().end());
      return std::span<const std::string_view>(*strings);
    case Source::kItemAttribute:
      return Attribute(event.item_attributes(), attribute_, strings);
  }
  return std::monostate();
}

void EventField::Keep(const v1::Event& event, v1::Event* kept) const {
  switch (source_) {
    case Source::kOne:
    case Source::kUser:
      break;
    case Source::kWeight:
    case Source::kValue:
      kept->set_value(event.value());
      break;
    case Source::kDwell:
      kept->set_dwell_ms(event.dwell_ms());
      break;
    case Source::kPosition:
      kept->set_position(event.position());
      break;
    case Source::kSurface:
      kept->set_surface(event.surface());
      break;
    case Source::kQuery:
      kept->set_query(event.query());
      break;
    case Source::kCollection:
      kept->set_collection(event.collection());
      break;
    case Source::kType:
      kept->set_type(event.type());
      break;
    case Source::kAttribute: {
      const auto found = event.attributes().find(attribute_);
      if (found != event.attributes().end()) (*kept->mutable_attributes())[attribute_] = found->second;
      break;
    }
    case Source::kItemId:
      kept->set_item(event.item());
      break;
    case Source::kItemCategory:
      *kept->mutable_item_categories() = event.item_categories();
      [[fallthrough]];
    case Source::kItemAttribute: {
      const auto found = event.item_attributes().find(attribute_);
      if (found != event.item_attributes().end()) (*kept->mutable_item_attributes())[attribute_] = found->second;
      break;
    }
  }
}

}  // namespace bowerbird::signal
