#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/published.h"
#include "catalog/keys.h"
#include "features/build_table.h"
#include "features/table.h"
#include "registry/registry.h"

namespace bowerbird::features {

/// A version of a table, from when it could be read.
struct Version {
  std::string version;
  int64_t created_us = 0;
  std::shared_ptr<const Table> table;
};
struct NamedTable {
  std::string name;
  std::vector<Version> versions;  ///< oldest first, one at least
  const Version& newest() const { return versions.back(); }
  /// The one that was read at that time; null: there was none yet, or it is no longer kept.
  const Version* At(int64_t time_us) const;
  /// The newest of those that had come by that time, and were true by then; null: there is none.
  const Version* AsOf(int64_t time_us) const;
  /// Whether a version was read at that time that is no longer kept.
  bool GoneAt(int64_t time_us) const;
};
/// All tables at some moment, by name. Immutable.
struct TableSet {
  std::vector<NamedTable> tables;
  const NamedTable* Find(std::string_view name) const;
};

/// When a version came, and as of when its values were true.
struct VersionTime {
  int64_t created_us = 0, as_of_us = 0;
};

struct LoadReport {
  std::string version;
  BuildReport built;
  double seconds = 0;
};

/// The tables of an app: artifacts features/NAME/VERSION.
///
/// Threads  any; loads take turns. Readers keep the set that they have got.
/// Bounds   kTablesMax tables, kVersionsKept versions each; mapped files, not memory.
class Tables {
 public:
  static constexpr size_t kTablesMax = 64;
  static constexpr uint32_t kVersionsKept = 3;

  /// `registry` outlives it.
  Tables(registry::Registry* registry, const catalog::KeyHasher& hasher) : registry_(registry), hasher_(hasher) {}

  /// Maps what is published. What is damaged is left out, and said.
  absl::StatusOr<std::vector<std::string>> Open();
  std::shared_ptr<const TableSet> Get() const { return set_.Get(); }
  /// Makes the next version of a table and swaps it in. Errors as BuildTable and Publish; InvalidArgument also: another
  /// entity than the version before, or a new table beyond kTablesMax.
  absl::StatusOr<LoadReport> Load(const std::string& name, const Source& source,
                                  const std::function<bool()>& cancelled);
  /// Takes the rows of some users out of every table of users, which becomes a new version without any of the former
  /// ones. Returns how many tables had one.
  absl::StatusOr<uint64_t> RemoveUsers(std::span<const RowKey> users);
  const catalog::KeyHasher& hasher() const { return hasher_; }
  /// Of a version that is kept, or of one that was. NotFound: nobody knows of it.
  absl::StatusOr<VersionTime> TimeOf(std::string_view name, std::string_view version) const;
  /// These versions, each as the only one of its table. NotFound: one is no longer kept, named.
  absl::StatusOr<std::shared_ptr<const TableSet>> OpenVersions(
      std::span<const std::pair<std::string, std::string>> versions) const;

 private:
  absl::StatusOr<Version> Map(const std::string& name, const std::string& version) const;

  registry::Registry* const registry_;
  const catalog::KeyHasher hasher_;
  absl::Mutex load_mutex_;
  base::Published<TableSet> set_{std::make_shared<const TableSet>()};
};

}  // namespace bowerbird::features
