#include "catalog/catalog.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/status_macros.h"
#include "catalog/stamp_cache.h"
#include "catalog/store_format.h"
#include "store/rocks.h"

namespace bowerbird::catalog {
namespace {

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

constexpr char kReading[] = "read the catalog store";
constexpr char kWriting[] = "write the catalog store";

rocksdb::Env* DiskOf(const Catalog::Options& options) {
  return options.env != nullptr ? options.env : rocksdb::Env::Default();
}

absl::StatusOr<std::unique_ptr<store::RocksStore>> OpenStore(const std::string& dir, const Catalog::Options& options) {
  constexpr size_t kWriteBufferBytes = 32u << 20;
  const store::RocksMemory memory = store::MakeRocksMemory(options.block_cache_bytes, 2 * kWriteBufferBytes);
  rocksdb::ColumnFamilyOptions column = store::RocksColumnOptions(memory, kWriteBufferBytes);
  // Unknown items are asked for as often as known ones.
  auto* table = column.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
  table->filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::DBOptions db = store::RocksDbOptions(memory);
  db.env = DiskOf(options);
  return store::RocksStore::Open(dir, db, {{rocksdb::kDefaultColumnFamilyName, column}});
}

/// The log recovers what a crash loses.
rocksdb::WriteOptions WithoutWal() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

absl::Status DamagedItem(ItemKey key) {
  return absl::DataLossError(fmt::format("catalog store: item {:016x} is not readable", key.value));
}

absl::Status Collision(std::string_view kind, std::string_view id) {
  return ToStatus({"id_collision", "id",
                   fmt::format("found \"{}\", whose key belongs to another {}; expected another id", id, kind)},
                  absl::StatusCode::kFailedPrecondition);
}

}  // namespace

struct Catalog::Impl {
  Impl(std::string dir, std::shared_ptr<const config::Config> config, const KeyHasher& hasher, const Options& options,
       std::unique_ptr<store::RocksStore> opened)
      : dir(std::move(dir)),
        config(std::move(config)),
        hasher(hasher),
        store(std::move(opened)),
        db(&store->db()),
        stamps(options.stamp_cache_bytes, [this](ItemKey key) { return LoadStamp(key); }) {}

  /// What a read came to. Damage is remembered, so that the next Open makes the store anew.
  absl::Status Reading(const rocksdb::Status& status) const {
    absl::Status read = store::FromRocks(status, kReading);
    if (absl::IsDataLoss(read) && !damaged.exchange(true)) store::MarkDamaged(db->GetEnv(), dir);
    return read;
  }

  /// NotFound without a message.
  template <typename Message>
  absl::Status Read(const rocksdb::ReadOptions& options, const std::string& store_key, Message* message) const {
    rocksdb::PinnableSlice value;
    const rocksdb::Status status = db->Get(options, db->DefaultColumnFamily(), store_key, &value);
    if (status.IsNotFound()) return absl::NotFoundError("");
    RETURN_IF_ERROR(Reading(status));
    if (!message->ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      return absl::DataLossError(
          fmt::format("catalog store: record {:016x} is not readable", NumberOfStoreKey(store_key)));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Has(const std::string& store_key) const {
    std::string unused;
    if (!db->KeyMayExist(rocksdb::ReadOptions(), store_key, &unused)) return false;
    rocksdb::PinnableSlice value;
    const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), db->DefaultColumnFamily(), store_key, &value);
    if (status.IsNotFound()) return false;
    RETURN_IF_ERROR(Reading(status));
    return true;
  }

  std::optional<StampCache::Stamp> LoadStamp(ItemKey key) {
    v1::Item item;
    const absl::Status status = Read(rocksdb::ReadOptions(), ItemStoreKey(key), &item);
    if (absl::IsNotFound(status)) return StampCache::Stamp();
    if (!status.ok()) {
      ++stamp_failures;
      return std::nullopt;
    }
    return std::make_shared<const ItemStamp>(MakeStamp(item, *config));
  }

  void Write(const Feeds::Changes& changes, rocksdb::WriteBatch* batch) const {
    for (const auto& feed : changes.written) {
      batch->Put(FeedStoreKey(feed->token), EncodeFeed(*feed));
      if (feed->state == Feed::State::kOpen) continue;
      // Who was in a past feed is not asked again.
      batch->DeleteRange(StoreKey(kFeedItemPrefix, feed->begin_offset),
                         StoreKey(kFeedItemPrefix, feed->begin_offset + 1));
    }
    for (const std::string& token : changes.forgotten) batch->Delete(FeedStoreKey(token));
  }

  absl::Status Load() {
    std::string value;
    const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), kMetaKey, &value);
    if (status.IsNotFound()) {
      RETURN_IF_ERROR(store::FromRocks(db->Put(WithoutWal(), kMetaKey, EncodeMeta({})), kWriting));
    } else {
      RETURN_IF_ERROR(Reading(status));
      ASSIGN_OR_RETURN(const Meta meta, DecodeMeta(value));
      applied = meta.applied_offset;
      items = meta.items;
    }
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions()));
    for (it->Seek(std::string(1, kFeedPrefix)); it->Valid() && it->key()[0] == kFeedPrefix; it->Next()) {
      ASSIGN_OR_RETURN(Feed feed, DecodeFeed(View(it->key()).substr(1), View(it->value())));
      feeds.Load(std::move(feed));
    }
    const std::lock_guard lock(user_offsets_mutex);
    for (it->Seek(std::string(1, kUserOffsetPrefix)); it->Valid() && it->key()[0] == kUserOffsetPrefix; it->Next()) {
      const std::optional<uint64_t> offset = DecodeNumber(View(it->value()));
      if (!offset) return absl::DataLossError("catalog store: an offset of the users topic is not readable");
      user_offsets[static_cast<uint32_t>(NumberOfStoreKey(View(it->key())))] = *offset;
    }
    return Reading(it->status());
  }

  const std::string dir;
  const std::shared_ptr<const config::Config> config;
  const KeyHasher hasher;
  const std::unique_ptr<store::RocksStore> store;
  rocksdb::DB* const db;
  mutable std::atomic<bool> damaged{false};
  std::atomic<uint64_t> applied{0};
  std::atomic<uint64_t> items{0};
  std::atomic<uint64_t> stamp_failures{0};
  StampCache stamps;
  Feeds feeds;
  mutable std::mutex user_offsets_mutex;
  absl::flat_hash_map<uint32_t, uint64_t> user_offsets;
};

Catalog::Catalog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Catalog::~Catalog() = default;

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Open(const std::string& dir,
                                                       std::shared_ptr<const config::Config> config,
                                                       const KeyHasher& hasher, const Options& options) {
  std::unique_ptr<Impl> impl;
  const auto open = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(std::unique_ptr<store::RocksStore> opened, OpenStore(dir, options));
    impl = std::make_unique<Impl>(dir, config, hasher, options, std::move(opened));
    return impl->Load();
  };
  rocksdb::Env* const disk = DiskOf(options);
  if (store::IsMarkedDamaged(disk, dir)) RETURN_IF_ERROR(store::DeleteStore(disk, dir));
  absl::Status status = open();
  if (absl::IsDataLoss(status) || absl::IsNotFound(status)) {  // NotFound: a file of it is missing
    impl = nullptr;
    RETURN_IF_ERROR(store::DeleteStore(disk, dir));
    status = open();
  }
  RETURN_IF_ERROR(status);
  return std::unique_ptr<Catalog>(new Catalog(std::move(impl)));
}

absl::Status Catalog::Apply(uint64_t offset, const v1::CatalogRecord& record) {
  Impl& impl = *impl_;
  if (offset < impl.applied) return absl::OkStatus();
  const ItemKey key(record.item_key());
  const std::string store_key = ItemStoreKey(key);
  rocksdb::WriteBatch batch;
  uint64_t items = impl.items;
  Feeds::Changes feed_changes;
  // A change of a later schema is passed over: its kind is not known here, its offset is.
  if (record.has_item() || record.has_deleted()) {
    ASSIGN_OR_RETURN(const bool known, impl.Has(store_key));
    if (record.has_item()) {
      batch.Put(store_key, record.item().SerializeAsString());
      items += known ? 0 : 1;
    } else {
      batch.Delete(store_key);
      items -= known ? 1 : 0;
    }
    if (!record.feed().empty()) {
      feed_changes = impl.feeds.Name(record.feed(), offset);
      if (feed_changes.open_since) batch.Put(FeedItemStoreKey(*feed_changes.open_since, key), "");
    }
  } else if (record.has_feed_end()) {
    const v1::FeedEnd& end = record.feed_end();
    feed_changes = impl.feeds.End(end.token(), offset, end.batch(), end.withdrawn());
  }
  impl.Write(feed_changes, &batch);
  batch.Put(kMetaKey, EncodeMeta({.applied_offset = offset + 1, .items = items}));
  RETURN_IF_ERROR(store::FromRocks(impl.db->Write(WithoutWal(), &batch), kWriting));
  impl.feeds.Commit(feed_changes);
  impl.items = items;
  impl.applied = offset + 1;
  impl.stamps.Invalidate(key);
  return absl::OkStatus();
}

uint64_t Catalog::applied_offset() const { return impl_->applied; }

bool Catalog::damaged() const { return impl_->damaged; }

uint64_t Catalog::stamp_failures() const { return impl_->stamp_failures; }

uint64_t Catalog::size() const { return impl_->items; }

absl::Status Catalog::Flush() { return store::FromRocks(impl_->db->Flush(rocksdb::FlushOptions()), kWriting); }

absl::Status Catalog::Checkpoint(const std::string& to) const {
  return store::CheckpointTo(*impl_->db, to, /*flush=*/true);
}

absl::StatusOr<v1::Item> Catalog::Get(std::string_view id) const {
  v1::Item item;
  const absl::Status status = impl_->Read(rocksdb::ReadOptions(), ItemStoreKey(impl_->hasher.Item(id)), &item);
  if (absl::IsNotFound(status)) {
    return ToStatus({"unknown_item", "id", fmt::format("found \"{}\"; expected an item of the catalog", id)},
                    absl::StatusCode::kNotFound);
  }
  RETURN_IF_ERROR(status);
  if (item.id() != id) return Collision("item", id);
  return item;
}

std::shared_ptr<const ItemStamp> Catalog::Stamp(ItemKey key) const { return impl_->stamps.Get(key); }

absl::Status Catalog::Scan(const std::function<bool(ItemKey, const v1::Item&)>& visit, uint64_t* offset) const {
  rocksdb::ManagedSnapshot snapshot(impl_->db);
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  options.fill_cache = false;
  std::string value;
  RETURN_IF_ERROR(impl_->Reading(impl_->db->Get(options, kMetaKey, &value)));
  ASSIGN_OR_RETURN(const Meta meta, DecodeMeta(value));
  *offset = meta.applied_offset;
  const std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator(options));
  v1::Item item;
  for (it->Seek(std::string(1, kItemPrefix)); it->Valid() && it->key()[0] == kItemPrefix; it->Next()) {
    const ItemKey key(NumberOfStoreKey(View(it->key())));
    if (!item.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) return DamagedItem(key);
    if (!visit(key, item)) break;
  }
  return impl_->Reading(it->status());
}

std::shared_ptr<const Feed> Catalog::FindFeed(std::string_view token) const { return impl_->feeds.Find(token); }

absl::Status Catalog::ScanMissingFromFeed(const Feed& feed,
                                          const std::function<bool(ItemKey, const v1::Item&)>& visit) const {
  rocksdb::ManagedSnapshot snapshot(impl_->db);
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> items(impl_->db->NewIterator(options));
  const std::unique_ptr<rocksdb::Iterator> named(impl_->db->NewIterator(options));
  const std::string named_prefix = StoreKey(kFeedItemPrefix, feed.begin_offset);
  named->Seek(named_prefix);
  v1::Item item;
  for (items->Seek(std::string(1, kItemPrefix)); items->Valid() && items->key()[0] == kItemPrefix; items->Next()) {
    const uint64_t key = NumberOfStoreKey(View(items->key()));
    // Both sides ascend by item key.
    while (named->Valid() && named->key().starts_with(named_prefix) &&
           NumberOfStoreKey(View(named->key()), true) < key) {
      named->Next();
    }
    if (named->Valid() && named->key().starts_with(named_prefix) && NumberOfStoreKey(View(named->key()), true) == key) {
      continue;
    }
    // An iterator that failed looks like one at its end; nothing is withdrawn on its word.
    RETURN_IF_ERROR(impl_->Reading(named->status()));
    if (!item.ParseFromArray(items->value().data(), static_cast<int>(items->value().size()))) {
      return DamagedItem(ItemKey(key));
    }
    if (!item.withdrawn() && !visit(ItemKey(key), item)) break;
  }
  return impl_->Reading(items->status());
}

absl::Status Catalog::ApplyUser(uint32_t partition, uint64_t offset, const v1::UserRecord& record) {
  if (offset < users_applied_offset(partition)) return absl::OkStatus();
  rocksdb::WriteBatch batch;
  const std::string store_key = UserStoreKey(UserKey(record.user_key()));
  if (record.has_user()) batch.Put(store_key, record.user().SerializeAsString());
  if (record.has_deleted()) batch.Delete(store_key);
  batch.Put(StoreKey(kUserOffsetPrefix, partition), EncodeNumber(offset + 1));
  RETURN_IF_ERROR(store::FromRocks(impl_->db->Write(WithoutWal(), &batch), kWriting));
  const std::lock_guard lock(impl_->user_offsets_mutex);
  impl_->user_offsets[partition] = offset + 1;
  return absl::OkStatus();
}

absl::Status Catalog::EraseUsers(std::span<const UserKey> users) {
  RETURN_IF_ERROR(Flush());
  std::vector<store::KeyRange> ranges;
  for (const UserKey user : users) ranges.push_back({UserStoreKey(user), UserStoreKey(user)});
  RETURN_IF_ERROR(store::RewriteFiles(*impl_->db, impl_->db->DefaultColumnFamily(), std::move(ranges)));
  return store::DropObsoleteFiles(*impl_->db);
}

absl::Status Catalog::VisitStored(const std::function<void(std::string_view, std::string_view)>& visit) const {
  return store::VisitVersions(*impl_->db, impl_->db->DefaultColumnFamily(), visit);
}

uint64_t Catalog::users_applied_offset(uint32_t partition) const {
  const std::lock_guard lock(impl_->user_offsets_mutex);
  const auto it = impl_->user_offsets.find(partition);
  return it == impl_->user_offsets.end() ? 0 : it->second;
}

absl::StatusOr<v1::User> Catalog::GetUser(std::string_view id) const {
  v1::User user;
  const absl::Status status = impl_->Read(rocksdb::ReadOptions(), UserStoreKey(impl_->hasher.User(id)), &user);
  if (absl::IsNotFound(status)) {
    return ToStatus({"unknown_user", "id", fmt::format("found \"{}\"; expected a user with attributes", id)},
                    absl::StatusCode::kNotFound);
  }
  RETURN_IF_ERROR(status);
  if (user.id() != id) return Collision("user", id);
  return user;
}

}  // namespace bowerbird::catalog
