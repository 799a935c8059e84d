#include "state/state_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "state/codec.h"
#include "state/merge_operators.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;
using catalog::UserKey;

// Views of the offsets column: this module's own is the only one yet; each signal will have its own name there.
constexpr std::string_view kOffsetPrefix = "offset/state/";
constexpr std::string_view kFormatPrefix = "format/";

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string KeyBytes(uint64_t key) {
  std::string bytes;
  PutBigEndian64(key, &bytes);
  return bytes;
}

std::string BlockKey(UserKey user, uint32_t ordinal) {
  std::string bytes = KeyBytes(user.value);
  PutBigEndian32(ordinal, &bytes);
  return bytes;
}

std::string OffsetKey(uint32_t partition) {
  std::string bytes(kOffsetPrefix);
  PutBigEndian32(partition, &bytes);
  return bytes;
}

absl::StatusOr<std::optional<UserRecord>> Decode(UserKey user, const rocksdb::Status& status,
                                                 const rocksdb::Slice& value) {
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return store::FromRocks(status, fmt::format("state: read user {:016x}", user.value));
  ASSIGN_OR_RETURN(UserRecord record, DecodeUserRecord(View(value)));
  return record;
}

}  // namespace

/// Counts what flushes and compactions write.
class StateStore::WriteMeter final : public rocksdb::EventListener {
 public:
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

absl::StatusOr<std::unique_ptr<StateStore>> StateStore::Open(const std::string& dir, const Options& options) {
  std::unique_ptr<StateStore> store(new StateStore());
  store->meter_ = std::make_shared<WriteMeter>();
  const uint64_t write_bytes = std::max<uint64_t>(options.memory_bytes / 2, 1u << 20);
  store->memory_ = store::MakeRocksMemory(std::max<uint64_t>(options.memory_bytes / 2, 1u << 20), write_bytes);

  rocksdb::DBOptions db = store::RocksDbOptions(store->memory_);
  db.atomic_flush = true;
  db.listeners.push_back(store->meter_);
  std::vector<store::RocksStore::Column> columns;
  for (size_t column = 0; column < kColumns; ++column) {
    rocksdb::ColumnFamilyOptions family = store::RocksColumnOptions(store->memory_, write_bytes);
    rocksdb::BlockBasedTableOptions table = *family.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    // Keys and prints do not shrink, names and times do; a dictionary lets small blocks share them.
    family.compression = rocksdb::kZSTD;
    family.compression_opts.level = 1;
    family.bottommost_compression = rocksdb::kZSTD;
    family.bottommost_compression_opts.enabled = true;
    family.bottommost_compression_opts.max_dict_bytes = 16 << 10;
    family.bottommost_compression_opts.zstd_max_train_bytes = 1 << 20;
    family.level_compaction_dynamic_level_bytes = true;
    family.disable_auto_compactions = true;
    if (column == kUsers) family.merge_operator = MakeUserMergeOperator(options.user_layout);
    if (column == kItems) family.merge_operator = MakeItemMergeOperator(options.item_layout);
    if (column == kNext) family.merge_operator = MakeNextMergeOperator();
    columns.push_back({std::string(ColumnName(column)), family});
  }
  ASSIGN_OR_RETURN(store->rocks_, store::RocksStore::Open(dir, db, columns));
  return store;
}

absl::Status StateStore::Destroy(const std::string& dir) {
  std::vector<rocksdb::ColumnFamilyDescriptor> columns;
  for (size_t column = 0; column < kColumns; ++column) {
    columns.emplace_back(std::string(ColumnName(column)), rocksdb::ColumnFamilyOptions());
  }
  return store::FromRocks(rocksdb::DestroyDB(dir, rocksdb::Options(), columns), fmt::format("state: delete {}", dir));
}

StateStore::~StateStore() = default;

std::string_view StateStore::ColumnName(size_t column) {
  constexpr std::string_view kNames[kColumns] = {"users", "items", "signals", "offsets", "next"};
  return kNames[column];
}

void StateStore::Batch::MergeUser(UserKey user, std::string_view ops) {
  batch_.Merge(store_->rocks_->column(kUsers), KeyBytes(user.value), rocksdb::Slice(ops.data(), ops.size()));
}
void StateStore::Batch::PutLifelongBlock(UserKey user, const SpilledBlock& block) {
  batch_.Put(store_->rocks_->column(kUsers), BlockKey(user, block.ordinal), EncodeLifelongBlock(block.actions.data()));
}
void StateStore::Batch::MergeItem(ItemKey item, const ItemRecord& added) {
  batch_.Merge(store_->rocks_->column(kItems), KeyBytes(item.value), EncodeItemRecord(added));
}
void StateStore::Batch::MergeNext(ItemKey from, const NextRecord& added) {
  batch_.Merge(store_->rocks_->column(kNext), KeyBytes(from.value), EncodeNextRecord(added));
}
void StateStore::Batch::PutOffset(uint32_t partition, log::Offset folded) {
  batch_.Put(store_->rocks_->column(kOffsets), OffsetKey(partition), KeyBytes(folded));
}
void StateStore::Batch::PutFormat(std::string_view key, std::string_view text) {
  batch_.Put(store_->rocks_->column(kOffsets), fmt::format("{}{}", kFormatPrefix, key),
             rocksdb::Slice(text.data(), text.size()));
}

absl::Status StateStore::Write(Batch* batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return store::FromRocks(rocks_->db().Write(options, &batch->batch_), "state: write");
}

std::vector<rocksdb::ColumnFamilyHandle*> StateStore::Columns() const {
  std::vector<rocksdb::ColumnFamilyHandle*> columns;
  for (size_t column = 0; column < kColumns; ++column) columns.push_back(rocks_->column(column));
  return columns;
}

absl::Status StateStore::EnableCompaction() {
  return store::FromRocks(rocks_->db().EnableAutoCompaction(Columns()), "state: enable compaction");
}

absl::Status StateStore::Flush() {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  return store::FromRocks(rocks_->db().Flush(options, Columns()), "state: flush");
}

absl::Status StateStore::Resume() { return store::FromRocks(rocks_->db().Resume(), "state: resume"); }

absl::StatusOr<std::optional<UserRecord>> StateStore::LoadUser(UserKey user) const {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = rocks_->db().Get({}, rocks_->column(kUsers), KeyBytes(user.value), &value);
  return Decode(user, status, value);
}

absl::StatusOr<std::vector<std::optional<UserRecord>>> StateStore::LoadUsers(std::span<const UserKey> users) const {
  std::vector<std::string> key_bytes;
  key_bytes.reserve(users.size());
  for (const UserKey user : users) key_bytes.push_back(KeyBytes(user.value));
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

absl::StatusOr<std::vector<Action>> StateStore::LoadLifelongBlock(UserKey user, uint32_t ordinal) const {
  rocksdb::PinnableSlice value;
  RETURN_IF_ERROR(store::FromRocks(rocks_->db().Get({}, rocks_->column(kUsers), BlockKey(user, ordinal), &value),
                                   fmt::format("state: read block {} of user {:016x}", ordinal, user.value)));
  return DecodeLifelongBlock(View(value));
}

absl::Status StateStore::ScanItems(const std::function<void(ItemKey, const ItemRecord&)>& visit) const {
  absl::Status decoded;
  RETURN_IF_ERROR(Scan(kItems, [&](std::string_view key, std::string_view value) {
    const absl::StatusOr<ItemRecord> record = DecodeItemRecord(value);
    if (!record.ok()) {
      decoded = record.status();
      return false;
    }
    visit(ItemKey(GetBigEndian64(key.data())), *record);
    return true;
  }));
  return decoded;
}

absl::Status StateStore::ScanNext(const std::function<void(ItemKey, NextRecord)>& visit) const {
  absl::Status decoded;
  RETURN_IF_ERROR(Scan(kNext, [&](std::string_view key, std::string_view value) {
    absl::StatusOr<NextRecord> record = DecodeNextRecord(value);
    if (!record.ok()) {
      decoded = record.status();
      return false;
    }
    visit(ItemKey(GetBigEndian64(key.data())), *std::move(record));
    return true;
  }));
  return decoded;
}

absl::StatusOr<std::vector<log::Offset>> StateStore::LoadOffsets(uint32_t partitions) const {
  std::vector<log::Offset> offsets(partitions, 0);
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    rocksdb::PinnableSlice value;
    const rocksdb::Status status = rocks_->db().Get({}, rocks_->column(kOffsets), OffsetKey(partition), &value);
    if (status.IsNotFound()) continue;
    RETURN_IF_ERROR(store::FromRocks(status, "state: read offsets"));
    if (value.size() != 8) return absl::DataLossError("state: read offsets: damaged");
    offsets[partition] = GetBigEndian64(value.data());
  }
  return offsets;
}

absl::StatusOr<std::string> StateStore::LoadFormat(std::string_view key) const {
  std::string text;
  const rocksdb::Status status =
      rocks_->db().Get({}, rocks_->column(kOffsets), fmt::format("{}{}", kFormatPrefix, key), &text);
  if (status.IsNotFound()) return std::string();
  RETURN_IF_ERROR(store::FromRocks(status, "state: read format"));
  return text;
}

absl::Status StateStore::Scan(Column column,
                              const std::function<bool(std::string_view, std::string_view)>& visit) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db().NewIterator(options, rocks_->column(column)));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (!visit(View(at->key()), View(at->value()))) break;
  }
  return store::FromRocks(at->status(), fmt::format("state: scan {}", ColumnName(column)));
}

absl::Status StateStore::Compare(
    const StateStore& a, const StateStore& b, Column column,
    const std::function<void(std::string_view, const std::string_view*, const std::string_view*)>& visit) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at_a(a.rocks_->db().NewIterator(options, a.rocks_->column(column)));
  const std::unique_ptr<rocksdb::Iterator> at_b(b.rocks_->db().NewIterator(options, b.rocks_->column(column)));
  at_a->SeekToFirst();
  at_b->SeekToFirst();
  while (at_a->Valid() || at_b->Valid()) {
    const int order = !at_a->Valid() ? 1 : !at_b->Valid() ? -1 : at_a->key().compare(at_b->key());
    std::string_view value_a, value_b;
    if (order <= 0) value_a = View(at_a->value());
    if (order >= 0) value_b = View(at_b->value());
    visit(View(order <= 0 ? at_a->key() : at_b->key()), order <= 0 ? &value_a : nullptr,
          order >= 0 ? &value_b : nullptr);
    if (order <= 0) at_a->Next();
    if (order >= 0) at_b->Next();
  }
  RETURN_IF_ERROR(store::FromRocks(at_a->status(), "state: compare"));
  return store::FromRocks(at_b->status(), "state: compare");
}

uint64_t StateStore::file_bytes_written() const { return meter_->bytes(); }

uint64_t StateStore::memory_bytes() const {
  return memory_.block_cache->GetUsage() + memory_.write_buffers->memory_usage();
}

}  // namespace bowerbird::state
