#include "config/config.h"

#include <algorithm>

#include "base/check.h"
#include "config/sections.h"

namespace bowerbird::config {
namespace {

template <typename T>
const T* FindByName(const std::vector<T>& declared, std::string_view name) {
  const auto found = std::ranges::find(declared, name, &T::name);
  return found == declared.end() ? nullptr : &*found;
}

}  // namespace

const EventType* Config::FindEventType(std::string_view name) const { return FindByName(event_types, name); }
const Attribute* Config::FindItemAttribute(std::string_view name) const { return FindByName(item_attributes, name); }
const Generator* Config::FindGenerator(std::string_view name) const { return FindByName(generators, name); }
const Surface* Config::FindSurface(std::string_view name) const { return FindByName(surfaces, name); }

const EventType* Config::FindEventTypeByCode(uint8_t code) const {
  const auto found = std::ranges::find(event_types, code, &EventType::code);
  return found == event_types.end() ? nullptr : &*found;
}

expression::Schema Config::ItemSchema() const {
  expression::Schema schema;
  for (const BuiltInAttribute& attribute : BuiltInItemAttributes()) {
    BOWERBIRD_CHECK(schema.Add(attribute.name, attribute.type).ok());
  }
  for (const Attribute& attribute : item_attributes) {
    if (!attribute.embedding) BOWERBIRD_CHECK(schema.Add(attribute.name, attribute.type).ok());
  }
  schema.OpenBelow(std::string(kUserFeatures), std::string(kFeatureForm));
  schema.OpenBelow(std::string(kItemFeatures), std::string(kFeatureForm));
  return schema;
}

}  // namespace bowerbird::config
