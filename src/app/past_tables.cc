#include "app/past_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "fmt/format.h"

namespace bowerbird::app {
namespace {

bool IsIn(const features::NumberName& number, const base::StringSet& tables) {
  for (const std::string* name : {&number.name, &number.other}) {
    const auto column = features::ColumnName::Parse(*name);
    if (column.has_value() && tables.contains(column->table)) return true;
  }
  return false;
}

}  // namespace

bool PastTables::IsOfTables(const std::string& name) const { return features::NumberName::Parse(name).has_value(); }

void PastTables::Name(const std::vector<std::string>& names) {
  names_.clear();
  for (const std::string& name : names) names_.push_back(*features::NumberName::Parse(name));
  values_.reset();
  chosen_.clear();
}

void PastTables::Choose(const v1::ServedRecord& record, bool others) {
  if (names_.empty()) return;
  gone_.clear();
  std::vector<const features::Version*> chosen(tables_->tables.size(), nullptr);
  base::StringSet recorded;
  for (const v1::ServedTable& served : record.tables()) {
    recorded.insert(served.name());
    const features::NamedTable* table = tables_->Find(served.name());
    const features::Version* kept = nullptr;
    if (table != nullptr) {
      const auto at = std::ranges::find(table->versions, served.version(), &features::Version::version);
      if (at != table->versions.end()) kept = &*at;
    }
    if (kept == nullptr) {
      gone_.insert(served.name());
    } else {
      chosen[static_cast<size_t>(table - tables_->tables.data())] = kept;
    }
  }
  for (size_t t = 0; others && t < chosen.size(); ++t) {
    const features::NamedTable& table = tables_->tables[t];
    if (recorded.contains(table.name)) continue;
    chosen[t] = table.AsOf(record.time_us());
    if (table.GoneAt(record.time_us())) gone_.insert(table.name);
  }
  if (!values_.has_value() || chosen != chosen_) UseVersions(std::move(chosen));
  values_->SetUser(record.request().user());
}

void PastTables::UseVersions(std::vector<const features::Version*> chosen) {
  chosen_ = std::move(chosen);
  auto set = std::make_shared<features::TableSet>();
  for (size_t t = 0; t < chosen_.size(); ++t) {
    if (chosen_[t] != nullptr) set->tables.push_back({tables_->tables[t].name, {*chosen_[t]}});
  }
  values_.emplace(std::move(set), hasher_);
  numbers_.clear();
  for (const features::NumberName& name : names_) numbers_.push_back(values_->Name(name.name, name.other));
}

rows::PastFeatures::Value PastTables::Of(size_t feature, const v1::ServedCandidate& item) {
  Value value;
  value.value = values_->FloatOf(numbers_[feature], catalog::ItemKey(item.item_key()), item.item());
  value.gone = std::isnan(value.value) && IsIn(names_[feature], gone_);
  return value;
}

void CompareTables(const v1::ServedRecord& record, PastTables* tables, TableSkew* skew,
                   const std::function<void(const std::string&)>& on_difference) {
  std::vector<std::string> names;
  std::vector<int> places;
  for (int f = 0; f < record.feature_names_size(); ++f) {
    if (!tables->IsOfTables(record.feature_names(f))) continue;
    names.push_back(record.feature_names(f));
    places.push_back(f);
  }
  if (names.empty()) return;
  tables->Name(names);
  tables->BeginAsServed(record);
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.features_size() != record.feature_names_size()) continue;
    for (size_t i = 0; i < names.size(); ++i) {
      const rows::PastFeatures::Value again = tables->Of(i, candidate);
      if (again.gone) {
        ++skew->gone;
        continue;
      }
      ++skew->compared;
      const float served = candidate.features(places[i]);
      if (std::bit_cast<uint32_t>(served) == std::bit_cast<uint32_t>(again.value)) continue;
      ++skew->differences;
      on_difference(fmt::format("request {} of user {}: {} of item {}: served {}, the table says {}",
                                record.request_id(), record.request().user(), names[i], candidate.item(), served,
                                again.value));
    }
  }
}

}  // namespace bowerbird::app
