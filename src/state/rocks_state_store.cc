#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/byte_codec.h"
#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "fmt/format.h"
#include "state/merge_operators.h"
#include "state/state_store.h"
#include "store/rocks.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;
using catalog::UserKey;

/// As the fold: whoever waits for an answer goes first.
constexpr int kGiveWaySteps = 10;

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }
rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }

absl::StatusOr<std::optional<UserRecord>> Decode(UserKey user, const rocksdb::Status& status,
                                                 const rocksdb::Slice& value) {
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return store::FromRocks(status, fmt::format("state: read user {:016x}", user.value));
  ASSIGN_OR_RETURN(UserRecord record, DecodeUserRecord(View(value)));
  return record;
}

/// Counts what flushes and compactions write, and lets compactions give way.
class BackgroundWork final : public rocksdb::EventListener {
 public:
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    // RocksDB keeps this thread for compactions.
    thread_local const bool gives_way = [] {
      base::GiveWay(kGiveWaySteps);
      return true;
    }();
    static_cast<void>(gives_way);
  }
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override {
    const rocksdb::TableProperties& table = info.table_properties;
    bytes_ += table.data_size + table.index_size + table.filter_size;
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    bytes_ += info.stats.total_output_bytes;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  std::atomic<uint64_t> bytes_ = 0;
};

class RocksBatch final : public StateStore::Batch {
 public:
  explicit RocksBatch(const store::RocksStore* rocks) : rocks_(rocks) {}
  void MergeUser(UserKey user, std::string_view ops) override {
    batch_.Merge(rocks_->column(StateStore::kUsers), UserKeyBytes(user), ToSlice(ops));
  }
  void PutLifelongBlock(UserKey user, const SpilledBlock& block) override {
    batch_.Put(rocks_->column(StateStore::kUsers), LifelongBlockKey(user, block.ordinal),
               EncodeLifelongBlock(block.actions.data()));
  }
  void DropLifelongBlock(UserKey user, uint32_t ordinal) override {
    batch_.Delete(rocks_->column(StateStore::kUsers), LifelongBlockKey(user, ordinal));
  }
  void MergeItem(ItemKey item, const ItemRecord& added) override {
    batch_.Merge(rocks_->column(StateStore::kItems), ItemKeyBytes(item), EncodeItemRecord(added));
  }
  void MergeNext(ItemKey from, const NextRecord& added) override {
    batch_.Merge(rocks_->column(StateStore::kNext), ItemKeyBytes(from), EncodeNextRecord(added));
  }
  void PutSignal(UserKey user, uint64_t signal, std::string_view value) override {
    rocksdb::ColumnFamilyHandle* column = rocks_->column(StateStore::kSignals);
    if (value.empty()) {
      batch_.Delete(column, SignalKey(user, signal));
    } else {
      batch_.Put(column, SignalKey(user, signal), ToSlice(value));
    }
  }
  void PutItemSignal(ItemKey item, uint64_t signal, uint32_t partition, std::string_view value) override {
    rocksdb::ColumnFamilyHandle* column = rocks_->column(StateStore::kSignals);
    if (value.empty()) {
      batch_.Delete(column, ItemSignalKey(item, signal, partition));
    } else {
      batch_.Put(column, ItemSignalKey(item, signal, partition), ToSlice(value));
    }
  }
  void PutOffset(uint32_t partition, log::Offset folded) override {
    batch_.Put(rocks_->column(StateStore::kOffsets), OffsetKey(partition), OffsetValue(folded));
  }
  void PutFormat(std::string_view key, std::string_view text) override {
    batch_.Put(rocks_->column(StateStore::kOffsets), FormatKey(key), ToSlice(text));
  }
  uint64_t bytes() const override { return batch_.GetDataSize(); }
  rocksdb::WriteBatch* batch() { return &batch_; }

 private:
  const store::RocksStore* const rocks_;
  rocksdb::WriteBatch batch_;
};

class RocksCursor final : public StateStore::Cursor {
 public:
  RocksCursor(std::unique_ptr<rocksdb::Iterator> at, std::string_view column, std::string_view from)
      : at_(std::move(at)), column_(column) {
    at_->Seek(ToSlice(from));
  }
  bool valid() const override { return at_->Valid(); }
  std::string_view key() const override { return View(at_->key()); }
  std::string_view value() const override { return View(at_->value()); }
  void Next() override { at_->Next(); }
  absl::Status status() const override {
    return store::FromRocks(at_->status(), fmt::format("state: scan {}", column_));
  }

 private:
  const std::unique_ptr<rocksdb::Iterator> at_;
  const std::string_view column_;
};

class RocksStateStore final : public StateStore {
 public:
  static absl::StatusOr<std::unique_ptr<StateStore>> Open(const std::string& dir, const Options& options);

  std::unique_ptr<Batch> NewBatch() const override { return std::make_unique<RocksBatch>(rocks_.get()); }
  absl::Status Write(Batch* batch) override;
  absl::Status EnableCompaction() override;
  absl::Status Flush() override;
  absl::Status Checkpoint(const std::string& to) const override;
  absl::Status Resume() override;
  absl::StatusOr<std::optional<UserRecord>> LoadUser(UserKey user) const override;
  absl::StatusOr<std::vector<std::optional<UserRecord>>> LoadUsers(std::span<const UserKey> users) const override;
  absl::StatusOr<std::vector<std::vector<StoredSignal>>> LoadSignals(std::span<const UserKey> users) const override;
  absl::StatusOr<std::vector<StoredItemSignal>> LoadItemSignals(ItemKey item) const override;
  absl::StatusOr<std::vector<Action>> LoadLifelongBlock(UserKey user, uint32_t ordinal) const override;
  absl::StatusOr<std::vector<log::Offset>> LoadOffsets(uint32_t partitions) const override;
  absl::StatusOr<std::string> LoadFormat(std::string_view key) const override;
  std::unique_ptr<Cursor> NewCursor(Column column, std::string_view from) const override;
  absl::Status Erase(std::span<const UserKey> users) override;
  absl::Status VisitVersions(Column column,
                             const std::function<void(std::string_view, std::string_view)>& visit) const override;
  uint64_t file_bytes_written() const override { return background_->bytes(); }
  uint64_t memory_bytes() const override {
    return memory_.block_cache->GetUsage() + memory_.write_buffers->memory_usage();
  }

 private:
  std::vector<rocksdb::ColumnFamilyHandle*> Columns() const;
  std::shared_ptr<BackgroundWork> background_;
  store::RocksMemory memory_;
  std::unique_ptr<store::RocksStore> rocks_;
};

absl::StatusOr<std::unique_ptr<StateStore>> RocksStateStore::Open(const std::string& dir, const Options& options) {
  auto store = std::make_unique<RocksStateStore>();
  store->background_ = std::make_shared<BackgroundWork>();
  const uint64_t write_bytes = std::max<uint64_t>(options.memory_bytes / 2, 1u << 20);
  store->memory_ = store::MakeRocksMemory(std::max<uint64_t>(options.memory_bytes / 2, 1u << 20), write_bytes);

  rocksdb::DBOptions db = store::RocksDbOptions(store->memory_);
  db.atomic_flush = true;
  db.allow_concurrent_memtable_write = false;  // needed for insert hints
  db.listeners.push_back(store->background_);
  std::vector<store::RocksStore::Column> columns;
  for (size_t column = 0; column < kColumns; ++column) {
    rocksdb::ColumnFamilyOptions family = store::RocksColumnOptions(store->memory_, write_bytes);
    rocksdb::BlockBasedTableOptions table = *family.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    // Keys and prints do not shrink, names and times do; a dictionary lets small blocks share them. What is yet to be
    // merged is soon written again, and only packed in passing.
    family.compression = rocksdb::kLZ4Compression;
    family.bottommost_compression = rocksdb::kZSTD;
    family.bottommost_compression_opts.enabled = true;
    family.bottommost_compression_opts.max_dict_bytes = 16 << 10;
    family.bottommost_compression_opts.zstd_max_train_bytes = 1 << 20;
    family.level_compaction_dynamic_level_bytes = true;
    // A merge rewrites users whole, for a few operations each: it waits until there are more of them.
    family.level0_file_num_compaction_trigger = 8;
    family.level0_slowdown_writes_trigger = 24;
    family.level0_stop_writes_trigger = 40;
    family.disable_auto_compactions = true;
    // What is written at once comes in the order of its keys: each is inserted from where the last one went, without a
    // search from the top.
    family.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewCappedPrefixTransform(0));
    // One user's signals lie together, one item's too, and a filter tells who has none.
    if (column == kSignals) family.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(SignalPrefix({}).size()));
    if (column == kUsers) family.merge_operator = MakeUserMergeOperator(options.user_layout);
    if (column == kItems) family.merge_operator = MakeItemMergeOperator(options.item_layout);
    if (column == kNext) family.merge_operator = MakeNextMergeOperator();
    columns.push_back({std::string(ColumnName(column)), family});
  }
  ASSIGN_OR_RETURN(store->rocks_, store::RocksStore::Open(dir, db, columns));
  return store;
}

absl::Status RocksStateStore::Write(Batch* batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return store::FromRocks(rocks_->db().Write(options, static_cast<RocksBatch*>(batch)->batch()), "state: write");
}

std::vector<rocksdb::ColumnFamilyHandle*> RocksStateStore::Columns() const {
  std::vector<rocksdb::ColumnFamilyHandle*> columns;
  for (size_t column = 0; column < kColumns; ++column) columns.push_back(rocks_->column(column));
  return columns;
}

absl::Status RocksStateStore::EnableCompaction() {
  return store::FromRocks(rocks_->db().EnableAutoCompaction(Columns()), "state: enable compaction");
}

absl::Status RocksStateStore::Flush() {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  return store::FromRocks(rocks_->db().Flush(options, Columns()), "state: flush");
}

absl::Status RocksStateStore::Checkpoint(const std::string& to) const {
  return store::CheckpointTo(rocks_->db(), to, /*flush=*/true);
}

absl::Status RocksStateStore::Resume() { return store::FromRocks(rocks_->db().Resume(), "state: resume"); }

absl::StatusOr<std::optional<UserRecord>> RocksStateStore::LoadUser(UserKey user) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = rocks_->db().Get({}, rocks_->column(kUsers), UserKeyBytes(user), &value);
  return Decode(user, status, value);
}

absl::StatusOr<std::vector<std::optional<UserRecord>>> RocksStateStore::LoadUsers(
    std::span<const UserKey> users) const {
  std::vector<std::string> key_bytes;
  key_bytes.reserve(users.size());
  for (const UserKey user : users) key_bytes.push_back(UserKeyBytes(user));
  const std::vector<rocksdb::Slice> keys(key_bytes.begin(), key_bytes.end());
  std::vector<rocksdb::PinnableSlice> values(users.size());
  std::vector<rocksdb::Status> statuses(users.size());
  rocks_->db().MultiGet({}, rocks_->column(kUsers), keys.size(), keys.data(), values.data(), statuses.data(),
                        /*sorted_input=*/true);
  std::vector<std::optional<UserRecord>> records;
  records.reserve(users.size());
  for (size_t i = 0; i < users.size(); ++i) {
    ASSIGN_OR_RETURN(auto record, Decode(users[i], statuses[i], values[i]));
    records.push_back(std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<std::vector<StoredSignal>>> RocksStateStore::LoadSignals(
    std::span<const UserKey> users) const {
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db().NewIterator(options, rocks_->column(kSignals)));
  std::vector<std::vector<StoredSignal>> all(users.size());
  for (size_t i = 0; i < users.size(); ++i) {
    for (at->Seek(SignalPrefix(users[i])); at->Valid(); at->Next()) {
      UserKey user;
      StoredSignal signal;
      if (!ParseSignalKey(View(at->key()), &user, &signal.id))
        return absl::DataLossError("state: signals: damaged key");
      if (user != users[i]) break;
      signal.value = View(at->value());
      all[i].push_back(std::move(signal));
    }
    RETURN_IF_ERROR(store::FromRocks(at->status(), fmt::format("state: read signals of user {:016x}", users[i].value)));
  }
  return all;
}

absl::StatusOr<std::vector<StoredItemSignal>> RocksStateStore::LoadItemSignals(ItemKey item) const {
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db().NewIterator(options, rocks_->column(kSignals)));
  std::vector<StoredItemSignal> signals;
  for (at->Seek(ItemSignalPrefix(item)); at->Valid(); at->Next()) {
    ItemKey of;
    StoredItemSignal signal;
    if (!ParseItemSignalKey(View(at->key()), &of, &signal.id, &signal.partition)) {
      return absl::DataLossError("state: signals: damaged key");
    }
    if (of != item) break;
    signal.value = View(at->value());
    signals.push_back(std::move(signal));
  }
  RETURN_IF_ERROR(store::FromRocks(at->status(), fmt::format("state: read signals of item {:016x}", item.value)));
  return signals;
}

absl::StatusOr<std::vector<Action>> RocksStateStore::LoadLifelongBlock(UserKey user, uint32_t ordinal) const {
  rocksdb::PinnableSlice value;
  RETURN_IF_ERROR(
      store::FromRocks(rocks_->db().Get({}, rocks_->column(kUsers), LifelongBlockKey(user, ordinal), &value),
                       fmt::format("state: read block {} of user {:016x}", ordinal, user.value)));
  return DecodeLifelongBlock(View(value));
}

absl::StatusOr<std::vector<log::Offset>> RocksStateStore::LoadOffsets(uint32_t partitions) const {
  std::vector<log::Offset> offsets(partitions, 0);
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    rocksdb::PinnableSlice value;
    const rocksdb::Status status = rocks_->db().Get({}, rocks_->column(kOffsets), OffsetKey(partition), &value);
    if (status.IsNotFound()) continue;
    RETURN_IF_ERROR(store::FromRocks(status, "state: read offsets"));
    if (value.size() != 8) return absl::DataLossError("state: read offsets: damaged");
    offsets[partition] = base::GetBigEndian64(value.data());
  }
  return offsets;
}

absl::StatusOr<std::string> RocksStateStore::LoadFormat(std::string_view key) const {
  std::string text;
  const rocksdb::Status status = rocks_->db().Get({}, rocks_->column(kOffsets), FormatKey(key), &text);
  if (status.IsNotFound()) return std::string();
  RETURN_IF_ERROR(store::FromRocks(status, "state: read format"));
  return text;
}

std::unique_ptr<StateStore::Cursor> RocksStateStore::NewCursor(Column column, std::string_view from) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.total_order_seek = true;
  return std::make_unique<RocksCursor>(
      std::unique_ptr<rocksdb::Iterator>(rocks_->db().NewIterator(options, rocks_->column(column))), ColumnName(column),
      from);
}

absl::Status RocksStateStore::Erase(std::span<const UserKey> users) {
  RETURN_IF_ERROR(Flush());
  std::vector<store::KeyRange> of_users, of_signals;
  for (const UserKey user : users) {
    // Up to the last lifelong block, and the last signal, that there can be.
    of_users.push_back({UserKeyBytes(user), LifelongBlockKey(user, ~uint32_t{0})});
    of_signals.push_back({SignalPrefix(user), SignalKey(user, ~uint64_t{0})});
  }
  RETURN_IF_ERROR(store::RewriteFiles(rocks_->db(), rocks_->column(kUsers), of_users));
  RETURN_IF_ERROR(store::RewriteFiles(rocks_->db(), rocks_->column(kSignals), of_signals));
  return store::DropObsoleteFiles(rocks_->db());
}

absl::Status RocksStateStore::VisitVersions(
    Column column, const std::function<void(std::string_view, std::string_view)>& visit) const {
  return store::VisitVersions(rocks_->db(), rocks_->column(column), visit);
}

class RocksStateStoresImpl final : public StateStores {
 public:
  absl::StatusOr<std::unique_ptr<StateStore>> Open(const std::string& dir,
                                                   const StateStore::Options& options) const override {
    return RocksStateStore::Open(dir, options);
  }
  bool Exists(const std::string& dir) const override {
    return std::filesystem::exists(std::filesystem::path(dir) / "CURRENT");
  }
  void MarkDamaged(const std::string& dir) const override { store::MarkDamaged(rocksdb::Env::Default(), dir); }
  bool MarkedDamaged(const std::string& dir) const override {
    return store::IsMarkedDamaged(rocksdb::Env::Default(), dir);
  }
  absl::Status Destroy(const std::string& dir) const override {
    return store::DeleteStore(rocksdb::Env::Default(), dir);
  }
};

}  // namespace

const StateStores& RocksStateStores() {
  static const auto* const stores = new RocksStateStoresImpl();
  return *stores;
}

}  // namespace bowerbird::state
