#include "catalog/item_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/closest_name.h"
#include "base/string_map.h"
#include "base/time_text.h"
#include "base/utf8.h"

namespace bowerbird::catalog {
namespace {

using expression::Type;

/// Clients' names in messages: whole when short, and always valid UTF-8.
std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 64;
  std::string shown;
  for (size_t i = 0; i < text.size() && i < kShown;) {
    const size_t length = base::Utf8Length(text, i);
    shown += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(i, length);
    i += std::max<size_t>(length, 1);
  }
  return fmt::format("\"{}{}\"", shown, text.size() > kShown ? "..." : "");
}

const config::Attribute* Find(const std::vector<config::Attribute>& declared, std::string_view name) {
  const auto it = std::find_if(declared.begin(), declared.end(), [&](const auto& a) { return a.name == name; });
  return it == declared.end() ? nullptr : &*it;
}

Type TypeOf(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kBoolValue:
      return Type::kBool;
    case v1::Value::kNumberValue:
      return Type::kNumber;
    case v1::Value::kTimeUs:
      return Type::kTime;
    case v1::Value::kStrings:
      return Type::kStrings;
    default:
      return Type::kString;
  }
}

std::optional<Problem> CheckAttributes(const google::protobuf::Map<std::string, v1::Value>& attributes,
                                       const std::vector<config::Attribute>& declared, const config::Collect& limits) {
  if (attributes.size() > limits.attributes_max) {
    return Problem{"too_many", "attributes",
                   fmt::format("found {}; expected at most {}", attributes.size(), limits.attributes_max)};
  }
  // In the order of the names, so that the same item is always refused for the same reason.
  std::vector<const std::string*> names;
  for (const auto& [name, value] : attributes) names.push_back(&name);
  std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
  for (const std::string* name : names) {
    const std::string field = "attributes." + *name;
    const config::Attribute* attribute = Find(declared, *name);
    if (attribute == nullptr) return UndeclaredAttribute(*name, "attributes", declared);
    if (attribute->embedding) {
      return Problem{"wrong_type", field, "found an attribute; expected this name in embeddings"};
    }
    if (auto problem = CheckValue(attributes.at(*name), *attribute, field, limits.attribute_bytes_max)) return problem;
  }
  return std::nullopt;
}

std::optional<Problem> CheckEmbeddings(const v1::Item& item, const config::Config& config) {
  base::StringSet names;
  for (const v1::Embedding& embedding : item.embeddings()) {
    const config::Attribute* attribute = config.FindItemAttribute(embedding.name());
    if (attribute == nullptr || !attribute->embedding) {
      return UndeclaredAttribute(embedding.name(), "embeddings", config.item_attributes);
    }
    const std::string field = "embeddings." + embedding.name();
    if (!names.insert(embedding.name()).second) return Problem{"duplicate", field, "found twice; expected once"};
    if (embedding.values_size() != static_cast<int>(attribute->dim)) {
      return Problem{"wrong_size", field,
                     fmt::format("found {} numbers; expected {}", embedding.values_size(), attribute->dim)};
    }
    for (int i = 0; i < embedding.values_size(); ++i) {
      if (!std::isfinite(embedding.values(i))) {
        return Problem{"not_finite", fmt::format("{}[{}]", field, i),
                       fmt::format("found {}; expected a finite number", embedding.values(i))};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

bool Eligible(const v1::Item& item) { return !item.withdrawn() && (!item.has_available() || item.available()); }

std::vector<std::string> CategoriesOf(const v1::Item& item, const config::Config& config) {
  const std::string& source = config.state.category_attribute;
  if (source == "categories") return {item.categories().begin(), item.categories().end()};
  if (source == "domain") return {item.domain().empty() ? config.domains.front() : item.domain()};
  const auto it = item.attributes().find(source);
  if (it == item.attributes().end()) return {};
  switch (it->second.kind_case()) {
    case v1::Value::kStringValue:
      return {it->second.string_value()};
    case v1::Value::kStrings:
      return {it->second.strings().values().begin(), it->second.strings().values().end()};
    default:
      return {};
  }
}

std::optional<Problem> CheckId(std::string_view id, std::string_view field, uint32_t bytes_max) {
  if (id.empty()) {
    return Problem{"missing_field", std::string(field),
                   fmt::format("found nothing; expected 1 to {} bytes", bytes_max)};
  }
  return CheckText(id, field, bytes_max);
}

std::optional<Problem> CheckText(std::string_view text, std::string_view field, uint32_t bytes_max) {
  if (text.size() > bytes_max) {
    return Problem{"too_long", std::string(field),
                   fmt::format("found {} bytes; expected at most {}", text.size(), bytes_max)};
  }
  if (const size_t bad = base::FindInvalidUtf8(text); bad != std::string_view::npos) {
    return Problem{
        "invalid_utf8", std::string(field),
        fmt::format("found byte 0x{:02x} at position {}; expected UTF-8", static_cast<uint8_t>(text[bad]), bad)};
  }
  return std::nullopt;
}

std::string DescribeValue(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kBoolValue:
      return fmt::format("bool {}", value.bool_value());
    case v1::Value::kNumberValue:
      return fmt::format("number {}", value.number_value());
    case v1::Value::kStringValue:
      return fmt::format("string {}", Quoted(value.string_value()));
    case v1::Value::kTimeUs:
      return fmt::format("time {}", value.time_us());
    case v1::Value::kStrings:
      return fmt::format("{} strings", value.strings().values_size());
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return "nothing";
}

void FitValue(const config::Attribute& attribute, v1::Value* value) {
  if (attribute.type != Type::kTime) return;
  if (value->has_string_value()) {
    if (const auto time = base::ParseTimeUs(value->string_value()); time.ok()) value->set_time_us(*time);
  } else if (value->has_number_value()) {
    const double number = value->number_value();
    // Whole numbers are exact up to here, the year 2255.
    if (number == std::trunc(number) && std::abs(number) <= 0x1p53) value->set_time_us(static_cast<int64_t>(number));
  }
}

void FitAttributes(const std::vector<config::Attribute>& declared,
                   google::protobuf::Map<std::string, v1::Value>* attributes) {
  if (attributes->empty()) return;
  for (const config::Attribute& attribute : declared) {
    if (attribute.type != Type::kTime) continue;
    if (const auto it = attributes->find(attribute.name); it != attributes->end()) FitValue(attribute, &it->second);
  }
}

std::optional<Problem> CheckValue(const v1::Value& value, const config::Attribute& attribute, std::string_view field,
                                  uint32_t bytes_max) {
  if (value.kind_case() == v1::Value::KIND_NOT_SET || TypeOf(value) != attribute.type) {
    return Problem{"wrong_type", std::string(field),
                   fmt::format("found {}; expected {}{}", DescribeValue(value), expression::TypeName(attribute.type),
                               attribute.type == Type::kTime ? " (RFC 3339, or microseconds since 1970)" : "")};
  }
  switch (value.kind_case()) {
    case v1::Value::kNumberValue:
      if (std::isfinite(value.number_value())) break;
      return Problem{"not_finite", std::string(field),
                     fmt::format("found {}; expected a finite number", value.number_value())};
    case v1::Value::kStringValue:
      return CheckText(value.string_value(), field, bytes_max);
    case v1::Value::kStrings: {
      size_t bytes = 0;
      for (int i = 0; i < value.strings().values_size(); ++i) {
        const std::string& text = value.strings().values(i);
        // Every element counts at least one byte, so that empty ones are bounded too.
        bytes += std::max<size_t>(text.size(), 1);
        if (!base::IsValidUtf8(text)) return CheckText(text, fmt::format("{}[{}]", field, i), bytes_max);
      }
      if (bytes <= bytes_max) break;
      return Problem{"too_long", std::string(field),
                     fmt::format("found {} bytes in all; expected at most {}", bytes, bytes_max)};
    }
    default:
      break;
  }
  return std::nullopt;
}

Problem UndeclaredAttribute(std::string_view name, std::string_view field,
                            const std::vector<config::Attribute>& declared) {
  std::vector<std::string_view> names;
  for (const config::Attribute& attribute : declared) names.push_back(attribute.name);
  const std::string_view closest = base::ClosestName(name, names);
  const bool shown = base::IsValidUtf8(name) && name.size() <= 64;
  return Problem{"undeclared_attribute", shown ? fmt::format("{}.{}", field, name) : std::string(field),
                 closest.empty() ? fmt::format("found {}; expected a name declared in the config", Quoted(name))
                                 : fmt::format("found {}; did you mean \"{}\"?", Quoted(name), closest)};
}

std::optional<Problem> CheckItem(const v1::Item& item, const config::Config& config) {
  const config::Collect& limits = config.collect;
  if (auto problem = CheckId(item.id(), "id", limits.id_bytes_max)) return problem;
  if (!item.domain().empty() &&
      std::find(config.domains.begin(), config.domains.end(), item.domain()) == config.domains.end()) {
    return Problem{
        "unknown_domain", "domain",
        fmt::format("found {}; expected one of: {}", Quoted(item.domain()), fmt::join(config.domains, ", "))};
  }
  if (auto problem = CheckText(item.title(), "title", limits.text_bytes_max)) return problem;
  if (auto problem = CheckText(item.description(), "description", limits.text_bytes_max)) return problem;
  if (auto problem = CheckText(item.image_url(), "image_url", kUrlBytesMax)) return problem;
  if (auto problem = CheckText(item.url(), "url", kUrlBytesMax)) return problem;
  if (item.categories_size() > static_cast<int>(kCategoriesMax)) {
    return Problem{"too_many", "categories",
                   fmt::format("found {}; expected at most {}", item.categories_size(), kCategoriesMax)};
  }
  for (int i = 0; i < item.categories_size(); ++i) {
    if (auto problem = CheckId(item.categories(i), fmt::format("categories[{}]", i), kCategoryBytesMax)) return problem;
  }
  if (item.has_price() && !std::isfinite(item.price())) {
    return Problem{"not_finite", "price", fmt::format("found {}; expected a finite number", item.price())};
  }
  if (item.created_time_us() < 0) {
    return Problem{"out_of_range", "created_time_us",
                   fmt::format("found {}; expected a time from 1970 on", item.created_time_us())};
  }
  if (auto problem = CheckAttributes(item.attributes(), config.item_attributes, limits)) return problem;
  return CheckEmbeddings(item, config);
}

absl::Status ValidateItem(const v1::Item& item, const config::Config& config) {
  const std::optional<Problem> problem = CheckItem(item, config);
  return problem ? ToStatus(*problem) : absl::OkStatus();
}

std::optional<Problem> CheckUser(const v1::User& user, const config::Config& config) {
  if (auto problem = CheckId(user.id(), "id", config.collect.id_bytes_max)) return problem;
  return CheckAttributes(user.attributes(), config.user_attributes, config.collect);
}

v1::Item MergePatch(const v1::Item& base, const v1::Item& patch) {
  v1::Item merged = base;
  if (!patch.domain().empty()) merged.set_domain(patch.domain());
  if (!patch.title().empty()) merged.set_title(patch.title());
  if (!patch.description().empty()) merged.set_description(patch.description());
  if (!patch.image_url().empty()) merged.set_image_url(patch.image_url());
  if (!patch.url().empty()) merged.set_url(patch.url());
  if (patch.categories_size() > 0) *merged.mutable_categories() = patch.categories();
  if (patch.has_price()) merged.set_price(patch.price());
  if (patch.has_available()) merged.set_available(patch.available());
  if (patch.created_time_us() != 0) merged.set_created_time_us(patch.created_time_us());
  for (const auto& [name, value] : patch.attributes()) {
    if (value.kind_case() == v1::Value::KIND_NOT_SET) {
      merged.mutable_attributes()->erase(name);
    } else {
      (*merged.mutable_attributes())[name] = value;
    }
  }
  for (const v1::Embedding& embedding : patch.embeddings()) {
    auto* list = merged.mutable_embeddings();
    const auto it =
        std::find_if(list->begin(), list->end(), [&](const auto& e) { return e.name() == embedding.name(); });
    if (embedding.values().empty()) {
      if (it != list->end()) list->erase(it);
    } else if (it != list->end()) {
      *it = embedding;
    } else {
      *list->Add() = embedding;
    }
  }
  return merged;
}

}  // namespace bowerbird::catalog
