#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "bowerbird/v1/experiment.pb.h"
#include "expression/schema.h"

namespace bowerbird::experiment::assignment {

inline constexpr int kArmsMax = 32;
inline constexpr int kChangesMax = 64;  ///< of an arm
inline constexpr int kFlagsMax = 64;    ///< of an arm
inline constexpr int kForcedMax = 1000;
inline constexpr int kMetricsMax = 50;
inline constexpr size_t kIdBytesMax = 64;
inline constexpr size_t kTextBytesMax = 4096;  ///< descriptions, values of changes

inline constexpr std::string_view kUserUnit = "user";
inline constexpr std::string_view kTriggerRecipe = "recipe", kTriggerAnswer = "answer";
inline constexpr std::string_view kDesignSplit = "split", kDesignInterleaved = "interleaved";
inline constexpr int kInterleavedArmsMax = 16;
/// What stands in the place of an arm's name for a unit whose answers are drafted out of all arms.
inline constexpr std::string_view kAllArms = "interleaved";

/// 1 to 64 of a-z, 0-9, - and _.
bool IsId(std::string_view text);

/// Puts what was left out: unit "user", trigger "recipe", design "split"; traffic stays as it is.
void FillDefaults(v1::Experiment* experiment);

/// Whether the definition is whole by itself, with its defaults filled in. Whether its changes give a config is not
/// asked here.
///
/// `schema` is that of TargetingSchema; `has_metric` may be empty: then any name will do.
/// Errors   InvalidArgument with code and field (catalog::FromStatus), such as "arms[1].weight".
absl::Status Check(const v1::Experiment& experiment, const expression::Schema& schema,
                   const std::function<bool(std::string_view)>& has_metric);

/// Whether answers are drafted out of all arms.
inline bool IsInterleaved(const v1::Experiment& experiment) { return experiment.design() == kDesignInterleaved; }

/// Index of the arm; -1: none of that name.
int FindArm(const v1::Experiment& experiment, std::string_view name);

}  // namespace bowerbird::experiment::assignment
