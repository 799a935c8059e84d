#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/synchronization/mutex.h"
#include "catalog/keys.h"
#include "features/tables.h"
#include "index/snapshot.h"

namespace bowerbird::serve {

/// Columns of tables of items, laid out by a snapshot's ordinals: a filter scans them as it scans an attribute.
///
/// Threads  any; whoever asks for a column that another thread is making waits for it.
/// Cost     the first Get of a column of a version and a snapshot: a look-up in the table for each item; later ones are
///          free.
/// Bounds   kColumnsMax columns of 8 bytes an item, the ones used last; a column of another version of its table goes
///          at once.
class FeatureColumns {
 public:
  static constexpr size_t kColumnsMax = 16;
  using Numbers = std::vector<double>;  ///< by ordinal; NaN: absent

  explicit FeatureColumns(const catalog::KeyHasher& hasher) : hasher_(hasher) {}
  /// `column` is one of numbers, of the version's table.
  std::shared_ptr<const Numbers> Get(const index::Snapshot& snapshot, const std::string& table,
                                     const features::Version& version, size_t column);
  /// The same without keeping it.
  static Numbers Make(const index::Snapshot& snapshot, const features::Table& table, size_t column,
                      const catalog::KeyHasher& hasher);

 private:
  struct Lazy {
    absl::once_flag once;
    std::shared_ptr<const Numbers> numbers;
  };
  struct Entry {
    std::string snapshot, table, version;
    uint32_t items = 0;
    size_t column = 0;
    std::shared_ptr<Lazy> lazy;
  };

  const catalog::KeyHasher hasher_;
  absl::Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);  ///< the one used last at the end
};

}  // namespace bowerbird::serve
