#include "index/item_values.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace bowerbird::index {
namespace {

using expression::TimeUs;
using expression::Type;
using expression::ValueView;

ValueView Text(const std::string& text) { return text.empty() ? ValueView() : ValueView(std::string_view(text)); }
ValueView Time(int64_t time_us) { return time_us == 0 ? ValueView() : ValueView(TimeUs{time_us}); }

/// A declared attribute that is no set.
ValueView Plain(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kBoolValue:
      return value.bool_value();
    case v1::Value::kNumberValue:
      return value.number_value();
    case v1::Value::kStringValue:
      return std::string_view(value.string_value());
    case v1::Value::kTimeUs:
      return TimeUs{value.time_us()};
    case v1::Value::kStrings:
    case v1::Value::KIND_NOT_SET:
      return {};
  }
  return {};
}

bool IsOfType(const ValueView& value, Type type) {
  switch (type) {
    case Type::kBool:
      return std::holds_alternative<bool>(value);
    case Type::kNumber:
      return std::holds_alternative<double>(value);
    case Type::kString:
      return std::holds_alternative<std::string_view>(value);
    case Type::kTime:
      return std::holds_alternative<TimeUs>(value);
    case Type::kStrings:
      return false;
  }
  return false;
}

}  // namespace

ItemReader::ItemReader(const config::Config& config)
    : schema_(config.ItemSchema()), default_domain_(config.domains.empty() ? "" : config.domains.front()) {
  static constexpr std::pair<std::string_view, Source> kBuiltIn[] = {
      {"id", Source::kId},           {"domain", Source::kDomain},         {"title", Source::kTitle},
      {"price", Source::kPrice},     {"available", Source::kAvailable},   {"created", Source::kCreated},
      {"updated", Source::kUpdated}, {"categories", Source::kCategories},
  };
  for (uint32_t attribute = 0; attribute < schema_.size(); ++attribute) {
    const std::string_view name = schema_.name(attribute);
    if (config.FindItemAttribute(name) != nullptr) {
      sources_.push_back(Source::kDeclared);
      continue;
    }
    const auto* built_in = std::ranges::find(kBuiltIn, name, &std::pair<std::string_view, Source>::first);
    BOWERBIRD_CHECK(built_in != std::end(kBuiltIn));
    sources_.push_back(built_in->second);
  }
  BOWERBIRD_CHECK(schema_.Find("id").has_value() && schema_.Find("created").has_value());
}

ValueView ItemReader::ReadOne(const v1::Item& item, uint32_t attribute) const {
  switch (sources_[attribute]) {
    case Source::kDeclared: {
      const auto found = item.attributes().find(schema_.name(attribute));
      return found == item.attributes().end() ? ValueView() : Plain(found->second);
    }
    case Source::kId:
      return std::string_view(item.id());
    case Source::kDomain:
      return Text(item.domain().empty() ? default_domain_ : item.domain());
    case Source::kTitle:
      return Text(item.title());
    case Source::kPrice:
      return item.has_price() ? ValueView(item.price()) : ValueView();
    case Source::kAvailable:
      return !item.has_available() || item.available();
    case Source::kCreated:
      return Time(item.created_time_us());
    case Source::kUpdated:
      return Time(item.updated_time_us());
    case Source::kCategories:
      break;
  }
  return {};
}

void ItemReader::Read(const v1::Item& item, ItemValues* values) const {
  values->values_.assign(schema_.size(), ValueView());
  values->texts_.clear();
  // The sets point into one vector, so it is filled before anything points there.
  std::vector<std::pair<uint32_t, size_t>> sets;
  for (uint32_t attribute = 0; attribute < schema_.size(); ++attribute) {
    if (schema_.type(attribute) != Type::kStrings) {
      const ValueView value = ReadOne(item, attribute);
      if (IsOfType(value, schema_.type(attribute))) values->values_[attribute] = value;
      continue;
    }
    const google::protobuf::RepeatedPtrField<std::string>* texts = nullptr;
    if (sources_[attribute] == Source::kCategories) {
      texts = &item.categories();
    } else if (const auto found = item.attributes().find(schema_.name(attribute));
               found != item.attributes().end() && found->second.has_strings()) {
      texts = &found->second.strings().values();
    }
    if (texts == nullptr) continue;
    sets.emplace_back(attribute, values->texts_.size());
    values->texts_.insert(values->texts_.end(), texts->begin(), texts->end());
  }
  for (size_t s = 0; s < sets.size(); ++s) {
    const size_t end = s + 1 < sets.size() ? sets[s + 1].second : values->texts_.size();
    values->values_[sets[s].first] =
        std::span<const std::string_view>(values->texts_).subspan(sets[s].second, end - sets[s].second);
  }
}

}  // namespace bowerbird::index
