#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lake/columns.h"

namespace bowerbird::rows {

/// The columns of table training_rows, in order.
enum RowColumn : uint8_t {
  kPartition,
  kOffset,
  kAppendTime,
  kRequestId,
  kRequestKind,
  kUser,
  kUserKey,
  kSurface,
  kTime,
  kConfigVersion,
  kSnapshot,
  kRanker,
  kItemTable,
  kUserOffset,
  kExplored,
  kTemperature,
  kChain,
  kPage,
  kDegraded,
  kL2Weight,
  kUnionWeight,
  kSeenBy,
  kSequence,
  kSignals,
  kCandidates,
};
/// The members of a candidate, in order.
enum CandidateColumn : uint8_t {
  kItem,
  kItemKey,
  kPosition,
  kRankScore,
  kFinalScore,
  kPropensity,
  kWeight,
  kCut,
  kSeen,
  kFeatures,
  kLabels,
};

/// The columns of a set with these features and objectives.
std::vector<lake::Field> RowFields(const std::vector<std::string>& features,
                                   const std::vector<std::string>& objectives);

}  // namespace bowerbird::rows
