#include "serve/table_values.h"

#include <algorithm>
#include <optional>

namespace bowerbird::serve {

TableValues::TableValues(const Inputs& inputs, std::string_view user)
    : inputs_(inputs), values_(inputs.features, inputs.hasher) {
  values_.SetUser(user);
}

void TableValues::Name(const expression::Program* condition) {
  if (condition == nullptr) return;
  for (const expression::OpenNumber& number : condition->open()) values_.Name(number.name, number.other);
}

void TableValues::NameRankFeatures(const config::Surface& surface, const rank::Trained* trained) {
  for (const config::RankFeature& feature : surface.features) {
    ranked_.push_back({values_.Name(feature.number.name, feature.number.other), feature.name, feature.weight});
  }
  if (trained == nullptr) return;
  for (const std::string& name : trained->added) {
    if (std::ranges::find(ranked_, name, &Ranked::name) != ranked_.end()) continue;
    const std::optional<features::NumberName> number = features::NumberName::Parse(name);
    if (number.has_value()) ranked_.push_back({values_.Name(number->name, number->other), name, 0});
  }
}

void TableValues::Record(v1::ServedRecord* record) const {
  values_.ForEachTable([&](const features::NamedTable& table) {
    v1::ServedTable* out = record->add_tables();
    out->set_name(table.name);
    out->set_version(table.newest().version);
    out->set_as_of_us(table.newest().table->as_of_us());
  });
}

double TableValues::Of(const index::ItemHandle& item, const expression::OpenNumber& number) const {
  return values_.Of(values_.Name(number.name, number.other), item.key, inputs_.view->Id(item));
}

expression::ColumnView TableValues::Column(const expression::OpenNumber& number) const {
  const uint32_t index = values_.Name(number.name, number.other);
  expression::ColumnView view;
  if (!values_.OfItem(index)) {
    view.type = expression::Type::kNumber;
    view.constant = true;
    view.numbers = std::span(&constants_.emplace_back(values_.Of(index, catalog::ItemKey(), "")), 1);
    return view;
  }
  const std::optional<features::Values::Column> column = values_.ColumnOf(index);
  const index::Snapshot* snapshot = inputs_.view->snapshot();
  if (!column.has_value() || snapshot == nullptr) return view;
  view.type = expression::Type::kNumber;
  columns_.push_back(inputs_.columns != nullptr
                         ? inputs_.columns->Get(*snapshot, column->table, *column->version, column->column)
                         : std::make_shared<const FeatureColumns::Numbers>(FeatureColumns::Make(
                               *snapshot, *column->version->table, column->column, inputs_.hasher)));
  view.numbers = *columns_.back();
  return view;
}

void TableValues::Read(const index::ItemHandle& item, std::span<float> values) const {
  const std::string_view id = inputs_.view->Id(item);
  for (size_t a = 0; a < ranked_.size(); ++a) values[a] = values_.FloatOf(ranked_[a].number, item.key, id);
}

}  // namespace bowerbird::serve
