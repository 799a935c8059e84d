#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "lake/record_group.h"

namespace bowerbird::lake {

/// Row groups that were read lately.
///
/// Threads  any; two that want the same group read it once.
/// Bounds   `bytes_max`, beside what those who read hold.
class GroupCache {
 public:
  explicit GroupCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  using Group = std::shared_ptr<const RecordGroup>;
  /// Of the file with this PartIndex::id. `load` makes a group that is not there; its error is returned.
  absl::StatusOr<Group> Get(uint64_t part, size_t group, const std::function<absl::StatusOr<Group>()>& load);
  /// Drops what is of a file that is no part of its table any more.
  void Forget(uint64_t part);
  /// Drops everything when nobody has asked for `unused_us`.
  void DropUnused(int64_t unused_us);
  size_t bytes() const;

 private:
  using Key = std::pair<uint64_t, size_t>;
  struct Entry {
    Group group;  ///< null: being read
    std::list<Key>::iterator used;
  };
  void Drop(std::map<Key, Entry>::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t bytes_max_;
  mutable absl::Mutex mutex_;
  std::map<Key, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::list<Key> used_ ABSL_GUARDED_BY(mutex_);  ///< those that are there, the latest first
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t asked_us_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bowerbird::lake
