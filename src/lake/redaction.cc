#include "lake/redaction.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "lake/sql.h"

namespace bowerbird::lake {
namespace {

std::string DirectoryOf(const Part& part) { return part.path.substr(0, part.path.rfind('/')); }

/// Calls `visit` for the records of a file, in order.
template <typename Visit>
absl::Status ForEachRecord(const Table& table, ParquetReader* reader, const Visit& visit) {
  while (true) {
    ArrowArray rows;
    ASSIGN_OR_RETURN(const bool more, reader->Next(&rows));
    if (!more) return absl::OkStatus();
    const std::vector<LakeRecord> records = RecordsOf(table, rows);
    rows.release(&rows);
    for (const LakeRecord& record : records) RETURN_IF_ERROR(visit(record));
  }
}

absl::StatusOr<uint64_t> CountChanges(const Table& table, const std::string& path, const RowChanges& changes) {
  ASSIGN_OR_RETURN(const auto reader, OpenParquet(path, *table.fields));
  uint64_t changed = 0;
  RETURN_IF_ERROR(ForEachRecord(table, reader.get(), [&](const LakeRecord& row) {
    changed += changes.change(row.partition, row.record).has_value();
    return absl::OkStatus();
  }));
  return changed;
}

absl::StatusOr<Part> WriteChanged(const Table& table, TableStore* store, const Part& part,
                                  const PartDescription& description, const RowChanges& changes, uint64_t number) {
  ASSIGN_OR_RETURN(const auto reader, OpenParquet(store->PathOf(part), *table.fields));
  ASSIGN_OR_RETURN(auto file, PartFile::Create(store, DirectoryOf(part), number, *table.fields));
  Batch batch(*table.fields);
  const auto flush = [&]() -> absl::Status {
    if (batch.rows() == 0) return absl::OkStatus();
    RETURN_IF_ERROR(store->Step("rows"));
    ArrowArray exported;
    batch.Export(&exported);
    return file->Write(&exported);
  };
  RETURN_IF_ERROR(ForEachRecord(table, reader.get(), [&](const LakeRecord& row) {
    const std::optional<log::Record> changed = changes.change(row.partition, row.record);
    table.append(row.partition, changed.has_value() ? *changed : row.record, &batch);
    const bool full = batch.rows() >= LogFollower::kBatchRows ||
                      (batch.rows() % 64 == 0 && batch.bytes() >= LogFollower::kBatchBytesMax);
    return full ? flush() : absl::OkStatus();
  }));
  RETURN_IF_ERROR(flush());
  return file->Finish(PartMetadata(table, description.ranges), part.first_us, part.last_us);
}

absl::Status Exchange(TableStore* store, const Part& former, Manifest next, Part successor) {
  *std::ranges::find(next.parts, former.path, &Part::path) = std::move(successor);
  RETURN_IF_ERROR(store->Commit(std::move(next)));
  return store->DeleteRetired(0);
}

/// What a query over one file of a job's table is asked of.
std::vector<TableFiles> OnlyFile(const TableStore& store, const Part& part) {
  TableFiles files;
  files.name = store.name();
  files.paths = {store.PathOf(part)};
  files.rows = part.rows;
  return {std::move(files)};
}

absl::StatusOr<std::string> Ask(const TableStore& store, const Part& part, std::string sql) {
  SqlQuery query;
  query.sql = std::move(sql);
  ASSIGN_OR_RETURN(const SqlAnswer answer, RunSql(OnlyFile(store, part), query));
  return answer.body;
}

/// "u"."user_id" IN ('ann', 'ben') OR ..., over the text columns that name a user; empty: there is none.
absl::StatusOr<std::string> UserCondition(const TableStore& store, const Part& part,
                                          std::span<const std::string> users) {
  ASSIGN_OR_RETURN(const std::string body, Ask(store, part, fmt::format("SELECT * FROM \"{}\" LIMIT 0", store.name())));
  simdjson::dom::parser parser;
  simdjson::dom::array columns;
  if (parser.parse(body)["columns"].get(columns)) return absl::InternalError("bowerbird-sql named no columns");
  std::string list;
  for (const std::string& user : users) {
    fmt::format_to(std::back_inserter(list), "{}'", list.empty() ? "" : ", ");
    for (const char c : user) list.append(c == '\'' ? 2 : 1, c);
    list += '\'';
  }
  std::vector<std::string> conditions;
  for (const simdjson::dom::element column : columns) {
    std::string_view name, type;
    if (column["name"].get(name) || column["type"].get(type) || type != "VARCHAR") continue;
    if (absl::AsciiStrToLower({name.data(), name.size()}).find("user") == std::string::npos) continue;
    conditions.push_back(fmt::format("u.\"{}\" IN ({})", name, list));
  }
  return absl::StrJoin(conditions, " OR ");
}

absl::StatusOr<uint64_t> CountRows(const TableStore& store, const Part& part, const std::string& condition) {
  ASSIGN_OR_RETURN(
      const std::string body,
      Ask(store, part, fmt::format("SELECT count(*) AS n FROM \"{}\" u WHERE {}", store.name(), condition)));
  simdjson::dom::parser parser;
  simdjson::dom::element count;
  uint64_t rows = 0;
  if (parser.parse(body).at_pointer("/rows/0/0").get(count)) return absl::InternalError("bowerbird-sql did not count");
  if (count.get(rows) == simdjson::SUCCESS) return rows;
  return absl::InternalError("bowerbird-sql did not count");
}

}  // namespace

absl::Status VisitRows(const Table& table, const std::string& path,
                       const std::function<void(const LakeRecord&)>& visit) {
  ASSIGN_OR_RETURN(const auto reader, OpenParquet(path, *table.fields));
  return ForEachRecord(table, reader.get(), [&](const LakeRecord& row) {
    visit(row);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> RedactTable(const Table& table, TableStore* store, const RowChanges& changes,
                                     std::vector<std::string>* problems) {
  const absl::MutexLock lock(&store->writing());
  // What was replaced lately is there still, for readers.
  RETURN_IF_ERROR(store->DeleteRetired(0));
  uint64_t rows = 0;
  // The newest first, so that after a crash all beyond some offset are changed and none below, as in the log.
  std::vector<Part> parts = store->manifest()->parts;
  std::ranges::reverse(parts);
  for (const Part& part : parts) {
    const auto redact = [&]() -> absl::Status {
      const std::string path = store->PathOf(part);
      RETURN_IF_ERROR(store->Check(part, true));
      PartDescription description;
      {
        ASSIGN_OR_RETURN(const auto reader, OpenParquet(path, *table.fields));
        ASSIGN_OR_RETURN(description, DescribePart(reader->metadata(), path));
      }
      if (changes.may_hold && !changes.may_hold(description.ranges)) return absl::OkStatus();
      ASSIGN_OR_RETURN(const uint64_t changed, CountChanges(table, path, changes));
      if (changed == 0) return absl::OkStatus();
      Manifest next = *store->manifest();
      const uint64_t number = ++next.sequence;
      ASSIGN_OR_RETURN(Part successor, WriteChanged(table, store, part, description, changes, number));
      RETURN_IF_ERROR(Exchange(store, part, std::move(next), std::move(successor)));
      rows += changed;
      return absl::OkStatus();
    };
    const absl::Status done = redact();
    if (absl::IsDataLoss(done) || absl::IsFailedPrecondition(done)) {
      problems->emplace_back(done.message());
      continue;
    }
    RETURN_IF_ERROR(done);
  }
  return rows;
}

absl::StatusOr<uint64_t> RedactJobTable(const std::string& folder, TableStore* store,
                                        std::span<const std::string> users, std::vector<std::string>* problems) {
  const absl::MutexLock lock(&store->writing());
  RETURN_IF_ERROR(store->DeleteRetired(0));
  uint64_t rows = 0;
  const std::vector<Part> parts = store->manifest()->parts;
  for (const Part& part : parts) {
    if (const absl::Status whole = store->Check(part, true); !whole.ok()) {
      problems->emplace_back(whole.message());
      continue;
    }
    ASSIGN_OR_RETURN(const std::string condition, UserCondition(*store, part, users));
    if (condition.empty()) continue;
    ASSIGN_OR_RETURN(const uint64_t found, CountRows(*store, part, condition));
    if (found == 0) continue;
    const std::string written = folder + "/.part-redacted.parquet";
    std::error_code ignored;
    std::filesystem::remove(written, ignored);
    SqlQuery query;
    query.sql =
        fmt::format("SELECT * EXCLUDE (date) FROM \"{}\" u WHERE NOT coalesce({}, false)", store->name(), condition);
    ASSIGN_OR_RETURN(const uint64_t left, RunSqlTo(OnlyFile(*store, part), query, written));
    Manifest next = *store->manifest();
    const uint64_t number = ++next.sequence;
    ASSIGN_OR_RETURN(Part successor,
                     AdoptPart(store, written, DirectoryOf(part), number, left, part.first_us, part.last_us));
    RETURN_IF_ERROR(Exchange(store, part, std::move(next), std::move(successor)));
    rows += found;
  }
  return rows;
}

absl::StatusOr<uint64_t> RowsOfUser(TableStore* store, const std::string& user) {
  uint64_t rows = 0;
  const std::shared_ptr<const Manifest> manifest = store->manifest();
  for (const Part& part : manifest->parts) {
    ASSIGN_OR_RETURN(const std::string condition, UserCondition(*store, part, {&user, 1}));
    if (condition.empty()) continue;
    ASSIGN_OR_RETURN(const uint64_t found, CountRows(*store, part, condition));
    rows += found;
  }
  return rows;
}

}  // namespace bowerbird::lake
