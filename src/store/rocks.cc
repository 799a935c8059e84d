#include "store/rocks.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/status.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/debug.h>
#include <rocksdb/write_buffer_manager.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <limits>
#include <memory>

#include "fmt/format.h"

namespace bowerbird::store {
namespace {

/// RocksDB's warnings, as lines of FOLDER/LOG. RocksDB's own logger ends the process when its file cannot be written
/// (distributions build it with assertions): a full disk must not. What cannot be written here is dropped.
class TextLog final : public rocksdb::Logger {
 public:
  explicit TextLog(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {}
  ~TextLog() override {
    if (fd_ >= 0) close(fd_);
  }
  void Logv(const char* format, va_list arguments) override {
    if (fd_ < 0) return;
    char line[1024];
    const int length = std::vsnprintf(line, sizeof(line) - 1, format, arguments);
    if (length < 0) return;
    size_t bytes = std::min<size_t>(static_cast<size_t>(length), sizeof(line) - 2);
    line[bytes++] = '\n';
    // Begins again when it is full: the newest lines matter.
    if (lseek(fd_, 0, SEEK_END) > kBytesMax && ftruncate(fd_, 0) != 0) return;
    if (write(fd_, line, bytes) < 0) return;
  }
  using Logger::Logv;

 private:
  static constexpr off_t kBytesMax = 4 << 20;
  const int fd_;
};

constexpr char kDamageMark[] = "/DAMAGED";

}  // namespace

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
  // Files go to the disk as they are written, not in one piece at their end, behind which an fsync of the log would
  // wait.
  options.bytes_per_sync = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
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

absl::Status RewriteFiles(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* column, std::vector<KeyRange> ranges) {
  if (ranges.empty()) return absl::OkStatus();
  std::ranges::sort(ranges, {}, &KeyRange::first);
  if (ranges.size() > kRangesMax) ranges = {{ranges.front().first, ranges.back().last}};
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  for (const KeyRange& range : ranges) {
    const rocksdb::Slice first(range.first), last(range.last);
    const rocksdb::Status status = db.CompactRange(options, column, &first, &last);
    if (!status.ok()) return FromRocks(status, "rewrite files");
  }
  return absl::OkStatus();
}

absl::Status DropObsoleteFiles(rocksdb::DB& db) {
  // While a flush or compaction runs, files newer than its first output are kept, obsolete or not, and it may have
  // taken others to delete at its end: none may run.
  const rocksdb::Status paused = db.PauseBackgroundWork();
  if (!paused.ok()) return FromRocks(paused, "drop obsolete files");
  // The one call that deletes before it returns what flushes and compactions leave to the background.
  rocksdb::Status dropped = db.DisableFileDeletions();
  if (dropped.ok()) dropped = db.EnableFileDeletions(/*force=*/false);
  const rocksdb::Status continued = db.ContinueBackgroundWork();
  return FromRocks(dropped.ok() ? continued : dropped, "drop obsolete files");
}

absl::Status VisitVersions(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* column,
                           const std::function<void(std::string_view, std::string_view)>& visit) {
  constexpr size_t kAtOnce = 256;
  // An end is needed: nothing is above these keys, which are of 16 bytes and less, or begin with a letter.
  const std::string end(32, '\xff');
  std::string from;
  std::vector<rocksdb::KeyVersion> versions;
  size_t at_once = kAtOnce;
  while (true) {
    versions.clear();
    const rocksdb::Status status = rocksdb::GetAllKeyVersions(&db, column, from, end, at_once, &versions);
    if (!status.ok()) return FromRocks(status, "read every version");
    const bool all = versions.size() < at_once;
    const std::string last = versions.empty() ? "" : versions.back().user_key;
    // A key whose versions fill a read alone is read again, with more room.
    if (!all && versions.front().user_key == last) {
      at_once *= 2;
      continue;
    }
    for (const rocksdb::KeyVersion& version : versions) {
      if (!all && version.user_key == last) break;
      visit(version.user_key, version.value);
    }
    if (all) return absl::OkStatus();
    from = last;
    at_once = kAtOnce;
  }
}

void MarkDamaged(rocksdb::Env* env, const std::string& folder) {
  // A mark that cannot be written is made by the next read that meets the damage.
  rocksdb::WriteStringToFile(env, "", folder + kDamageMark, /*should_sync=*/true).PermitUncheckedError();
}

bool IsMarkedDamaged(rocksdb::Env* env, const std::string& folder) {
  return env->FileExists(folder + kDamageMark).ok();
}

absl::Status DeleteStore(rocksdb::Env* env, const std::string& folder) {
  std::vector<std::string> names;
  const rocksdb::Status listed = env->GetChildren(folder, &names);
  if (listed.IsNotFound() || listed.IsPathNotFound()) return absl::OkStatus();
  if (!listed.ok()) return FromRocks(listed, fmt::format("list {}", folder));
  // The mark goes last: a deletion that is cut short is done again.
  std::ranges::sort(names, {}, [](const std::string& name) { return "/" + name == kDamageMark; });
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const rocksdb::Status deleted = env->DeleteFile(folder + "/" + name);
    if (!deleted.ok()) return FromRocks(deleted, fmt::format("delete {}/{}", folder, name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& folder,
                                                             const rocksdb::DBOptions& options,
                                                             const std::vector<Column>& columns) {
  // By the options' own disk, which may be one in memory.
  for (size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const rocksdb::Status made = options.env->CreateDirIfMissing(folder.substr(0, end));
    if (!made.ok()) return FromRocks(made, fmt::format("create folder {}", folder));
    if (end == std::string::npos) break;
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  bool names_default = false;
  for (const Column& column : columns) {
    descriptors.emplace_back(column.name, column.options);
    names_default |= column.name == rocksdb::kDefaultColumnFamilyName;
  }
  if (!names_default) descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  rocksdb::DBOptions logged = options;
  if (logged.info_log == nullptr) {
    logged.info_log = std::make_shared<TextLog>(folder + "/LOG");
    logged.info_log->SetInfoLogLevel(options.info_log_level);
  }
  // Not make_unique: the constructor is private.
  std::unique_ptr<RocksStore> store(new RocksStore());
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(logged, folder, descriptors, &store->handles_, &db);
  if (!status.ok()) return FromRocks(status, fmt::format("open {}", folder));
  store->db_.reset(db);
  return store;
}

absl::Status CheckpointTo(rocksdb::DB& db, const std::string& to, bool flush) {
  const std::string doing = fmt::format("checkpoint to {}", to);
  rocksdb::Checkpoint* made = nullptr;
  const rocksdb::Status status = rocksdb::Checkpoint::Create(&db, &made);
  if (!status.ok()) return FromRocks(status, doing);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return FromRocks(checkpoint->CreateCheckpoint(to, flush ? 0 : std::numeric_limits<uint64_t>::max()), doing);
}

RocksStore::~RocksStore() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  db_->Close();
}

}  // namespace bowerbird::store
