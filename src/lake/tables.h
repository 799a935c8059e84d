#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/columns.h"
#include "log/event_log.h"

namespace bowerbird::lake {

/// Grows when a column is added. A file says under which it was written; a reader reads older ones, with null for what
/// they lack, and refuses newer ones. docs/formats/lake.md lists the columns.
inline constexpr uint32_t kSchema = 3;
/// The first columns of every table that follows a topic.
enum PositionColumn : uint8_t { kPartition, kOffset, kAppendTime, kPositionColumns };

/// A table that follows one topic of the log, record by record.
struct Table {
  std::string_view name;
  log::Topic topic;
  const std::vector<Field>* fields;
  /// Adds the record as one row. Never fails: what cannot be decoded is kept as it is.
  void (*append)(uint32_t partition, const log::Record& record, Batch* batch);
};
std::span<const Table> LogTables();
/// Null: no such table.
const Table* FindLogTable(std::string_view name);

const std::vector<Field>& EventFields();
const std::vector<Field>& ServedFields();
const std::vector<Field>& ItemFields();
const std::vector<Field>& UserFields();
void AppendEvent(uint32_t partition, const log::Record& record, Batch* batch);
void AppendServed(uint32_t partition, const log::Record& record, Batch* batch);
void AppendItem(uint32_t partition, const log::Record& record, Batch* batch);
void AppendUser(uint32_t partition, const log::Record& record, Batch* batch);
const std::vector<Field>& ExposureFields();
void AppendExposure(uint32_t partition, const log::Record& record, Batch* batch);

/// A row of a table as the record of the log that it was made from: the same offset, append time and key, and a value
/// that decodes to the same message. What did not decode, or has fields that this program does not know, comes back
/// byte for byte.
struct LakeRecord {
  uint32_t partition = 0;
  log::Record record;
};
/// Reads rows of `events`; `rows` is a struct array of EventFields.
std::vector<LakeRecord> EventRecords(const ArrowArray& rows);
/// Reads rows of the other tables, which keep the value whole; `fields` are the table's.
std::vector<LakeRecord> WholeRecords(const ArrowArray& rows, std::span<const Field> fields);
/// Reads rows of a table, in its columns.
std::vector<LakeRecord> RecordsOf(const Table& table, const ArrowArray& rows);

}  // namespace bowerbird::lake
