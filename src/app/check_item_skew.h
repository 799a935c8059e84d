#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "app/app.h"
#include "app/check_skew.h"

namespace bowerbird::app {

/// The part of CheckSkew that is about items: makes each item table that a request was answered from again, in new
/// folders within `scratch_dir`, and compares what every signal per item held of each shown item. Adds to `report`.
///
/// Cost    two readings of the served topic, the second one record by record; a fold of the log, of several nodes one
///         for each, because their tables went on side by side; memory for the offsets of the tables, and 24 bytes a
///         request.
/// Errors  FailedPrecondition: the log has no record of a table, or ends before it. The log's.
absl::Status CheckItemSkew(App& app, int64_t from_us, int64_t to_us, const std::string& scratch_dir,
                           const std::function<void(const std::string&)>& on_difference, SkewReport* report);

}  // namespace bowerbird::app
