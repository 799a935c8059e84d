#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "expression/expression.h"
#include "index/live_index.h"
#include "serve/pipeline.h"
#include "serve/table_values.h"

namespace bowerbird::serve {

/// A factor on the scores of some items, of the config or of the request.
struct ScoreRule {
  std::string name;
  std::shared_ptr<const expression::Program> when;
  config::ItemSignalFields when_signals;
  double factor = 1;
};

/// An item and its position in the chain, from 1.
struct PinRule {
  std::string name;
  catalog::ItemKey item;
  uint32_t position = 0;
};

/// A request that may be answered.
struct CheckedRequest {
  const config::Surface* surface = nullptr;
  uint32_t n = 0;
  std::optional<index::ItemHandle> item;  ///< of a related surface
  std::shared_ptr<const expression::Program> filter;
  std::vector<catalog::ItemKey> exclude;
  std::vector<ScoreRule> scores;
  std::vector<PinRule> pins;  ///< the request's before the config's
  /// What tables say of what all of these and the surface's ranker name; never null.
  std::shared_ptr<TableValues> tables;
};

/// InvalidArgument with code and field (catalog::FromStatus) for the first thing that is wrong. The cursor is not
/// looked at: inputs.chain is what it meant.
absl::StatusOr<CheckedRequest> Check(const Inputs& inputs, const v1::RecommendRequest& request);

/// The surface and its score rules only; the items' number.
absl::StatusOr<CheckedRequest> Check(const Inputs& inputs, const v1::RankRequest& request);

/// InvalidArgument: longer than an id may be. Empty is an unknown visitor.
absl::Status CheckUserId(const config::Config& config, std::string_view id, std::string_view field);

}  // namespace bowerbird::serve
