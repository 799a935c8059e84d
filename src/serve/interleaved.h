#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "serve/answer.h"
#include "serve/pipeline.h"

namespace bowerbird::serve {

/// What one arm of an interleaved experiment would answer from: the inputs of the answer with the arm's config and
/// ranker.
struct InterleavedArm {
  std::string arm;
  Inputs inputs;
};

/// Drafts one page out of what the arms would answer (blend/interleave.h), so that the same user on the same page
/// chooses between them. Each arm ranks twice the page's items, as far as a request may ask, so that one whose items
/// the others took has more.
///
/// Same     a pure function of the arms' inputs and the request, as Recommend is.
/// Holds    what Recommend holds of items; of a category no more than the loosest of the arms' caps. Pins that all arms
///          have at one place stand there for no team.
/// Record   of the first arm, the control, as RecommendPlaced gives it; with the draft, and each item's team.
/// Errors   those of Recommend in any arm; InvalidArgument: fewer than two arms.
/// Cost     an answer of each arm and another one of the control.
absl::StatusOr<Answer> RecommendInterleaved(const std::string& experiment, std::span<const InterleavedArm> arms,
                                            const v1::RecommendRequest& request);

}  // namespace bowerbird::serve
