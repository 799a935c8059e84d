#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluate/interaction.h"

namespace bowerbird::evaluate {

/// A data set cut for an honest measurement: fit on `train` while choosing settings on `validation`; then fit once on
/// both and read `test` once.
///
/// Promise  a (user, item) pair of `test` is in neither other part and one of `validation` is not in `train` (it would
/// be masked and
///          could never be found); such pairs are dropped from the later part and counted.
struct Holdout {
  uint32_t user_count = 0;
  uint32_t item_count = 0;
  std::vector<Interaction> train, validation, test;
  uint64_t repeats_dropped = 0;
  std::string hash;  // 16 hexadecimal digits over the three parts: equal hashes, equal cuts
};

/// A given cut in two; a tenth of each user's train pairs (chosen by `seed`; at least one stays) becomes the validation
/// part. InvalidArgument: train or test is empty.
absl::StatusOr<Holdout> CutGivenSplit(std::vector<Interaction> train, std::vector<Interaction> test, uint64_t seed);

/// Each user's last action is the test part, the last but one the validation part; users with fewer than three actions
/// only train. Ties in time keep the given order. InvalidArgument: nobody has three actions.
absl::StatusOr<Holdout> CutLastOut(std::vector<Interaction> interactions);

/// The last `test_share` of all actions by time are the test part, and the same share of the rest the validation part;
/// a cut never falls between equal times (the later part gets all of them). Users without earlier actions are dropped
/// from the later parts. InvalidArgument: test_share is not in (0, 0.5], or a part comes out empty.
absl::StatusOr<Holdout> CutAtTime(std::vector<Interaction> interactions, double test_share);

}  // namespace bowerbird::evaluate
