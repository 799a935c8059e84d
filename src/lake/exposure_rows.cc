#include "bowerbird/v1/experiment.pb.h"
#include "lake/tables.h"

namespace bowerbird::lake {
namespace {

// The order of ExposureFields.
enum ExposureColumn : uint8_t {
  kKey = kPositionColumns,
  kRecord,
  kExperiment,
  kArm,
  kRevision,
  kPhase,
  kUnit,
  kUnitId,
  kUser,
  kUserKey,
  kTime,
  kSurface,
  kRequestId,
  kForced,
  kExposureColumns
};

}  // namespace

const std::vector<Field>& ExposureFields() {
  static const std::vector<Field>& fields =
      *new std::vector<Field>{{"partition", Kind::kInt32, false, {}},  {"offset", Kind::kInt64, false, {}},
                              {"append_time", Kind::kTime, false, {}}, {"key", Kind::kBytes, false, {}},
                              {"record", Kind::kBytes, false, {}},     {"experiment", Kind::kText, true, {}},
                              {"arm", Kind::kText, true, {}},          {"revision", Kind::kInt64, true, {}},
                              {"phase", Kind::kInt32, true, {}},       {"unit", Kind::kText, true, {}},
                              {"unit_id", Kind::kText, true, {}},      {"user", Kind::kText, true, {}},
                              {"user_key", Kind::kInt64, true, {}},    {"time", Kind::kTime, true, {}},
                              {"surface", Kind::kText, true, {}},      {"request_id", Kind::kText, true, {}},
                              {"forced", Kind::kBool, true, {}}};
  return fields;
}

void AppendExposure(uint32_t partition, const log::Record& record, Batch* batch) {
  batch->column(kPartition).Int32(static_cast<int32_t>(partition));
  batch->column(kOffset).Int64(static_cast<int64_t>(record.offset));
  batch->column(kAppendTime).Int64(record.append_time_us);
  batch->column(kKey).Text(record.key);
  batch->column(kRecord).Text(record.value);
  v1::Exposure exposure;
  if (!exposure.ParseFromString(record.value)) {
    for (size_t column = kExperiment; column < kExposureColumns; ++column) batch->column(column).Null();
    return;
  }
  batch->column(kExperiment).TextOrNull(exposure.experiment());
  batch->column(kArm).TextOrNull(exposure.arm());
  batch->column(kRevision).Int64(static_cast<int64_t>(exposure.revision()));
  batch->column(kPhase).Int32(static_cast<int32_t>(exposure.phase()));
  batch->column(kUnit).TextOrNull(exposure.unit());
  batch->column(kUnitId).TextOrNull(exposure.unit_id());
  batch->column(kUser).TextOrNull(exposure.user());
  if (exposure.user_key() == 0) {
    batch->column(kUserKey).Null();
  } else {
    batch->column(kUserKey).Int64(static_cast<int64_t>(exposure.user_key()));
  }
  batch->column(kTime).Int64(exposure.time_us());
  batch->column(kSurface).TextOrNull(exposure.surface());
  batch->column(kRequestId).TextOrNull(exposure.request_id());
  batch->column(kForced).Bool(exposure.forced());
}

}  // namespace bowerbird::lake
