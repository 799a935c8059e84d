#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/served.pb.h"
#include "serve/interleaved.h"
#include "serve/pipeline.h"

namespace bowerbird::serve {

/// What came of running a past answer again.
struct ReplayReport {
  bool equal = false;
  uint32_t candidates = 0;               ///< compared
  std::vector<std::string> differences;  ///< in words, at most 20
  uint64_t difference_count = 0;
  v1::ServedRecord again;  ///< what the run gave
};

/// Fills what the record itself holds into `inputs`: time, seed, request id, chain and overlay hides. The caller sets
/// config, view, user, items, features and hasher as of the record's versions and offsets.
void RestoreFromRecord(const v1::ServedRecord& record, Inputs* inputs);

/// Runs the record's request again on `inputs` and compares versions, order, candidates, scores, features and
/// propensities, all exactly. `interleaved` are the arms of the record's draft, in its order; none of a record without.
/// InvalidArgument: a record of an unknown kind, or whose request is refused now.
absl::StatusOr<ReplayReport> ReplayRequest(const v1::ServedRecord& record, const Inputs& inputs,
                                           std::span<const InterleavedArm> interleaved = {});

}  // namespace bowerbird::serve
