#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "model/tree_ensemble.h"

namespace bowerbird::rank {

/// A ranker that was trained on what was served and what came of it: takes the place of the hand-made weighted sum. Its
/// trees ask for features by their place in rank::Feature, and behind these in `added`.
struct Trained {
  std::string version;  ///< of the artifact
  model::TreeEnsemble trees;
  std::vector<std::string> added;  ///< names of the others that it asks for

  /// `can_add` says of a name whether a request can have such a feature (AddedFeatures). InvalidArgument: it asks for
  /// one that this program does not have.
  static absl::StatusOr<Trained> Create(std::string version, model::TreeEnsemble trees,
                                        absl::FunctionRef<bool(std::string_view name)> can_add);
};

}  // namespace bowerbird::rank
