#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/served.pb.h"

namespace bowerbird::serve {

/// Names in `degraded` of what was left out under overload.
inline constexpr std::string_view kDegradedFewer = "fewer_generators";
inline constexpr std::string_view kDegradedPopular = "popular";
/// Why the ranker's own weights gave the order although a trained ranker is promoted: it cannot be opened, or it gave
/// something that is no number.
inline constexpr std::string_view kRankerMissing = "ranker_missing";
inline constexpr std::string_view kRankerInvalid = "ranker_invalid";
/// Items of the page came from no generator.
inline constexpr std::string_view kDegradedFilled = "filled";
/// The node that has the user's state did not answer.
inline constexpr std::string_view kDegradedOwner = "owner_unreachable";

/// One generator's opinion of an item.
struct AnswerSource {
  std::string generator;
  float score = 0;
  uint32_t rank = 0;    ///< from 1
  std::string because;  ///< id of the user's item that led here; may be empty
};

struct AnswerFeature {
  std::string name;
  float value = 0;
};

struct AnswerExplanation {
  std::vector<AnswerSource> sources;
  std::vector<AnswerFeature> features;
  float rank_score = 0;
  float final_score = 0;
  std::vector<std::string> rules;
  std::string reason;
};

struct AnswerItem {
  std::string id;
  float score = 0;
  uint32_t position = 0;                         ///< from 1, across the pages of a chain
  std::optional<v1::Item> item;                  ///< the requested fields only; set when fields were requested
  std::optional<AnswerExplanation> explanation;  ///< set when the request said `explain`
};

/// What became of an item that the request asked about: a v1::ItemOutcome. What does not apply is 0 or empty.
struct AnswerOutcome {
  std::string id;
  std::string_view stage, code;  ///< constants of why_not.cc
  std::string detail;
  uint32_t position = 0;
  uint32_t rank = 0, candidates = 0, page = 0;
  float score = 0, last_score = 0;
  std::string generator;
  uint32_t generator_rank = 0, generator_count = 0;
  float generator_score = 0;
  std::vector<std::string> rules;
};

/// Microseconds spent in each stage, for metrics; in no record.
struct StageTimes {
  int64_t check_us = 0;  ///< request validation, filters compiled
  int64_t retrieve_us = 0;
  int64_t rank_us = 0;
  int64_t blend_us = 0;
  int64_t answer_us = 0;  ///< explanations, fields and the served record
  int64_t total_us = 0;
};

/// A v1::RecommendResponse as plain values, in the order in which JSON is written, and the record for the served log.
struct Answer {
  std::string request_id;
  std::vector<AnswerItem> items;
  std::vector<AnswerOutcome> outcomes;  ///< of request.explain_items, in that order
  std::string next_cursor;              ///< set by Engine; empty when there is nothing more
  std::string snapshot;
  std::string config_version;
  std::vector<std::string> degraded;
  bool explored = false;

  /// Whether the next page of the chain would hold anything.
  bool more = false;
  v1::ServedRecord record;
  StageTimes times;
};

/// A v1::RankResponse likewise; every item comes with its score, best first.
struct RankAnswer {
  std::string request_id;
  std::vector<AnswerItem> items;
  std::vector<std::string> left_out;  ///< in the order given
  std::vector<std::string> degraded;
  v1::ServedRecord record;
  StageTimes times;
};

}  // namespace bowerbird::serve
