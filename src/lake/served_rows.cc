#include "bowerbird/v1/served.pb.h"
#include "lake/tables.h"
#include "lake/value_columns.h"

namespace bowerbird::lake {
namespace {

// The order of ServedFields.
enum ServedColumn : uint8_t {
  kKey = kPositionColumns,
  kRecord,
  kRequestId,
  kRequestKind,
  kUser,
  kSurface,
  kTime,
  kConfigVersion,
  kSnapshot,
  kExplored,
  kTemperature,
  kChain,
  kPage,
  kDegraded,
  kItems,
  kUserKey,
  kInterleavedBy,
  kDrafted,
  kServedColumns
};

/// What was shown, in order; what else was looked at is in the record.
void AppendShown(const v1::ServedRecord& record, Column* column) {
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.position() == 0) continue;
    Column& shown = column->child(0);
    shown.child(0).Text(candidate.item());
    shown.child(1).Int32(static_cast<int32_t>(candidate.position()));
    shown.child(2).Float(candidate.rank_score());
    shown.child(3).Float(candidate.final_score());
    shown.child(4).Double(candidate.propensity());
    shown.EndStruct();
  }
  column->EndList();
}

/// What one arm's ranking alone placed.
void AppendDrafted(const v1::ServedRecord& record, Column* column) {
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.position() == 0 || candidate.team().empty()) continue;
    Column& drafted = column->child(0);
    drafted.child(0).Text(candidate.item());
    drafted.child(1).Text(candidate.team());
    drafted.EndStruct();
  }
  column->EndList();
}

}  // namespace

const std::vector<Field>& ServedFields() {
  static const std::vector<Field>& fields = *new std::vector<Field>{
      {"partition", Kind::kInt32, false, {}},
      {"offset", Kind::kInt64, false, {}},
      {"append_time", Kind::kTime, false, {}},
      {"key", Kind::kBytes, false, {}},
      {"record", Kind::kBytes, false, {}},
      {"request_id", Kind::kText, true, {}},
      {"kind", Kind::kText, true, {}},
      {"user", Kind::kText, true, {}},
      {"surface", Kind::kText, true, {}},
      {"time", Kind::kTime, true, {}},
      {"config_version", Kind::kText, true, {}},
      {"snapshot", Kind::kText, true, {}},
      {"explored", Kind::kBool, true, {}},
      {"temperature", Kind::kDouble, true, {}},
      {"chain", Kind::kText, true, {}},
      {"page", Kind::kInt32, true, {}},
      List("degraded", {"element", Kind::kText, true, {}}),
      List("items", Struct("element", {{"item", Kind::kText, true, {}},
                                       {"position", Kind::kInt32, true, {}},
                                       {"rank_score", Kind::kFloat, true, {}},
                                       {"final_score", Kind::kFloat, true, {}},
                                       {"propensity", Kind::kDouble, true, {}}})),
      {"user_key", Kind::kInt64, true, {}},
      {"interleaved_by", Kind::kText, true, {}},
      List("drafted", Struct("element", {{"item", Kind::kText, true, {}}, {"arm", Kind::kText, true, {}}}))};
  return fields;
}

void AppendServed(uint32_t partition, const log::Record& record, Batch* batch) {
  batch->column(kPartition).Int32(static_cast<int32_t>(partition));
  batch->column(kOffset).Int64(static_cast<int64_t>(record.offset));
  batch->column(kAppendTime).Int64(record.append_time_us);
  batch->column(kKey).Text(record.key);
  batch->column(kRecord).Text(record.value);
  v1::ServedRecord served;
  if (!served.ParseFromString(record.value)) {
    for (size_t column = kRequestId; column < kServedColumns; ++column) batch->column(column).Null();
    return;
  }
  batch->column(kRequestId).TextOrNull(served.request_id());
  batch->column(kRequestKind).TextOrNull(served.kind());
  batch->column(kUser).TextOrNull(served.request().user());
  batch->column(kSurface).TextOrNull(served.request().surface());
  batch->column(kTime).Int64(served.time_us());
  batch->column(kConfigVersion).TextOrNull(served.config_version());
  batch->column(kSnapshot).TextOrNull(served.snapshot());
  batch->column(kExplored).Bool(served.explored());
  batch->column(kTemperature).Double(served.temperature());
  batch->column(kChain).TextOrNull(served.chain());
  batch->column(kPage).Int32(static_cast<int32_t>(served.page()));
  AppendTexts(served.degraded(), &batch->column(kDegraded));
  AppendShown(served, &batch->column(kItems));
  if (served.user_key() == 0 || served.redacted()) {
    batch->column(kUserKey).Null();
  } else {
    batch->column(kUserKey).Int64(static_cast<int64_t>(served.user_key()));
  }
  batch->column(kInterleavedBy).TextOrNull(served.draft().experiment());
  AppendDrafted(served, &batch->column(kDrafted));
}

}  // namespace bowerbird::lake
