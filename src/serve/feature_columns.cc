#include "serve/feature_columns.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace bowerbird::serve {

FeatureColumns::Numbers FeatureColumns::Make(const index::Snapshot& snapshot, const features::Table& table,
                                             size_t column, const catalog::KeyHasher& hasher) {
  Numbers numbers(snapshot.size(), std::numeric_limits<double>::quiet_NaN());
  for (uint32_t i = 0; i < snapshot.size(); ++i) {
    const auto row = table.Find(features::RowKey::Of(hasher, snapshot.Id(index::Ordinal(i))));
    if (!row.has_value()) continue;
    if (const auto number = row->Number(column); number.has_value()) numbers[i] = *number;
  }
  return numbers;
}

std::shared_ptr<const FeatureColumns::Numbers> FeatureColumns::Get(const index::Snapshot& snapshot,
                                                                   const std::string& table,
                                                                   const features::Version& version, size_t column) {
  std::shared_ptr<Lazy> lazy;
  {
    const absl::MutexLock lock(&mutex_);
    std::erase_if(entries_,
                  [&](const Entry& entry) { return entry.table == table && entry.version != version.version; });
    const auto at = std::ranges::find_if(entries_, [&](const Entry& entry) {
      return entry.table == table && entry.column == column && entry.snapshot == snapshot.version() &&
             entry.items == snapshot.size();
    });
    if (at != entries_.end()) {
      std::rotate(at, at + 1, entries_.end());
    } else {
      if (entries_.size() == kColumnsMax) entries_.erase(entries_.begin());
      entries_.push_back(
          {std::string(snapshot.version()), table, version.version, snapshot.size(), column, std::make_shared<Lazy>()});
    }
    lazy = entries_.back().lazy;
  }
  absl::call_once(lazy->once, [&] {
    lazy->numbers = std::make_shared<const Numbers>(Make(snapshot, *version.table, column, hasher_));
  });
  return lazy->numbers;
}

}  // namespace bowerbird::serve
