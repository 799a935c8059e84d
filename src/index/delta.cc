#include "index/delta.h"

#include <algorithm>
#include <string>
#include <utility>

#include "catalog/item_rules.h"

namespace bowerbird::index {
std::shared_ptr<const DeltaItem> MakeDeltaItem(catalog::ItemKey key, uint64_t offset, const v1::Item* item,
                                               const ItemReader& reader, const config::Config& config,
                                               const Snapshot* snapshot) {
  auto made = std::make_shared<DeltaItem>();
  made->key = key;
  made->offset = offset;
  if (snapshot != nullptr) made->ordinal = snapshot->Find(key);
  if (item == nullptr) {
    made->deleted = true;
    return made;
  }
  made->item = *item;
  made->eligible = catalog::Eligible(*item);
  const std::vector<std::string> categories = catalog::CategoriesOf(*item, config);
  for (const std::string& category : categories) made->categories.push_back(catalog::CategoryHash(category));
  reader.Read(made->item, &made->values);
  if (snapshot == nullptr) return made;
  // What was learned from an item's events outlives a change of its content, such as a new price.
  made->factor_trained = made->ordinal != kNoOrdinal && snapshot->FactorTrained(made->ordinal) &&
                         snapshot->Id(made->ordinal) == item->id();
  if (!made->factor_trained && snapshot->dim() != 0) {
    made->factor.assign(snapshot->dim(), 0.0f);
    if (snapshot->predictor() != nullptr) snapshot->predictor()->Predict(made->item, categories, made->factor);
  }
  return made;
}

DeltaLevels::Level DeltaLevels::Merge(const Level& older, const Level& newer) {
  Level merged;
  merged.reserve(older.size() + newer.size());
  auto old = older.begin();
  for (const Entry& entry : newer) {
    for (; old != older.end() && old->key < entry.key; ++old) merged.push_back(*old);
    if (old != older.end() && old->key == entry.key) ++old;
    merged.push_back(entry);
  }
  merged.insert(merged.end(), old, older.end());
  return merged;
}

DeltaLevels DeltaLevels::With(std::vector<Pointer> changes) const {
  DeltaLevels next = *this;
  if (changes.empty()) return next;
  Level level;
  level.reserve(changes.size());
  for (Pointer& change : changes) {
    const catalog::ItemKey key = change->key;
    level.push_back({key, std::move(change)});
  }
  auto top = std::make_shared<const Level>(std::move(level));
  while (!next.levels_.empty() && next.levels_.back()->size() <= 2 * top->size()) {
    top = std::make_shared<const Level>(Merge(*next.levels_.back(), *top));
    next.levels_.pop_back();
  }
  next.levels_.push_back(std::move(top));
  return next;
}

const DeltaItem* DeltaLevels::Find(catalog::ItemKey key) const {
  for (size_t l = levels_.size(); l-- > 0;) {
    const auto found = std::ranges::lower_bound(*levels_[l], key, {}, &Entry::key);
    if (found != levels_[l]->end() && found->key == key) return found->item.get();
  }
  return nullptr;
}

void DeltaLevels::ForEach(absl::FunctionRef<void(const Pointer&)> visit) const {
  std::vector<size_t> at(levels_.size(), 0);
  while (true) {
    // Of the levels that stand at the smallest key, the youngest has the newest change.
    const Entry* next = nullptr;
    for (size_t l = 0; l < levels_.size(); ++l) {
      if (at[l] == levels_[l]->size()) continue;
      const Entry& entry = (*levels_[l])[at[l]];
      if (next == nullptr || entry.key <= next->key) next = &entry;
    }
    if (next == nullptr) return;
    for (size_t l = 0; l < levels_.size(); ++l) {
      if (at[l] < levels_[l]->size() && (*levels_[l])[at[l]].key == next->key) ++at[l];
    }
    visit(next->item);
  }
}

}  // namespace bowerbird::index
