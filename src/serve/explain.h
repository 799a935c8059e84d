#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "rank/ranker.h"
#include "serve/answer.h"
#include "serve/candidate_union.h"
#include "serve/checked_request.h"
#include "serve/pipeline.h"

namespace bowerbird::serve {

/// A candidate with everything that was found out about it.
struct Judged {
  index::ItemHandle item;
  uint32_t candidate = 0;  ///< index in the union
  float rank_score = 0;
  double score = 0;                        ///< after rules and the seen policy, before diversity
  absl::InlinedVector<uint16_t, 2> rules;  ///< indexes in CheckedRequest::scores of those that held
  const PinRule* pin = nullptr;            ///< where it has its place by one
};

/// Reads the outcome of the stages, for explanations and for the record.
struct Judgement {
  const Inputs* inputs = nullptr;
  const CheckedRequest* request = nullptr;
  const retrieve::Taste* taste = nullptr;
  const Union* candidates = nullptr;
  const rank::Ranked* ranked = nullptr;

  std::span<const float> Features(const Judged& judged) const;
  /// With `because` of a factor generator filled in: the item of the user's that is nearest.
  AnswerSource SourceOf(const Judged& judged, const Source& source) const;
  std::vector<std::string> RulesOf(const Judged& judged) const;
};

/// Why the item is there, in a sentence for people: "Because you saved Walnut desk", "Trending now", "New in Desks".
std::string Reason(const Judgement& judgement, const Judged& judged);

AnswerExplanation Explain(const Judgement& judgement, const Judged& judged, float final_score);

}  // namespace bowerbird::serve
