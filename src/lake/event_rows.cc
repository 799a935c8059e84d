#include <google/protobuf/unknown_field_set.h>

#include <bit>
#include <string>

#include "bowerbird/v1/event.pb.h"
#include "lake/tables.h"
#include "lake/value_columns.h"

namespace bowerbird::lake {
namespace {

// The order of EventFields.
enum EventColumn : uint8_t {
  kTopic = kPositionColumns,
  kKey,
  kRaw,
  kType,
  kUser,
  kAnonymous,
  kItem,
  kClientId,
  kEventTime,
  kSurface,
  kRequestId,
  kPosition,
  kValue,
  kDwellMs,
  kCollection,
  kQuery,
  kAttributes,
  kSchemaVersion,
  kUserKey,
  kItemKey,
  kReceiveTime,
  kConfigVersion,
  kLate,
  kItemCategories,
  kItemAttributes,
  kDedupePrint,
  kBecomes,
  kBecomesKey,
  kMerge,
  kAgent,
  kMark,
  kMarkFrom,
  kMarkUntil,
  kMarkOffset,
  kMarkFirstTime,
  kEventColumns
};

void Int64OrNull(int64_t value, Column* column) { value == 0 ? column->Null() : column->Int64(value); }
void Int32OrNull(int32_t value, Column* column) { value == 0 ? column->Null() : column->Int32(value); }
/// Keys and prints are stored as signed numbers of the same bits: every reader has those.
void KeyOrNull(uint64_t key, Column* column) { Int64OrNull(static_cast<int64_t>(key), column); }

/// Adds the event's columns; false when they do not tell all of it.
bool AppendFields(const v1::Event& event, Batch* batch) {
  batch->column(kType).TextOrNull(event.type());
  batch->column(kUser).TextOrNull(event.user());
  batch->column(kAnonymous).TextOrNull(event.anonymous());
  batch->column(kItem).TextOrNull(event.item());
  batch->column(kClientId).TextOrNull(event.client_id());
  Int64OrNull(event.event_time_us(), &batch->column(kEventTime));
  batch->column(kSurface).TextOrNull(event.surface());
  batch->column(kRequestId).TextOrNull(event.request_id());
  Int32OrNull(static_cast<int32_t>(event.position()), &batch->column(kPosition));
  // Negative zero is a value that a record tells apart from none.
  std::bit_cast<uint64_t>(event.value()) == 0 ? batch->column(kValue).Null()
                                              : batch->column(kValue).Double(event.value());
  Int64OrNull(event.dwell_ms(), &batch->column(kDwellMs));
  batch->column(kCollection).TextOrNull(event.collection());
  batch->column(kQuery).TextOrNull(event.query());
  bool whole = AppendAttributes(event.attributes(), &batch->column(kAttributes));
  Int32OrNull(static_cast<int32_t>(event.schema()), &batch->column(kSchemaVersion));
  KeyOrNull(event.user_key(), &batch->column(kUserKey));
  KeyOrNull(event.item_key(), &batch->column(kItemKey));
  Int64OrNull(event.receive_time_us(), &batch->column(kReceiveTime));
  batch->column(kConfigVersion).TextOrNull(event.config_version());
  batch->column(kLate).Bool(event.late());
  AppendTexts(event.item_categories(), &batch->column(kItemCategories));
  whole = AppendAttributes(event.item_attributes(), &batch->column(kItemAttributes)) && whole;
  KeyOrNull(event.dedupe_print(), &batch->column(kDedupePrint));
  batch->column(kBecomes).TextOrNull(event.becomes());
  KeyOrNull(event.becomes_key(), &batch->column(kBecomesKey));
  // What an id hands over is of use to the fold alone: kept as it is.
  event.has_merge() ? batch->column(kMerge).Text(event.merge().SerializeAsString()) : batch->column(kMerge).Null();
  batch->column(kAgent).TextOrNull(event.agent());
  const v1::Mark& mark = event.mark();
  batch->column(kMark).TextOrNull(mark.reason());
  Int64OrNull(mark.from_us(), &batch->column(kMarkFrom));
  Int64OrNull(mark.until_us(), &batch->column(kMarkUntil));
  KeyOrNull(mark.source_offset(), &batch->column(kMarkOffset));
  Int64OrNull(mark.first_time_us(), &batch->column(kMarkFirstTime));
  whole = whole && event.has_mark() != mark.reason().empty();
  // What is left of forgotten users is of use to the fold alone, too: the record as it is.
  whole = whole && !event.has_forget() && !event.has_redacted();
  return whole && event.GetReflection()->GetUnknownFields(event).empty() &&
         mark.GetReflection()->GetUnknownFields(mark).empty();
}

void ReadFields(std::span<const ColumnView> columns, int64_t row, v1::Event* event) {
  const auto text = [&](EventColumn column) { return std::string(columns[column].Text(row)); };
  const auto int64 = [&](EventColumn column) {
    return columns[column].IsNull(row) ? int64_t{0} : columns[column].Int64(row);
  };
  const auto int32 = [&](EventColumn column) {
    return columns[column].IsNull(row) ? uint32_t{0} : static_cast<uint32_t>(columns[column].Int32(row));
  };
  event->set_type(text(kType));
  event->set_user(text(kUser));
  event->set_anonymous(text(kAnonymous));
  event->set_item(text(kItem));
  event->set_client_id(text(kClientId));
  event->set_event_time_us(int64(kEventTime));
  event->set_surface(text(kSurface));
  event->set_request_id(text(kRequestId));
  event->set_position(int32(kPosition));
  if (!columns[kValue].IsNull(row)) event->set_value(columns[kValue].Double(row));
  event->set_dwell_ms(static_cast<uint32_t>(int64(kDwellMs)));
  event->set_collection(text(kCollection));
  event->set_query(text(kQuery));
  ReadAttributes(columns[kAttributes], row, event->mutable_attributes());
  event->set_schema(int32(kSchemaVersion));
  event->set_user_key(static_cast<uint64_t>(int64(kUserKey)));
  event->set_item_key(static_cast<uint64_t>(int64(kItemKey)));
  event->set_receive_time_us(int64(kReceiveTime));
  event->set_config_version(text(kConfigVersion));
  event->set_late(!columns[kLate].IsNull(row) && columns[kLate].Bool(row));
  if (const ColumnView& list = columns[kItemCategories]; !list.IsNull(row)) {
    for (int64_t i = list.ListFirst(row); i < list.ListLast(row); ++i)
      event->add_item_categories(std::string(list.element().Text(i)));
  }
  ReadAttributes(columns[kItemAttributes], row, event->mutable_item_attributes());
  event->set_dedupe_print(static_cast<uint64_t>(int64(kDedupePrint)));
  event->set_becomes(text(kBecomes));
  event->set_becomes_key(static_cast<uint64_t>(int64(kBecomesKey)));
  if (!columns[kMerge].IsNull(row)) (void)event->mutable_merge()->ParseFromString(text(kMerge));
  event->set_agent(text(kAgent));
  if (columns[kMark].IsNull(row)) return;
  v1::Mark* mark = event->mutable_mark();
  mark->set_reason(text(kMark));
  mark->set_from_us(int64(kMarkFrom));
  mark->set_until_us(int64(kMarkUntil));
  mark->set_source_offset(static_cast<uint64_t>(int64(kMarkOffset)));
  mark->set_first_time_us(int64(kMarkFirstTime));
}

}  // namespace

const std::vector<Field>& EventFields() {
  static const std::vector<Field>& fields =
      *new std::vector<Field>{{"partition", Kind::kInt32, false, {}},
                              {"offset", Kind::kInt64, false, {}},
                              {"append_time", Kind::kTime, false, {}},
                              {"topic", Kind::kText, false, {}},
                              {"key", Kind::kBytes, true, {}},
                              {"raw", Kind::kBytes, true, {}},
                              {"type", Kind::kText, true, {}},
                              {"user", Kind::kText, true, {}},
                              {"anonymous", Kind::kText, true, {}},
                              {"item", Kind::kText, true, {}},
                              {"client_id", Kind::kText, true, {}},
                              {"event_time", Kind::kTime, true, {}},
                              {"surface", Kind::kText, true, {}},
                              {"request_id", Kind::kText, true, {}},
                              {"position", Kind::kInt32, true, {}},
                              {"value", Kind::kDouble, true, {}},
                              {"dwell_ms", Kind::kInt64, true, {}},
                              {"collection", Kind::kText, true, {}},
                              {"query", Kind::kText, true, {}},
                              AttributesField("attributes"),
                              {"schema", Kind::kInt32, true, {}},
                              {"user_key", Kind::kInt64, true, {}},
                              {"item_key", Kind::kInt64, true, {}},
                              {"receive_time", Kind::kTime, true, {}},
                              {"config_version", Kind::kText, true, {}},
                              {"late", Kind::kBool, true, {}},
                              List("item_categories", {"element", Kind::kText, true, {}}),
                              AttributesField("item_attributes"),
                              {"dedupe_print", Kind::kInt64, true, {}},
                              {"becomes", Kind::kText, true, {}},
                              {"becomes_key", Kind::kInt64, true, {}},
                              {"merge", Kind::kBytes, true, {}},
                              {"agent", Kind::kText, true, {}},
                              {"mark", Kind::kText, true, {}},
                              {"mark_from", Kind::kTime, true, {}},
                              {"mark_until", Kind::kTime, true, {}},
                              {"mark_offset", Kind::kInt64, true, {}},
                              {"mark_first_time", Kind::kTime, true, {}}};
  return fields;
}

void AppendEvent(uint32_t partition, const log::Record& record, Batch* batch) {
  thread_local v1::Event event;  // reused, so that its memory is allocated once
  batch->column(kPartition).Int32(static_cast<int32_t>(partition));
  batch->column(kOffset).Int64(static_cast<int64_t>(record.offset));
  batch->column(kAppendTime).Int64(record.append_time_us);
  batch->column(kTopic).Text("events");
  const bool decoded = event.ParseFromString(record.value);
  bool whole = false;
  if (decoded) {
    whole = AppendFields(event, batch);
  } else {
    for (size_t column = kType; column < kEventColumns; ++column) batch->column(column).Null();
  }
  const bool keyed_by_user = decoded && !event.user().empty() && record.key == event.user();
  keyed_by_user ? batch->column(kKey).Null() : batch->column(kKey).Text(record.key);
  whole ? batch->column(kRaw).Null() : batch->column(kRaw).Text(record.value);
}

std::vector<LakeRecord> EventRecords(const ArrowArray& rows) {
  std::vector<ColumnView> columns;
  for (size_t i = 0; i < kEventColumns; ++i) columns.push_back(ColumnView(&rows).child(i));
  std::vector<LakeRecord> records(static_cast<size_t>(rows.length));
  v1::Event event;
  for (int64_t row = 0; row < rows.length; ++row) {
    LakeRecord& out = records[static_cast<size_t>(row)];
    out.partition = static_cast<uint32_t>(columns[kPartition].Int32(row));
    out.record.offset = static_cast<log::Offset>(columns[kOffset].Int64(row));
    out.record.append_time_us = columns[kAppendTime].Int64(row);
    out.record.key = std::string(columns[columns[kKey].IsNull(row) ? kUser : kKey].Text(row));
    if (!columns[kRaw].IsNull(row)) {
      out.record.value = std::string(columns[kRaw].Text(row));
      continue;
    }
    event.Clear();
    ReadFields(columns, row, &event);
    event.SerializeToString(&out.record.value);
  }
  return records;
}

}  // namespace bowerbird::lake
