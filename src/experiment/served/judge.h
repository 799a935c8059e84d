#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "experiment/ope/estimate.h"
#include "experiment/served/logged_answer.h"
#include "experiment/served/recipe.h"
#include "log/event_log.h"
#include "rows/objectives.h"

namespace bowerbird::experiment::served {

/// What a log of our own is read with. All outlive the call.
struct Sources {
  const config::Config* config = nullptr;  ///< in force: its partitions, and the rules of the fold
  const rows::Objectives* objectives = nullptr;
  const log::EventLog* log = nullptr;
  /// The config of a version that answers were logged under. NotFound: it is gone.
  std::function<absl::StatusOr<std::shared_ptr<const config::Config>>(const std::string& version)> config_of;
  CategoriesOf categories;
  std::function<absl::Status()> on_step;  ///< rows::Join::Span
};

struct JudgeOptions {
  std::string surface = "home";
  int64_t from_us = 0, to_us = 0;                         ///< by when the answers were appended
  ope::Estimator estimator = ope::Estimator::kCascadeDr;  ///< or kRips: the others need marginal probabilities
  uint32_t resamples = 2000;
  uint64_t seed = 1;
};

/// A recipe by the log of another one.
struct JudgedRecipe {
  std::string name;
  std::string refused;  ///< why there is no verdict; empty if there is one
  ope::Estimate estimate;
  /// To what the same answers earned as they were; the interval is paired, and so narrower than both.
  double difference = 0;
  ope::Interval difference_interval;
  std::map<std::string, uint64_t> left_out;  ///< answers that say nothing of this recipe, by why
};

struct Judgement {
  uint64_t answers = 0;                      ///< drawn ones of the surface, whose windows have closed
  std::map<std::string, uint64_t> left_out;  ///< others of the surface, by why
  double earned = 0;                         ///< by an answer as it was
  ope::Interval earned_interval;
  std::vector<JudgedRecipe> recipes;  ///< as given
};

/// What each recipe would have earned, a drawn answer, on the requests that `surface` answered: the sum over what was
/// shown of the weights of the objectives that were met, as training rows label them (rows/join.h).
///
/// Read as  answers whose every place is drawn, by the recipe's own scores over the candidates that the log has of the
///          request, under the recipe's temperature: `explore` and what the first stage would have kept do not count.
/// Interval by user: the answers to one are a cluster.
/// Model    of ope::Estimator::kCascadeDr: ope::MeanRewardModel, for the users of either half of the log by the other.
/// Bounds   memory: about 1 kB a drawn answer and recipe. The log is read twice.
/// Errors   InvalidArgument: no objectives, or an estimator that needs marginal probabilities; those of rows::Join.
absl::StatusOr<Judgement> JudgeRecipes(const Sources& sources, std::span<const Recipe> recipes,
                                       const JudgeOptions& options);

}  // namespace bowerbird::experiment::served
