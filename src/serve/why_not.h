#pragma once

#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "blend/blend.h"
#include "bowerbird/v1/serving.pb.h"
#include "retrieve/generators.h"
#include "serve/answer.h"
#include "serve/explain.h"

namespace bowerbird::serve {

/// Stages of the blend that a page can be made without, to learn which of them kept an item off it.
struct Without {
  bool cap = false;
  bool diversity = false;
  bool pins = false;
};

/// A page and what the stages left on their way to it.
struct PageOutcome {
  const Judgement* judgement = nullptr;
  std::span<const Judged> judged;
  const blend::Page* page = nullptr;
  const retrieve::Query* query = nullptr;  ///< its pool is what the generators chose from
  /// What the generators found, and what the ranker's first stage made of it; no scores when it cut nothing.
  const std::vector<rank::Candidate>* found = nullptr;
  std::span<const float> first_scores;
  bool explored = false;
  bool seen_excluded = false;
  bool drafted = false;  ///< out of several rankings
  /// The page that these candidates, best first, give without a stage, and without a draw.
  absl::FunctionRef<blend::Page(std::span<const Judged>, const Without&)> blend;
};

/// Why each of the ids is where it is, or is missing: the first stage in the order of the pipeline that left it out.
/// What kept a ranked item off the page is found by making the page again without each stage: the first one without
/// which it would be there is named. A pure function of the answer's inputs.
///
/// Data     one outcome an id, in order. docs/guides/why.md lists the codes.
/// Cost     up to four blends and, where an item was not proposed, one run of each generator without its bound, shared
///          by all ids; one more blend for an item that a rule or the seen policy pushed down.
std::vector<AnswerOutcome> ExplainItems(const PageOutcome& outcome,
                                        const google::protobuf::RepeatedPtrField<std::string>& ids);

}  // namespace bowerbird::serve
