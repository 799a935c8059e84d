#pragma once

#include <optional>
#include <string_view>

#include "bowerbird/v1/serving.pb.h"
#include "features/tables.h"

namespace bowerbird::serve {

/// What the newest version of a table says of an id; empty where it has no row for it.
std::optional<v1::FeatureRow> ShowFeatures(const features::NamedTable& table, const features::RowKey& id);

/// The rows that the tables of users have for a user, by table.
void AddUserFeatures(const features::TableSet& tables, const features::RowKey& user, v1::ProfileResponse* profile);

}  // namespace bowerbird::serve
