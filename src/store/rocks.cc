#include "store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/status.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "fmt/format.h"

namespace bowerbird::store {

absl::Status FromRocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = fmt::format("{}: {}", doing, status.ToString());
  switch (status.code()) {
    case rocksdb::Status::kNotFound:
      return absl::NotFoundError(message);
    case rocksdb::Status::kCorruption:
      return absl::DataLossError(message);
    case rocksdb::Status::kInvalidArgument:
      return absl::InvalidArgumentError(message);
    case rocksdb::Status::kNotSupported:
      return absl::UnimplementedError(message);
    case rocksdb::Status::kAborted:
      return status.subcode() == rocksdb::Status::kMemoryLimit ? absl::ResourceExhaustedError(message)
                                                               : absl::AbortedError(message);
    case rocksdb::Status::kTimedOut:
      return absl::DeadlineExceededError(message);
    case rocksdb::Status::kIOError:
      if (status.subcode() == rocksdb::Status::kPathNotFound) return absl::NotFoundError(message);
      return absl::UnavailableError(message);
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kIncomplete:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kShutdownInProgress:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

RocksMemory MakeRocksMemory(size_t block_cache_bytes, size_t write_buffer_bytes) {
  return {rocksdb::NewLRUCache(block_cache_bytes), std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes)};
}

rocksdb::DBOptions RocksDbOptions(const RocksMemory& memory) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.write_buffer_manager = memory.write_buffers;
  // Files go to the disk as they are written, not in one piece at their end, behind which an fsync of the log would wait.
  options.bytes_per_sync = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = 4 << 20;
  options.keep_log_file_num = 2;
  return options;
}

rocksdb::ColumnFamilyOptions RocksColumnOptions(const RocksMemory& memory, size_t write_buffer_bytes,
                                                size_t block_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.block_cache;
  table.no_block_cache = memory.block_cache == nullptr;
  table.block_size = block_bytes;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = write_buffer_bytes;
  options.compression = rocksdb::kLZ4Compression;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& folder,
                                                             const rocksdb::DBOptions& options,
                                                             const std::vector<Column>& columns) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::UnavailableError(fmt::format("create folder {}: {}", folder, error.message()));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  bool names_default = false;
  for (const Column& column : columns) {
    descriptors.emplace_back(column.name, column.options);
    names_default |= column.name == rocksdb::kDefaultColumnFamilyName;
  }
  if (!names_default) descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  // Not make_unique: the constructor is private.
  std::unique_ptr<RocksStore> store(new RocksStore());
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, folder, descriptors, &store->handles_, &db);
  if (!status.ok()) return FromRocks(status, fmt::format("open {}", folder));
  store->db_.reset(db);
  return store;
}

RocksStore::~RocksStore() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  db_->Close();
}

}  // namespace bowerbird::store
