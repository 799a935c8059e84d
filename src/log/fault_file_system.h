#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/rng.h"

namespace bowerbird::log {

/// For tests: a disk whose fsync and space can be made to fail, and that can lose power.
///
/// Threads  any; LosePower and DropUnsynced from the test's thread.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using IOStatus = rocksdb::IOStatus;
  explicit FaultFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target) : FileSystemWrapper(target) {}
  const char* Name() const override { return "FaultFileSystem"; }

  void FailSyncs(bool fail) { fail_syncs_ = fail; }
  void FillDisk(bool full) { disk_full_ = full; }
  /// From now on nothing reaches the disk any more.
  void LosePower() { no_power_ = true; }
  /// Once whoever wrote is gone: cuts each file to what was synced and a random part of what was written after.
  void DropUnsynced(base::Rng* rng) {
    std::lock_guard lock(mutex_);
    for (const auto& [path, sizes] : files_) {
      if (!std::filesystem::exists(path)) continue;
      const uint64_t unsynced = sizes.written - sizes.synced;
      std::filesystem::resize_file(path, sizes.synced + (unsynced == 0 ? 0 : rng->Below(unsynced)));
    }
  }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override {
    if (IOStatus status = Check(); !status.ok()) return status;
    std::unique_ptr<rocksdb::FSWritableFile> inner;
    IOStatus status = target()->NewWritableFile(path, options, &inner, debug);
    if (!status.ok()) return status;
    {
      std::lock_guard lock(mutex_);
      files_[path] = {};
    }
    *file = std::make_unique<File>(std::move(inner), path, this);
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* debug) override {
    if (IOStatus status = Check(); !status.ok()) return status;
    IOStatus status = target()->RenameFile(from, to, options, debug);
    std::lock_guard lock(mutex_);
    if (const auto found = files_.find(from); status.ok() && found != files_.end()) {
      files_[to] = found->second;
      files_.erase(found);
    }
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* debug) override {
    if (no_power_) return IOStatus::IOError("no power");
    return target()->DeleteFile(path, options, debug);
  }

 private:
  struct Sizes {
    uint64_t written = 0, synced = 0;
  };

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile>&& inner, std::string path, FaultFileSystem* disk)
        : FSWritableFileOwnerWrapper(std::move(inner)), path_(std::move(path)), disk_(disk) {}
    IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override {
      if (IOStatus status = disk_->Check(); !status.ok()) return status;
      IOStatus status = target()->Append(data, options, debug);
      if (status.ok()) disk_->Written(path_, data.size());
      return status;
    }
    IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                    const rocksdb::DataVerificationInfo& /*info*/, rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }
    IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      if (IOStatus status = disk_->CheckSync(); !status.ok()) return status;
      IOStatus status = target()->Sync(options, debug);
      if (status.ok()) disk_->Synced(path_);
      return status;
    }
    IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      return Sync(options, debug);
    }

   private:
    const std::string path_;
    FaultFileSystem* const disk_;
  };

  IOStatus Check() const {
    if (no_power_) return IOStatus::IOError("no power");
    return disk_full_ ? IOStatus::NoSpace("disk full") : IOStatus::OK();
  }
  IOStatus CheckSync() const {
    if (no_power_) return IOStatus::IOError("no power");
    return fail_syncs_ ? IOStatus::IOError("fsync failed") : IOStatus::OK();
  }
  void Written(const std::string& path, uint64_t bytes) {
    std::lock_guard lock(mutex_);
    files_[path].written += bytes;
  }
  void Synced(const std::string& path) {
    std::lock_guard lock(mutex_);
    files_[path].synced = files_[path].written;
  }

  std::atomic<bool> fail_syncs_{false}, disk_full_{false}, no_power_{false};
  std::mutex mutex_;
  std::map<std::string, Sizes> files_;
};

}  // namespace bowerbird::log
