#include "lake/table_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/status_macros.h"
#include "base/time_text.h"
#include "lake/tables.h"
#include "store/file.h"

namespace bowerbird::lake {
namespace {

namespace fs = std::filesystem;

absl::Status MakeFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? absl::UnavailableError(fmt::format("{}: {}", folder, error.message())) : absl::OkStatus();
}

absl::Status Rename(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  return error ? absl::UnavailableError(fmt::format("{}: {}", to, error.message())) : absl::OkStatus();
}

int64_t ChangedNs(const struct stat& file) {
  return static_cast<int64_t>(file.st_mtim.tv_sec) * 1'000'000'000 + file.st_mtim.tv_nsec;
}

std::string PartName(uint64_t number) { return fmt::format("part-{:010}.parquet", number); }

/// The folders from the table's own down to `directory` hold a new name each, perhaps.
absl::Status SyncDown(const std::string& folder, const std::string& directory) {
  RETURN_IF_ERROR(store::SyncFolder(folder));
  for (size_t slash = directory.find('/'); slash != std::string::npos; slash = directory.find('/', slash + 1))
    RETURN_IF_ERROR(store::SyncFolder(folder + "/" + directory.substr(0, slash)));
  return store::SyncFolder(folder + "/" + directory);
}

}  // namespace

std::string HourDirectory(int64_t time_us) {
  const std::string text = base::FormatTimeUs(time_us);  // 2026-11-27T07:...
  return fmt::format("date={}/hour={}", text.substr(0, 10), text.substr(11, 2));
}

absl::StatusOr<std::unique_ptr<TableStore>> TableStore::Open(const std::string& folder, const std::string& name,
                                                             const base::Clock* clock, OnStep on_step) {
  RETURN_IF_ERROR(MakeFolder(folder));
  auto store = std::unique_ptr<TableStore>(new TableStore(folder, name, clock, std::move(on_step)));
  const std::string path = folder + "/manifest.json";
  auto manifest = std::make_shared<Manifest>();
  const absl::StatusOr<std::string> text = store::ReadFile(path);
  if (text.ok()) {
    ASSIGN_OR_RETURN(*manifest, Manifest::FromJson(*text, path));
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  manifest->table = name;
  {
    const absl::MutexLock lock(&store->mutex_);
    store->manifest_ = std::move(manifest);
  }
  RETURN_IF_ERROR(store->DeleteOrphans());
  return store;
}

std::shared_ptr<const Manifest> TableStore::manifest() const {
  const absl::MutexLock lock(&mutex_);
  return manifest_;
}

absl::Status TableStore::DeleteOrphans() const {
  const auto manifest = this->manifest();
  std::set<std::string> known;
  for (const Part& part : manifest->parts) known.insert(part.path);
  for (const RetiredPart& part : manifest->retired) known.insert(part.path);
  std::vector<fs::path> orphans;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string below = fs::relative(at->path(), folder_, error).string();
    const bool ours =
        at->path().filename().string().starts_with("part-") || at->path().filename().string().starts_with(".part-");
    if (at->is_regular_file() && ours && !known.contains(below)) orphans.push_back(at->path());
  }
  for (const fs::path& orphan : orphans) fs::remove(orphan, error);
  return error ? absl::UnavailableError(fmt::format("{}: {}", folder_, error.message())) : absl::OkStatus();
}

absl::Status TableStore::Commit(Manifest next) {
  const auto former = manifest();
  std::set<std::string> named;
  for (const Part& part : next.parts) named.insert(part.path);
  for (const Part& part : former->parts) {
    if (!named.contains(part.path)) next.retired.push_back({part.path, clock_->NowUs()});
  }
  RETURN_IF_ERROR(Step("commit"));
  RETURN_IF_ERROR(store::AtomicWriteFile(folder_ + "/manifest.json", next.ToJson()));
  const absl::MutexLock lock(&mutex_);
  manifest_ = std::make_shared<const Manifest>(std::move(next));
  return absl::OkStatus();
}

absl::Status TableStore::DeleteRetired(int64_t kept_us) {
  Manifest next = *manifest();
  const int64_t now_us = clock_->NowUs();
  // The files go first: one that the manifest has forgotten would be an orphan until the next start.
  const auto first_kept = std::partition(next.retired.begin(), next.retired.end(),
                                         [&](const RetiredPart& part) { return now_us - part.at_us >= kept_us; });
  if (first_kept == next.retired.begin()) return absl::OkStatus();
  std::error_code ignored;
  for (auto part = next.retired.begin(); part != first_kept; ++part) {
    RETURN_IF_ERROR(Step("delete"));
    fs::remove(folder_ + "/" + part->path, ignored);
    fs::path directory = fs::path(folder_ + "/" + part->path).parent_path();
    while (directory != fs::path(folder_) && fs::remove(directory, ignored)) directory = directory.parent_path();
  }
  next.retired.erase(next.retired.begin(), first_kept);
  return Commit(std::move(next));
}

absl::Status TableStore::Check(const Part& part, bool whole) const {
  absl::Status found = CheckFile(part, whole);
  const absl::MutexLock lock(&mutex_);
  if (!found.ok()) {
    damaged_.insert(part.path);
  } else if (whole) {
    damaged_.erase(part.path);
  }
  return found;
}

uint64_t TableStore::DamagedParts() const {
  const absl::MutexLock lock(&mutex_);
  return static_cast<uint64_t>(
      std::ranges::count_if(manifest_->parts, [&](const Part& part) { return damaged_.contains(part.path); }));
}

absl::Status TableStore::CheckFile(const Part& part, bool whole) const {
  const std::string path = PathOf(part);
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return absl::DataLossError(fmt::format("{}: the file is gone", path));
  if (static_cast<uint64_t>(file.st_size) != part.bytes) {
    return absl::DataLossError(fmt::format("{}: damaged: found {} bytes; expected {}", path, file.st_size, part.bytes));
  }
  const std::pair<std::string, int64_t> key(part.path, ChangedNs(file));
  if (!whole) return absl::OkStatus();
  {
    const absl::MutexLock lock(&mutex_);
    if (std::binary_search(checked_.begin(), checked_.end(), key)) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string checksum, store::ChecksumFile(path));
  if (checksum != part.checksum) {
    return absl::DataLossError(
        fmt::format("{}: damaged: found checksum {}; expected {}", path, checksum, part.checksum));
  }
  const absl::MutexLock lock(&mutex_);
  checked_.insert(std::upper_bound(checked_.begin(), checked_.end(), key), key);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PartFile>> PartFile::Create(TableStore* store, const std::string& directory,
                                                           uint64_t number, std::span<const Field> fields) {
  auto file = std::unique_ptr<PartFile>(new PartFile());
  file->store_ = store;
  file->directory_ = directory;
  file->part_.path = directory + "/" + PartName(number);
  file->part_.schema = kSchema;
  const std::string folder = fs::path(store->PathOf(file->part_)).parent_path();
  RETURN_IF_ERROR(store->Step("create"));
  RETURN_IF_ERROR(MakeFolder(folder));
  file->temporary_ = folder + "/." + PartName(number);
  ASSIGN_OR_RETURN(file->writer_, CreateParquet(file->temporary_, fields));
  return file;
}

absl::Status PartFile::Write(ArrowArray* rows) {
  part_.rows += static_cast<uint64_t>(rows->length);
  return writer_->Write(rows);
}

absl::StatusOr<Part> PartFile::Finish(const KeyValues& metadata, int64_t first_us, int64_t last_us) {
  RETURN_IF_ERROR(store_->Step("close"));
  RETURN_IF_ERROR(writer_->Close(metadata));
  RETURN_IF_ERROR(store::SyncFile(temporary_));
  part_.first_us = first_us;
  part_.last_us = last_us;
  ASSIGN_OR_RETURN(part_.checksum, store::ChecksumFile(temporary_));
  part_.bytes = fs::file_size(temporary_);
  const std::string path = store_->PathOf(part_);
  RETURN_IF_ERROR(store_->Step("rename"));
  RETURN_IF_ERROR(Rename(temporary_, path));
  RETURN_IF_ERROR(SyncDown(path.substr(0, path.size() - part_.path.size() - 1), directory_));
  return part_;
}

absl::StatusOr<Part> AdoptPart(TableStore* store, const std::string& file, const std::string& directory,
                               uint64_t number, uint64_t rows, int64_t first_us, int64_t last_us) {
  Part part;
  part.path = directory + "/" + PartName(number);
  part.rows = rows;
  part.schema = kSchema;
  part.first_us = first_us;
  part.last_us = last_us;
  const std::string path = store->PathOf(part);
  RETURN_IF_ERROR(MakeFolder(fs::path(path).parent_path()));
  RETURN_IF_ERROR(store::SyncFile(file));
  ASSIGN_OR_RETURN(part.checksum, store::ChecksumFile(file));
  part.bytes = fs::file_size(file);
  RETURN_IF_ERROR(store->Step("rename"));
  RETURN_IF_ERROR(Rename(file, path));
  RETURN_IF_ERROR(SyncDown(path.substr(0, path.size() - part.path.size() - 1), directory));
  return part;
}

}  // namespace bowerbird::lake
