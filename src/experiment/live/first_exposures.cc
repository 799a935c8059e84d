#include "experiment/live/first_exposures.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/byte_codec.h"
#include "base/status_macros.h"
#include "bowerbird/v1/experiment.pb.h"

namespace bowerbird::experiment::live {
namespace {

constexpr uint8_t kVersion = 1;
constexpr char kUnitPrefix = 'u', kOffsetPrefix = 'o';
constexpr size_t kCacheBytes = 8u << 20, kBufferBytes = 4u << 20;
constexpr size_t kReadRecords = 1024, kReadBytes = 4u << 20;

std::string UnitRow(uint64_t unit_key) {
  std::string key(1, kUnitPrefix);
  base::PutBigEndian64(unit_key, &key);
  return key;
}

std::string OffsetRow(uint32_t partition) {
  std::string key(1, kOffsetPrefix);
  base::PutBigEndian32(partition, &key);
  return key;
}

std::string Encode(const std::vector<FirstExposure>& entries) {
  std::string bytes(1, static_cast<char>(kVersion));
  base::PutVarint(entries.size(), &bytes);
  for (const FirstExposure& entry : entries) {
    base::PutString(entry.experiment, &bytes);
    base::PutString(entry.arm, &bytes);
    base::PutSigned(entry.time_us, &bytes);
  }
  return bytes;
}

/// Nothing of a row that is damaged.
std::vector<FirstExposure> Decode(std::string_view bytes) {
  base::Reader in(bytes);
  if (in.Fixed<uint8_t>() != kVersion) return {};
  std::vector<FirstExposure> entries(in.Count(3));
  for (FirstExposure& entry : entries) {
    entry.experiment = in.String();
    entry.arm = in.String();
    entry.time_us = in.Signed();
  }
  return in.ok() && in.empty() ? entries : std::vector<FirstExposure>();
}

absl::StatusOr<std::unique_ptr<store::RocksStore>> OpenStore(const std::string& folder) {
  const store::RocksMemory memory = store::MakeRocksMemory(kCacheBytes, 2 * kBufferBytes);
  return store::RocksStore::Open(
      folder, store::RocksDbOptions(memory),
      {{rocksdb::kDefaultColumnFamilyName, store::RocksColumnOptions(memory, kBufferBytes)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<FirstExposures>> FirstExposures::Open(const std::string& folder,
                                                                     std::function<bool(std::string_view id)> is_over) {
  auto store = OpenStore(folder);
  if (absl::IsDataLoss(store.status())) {
    RETURN_IF_ERROR(store::DeleteStore(rocksdb::Env::Default(), folder));
    store = OpenStore(folder);
  }
  RETURN_IF_ERROR(store.status());
  return std::unique_ptr<FirstExposures>(new FirstExposures(*std::move(store), std::move(is_over)));
}

bool FirstExposures::Add(FirstExposure exposure, std::vector<FirstExposure>* entries) const {
  const auto found = std::ranges::find(*entries, exposure.experiment, &FirstExposure::experiment);
  if (found != entries->end()) {
    if (found->time_us <= exposure.time_us) return false;
    *found = std::move(exposure);
    return true;
  }
  std::erase_if(*entries, [&](const FirstExposure& entry) { return is_over_(entry.experiment); });
  if (entries->size() >= kEntriesMax) entries->erase(std::ranges::min_element(*entries, {}, &FirstExposure::time_us));
  entries->push_back(std::move(exposure));
  return true;
}

std::vector<FirstExposure> FirstExposures::Of(uint64_t unit_key) const {
  std::string bytes;
  const rocksdb::Status got = store_->db().Get({}, store_->column(0), UnitRow(unit_key), &bytes);
  return got.ok() ? Decode(bytes) : std::vector<FirstExposure>();
}

absl::Status FirstExposures::Note(uint64_t unit_key, FirstExposure exposure) {
  const absl::MutexLock lock(&writing_);
  std::vector<FirstExposure> entries = Of(unit_key);
  if (!Add(std::move(exposure), &entries)) return absl::OkStatus();
  return store::FromRocks(store_->db().Put({}, store_->column(0), UnitRow(unit_key), Encode(entries)),
                          "write a first exposure");
}

absl::Status FirstExposures::Follow(const log::EventLog& log,
                                    const std::function<uint64_t(std::string_view, std::string_view)>& key_of) {
  for (uint32_t p = 0; p < log.PartitionCount(log::Topic::kExposures); ++p) {
    std::string stored;
    const rocksdb::Status got = store_->db().Get({}, store_->column(0), OffsetRow(p), &stored);
    log::Offset at = got.ok() ? base::Reader(stored).Fixed<uint64_t>() : 0;
    ASSIGN_OR_RETURN(const log::Offset begin, log.BeginOffset(log::Topic::kExposures, p));
    ASSIGN_OR_RETURN(const log::Offset end, log.EndOffset(log::Topic::kExposures, p));
    // Beyond the end, it was folded from another log.
    if (at < begin || at > end) at = begin;
    while (at < end) {
      ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(log::Topic::kExposures, p, at, kReadRecords, kReadBytes));
      const absl::MutexLock lock(&writing_);
      std::map<uint64_t, std::vector<FirstExposure>> rows;
      for (const log::Record& record : read.records) {
        v1::Exposure exposure;
        if (!exposure.ParseFromString(record.value) || exposure.unit_id().empty() || exposure.forced()) continue;
        const uint64_t key = key_of(exposure.unit(), exposure.unit_id());
        const auto [row, fresh] = rows.try_emplace(key);
        if (fresh) row->second = Of(key);
        Add({exposure.experiment(), exposure.arm(), exposure.time_us()}, &row->second);
      }
      if (read.next_offset <= at) break;
      at = read.next_offset;
      rocksdb::WriteBatch batch;
      for (const auto& [key, entries] : rows) batch.Put(store_->column(0), UnitRow(key), Encode(entries));
      std::string offset;
      base::PutFixed<uint64_t>(at, &offset);
      batch.Put(store_->column(0), OffsetRow(p), offset);
      RETURN_IF_ERROR(store::FromRocks(store_->db().Write({}, &batch), "write first exposures"));
    }
  }
  return absl::OkStatus();
}

absl::Status FirstExposures::Forget(std::span<const uint64_t> unit_keys) {
  const absl::MutexLock lock(&writing_);
  std::vector<store::KeyRange> ranges;
  for (const uint64_t key : unit_keys) {
    const std::string row = UnitRow(key);
    RETURN_IF_ERROR(store::FromRocks(store_->db().Delete({}, store_->column(0), row), "forget a unit"));
    ranges.push_back({row, row});
  }
  RETURN_IF_ERROR(store::FromRocks(store_->db().Flush({}, store_->column(0)), "forget a unit"));
  RETURN_IF_ERROR(store::RewriteFiles(store_->db(), store_->column(0), std::move(ranges)));
  return store::DropObsoleteFiles(store_->db());
}

}  // namespace bowerbird::experiment::live
