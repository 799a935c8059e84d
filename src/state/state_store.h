#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "catalog/keys.h"
#include "log/event_log.h"
#include "state/item_record.h"
#include "state/next_record.h"
#include "state/user_op.h"
#include "state/user_record.h"

namespace bowerbird::state {

/// One user's value of a signal in the column `signals`.
struct StoredSignal {
  uint64_t id = 0;  ///< signal::Definition::id
  std::string value;
};

/// What one partition has counted of an item for a signal, in the same column.
struct StoredItemSignal {
  uint64_t id = 0;
  uint32_t partition = 0;
  std::string value;
};

/// What the fold keeps: columns `users`, `items`, `signals`, `offsets`, `next`; docs/formats/state.md has keys and
/// values. tests/contract holds the suite that every implementation passes.
///
/// What was written is lost with the process until a flush, which takes all columns at once, so that what is found
/// again is state and offsets of one moment. A store may flush by itself at any time, after whole batches.
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
  virtual ~StateStore() = default;

  /// What is written together. Made by the store that it is written to.
  class Batch {
   public:
    virtual ~Batch() = default;
    virtual void MergeUser(catalog::UserKey user, std::string_view ops) = 0;
    virtual void PutLifelongBlock(catalog::UserKey user, const SpilledBlock& block) = 0;
    virtual void DropLifelongBlock(catalog::UserKey user, uint32_t ordinal) = 0;
    virtual void MergeItem(catalog::ItemKey item, const ItemRecord& added) = 0;
    virtual void MergeNext(catalog::ItemKey from, const NextRecord& added) = 0;
    /// An empty value takes it away.
    virtual void PutSignal(catalog::UserKey user, uint64_t signal, std::string_view value) = 0;
    virtual void PutItemSignal(catalog::ItemKey item, uint64_t signal, uint32_t partition, std::string_view value) = 0;
    virtual void PutOffset(uint32_t partition, log::Offset folded) = 0;
    virtual void PutFormat(std::string_view key, std::string_view text) = 0;
    virtual uint64_t bytes() const = 0;
  };
  virtual std::unique_ptr<Batch> NewBatch() const = 0;
  /// All of the batch or nothing; visible to readers at once. The batch stays as it is, to be tried again.
  virtual absl::Status Write(Batch* batch) = 0;
  /// Background compactions are off until this is called: they apply operations under the layout that Open was given,
  /// which the caller has to compare with the stored format first.
  virtual absl::Status EnableCompaction() = 0;
  /// Makes everything written durable, as one.
  virtual absl::Status Flush() = 0;
  /// A copy in the new folder `to`, of everything written. Unimplemented: the store has no files.
  virtual absl::Status Checkpoint(const std::string& to) const;
  /// Tries to leave the state in which a failed background write has put the store.
  virtual absl::Status Resume() = 0;

  /// Empty: an unknown user.
  virtual absl::StatusOr<std::optional<UserRecord>> LoadUser(catalog::UserKey user) const = 0;
  /// One answer for each of `users`, which ascend.
  virtual absl::StatusOr<std::vector<std::optional<UserRecord>>> LoadUsers(
      std::span<const catalog::UserKey> users) const = 0;
  /// The signals of each of `users`, which ascend.
  virtual absl::StatusOr<std::vector<std::vector<StoredSignal>>> LoadSignals(
      std::span<const catalog::UserKey> users) const = 0;
  /// The signals of an item, by id, then by partition.
  virtual absl::StatusOr<std::vector<StoredItemSignal>> LoadItemSignals(catalog::ItemKey item) const;
  /// NotFound: no such block.
  virtual absl::StatusOr<std::vector<Action>> LoadLifelongBlock(catalog::UserKey user, uint32_t ordinal) const = 0;
  /// 0 for a partition without one.
  virtual absl::StatusOr<std::vector<log::Offset>> LoadOffsets(uint32_t partitions) const = 0;
  /// Empty when absent.
  virtual absl::StatusOr<std::string> LoadFormat(std::string_view key) const = 0;

  enum Column : size_t { kUsers, kItems, kSignals, kOffsets, kNext };
  static constexpr size_t kColumns = 5;
  static std::string_view ColumnName(size_t column);

  /// Walks a column in key order, from the first key that is not below `from`, as readers saw it when the cursor was
  /// made. Views hold until Next.
  class Cursor {
   public:
    virtual ~Cursor() = default;
    virtual bool valid() const = 0;  ///< false at the end, or after an error
    virtual std::string_view key() const = 0;
    virtual std::string_view value() const = 0;
    virtual void Next() = 0;
    virtual absl::Status status() const = 0;
  };
  virtual std::unique_ptr<Cursor> NewCursor(Column column, std::string_view from) const = 0;

  std::unique_ptr<Cursor> NewCursor(Column column) const { return NewCursor(column, ""); }

  /// What was written over of these users is in no file any more. Cost: writes anew the files in which they are.
  virtual absl::Status Erase(std::span<const catalog::UserKey> users) = 0;
  /// Every key and value that memory and files hold of a column, those that were written over too.
  virtual absl::Status VisitVersions(
      Column column, const std::function<void(std::string_view key, std::string_view value)>& visit) const = 0;

  absl::Status ScanItems(const std::function<void(catalog::ItemKey, const ItemRecord&)>& visit) const;
  /// Items ascending, each with all of its signals.
  absl::Status ScanItemSignals(
      const std::function<absl::Status(catalog::ItemKey, std::vector<StoredItemSignal>)>& visit) const;
  absl::Status ScanNext(const std::function<void(catalog::ItemKey, NextRecord)>& visit) const;
  /// Keys and values of two stores side by side: `visit` gets null for a side that lacks the key.
  static absl::Status Compare(const StateStore& a, const StateStore& b, Column column,
                              const std::function<void(std::string_view key, const std::string_view* a_value,
                                                       const std::string_view* b_value)>& visit);

  /// Written to files so far by flushes and compactions, and memory held for blocks and unflushed writes.
  virtual uint64_t file_bytes_written() const = 0;
  virtual uint64_t memory_bytes() const = 0;
};

/// Where state stores are: the disk, or what a test hands in instead.
///
/// Threads  any thread.
class StateStores {
 public:
  virtual ~StateStores() = default;
  /// Creates the store when there is none.
  virtual absl::StatusOr<std::unique_ptr<StateStore>> Open(const std::string& dir,
                                                           const StateStore::Options& options) const = 0;
  virtual bool Exists(const std::string& dir) const = 0;
  /// Remembers, beyond the end of the process, that reading the store met damage: whoever opens it next makes it anew.
  virtual void MarkDamaged(const std::string& dir) const = 0;
  virtual bool MarkedDamaged(const std::string& dir) const = 0;
  /// Deletes the store, if there is one; the folder may stay, empty.
  virtual absl::Status Destroy(const std::string& dir) const = 0;
};

/// One RocksDB a folder, without WAL. One shared instance, never destroyed.
const StateStores& RocksStateStores();

/// Keys of the columns, for whoever implements a store.
std::string UserKeyBytes(catalog::UserKey user);
std::string LifelongBlockKey(catalog::UserKey user, uint32_t ordinal);
std::string ItemKeyBytes(catalog::ItemKey item);
/// Of one user's signals together; and of one of them.
std::string SignalPrefix(catalog::UserKey user);
std::string SignalKey(catalog::UserKey user, uint64_t signal);
/// False: not such a key.
bool ParseSignalKey(std::string_view key, catalog::UserKey* user, uint64_t* signal);
/// Before all users' signals; of one item's together; and what one partition counted of one of them.
std::string ItemSignalPrefix();
std::string ItemSignalPrefix(catalog::ItemKey item);
std::string ItemSignalKey(catalog::ItemKey item, uint64_t signal, uint32_t partition);
bool ParseItemSignalKey(std::string_view key, catalog::ItemKey* item, uint64_t* signal, uint32_t* partition);
std::string OffsetKey(uint32_t partition);
std::string OffsetValue(log::Offset folded);
std::string FormatKey(std::string_view key);

}  // namespace bowerbird::state
