#include "config/attributes.h"

#include <fmt/format.h>

#include <algorithm>

namespace bowerbird::config {
namespace {

using expression::Type;

constexpr std::pair<std::string_view, Type> kTypes[] = {{"bool", Type::kBool},
                                                        {"number", Type::kNumber},
                                                        {"string", Type::kString},
                                                        {"time", Type::kTime},
                                                        {"strings", Type::kStrings}};
constexpr uint32_t kItemAttributesMax = 256;
constexpr uint32_t kUserAttributesMax = 256;
constexpr uint32_t kDomainsMax = 64;
constexpr uint32_t kDimMax = 4096;

bool IsPlainAttributeName(std::string_view name) {
  return name.size() <= 64 && name.find('.') == name.npos && expression::IsAttributeName(name);
}

void ReadTypeOf(TableReader* parent, std::string_view name, Attribute* attribute) {
  parent->Choice<Type>(name, kTypes, &attribute->type);
}

void ReadTable(TableReader table, AttributeUse use, Attribute* attribute) {
  if (use == AttributeUse::kItem && table.Has("embedding")) {
    attribute->embedding = true;
    table.Integer("embedding", 1, kDimMax, &attribute->dim);
    table.RefuseUnknown("an embedding");
    return;
  }
  table.Require("type", "a type: bool, number, string, time or strings");
  table.Choice<Type>("type", kTypes, &attribute->type);
  if (use == AttributeUse::kItem) table.Bool("stamp", &attribute->stamp);
  table.RefuseUnknown("an attribute");
}

/// The attribute whose values are the categories, by name.
bool CanBeCategory(std::string_view name, const Config& config) {
  const auto is_text = [](Type type) { return type == Type::kString || type == Type::kStrings; };
  if (const Attribute* attribute = config.FindItemAttribute(name))
    return !attribute->embedding && is_text(attribute->type);
  return name == "categories" || name == "domain";
}

void ReadItems(TableReader table, Draft* draft) {
  Config& config = draft->config;
  std::vector<NameAt> domains;
  if (table.Names("domains", &domains)) {
    config.domains.clear();
    for (const NameAt& domain : domains) {
      if (CheckName(domain, draft->problems)) config.domains.push_back(domain.text);
    }
    if (domains.empty() || domains.size() > kDomainsMax) {
      table.Refuse("domains", fmt::format("{} names", domains.size()), fmt::format("1 to {} of them", kDomainsMax));
    }
  }
  ReadAttributes(table.Table("attributes"), AttributeUse::kItem, kItemAttributesMax, draft->problems,
                 &config.item_attributes, &draft->broken_attributes);
  std::string& category = config.state.category_attribute;
  table.Text("category", 0, 64, &category);
  if (!category.empty() && !CanBeCategory(category, config) && !draft->broken_attributes.contains(category)) {
    std::vector<std::string_view> names = {"categories", "domain"};
    for (const Attribute& attribute : config.item_attributes) {
      if (CanBeCategory(attribute.name, config)) names.push_back(attribute.name);
    }
    table.Refuse("category", Quote(category),
                 OneOf("\"\" (none) or an attribute of type string or strings", category, names));
  }
  table.RefuseUnknown("[items]");
}

}  // namespace

void ReadAttributes(TableReader table, AttributeUse use, uint32_t count_max, Problems* problems,
                    std::vector<Attribute>* attributes, base::StringSet* broken) {
  if (!table.CheckCount(count_max)) return;
  for (const NameAt& name : table.Keys()) {
    const size_t problems_before = problems->size();
    Attribute attribute;
    attribute.name = name.text;
    const auto built_in = std::ranges::find(BuiltInItemAttributes(), name.text, &BuiltInAttribute::name);
    if (use == AttributeUse::kItem && built_in != BuiltInItemAttributes().end()) {
      problems->Add(name.line, name.path, fmt::format("the name \"{}\"", name.text),
                    fmt::format("another name, because '{}' is built in ({})", name.text, TypeName(built_in->type)));
      // The built-in one can be used in expressions all the same.
      table.Take(built_in->name);
      continue;
    }
    if (!IsPlainAttributeName(name.text)) {
      problems->Add(
          name.line, name.path, "the name " + Quote(name.text),
          "1 to 64 letters, digits or '_', not starting with a digit, and no word of the expression language");
    }
    const TomlMember* member = table.Take(name.text);
    if (member->value.kind == TomlValue::Kind::kTable) {
      ReadTable(table.Table(name.text), use, &attribute);
    } else {
      ReadTypeOf(&table, name.text, &attribute);
    }
    if (problems->size() == problems_before) {
      attributes->push_back(std::move(attribute));
    } else if (broken != nullptr) {
      broken->insert(name.text);
    }
  }
}

void ReadItemsAndUsers(TableReader* root, Draft* draft) {
  ReadItems(root->Table("items"), draft);
  TableReader users = root->Table("users");
  ReadAttributes(users.Table("attributes"), AttributeUse::kUser, kUserAttributesMax, draft->problems,
                 &draft->config.user_attributes, nullptr);
  users.RefuseUnknown("[users]");
  draft->item_schema = draft->config.ItemSchema();
}

}  // namespace bowerbird::config
