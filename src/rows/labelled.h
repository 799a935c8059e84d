#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lake/lake.h"
#include "rows/set_info.h"

namespace bowerbird::rows {

/// A shown item whose labels are all known: what a ranker learns from.
struct Labelled {
  int64_t time_us = 0;  ///< of the request
  std::string_view surface, request_id;
  std::span<const float> features;  ///< as SetInfo::features; NaN: null
  std::span<const int> labels;      ///< as SetInfo::objectives: 0, 1
  double weight = 0;
};

/// Reads the candidates of a set that were seen and whose windows have all closed, in the order of its files.
///
/// Errors  DataLoss: a file is gone or damaged; FailedPrecondition: the table has other files of the day than the set
///         says, because another build is under way; those of `visit`.
absl::Status ReadLabelled(lake::Lake* lake, const SetInfo& set,
                          const std::function<absl::Status(const Labelled&)>& visit);

}  // namespace bowerbird::rows
