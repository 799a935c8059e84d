#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bowerbird/v1/served.pb.h"
#include "config/config.h"
#include "lake/columns.h"
#include "rows/objectives.h"
#include "rows/past_features.h"
#include "rows/request.h"
#include "rows/set_info.h"
#include "signal/definition.h"

namespace bowerbird::rows {

/// How the candidates that nobody took are thinned out.
struct Negatives {
  double share = 1;  ///< kept of them, in (0, 1]
  Correction correction = Correction::kNone;
};

/// The columns of table training_rows for one list of features and objectives, and how a request becomes a row of them.
///
/// Threads  one.
/// Same     a row depends on the request and on the log times below its windows, so that a row whose windows have
/// closed
///          stays the same to the byte.
class RowColumns {
 public:
  /// All outlive it.
  RowColumns(const config::Config* config, const signal::Set* signals, const Objectives* objectives,
             std::vector<std::string> features, Negatives negatives, PastFeatures* past_features);

  const std::vector<lake::Field>& fields() const { return fields_; }
  const std::vector<std::string>& features() const { return features_; }
  /// Adds one row; `as_of_us` is how far the log was read. Counts it in `info`.
  void Append(const Request& request, const v1::ServedRecord& record, LogTimeUs as_of_us, lake::Batch* batch,
              SetInfo* info);
  /// Empty counts for every feature and objective.
  void Prepare(SetInfo* info) const;

 private:
  struct Labels;
  void AppendSequence(const Request& request, lake::Column* column) const;
  void AppendSignals(const v1::ServedRecord& record, lake::Column* column, SetInfo* info) const;
  void AppendCandidates(const Request& request, const v1::ServedRecord& record, LogTimeUs as_of_us,
                        lake::Column* column, SetInfo* info);
  /// Where each of the record's features goes.
  void MapFeatures(const v1::ServedRecord& record);
  /// Writes the features of a candidate; those of a shown one are counted.
  void AppendFeatures(const v1::ServedCandidate& candidate, lake::Column* column, SetInfo* info);

  const config::Config* const config_;
  const signal::Set* const signals_;
  const Objectives* const objectives_;
  const std::vector<std::string> features_;
  const Negatives negatives_;
  std::vector<lake::Field> fields_;
  absl::flat_hash_map<uint64_t, const signal::Definition*> definitions_;
  std::vector<std::string> mapped_names_;  ///< those that source_ was made for
  std::vector<int> source_;                ///< by feature: its place in the record; -1: it has none
  PastFeatures* const past_features_;
  std::vector<int> past_;  ///< by feature: its place in past_features_; -1: it is none of tables
};

}  // namespace bowerbird::rows
