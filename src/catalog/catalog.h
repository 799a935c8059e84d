#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "catalog/feeds.h"
#include "catalog/item_rules.h"
#include "catalog/item_stamp.h"
#include "catalog/keys.h"
#include "config/config.h"

namespace rocksdb {
class Env;
}

namespace bowerbird::catalog {

/// The items as of the last applied record of the `catalog` topic: a view that can be thrown away and made again by
/// replay. It stores; it does not append to the log (collect does) and holds no index (index::LiveIndex does). What the
/// product told us about users (the `users` topic) is kept beside the items in the same way.
///
/// Data     one RocksDB in `dir`: item key -> Item; the applied offset is committed in the same write. Its WAL is off:
/// Open is
///          followed by applying the log from applied_offset() on. Bytes: docs/formats/catalog-store.md.
/// Threads  Apply and ApplyUser from one thread at a time, in offset order; everything else from any thread at once.
/// Bounds   memory: the store's caches as configured, plus a cache of stamps of at most `stamp_cache_bytes`.
/// Errors   Unavailable: the store cannot read or write; DataLoss: a stored value does not pass its check. What is
/// damaged is thrown away by the Open that meets it, or by the next one, and comes from the log again.
class Catalog {
 public:
  struct Options {
    uint64_t stamp_cache_bytes = 128u << 20;
    uint64_t block_cache_bytes = 64u << 20;
    rocksdb::Env* env = nullptr;  ///< the disk; null: the machine's
  };
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(const std::string& dir,
                                                       std::shared_ptr<const config::Config> config,
                                                       const KeyHasher& hasher, const Options& options);
  ~Catalog();

  /// `offset` is the record's; records at or below the applied one are ignored, so that a replay changes nothing.
  absl::Status Apply(uint64_t offset, const v1::CatalogRecord& record);
  /// One past the last applied offset; 0 for an empty catalog.
  uint64_t applied_offset() const;
  /// Makes everything applied durable.
  absl::Status Flush();

  /// A copy in the new folder `to`, of everything applied before the call at least.
  absl::Status Checkpoint(const std::string& to) const;

  /// NotFound; FailedPrecondition when the stored id differs (a collision).
  absl::StatusOr<v1::Item> Get(std::string_view id) const;
  /// Null for an unknown item, and when the store cannot be read: an event is then taken without its item's stamp, and
  /// counted in stamp_failures(). Cheap: the hot path of intake (catalog_bench).
  std::shared_ptr<const ItemStamp> Stamp(ItemKey key) const;
  uint64_t stamp_failures() const;
  /// Whether a read has met damage since Open.
  bool damaged() const;
  uint64_t size() const;
  /// Calls `visit` for every item in key order with a consistent view; `offset` receives applied_offset() of that view.
  /// A false return stops.
  absl::Status Scan(const std::function<bool(ItemKey, const v1::Item&)>& visit, uint64_t* offset) const;

  /// The full-feed syncs as of applied_offset(). Null: no such token.
  std::shared_ptr<const Feed> FindFeed(std::string_view token) const;
  /// Calls `visit`, in key order, for the items that are not withdrawn and that `feed` did not name. A false return
  /// stops.
  absl::Status ScanMissingFromFeed(const Feed& feed, const std::function<bool(ItemKey, const v1::Item&)>& visit) const;

  /// The `users` topic, partition by partition, under the rules of Apply.
  absl::Status ApplyUser(uint32_t partition, uint64_t offset, const v1::UserRecord& record);
  uint64_t users_applied_offset(uint32_t partition) const;
  /// NotFound; FailedPrecondition when the stored id differs (a collision).
  absl::StatusOr<v1::User> GetUser(std::string_view id) const;
  /// What was written over of these users is in no file any more.
  absl::Status EraseUsers(std::span<const UserKey> users);
  /// Every key and value that memory and files hold, those that were written over too.
  absl::Status VisitStored(const std::function<void(std::string_view key, std::string_view value)>& visit) const;

 private:
  struct Impl;
  explicit Catalog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bowerbird::catalog
