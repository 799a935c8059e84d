#include "lake/tables.h"

namespace bowerbird::lake {

std::span<const Table> LogTables() {
  static const std::vector<Table>& tables =
      *new std::vector<Table>{{"events", log::Topic::kEvents, &EventFields(), AppendEvent},
                              {"served", log::Topic::kServed, &ServedFields(), AppendServed},
                              {"items", log::Topic::kCatalog, &ItemFields(), AppendItem},
                              {"users", log::Topic::kUsers, &UserFields(), AppendUser},
                              {"exposures", log::Topic::kExposures, &ExposureFields(), AppendExposure}};
  return tables;
}

const Table* FindLogTable(std::string_view name) {
  for (const Table& table : LogTables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

std::vector<LakeRecord> WholeRecords(const ArrowArray& rows, std::span<const Field> fields) {
  const ColumnView all(&rows);
  size_t key = 0, record = 0;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == "key") key = i;
    if (fields[i].name == "record") record = i;
  }
  std::vector<LakeRecord> records(static_cast<size_t>(rows.length));
  for (int64_t row = 0; row < rows.length; ++row) {
    LakeRecord& out = records[static_cast<size_t>(row)];
    out.partition = static_cast<uint32_t>(all.child(kPartition).Int32(row));
    out.record = {static_cast<log::Offset>(all.child(kOffset).Int64(row)), all.child(kAppendTime).Int64(row),
                  std::string(all.child(key).Text(row)), std::string(all.child(record).Text(row))};
  }
  return records;
}

std::vector<LakeRecord> RecordsOf(const Table& table, const ArrowArray& rows) {
  return table.topic == log::Topic::kEvents ? EventRecords(rows) : WholeRecords(rows, *table.fields);
}

}  // namespace bowerbird::lake
