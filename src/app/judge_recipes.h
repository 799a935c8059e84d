#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "experiment/served/judge.h"

namespace bowerbird::app {

/// What is to be judged: the app's config with what `patch`, of the form of bowerbird.toml, says otherwise.
struct RecipePatch {
  std::string name;  ///< what messages call it
  std::string patch;
};

/// What each recipe would have earned on the app's own log of a surface; one that is out of its reach is refused by
/// name (experiment/served). `options.from_us` and `to_us` of 0: from the first answer there is, to the last.
///
/// Errors  InvalidArgument: a patch is no TOML, or makes a config that is refused, with every problem; those of
///         experiment::served::JudgeRecipes.
absl::StatusOr<experiment::served::Judgement> JudgeRecipes(App& app, std::span<const RecipePatch> patches,
                                                           experiment::served::JudgeOptions options);

}  // namespace bowerbird::app
