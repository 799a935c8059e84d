#pragma once

#include <rocksdb/options.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Status;
class WriteBufferManager;
}  // namespace rocksdb

namespace bowerbird::store {

/// "`doing`: what RocksDB said", with the code that tells the caller what to do: DataLoss for corruption, Unavailable
/// for a disk that is full or fails and for a folder that another process has open, NotFound, InvalidArgument, and so
/// on.
absl::Status FromRocks(const rocksdb::Status& status, std::string_view doing);

/// Memory that stores share: a bound on cached blocks, and one on what is not flushed yet (reached, the largest is
/// flushed).
struct RocksMemory {
  std::shared_ptr<rocksdb::Cache> block_cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};
RocksMemory MakeRocksMemory(size_t block_cache_bytes, size_t write_buffer_bytes);

/// What our stores have in common: created when missing, two background jobs, a small text log, no periodic statistics.
/// `memory.write_buffers` may be null: then each column's own write buffers are the bound.
rocksdb::DBOptions RocksDbOptions(const RocksMemory& memory);
/// Bounds of one column; checksummed blocks of `block_bytes`, in `memory.block_cache` (null: no cache).
rocksdb::ColumnFamilyOptions RocksColumnOptions(const RocksMemory& memory, size_t write_buffer_bytes,
                                                size_t block_bytes = 16 << 10);

/// A copy of the store as it is at some moment of the call, in the new folder `to`, which must not be there; files that
/// are never written again are shared with it where the file system can. `flush`: what is in memory goes to files first
/// (needed where the write-ahead log is off); false: the write-ahead log is copied instead. Writes go on meanwhile.
absl::Status CheckpointTo(rocksdb::DB& db, const std::string& to, bool flush);

/// Keys from `first` to `last`, both included.
struct KeyRange {
  std::string first, last;
};
/// Writes the files that hold keys of these ranges anew, so that what was written over or deleted is in none of them.
/// What is in memory must have been flushed. Cost: more ranges than kRangesMax are taken as one.
absl::Status RewriteFiles(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* column, std::vector<KeyRange> ranges);
inline constexpr size_t kRangesMax = 256;
/// Deletes files that are no part of the store any more, write-ahead logs too, before it returns.
absl::Status DropObsoleteFiles(rocksdb::DB& db);
/// Calls `visit` for every version of every key of the column that memory and files hold, those that were written over
/// and deleted too.
absl::Status VisitVersions(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* column,
                           const std::function<void(std::string_view key, std::string_view value)>& visit);

/// For stores that can be made again. MarkDamaged remembers, beyond the end of the process, that reading the store in
/// `folder` met damage; whoever opens it next deletes it first, and the mark with it.
void MarkDamaged(rocksdb::Env* env, const std::string& folder);
bool IsMarkedDamaged(rocksdb::Env* env, const std::string& folder);
/// Deletes every file of the folder, known to RocksDB or not; the folder stays. No process may have the store open.
absl::Status DeleteStore(rocksdb::Env* env, const std::string& folder);

/// An open RocksDB with its column families; closes them in the order that RocksDB wants.
///
/// Threads  as RocksDB: any thread, except the destructor.
class RocksStore {
 public:
  struct Column {
    std::string name;
    rocksdb::ColumnFamilyOptions options;
  };
  /// Opens `folder`, creating it and whatever column is missing. RocksDB's own column "default" is opened too, named or
  /// not. Unavailable: another process has it open; DataLoss: damaged; InvalidArgument: the folder holds a column not
  /// named.
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& folder, const rocksdb::DBOptions& options,
                                                          const std::vector<Column>& columns);
  ~RocksStore();
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  rocksdb::DB& db() const { return *db_; }
  /// In the order given to Open.
  rocksdb::ColumnFamilyHandle* column(size_t index) const { return handles_[index]; }

 private:
  RocksStore() = default;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // owned by db_
};

}  // namespace bowerbird::store
