#include "serve/feature_rows.h"

#include <utility>

namespace bowerbird::serve {

std::optional<v1::FeatureRow> ShowFeatures(const features::NamedTable& table, const features::RowKey& id) {
  const features::Version& version = table.newest();
  const auto row = version.table->Find(id);
  if (!row.has_value()) return std::nullopt;
  v1::FeatureRow shown;
  shown.set_table(table.name);
  shown.set_version(version.version);
  shown.set_as_of_us(version.table->as_of_us());
  const auto columns = version.table->columns();
  for (size_t i = 0; i < columns.size(); ++i) {
    v1::FeatureValue* value = shown.add_values();
    value->set_name(columns[i].name);
    if (const auto number = row->Number(i); number.has_value()) value->set_number(*number);
    const auto vector = row->Vector(i);
    value->mutable_vector()->Add(vector.begin(), vector.end());
  }
  return shown;
}

void AddUserFeatures(const features::TableSet& tables, const features::RowKey& user, v1::ProfileResponse* profile) {
  for (const features::NamedTable& table : tables.tables) {
    if (table.newest().table->entity() != features::Entity::kUser) continue;
    std::optional<v1::FeatureRow> row = ShowFeatures(table, user);
    if (row.has_value()) *profile->add_features() = *std::move(row);
  }
}

}  // namespace bowerbird::serve
