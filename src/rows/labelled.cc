#include "rows/labelled.h"

#include <algorithm>
#include <limits>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "rows/builder.h"
#include "rows/row_fields.h"

namespace bowerbird::rows {
namespace {

using lake::ColumnView;

std::vector<lake::Field> FieldsOf(const SetInfo& set) {
  std::vector<std::string> objectives;
  for (const ObjectiveInfo& objective : set.objectives) objectives.push_back(objective.name);
  return RowFields(set.features, objectives);
}

absl::Status ReadRows(const ArrowArray& rows, const SetInfo& set,
                      const std::function<absl::Status(const Labelled&)>& visit) {
  std::vector<float> features(set.features.size());
  std::vector<int> labels(set.objectives.size());
  const ColumnView all(&rows);
  const ColumnView lists = all.child(kCandidates), candidates = lists.element();
  for (int64_t row = 0; row < rows.length; ++row) {
    Labelled labelled;
    labelled.time_us = all.child(kTime).Int64(row);
    labelled.surface = all.child(kSurface).Text(row);
    labelled.request_id = all.child(kRequestId).Text(row);
    for (int64_t at = lists.ListFirst(row); at < lists.ListLast(row); ++at) {
      bool known = !labels.empty();
      for (size_t i = 0; i < labels.size() && known; ++i) {
        const ColumnView label = candidates.child(kLabels).child(i);
        known = !label.IsNull(at);
        if (known) labels[i] = label.Int32(at);
      }
      if (!known) continue;
      for (size_t f = 0; f < features.size(); ++f) {
        const ColumnView feature = candidates.child(kFeatures).child(f);
        features[f] = feature.IsNull(at) ? std::numeric_limits<float>::quiet_NaN() : feature.Float(at);
      }
      labelled.weight = candidates.child(kWeight).Double(at);
      labelled.features = features;
      labelled.labels = labels;
      RETURN_IF_ERROR(visit(labelled));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadLabelled(lake::Lake* lake, const SetInfo& set,
                          const std::function<absl::Status(const Labelled&)>& visit) {
  ASSIGN_OR_RETURN(lake::TableStore * store, lake->JobTable(std::string(kTable)));
  const auto manifest = store->manifest();
  const std::vector<lake::Field> fields = FieldsOf(set);
  for (const auto& [path, checksum] : set.parts) {
    const auto part = std::ranges::find(manifest->parts, path, &lake::Part::path);
    if (part == manifest->parts.end() || part->checksum != checksum) {
      return absl::FailedPreconditionError(
          fmt::format("set {}: {} is not in the table as the set says; build the day again", set.day, path));
    }
    RETURN_IF_ERROR(store->Check(*part, true));
    ASSIGN_OR_RETURN(const auto reader, lake::OpenParquet(store->PathOf(*part), fields));
    while (true) {
      ArrowArray rows;
      ASSIGN_OR_RETURN(const bool more, reader->Next(&rows));
      if (!more) break;
      const absl::Status read = ReadRows(rows, set, visit);
      rows.release(&rows);
      RETURN_IF_ERROR(read);
    }
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::rows
