#include "serve/item_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace bowerbird::serve {
namespace {

using Move = void (*)(v1::Item* from, v1::Item* to);
constexpr std::pair<std::string_view, Move> kFields[] = {
    {"domain", [](v1::Item* from, v1::Item* to) { to->set_domain(std::move(*from->mutable_domain())); }},
    {"title", [](v1::Item* from, v1::Item* to) { to->set_title(std::move(*from->mutable_title())); }},
    {"description", [](v1::Item* from, v1::Item* to) { to->set_description(std::move(*from->mutable_description())); }},
    {"image_url", [](v1::Item* from, v1::Item* to) { to->set_image_url(std::move(*from->mutable_image_url())); }},
    {"url", [](v1::Item* from, v1::Item* to) { to->set_url(std::move(*from->mutable_url())); }},
    {"categories", [](v1::Item* from, v1::Item* to) { *to->mutable_categories() = from->categories(); }},
    {"price",
     [](v1::Item* from, v1::Item* to) {
       if (from->has_price()) to->set_price(from->price());
     }},
    {"available", [](v1::Item* from, v1::Item* to) { to->set_available(!from->has_available() || from->available()); }},
    {"created_time_us", [](v1::Item* from, v1::Item* to) { to->set_created_time_us(from->created_time_us()); }},
    {"updated_time_us", [](v1::Item* from, v1::Item* to) { to->set_updated_time_us(from->updated_time_us()); }},
};

const std::pair<std::string_view, Move>* FindField(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kFields), std::end(kFields), [&](const auto& f) { return f.first == name; });
  return found == std::end(kFields) ? nullptr : found;
}

}  // namespace

bool IsItemField(const config::Config& config, std::string_view name) {
  return FindField(name) != nullptr || config.FindItemAttribute(name) != nullptr;
}

std::string ItemFieldNames(const config::Config& config) {
  std::vector<std::string_view> names;
  for (const auto& [name, move] : kFields) names.push_back(name);
  for (const config::Attribute& attribute : config.item_attributes) names.push_back(attribute.name);
  return fmt::format("one of {}", fmt::join(names, ", "));
}

v1::Item SelectFields(v1::Item item, const google::protobuf::RepeatedPtrField<std::string>& fields) {
  v1::Item selected;
  selected.set_id(item.id());
  for (const std::string& name : fields) {
    if (const auto* field = FindField(name)) {
      field->second(&item, &selected);
      continue;
    }
    const auto attribute = item.attributes().find(name);
    if (attribute != item.attributes().end()) (*selected.mutable_attributes())[name] = attribute->second;
    for (const v1::Embedding& embedding : item.embeddings()) {
      if (embedding.name() == name) *selected.add_embeddings() = embedding;
    }
  }
  return selected;
}

}  // namespace bowerbird::serve
