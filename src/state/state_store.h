#pragma once

#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "log/event_log.h"
#include "state/item_record.h"
#include "state/next_record.h"
#include "state/user_op.h"
#include "state/user_record.h"
#include "store/rocks.h"

namespace bowerbird::state {

/// The RocksDB of state: column families `users`, `items`, `signals`, `offsets`, `next`; docs/formats/state.md has the bytes.
/// No WAL: what was written is lost with the process until a flush, which takes all columns at once, so that what is
/// found again is state and offsets of one moment.
///
/// Threads  any thread.
/// Errors   DataLoss: damaged; Unavailable: the disk is full or fails, or another process has the folder.
class StateStore {
 public:
  struct Options {
    UserLayout user_layout;
    ItemLayout item_layout;
    uint64_t memory_bytes = 128u << 20;  ///< blocks cached and writes not yet flushed, half each
  };
  static absl::StatusOr<std::unique_ptr<StateStore>> Open(const std::string& dir, const Options& options);
  /// Deletes the store; the folder may stay, empty.
  static absl::Status Destroy(const std::string& dir);
  ~StateStore();

  /// What is written together.
  class Batch {
   public:
    explicit Batch(const StateStore* store) : store_(store) {}
    void MergeUser(catalog::UserKey user, std::string_view ops);
    void PutLifelongBlock(catalog::UserKey user, const SpilledBlock& block);
    void MergeItem(catalog::ItemKey item, const ItemRecord& added);
    void MergeNext(catalog::ItemKey from, const NextRecord& added);
    void PutOffset(uint32_t partition, log::Offset folded);
    void PutFormat(std::string_view key, std::string_view text);
    uint64_t bytes() const { return batch_.GetDataSize(); }
    bool empty() const { return batch_.Count() == 0; }

   private:
    friend class StateStore;
    const StateStore* store_;
    rocksdb::WriteBatch batch_;
  };
  /// All of the batch or nothing; visible to readers at once.
  absl::Status Write(Batch* batch);
  /// Background compactions are off until this is called: they apply operations under the layout that Open was given,
  /// which the caller has to compare with the stored format first.
  absl::Status EnableCompaction();
  /// Makes everything written durable, as one.
  absl::Status Flush();
  /// Tries to leave the state in which a failed background write has put the store.
  absl::Status Resume();

  /// Empty: an unknown user.
  absl::StatusOr<std::optional<UserRecord>> LoadUser(catalog::UserKey user) const;
  /// One answer for each of `users`, which ascend.
  absl::StatusOr<std::vector<std::optional<UserRecord>>> LoadUsers(std::span<const catalog::UserKey> users) const;
  absl::StatusOr<std::vector<Action>> LoadLifelongBlock(catalog::UserKey user, uint32_t ordinal) const;
  absl::Status ScanItems(const std::function<void(catalog::ItemKey, const ItemRecord&)>& visit) const;
  absl::Status ScanNext(const std::function<void(catalog::ItemKey, NextRecord)>& visit) const;
  /// 0 for a partition without one.
  absl::StatusOr<std::vector<log::Offset>> LoadOffsets(uint32_t partitions) const;
  /// Empty when absent.
  absl::StatusOr<std::string> LoadFormat(std::string_view key) const;

  enum Column : size_t { kUsers, kItems, kSignals, kOffsets, kNext };
  static constexpr size_t kColumns = 5;
  static std::string_view ColumnName(size_t column);
  /// Every key and value of a column in key order, as readers see them; a false return stops.
  absl::Status Scan(Column column,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) const;
  /// Keys and values of two stores side by side: `visit` gets null for a side that lacks the key.
  static absl::Status Compare(const StateStore& a, const StateStore& b, Column column,
                              const std::function<void(std::string_view key, const std::string_view* a_value,
                                                       const std::string_view* b_value)>& visit);

  /// Written to files so far by flushes and compactions, and memory held for blocks and unflushed writes.
  uint64_t file_bytes_written() const;
  uint64_t memory_bytes() const;

 private:
  class WriteMeter;
  StateStore() = default;
  std::vector<rocksdb::ColumnFamilyHandle*> Columns() const;
  std::shared_ptr<WriteMeter> meter_;
  store::RocksMemory memory_;
  std::unique_ptr<store::RocksStore> rocks_;
};

}  // namespace bowerbird::state
