#include "lake/lake.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::lake {
namespace {

namespace fs = std::filesystem;

/// Reads a whole file, so that damage anywhere shows.
absl::Status ReadWhole(const Table& table, const TableStore& store, const Part& part) {
  RETURN_IF_ERROR(store.Check(part, true));
  const std::string path = store.PathOf(part);
  ASSIGN_OR_RETURN(const auto reader, OpenParquet(path, *table.fields));
  RETURN_IF_ERROR(DescribePart(reader->metadata(), path).status());
  uint64_t rows = 0;
  while (true) {
    ArrowArray read;
    ASSIGN_OR_RETURN(const bool more, reader->Next(&read));
    if (!more) break;
    rows += static_cast<uint64_t>(read.length);
    read.release(&read);
  }
  if (rows == part.rows) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{}: found {} rows; expected {}", path, rows, part.rows));
}

absl::Status ShareFile(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (!error) fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to, error);
  return error ? absl::UnavailableError(fmt::format("copy {}: {}", from.string(), error.message())) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<TableStore*> Lake::Open(const std::string& name) {
  const absl::MutexLock lock(&mutex_);
  std::unique_ptr<TableStore>& store = stores_[name];
  if (store == nullptr) {
    auto opened = TableStore::Open(options_.folder + "/" + name, name, options_.clock, options_.on_step);
    if (!opened.ok()) {
      stores_.erase(name);
      return opened.status();
    }
    store = *std::move(opened);
  }
  return store.get();
}

absl::StatusOr<TableStore*> Lake::JobTable(const std::string& name) { return Open(name); }

absl::StatusOr<TableStore*> Lake::LogTable(std::string_view name) {
  const std::string table(name);
  if (!fs::exists(options_.folder + "/" + table + "/manifest.json")) return nullptr;
  return Open(table);
}

std::vector<std::string> Lake::Names() const {
  std::vector<std::string> names;
  for (const Table& table : LogTables()) names.emplace_back(table.name);
  std::vector<std::string> others;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(options_.folder, error)) {
    const std::string name = entry.path().filename();
    if (FindLogTable(name) == nullptr && fs::exists(entry.path() / "manifest.json", error)) others.push_back(name);
  }
  std::sort(others.begin(), others.end());
  names.insert(names.end(), others.begin(), others.end());
  return names;
}

absl::StatusOr<uint64_t> Lake::CatchUp(std::string_view table) {
  const Table* found = FindLogTable(table);
  if (found == nullptr) return absl::NotFoundError(fmt::format("lake: no table '{}' follows the log", table));
  ASSIGN_OR_RETURN(TableStore * store, Open(std::string(table)));
  return LogFollower(found, options_.log, store).CatchUp();
}

absl::StatusOr<uint64_t> Lake::CatchUp() {
  uint64_t rows = 0;
  for (const Table& table : LogTables()) {
    ASSIGN_OR_RETURN(const uint64_t added, CatchUp(table.name));
    rows += added;
  }
  return rows;
}

absl::StatusOr<std::vector<std::string>> Lake::Maintain(const std::map<std::string, int64_t>& retention_us) {
  std::vector<std::string> problems;
  for (const std::string& name : Names()) {
    ASSIGN_OR_RETURN(TableStore * store, Open(name));
    if (const auto keep = retention_us.find(name); keep != retention_us.end() && keep->second > 0)
      RETURN_IF_ERROR(RetireBefore(store, store->NowUs() - keep->second).status());
    if (const Table* table = FindLogTable(name); table != nullptr)
      RETURN_IF_ERROR(CompactTable(*table, store, options_.compaction, &problems).status());
    const absl::MutexLock lock(&store->writing());
    RETURN_IF_ERROR(store->DeleteRetired());
  }
  return problems;
}

absl::StatusOr<uint64_t> Lake::Redact(const std::function<RowChanges(const Table&)>& changes,
                                      std::span<const std::string> users, std::vector<std::string>* problems) {
  uint64_t rows = 0;
  for (const std::string& name : Names()) {
    if (!fs::exists(options_.folder + "/" + name + "/manifest.json")) continue;  // nothing is in it
    ASSIGN_OR_RETURN(TableStore * store, Open(name));
    const Table* table = FindLogTable(name);
    const absl::StatusOr<uint64_t> changed = table != nullptr
                                                 ? RedactTable(*table, store, changes(*table), problems)
                                                 : RedactJobTable(options_.folder + "/" + name, store, users, problems);
    RETURN_IF_ERROR(changed.status());
    rows += *changed;
  }
  return rows;
}

absl::StatusOr<std::vector<std::pair<std::string, uint64_t>>> Lake::RowsNaming(
    const std::string& user, const std::function<bool(const log::Record&)>& names, std::vector<std::string>* problems) {
  std::vector<std::pair<std::string, uint64_t>> found;
  for (const std::string& name : Names()) {
    const fs::path folder = options_.folder + "/" + name;
    if (!fs::exists(folder / "manifest.json")) continue;
    uint64_t rows = 0;
    const Table* table = FindLogTable(name);
    if (table == nullptr) {
      ASSIGN_OR_RETURN(TableStore * store, Open(name));
      ASSIGN_OR_RETURN(rows, RowsOfUser(store, user));
    }
    std::error_code error;
    for (fs::recursive_directory_iterator at(folder, error), end; table != nullptr && !error && at != end;
         at.increment(error)) {
      const bool written = !at->path().filename().string().starts_with('.');  // to its end
      if (!written || !at->is_regular_file() || at->path().extension() != ".parquet") continue;
      const auto visit = [&](const LakeRecord& row) { rows += names(row.record); };
      const absl::Status read = VisitRows(*table, at->path().string(), visit);
      // One that was replaced meanwhile is none that is there.
      if (!read.ok() && fs::exists(at->path())) problems->emplace_back(read.message());
    }
    if (rows > 0) found.emplace_back(name, rows);
  }
  return found;
}

absl::StatusOr<std::vector<TableStatus>> Lake::Status() {
  std::vector<TableStatus> all;
  for (const std::string& name : Names()) {
    ASSIGN_OR_RETURN(TableStore * store, Open(name));
    const auto manifest = store->manifest();
    TableStatus& status = all.emplace_back();
    status.name = name;
    status.parts = manifest->parts.size();
    for (const Part& part : manifest->parts) {
      status.rows += part.rows;
      status.bytes += part.bytes;
      status.first_us = status.first_us == 0 ? part.first_us : std::min(status.first_us, part.first_us);
      status.last_us = std::max(status.last_us, part.last_us);
    }
    for (const Gap& gap : manifest->gaps) status.missed += gap.end - gap.begin;
    status.damaged = store->DamagedParts();
    if (const Table* table = FindLogTable(name); table != nullptr) {
      ASSIGN_OR_RETURN(status.lag, LogFollower(table, options_.log, store).Lag());
    }
  }
  return all;
}

absl::StatusOr<std::vector<std::string>> Lake::Verify() {
  std::vector<std::string> problems;
  for (const std::string& name : Names()) {
    ASSIGN_OR_RETURN(TableStore * store, Open(name));
    const Table* table = FindLogTable(name);
    const std::shared_ptr<const Manifest> manifest = store->manifest();  // a writer may set another one meanwhile
    for (const Part& part : manifest->parts) {
      const absl::Status read = table == nullptr ? store->Check(part, true) : ReadWhole(*table, *store, part);
      if (!read.ok()) problems.emplace_back(read.message());
    }
  }
  return problems;
}

absl::StatusOr<std::vector<TableFiles>> Lake::Files() {
  std::vector<TableFiles> all;
  for (const std::string& name : Names()) {
    ASSIGN_OR_RETURN(TableStore * store, Open(name));
    TableFiles& files = all.emplace_back();
    files.name = name;
    files.table = FindLogTable(name);
    const std::shared_ptr<const Manifest> manifest = store->manifest();  // a writer may set another one meanwhile
    for (const Part& part : manifest->parts) {
      if (const absl::Status whole = store->Check(part, true); !whole.ok()) {
        files.damaged.emplace_back(whole.message());
        continue;
      }
      files.paths.push_back(store->PathOf(part));
      files.of_one_schema = files.of_one_schema && part.schema == kSchema;
      files.rows += part.rows;
    }
  }
  return all;
}

absl::Status Lake::CopyTo(const std::string& to) {
  for (const std::string& name : Names()) {
    if (!fs::exists(options_.folder + "/" + name + "/manifest.json")) continue;  // nothing is in it
    ASSIGN_OR_RETURN(TableStore * store, Open(name));
    Manifest manifest = *store->manifest();
    const fs::path folder = fs::path(to) / name;
    for (const Part& part : manifest.parts) RETURN_IF_ERROR(ShareFile(store->PathOf(part), folder / part.path));
    manifest.retired.clear();
    std::error_code error;
    fs::create_directories(folder, error);
    RETURN_IF_ERROR(store::AtomicWriteFile((folder / "manifest.json").string(), manifest.ToJson()));
  }
  return absl::OkStatus();
}

absl::Status Lake::Read(std::string_view name, uint32_t partition, log::Offset begin, log::Offset end,
                        const Visit& visit) {
  const Table* table = FindLogTable(name);
  if (table == nullptr) return absl::NotFoundError(fmt::format("lake: no table '{}' follows the log", name));
  ASSIGN_OR_RETURN(TableStore * store, Open(std::string(name)));
  const auto manifest = store->manifest();
  for (const Part& part : manifest->parts) {
    RETURN_IF_ERROR(store->Check(part, false));
    const std::string path = store->PathOf(part);
    ASSIGN_OR_RETURN(const auto reader, OpenParquet(path, *table->fields));
    ASSIGN_OR_RETURN(const PartDescription description, DescribePart(reader->metadata(), path));
    const bool has = std::any_of(description.ranges.begin(), description.ranges.end(), [&](const LogRange& range) {
      return range.partition == partition && range.begin < end && begin < range.end;
    });
    while (has) {
      ArrowArray rows;
      ASSIGN_OR_RETURN(const bool more, reader->Next(&rows));
      if (!more) break;
      const std::vector<LakeRecord> records = RecordsOf(*table, rows);
      rows.release(&rows);
      for (const LakeRecord& record : records) {
        if (record.partition != partition || record.record.offset < begin || record.record.offset >= end) continue;
        RETURN_IF_ERROR(visit(record.record));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::lake
