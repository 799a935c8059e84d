#include "features/values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace bowerbird::features {
namespace {

constexpr std::string_view kPrefixes[] = {"user.features.", "item.features."};
constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

/// In a fixed order, and products of floats are exact in a double: the same bits on every machine, so that a row that
/// is made elsewhere has what was served.
double Product(std::span<const float> a, std::span<const float> b) {
  constexpr size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  for (size_t lane = 0; i < a.size(); ++i, ++lane) lanes[lane] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

}  // namespace

std::optional<ColumnName> ColumnName::Parse(std::string_view text) {
  for (const Entity entity : {Entity::kUser, Entity::kItem}) {
    const std::string_view prefix = kPrefixes[static_cast<size_t>(entity)];
    if (!text.starts_with(prefix)) continue;
    text.remove_prefix(prefix.size());
    const size_t dot = text.find('.');
    if (dot == text.npos || dot == 0 || dot + 1 == text.size()) return std::nullopt;
    return ColumnName{entity, std::string(text.substr(0, dot)), std::string(text.substr(dot + 1))};
  }
  return std::nullopt;
}

std::optional<NumberName> NumberName::Parse(std::string_view text) {
  NumberName number;
  if (text.starts_with("dot(") && text.ends_with(')')) {
    text = text.substr(4, text.size() - 5);
    const size_t comma = text.find(',');
    if (comma == text.npos || !ColumnName::Parse(text.substr(comma + 1)).has_value()) return std::nullopt;
    number.other = text.substr(comma + 1);
    text = text.substr(0, comma);
  }
  if (!ColumnName::Parse(text).has_value()) return std::nullopt;
  number.name = text;
  return number;
}

void Values::SetUser(std::string_view id) {
  user_ = id;
  ReadUser();
}

void Values::ReadUser() {
  user_rows_.assign(user_tables_.size(), std::nullopt);
  if (user_.empty() || user_tables_.empty()) return;
  const RowKey key = RowKey::Of(hasher_, user_);
  for (size_t t = 0; t < user_tables_.size(); ++t) user_rows_[t] = user_tables_[t]->newest().table->Find(key);
}

Values::Source Values::Find(std::string_view name) {
  Source source;
  const std::optional<ColumnName> parsed = ColumnName::Parse(name);
  if (!parsed.has_value()) return source;
  source.entity = parsed->entity;
  const NamedTable* named = tables_ == nullptr ? nullptr : tables_->Find(parsed->table);
  if (named == nullptr || named->newest().table->entity() != parsed->entity) return source;
  // The table was read, whether it has the column or not.
  std::vector<const NamedTable*>& of_entity = parsed->entity == Entity::kUser ? user_tables_ : item_tables_;
  const auto at = std::ranges::find(of_entity, named);
  source.slot = static_cast<uint32_t>(at - of_entity.begin());
  if (at == of_entity.end()) {
    of_entity.push_back(named);
    rows_of_.clear();
    item_rows_.clear();
    ReadUser();
  }
  const auto columns = named->newest().table->columns();
  const auto column = std::ranges::find(columns, parsed->column, &features::Column::name);
  if (column == columns.end()) return source;
  source.column = static_cast<size_t>(column - columns.begin());
  source.named = named;
  return source;
}

uint32_t Values::Name(std::string_view name, std::string_view other) {
  for (uint32_t i = 0; i < numbers_.size(); ++i) {
    if (numbers_[i].name == name && numbers_[i].other == other) return i;
  }
  Number number{std::string(name), std::string(other), Find(name), {}, false};
  if (!other.empty()) number.second = Find(other);
  number.of_item = number.first.entity == Entity::kItem || (!other.empty() && number.second.entity == Entity::kItem);
  numbers_.push_back(std::move(number));
  return static_cast<uint32_t>(numbers_.size() - 1);
}

size_t Values::RowsOf(catalog::ItemKey key, std::string_view id) {
  if (rows_of_.size() == kItemsMax && !rows_of_.contains(key.value)) {
    rows_of_.clear();
    item_rows_.clear();
  }
  const auto [at, is_new] = rows_of_.try_emplace(key.value, item_rows_.size());
  if (!is_new) return at->second;
  const RowKey row = RowKey::Of(hasher_, id);
  for (const NamedTable* named : item_tables_) {
    item_rows_.push_back(id.empty() ? std::nullopt : named->newest().table->Find(row));
  }
  return at->second;
}

double Values::Of(uint32_t index, catalog::ItemKey key, std::string_view id) {
  const Number& number = numbers_[index];
  if (number.first.named == nullptr || (!number.other.empty() && number.second.named == nullptr)) return kAbsent;
  const size_t item_rows = number.of_item ? RowsOf(key, id) : 0;
  const std::optional<Table::Row>& row = RowOf(number.first, item_rows);
  if (!row.has_value()) return kAbsent;
  if (number.other.empty()) {
    const double value = row->Number(number.first.column).value_or(kAbsent);
    return std::isfinite(value) ? value : kAbsent;
  }
  const std::optional<Table::Row>& second = RowOf(number.second, item_rows);
  if (!second.has_value()) return kAbsent;
  const std::span<const float> a = row->Vector(number.first.column), b = second->Vector(number.second.column);
  if (a.empty() || a.size() != b.size()) return kAbsent;
  const double product = Product(a, b);
  return std::isfinite(product) ? product : kAbsent;
}

float Values::FloatOf(uint32_t number, catalog::ItemKey key, std::string_view id) {
  const auto value = static_cast<float>(Of(number, key, id));
  return std::isfinite(value) ? value : std::numeric_limits<float>::quiet_NaN();
}

std::optional<Values::Column> Values::ColumnOf(uint32_t index) const {
  const Number& number = numbers_[index];
  if (number.first.named == nullptr || !number.other.empty() || number.first.entity != Entity::kItem) {
    return std::nullopt;
  }
  const Version& version = number.first.named->newest();
  if (version.table->columns()[number.first.column].dim > 0) return std::nullopt;
  return Column{number.first.named->name, &version, number.first.column};
}

void Values::ForEachTable(absl::FunctionRef<void(const NamedTable& table)> visit) const {
  std::vector<const NamedTable*> all = user_tables_;
  all.insert(all.end(), item_tables_.begin(), item_tables_.end());
  std::ranges::sort(all, {}, &NamedTable::name);
  for (const NamedTable* table : all) visit(*table);
}

}  // namespace bowerbird::features
