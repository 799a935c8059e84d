#include "simulation/memory_state_store.h"

#include <mutex>
#include <utility>
#include <vector>

#include "base/status_macros.h"

namespace bowerbird::simulation {

using catalog::ItemKey;
using catalog::UserKey;
using state::StateStore;

namespace {

enum class Change : uint8_t { kPut, kPutOrErase, kMergeUser, kMergeItem, kMergeNext };

class MemoryBatch final : public StateStore::Batch {
 public:
  struct Entry {
    Change change;
    StateStore::Column column;
    std::string key, value;
  };
  void MergeUser(UserKey user, std::string_view ops) override {
    Add({Change::kMergeUser, StateStore::kUsers, state::UserKeyBytes(user), std::string(ops)});
  }
  void PutLifelongBlock(UserKey user, const state::SpilledBlock& block) override {
    Add({Change::kPut, StateStore::kUsers, state::LifelongBlockKey(user, block.ordinal),
         state::EncodeLifelongBlock(block.actions.data())});
  }
  void DropLifelongBlock(UserKey user, uint32_t ordinal) override {
    Add({Change::kPutOrErase, StateStore::kUsers, state::LifelongBlockKey(user, ordinal), ""});
  }
  void MergeItem(ItemKey item, const state::ItemRecord& added) override {
    Add({Change::kMergeItem, StateStore::kItems, state::ItemKeyBytes(item), state::EncodeItemRecord(added)});
  }
  void MergeNext(ItemKey from, const state::NextRecord& added) override {
    Add({Change::kMergeNext, StateStore::kNext, state::ItemKeyBytes(from), state::EncodeNextRecord(added)});
  }
  void PutSignal(UserKey user, uint64_t signal, std::string_view value) override {
    Add({Change::kPutOrErase, StateStore::kSignals, state::SignalKey(user, signal), std::string(value)});
  }
  void PutItemSignal(ItemKey item, uint64_t signal, uint32_t partition, std::string_view value) override {
    Add({Change::kPutOrErase, StateStore::kSignals, state::ItemSignalKey(item, signal, partition), std::string(value)});
  }
  void PutOffset(uint32_t partition, log::Offset folded) override {
    Add({Change::kPut, StateStore::kOffsets, state::OffsetKey(partition), state::OffsetValue(folded)});
  }
  void PutFormat(std::string_view key, std::string_view text) override {
    Add({Change::kPut, StateStore::kOffsets, state::FormatKey(key), std::string(text)});
  }
  uint64_t bytes() const override { return bytes_; }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  void Add(Entry entry) {
    bytes_ += entry.key.size() + entry.value.size();
    entries_.push_back(std::move(entry));
  }
  std::vector<Entry> entries_;
  uint64_t bytes_ = 0;
};

class MemoryCursor final : public StateStore::Cursor {
 public:
  MemoryCursor(MemoryStateStores::Table table, std::string_view from)
      : table_(std::move(table)), at_(table_.lower_bound(std::string(from))) {}
  bool valid() const override { return at_ != table_.end(); }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return at_->second; }
  void Next() override { ++at_; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  const MemoryStateStores::Table table_;
  MemoryStateStores::Table::const_iterator at_;
};

}  // namespace

class MemoryStateStore final : public StateStore {
 public:
  MemoryStateStore(const MemoryStateStores* stores, std::string dir, const Options& options)
      : stores_(stores), dir_(std::move(dir)), options_(options), columns_(*stores->flushed_[dir_]) {}

  std::unique_ptr<Batch> NewBatch() const override { return std::make_unique<MemoryBatch>(); }

  absl::Status Write(Batch* batch) override {
    const std::lock_guard lock(mutex_);
    if (stores_->refuses && stores_->refuses()) return absl::UnavailableError("the simulated disk refused a write");
    for (const MemoryBatch::Entry& entry : static_cast<const MemoryBatch*>(batch)->entries()) {
      if (entry.change == Change::kPutOrErase && entry.value.empty()) {
        columns_.tables[entry.column].erase(entry.key);
        continue;
      }
      std::string& value = columns_.tables[entry.column][entry.key];
      if (entry.change == Change::kPut || entry.change == Change::kPutOrErase) value = entry.value;
      if (entry.change == Change::kMergeUser) RETURN_IF_ERROR(Apply(entry.value, &value));
      if (entry.change == Change::kMergeItem) RETURN_IF_ERROR(Sum(entry.value, &value));
      if (entry.change == Change::kMergeNext) RETURN_IF_ERROR(SumNext(entry.key, entry.value, &value));
    }
    if (stores_->flushes_by_itself && stores_->flushes_by_itself()) FlushLocked();
    if (stores_->offsets_first) {
      auto offsets = std::make_shared<MemoryStateStores::Columns>(*stores_->flushed_[dir_]);
      offsets->tables[kOffsets] = columns_.tables[kOffsets];
      stores_->flushed_[dir_] = std::move(offsets);
    }
    return absl::OkStatus();
  }
  absl::Status EnableCompaction() override { return absl::OkStatus(); }
  absl::Status Flush() override {
    const std::lock_guard lock(mutex_);
    FlushLocked();
    return absl::OkStatus();
  }
  absl::Status Resume() override { return absl::OkStatus(); }

  absl::StatusOr<std::optional<state::UserRecord>> LoadUser(UserKey user) const override {
    const std::lock_guard lock(mutex_);
    const std::string* bytes = Find(kUsers, state::UserKeyBytes(user));
    if (bytes == nullptr) return std::nullopt;
    ASSIGN_OR_RETURN(state::UserRecord record, state::DecodeUserRecord(*bytes));
    return record;
  }
  absl::StatusOr<std::vector<std::optional<state::UserRecord>>> LoadUsers(
      std::span<const UserKey> users) const override {
    std::vector<std::optional<state::UserRecord>> records;
    for (const UserKey user : users) {
      ASSIGN_OR_RETURN(auto record, LoadUser(user));
      records.push_back(std::move(record));
    }
    return records;
  }
  absl::StatusOr<std::vector<std::vector<state::StoredSignal>>> LoadSignals(
      std::span<const UserKey> users) const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::vector<state::StoredSignal>> all(users.size());
    for (size_t i = 0; i < users.size(); ++i) {
      const MemoryStateStores::Table& table = columns_.tables[kSignals];
      const std::string prefix = state::SignalPrefix(users[i]);
      for (auto at = table.lower_bound(prefix); at != table.end() && at->first.starts_with(prefix); ++at) {
        state::StoredSignal signal{0, at->second};
        UserKey user;
        if (!state::ParseSignalKey(at->first, &user, &signal.id)) return absl::DataLossError("damaged key");
        all[i].push_back(std::move(signal));
      }
    }
    return all;
  }
  absl::StatusOr<std::vector<state::Action>> LoadLifelongBlock(UserKey user, uint32_t ordinal) const override {
    const std::lock_guard lock(mutex_);
    const std::string* bytes = Find(kUsers, state::LifelongBlockKey(user, ordinal));
    if (bytes == nullptr) return absl::NotFoundError("no such block");
    return state::DecodeLifelongBlock(*bytes);
  }
  absl::StatusOr<std::vector<log::Offset>> LoadOffsets(uint32_t partitions) const override {
    const std::lock_guard lock(mutex_);
    std::vector<log::Offset> offsets(partitions, 0);
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      const std::string* bytes = Find(kOffsets, state::OffsetKey(partition));
      if (bytes == nullptr) continue;
      for (const char byte : *bytes) offsets[partition] = offsets[partition] << 8 | static_cast<uint8_t>(byte);
    }
    return offsets;
  }
  absl::StatusOr<std::string> LoadFormat(std::string_view key) const override {
    const std::lock_guard lock(mutex_);
    const std::string* text = Find(kOffsets, state::FormatKey(key));
    return text == nullptr ? std::string() : *text;
  }
  std::unique_ptr<Cursor> NewCursor(Column column, std::string_view from) const override {
    const std::lock_guard lock(mutex_);
    return std::make_unique<MemoryCursor>(columns_.tables[column], from);
  }
  absl::Status Erase(std::span<const UserKey>) override { return absl::OkStatus(); }
  absl::Status VisitVersions(Column column,
                             const std::function<void(std::string_view, std::string_view)>& visit) const override {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, value] : columns_.tables[column]) visit(key, value);
    return absl::OkStatus();
  }
  uint64_t file_bytes_written() const override { return 0; }
  uint64_t memory_bytes() const override { return 0; }

 private:
  // With mutex_ held:
  void FlushLocked() { stores_->flushed_[dir_] = std::make_shared<const MemoryStateStores::Columns>(columns_); }
  const std::string* Find(Column column, const std::string& key) const {
    const auto found = columns_.tables[column].find(key);
    return found == columns_.tables[column].end() ? nullptr : &found->second;
  }
  absl::Status Apply(std::string_view ops, std::string* bytes) const {
    state::UserRecord record;
    if (!bytes->empty()) {
      ASSIGN_OR_RETURN(record, state::DecodeUserRecord(*bytes));
    }
    RETURN_IF_ERROR(state::ApplyUserOps(options_.user_layout, ops, &record));
    *bytes = state::EncodeUserRecord(record);
    return absl::OkStatus();
  }
  absl::Status Sum(std::string_view added, std::string* bytes) const {
    state::ItemRecord record;
    if (!bytes->empty()) {
      ASSIGN_OR_RETURN(record, state::DecodeItemRecord(*bytes));
    }
    ASSIGN_OR_RETURN(const state::ItemRecord more, state::DecodeItemRecord(added));
    record.Add(more, options_.item_layout);
    *bytes = state::EncodeItemRecord(record);
    return absl::OkStatus();
  }

  static absl::Status SumNext(std::string_view key, std::string_view added, std::string* bytes) {
    uint64_t from = 0;
    for (const char byte : key) from = from << 8 | static_cast<uint8_t>(byte);
    state::NextRecord record;
    if (!bytes->empty()) {
      ASSIGN_OR_RETURN(record, state::DecodeNextRecord(*bytes));
    }
    ASSIGN_OR_RETURN(const state::NextRecord more, state::DecodeNextRecord(added));
    record.Add(more, state::MovesMax(ItemKey(from)));
    *bytes = state::EncodeNextRecord(record);
    return absl::OkStatus();
  }

  const MemoryStateStores* const stores_;
  const std::string dir_;
  const Options options_;
  mutable std::mutex mutex_;
  MemoryStateStores::Columns columns_;
};

absl::StatusOr<std::unique_ptr<StateStore>> MemoryStateStores::Open(const std::string& dir,
                                                                    const StateStore::Options& options) const {
  auto& flushed = flushed_[dir];
  if (flushed == nullptr) flushed = std::make_shared<const Columns>();
  return std::make_unique<MemoryStateStore>(this, dir, options);
}

absl::Status MemoryStateStores::Destroy(const std::string& dir) const {
  flushed_.erase(dir);
  damaged_.erase(dir);
  return absl::OkStatus();
}

}  // namespace bowerbird::simulation
