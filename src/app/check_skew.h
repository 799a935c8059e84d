#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "app/past_tables.h"

namespace bowerbird::app {

/// What a comparison of served signals with a replay found.
struct SkewReport {
  uint64_t requests = 0;             ///< served with a user, in the span
  uint64_t compared = 0;             ///< values of signals
  uint64_t counted = 0;              ///< of these, not empty
  uint64_t items = 0;                ///< shown, whose signals were compared
  uint64_t item_values = 0;          ///< compared, of signals per item
  uint64_t item_values_counted = 0;  ///< of these, not empty
  uint64_t not_served = 0;           ///< values of signals that the config has and the record has not
  uint64_t events = 0;               ///< folded again
  TableSkew tables;                  ///< features of tables
  uint64_t differences = 0;          ///< of signals and of tables; each was told to `on_difference`
};

/// Makes users' state again from the log, in the new folder `scratch_dir`, up to the offset of each request that was
/// served within [from_us, to_us), and compares what every signal held: bit for bit, and of the same meaning as in the
/// app's config now; of the shown items the same by the version of the item table (check_item_skew.h); and the features
/// of other teams' tables that ranked by the versions that the records name. FailedPrecondition: the log no longer has
/// the first events. Cost: a fold of the log, and one read
/// of the served topic; memory for the requests of one partition.
absl::StatusOr<SkewReport> CheckSkew(App& app, int64_t from_us, int64_t to_us, const std::string& scratch_dir,
                                     const std::function<void(const std::string&)>& on_difference);

}  // namespace bowerbird::app
