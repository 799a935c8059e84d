#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluate/interaction.h"

namespace bowerbird::evaluate {

/// What is known of an item without any event: hashed attribute columns (model::AttributeColumn) and, where it has one,
/// an embedding.
struct ItemFeatures {
  std::vector<uint32_t> columns;  // each below column_count
  std::vector<float> dense;       // empty or dense_dim values
};

struct ColdOptions {
  std::vector<Interaction> interactions;
  uint32_t column_count = 0;
  uint32_t dense_dim = 0;
  /// Features of item `item`; called once an item.
  std::function<ItemFeatures(uint32_t item)> features;
  double held_out_share = 0.2;  // of the items with interactions; as many more choose lambda
  uint32_t factors = 64;
  uint32_t epochs = 10;
  float unobserved_weight = 0.02f;
  float regularization = 0.005f;
  uint32_t k = 20;
  uint64_t seed = 1;
  uint32_t threads = 0;
};

struct ColdReport {
  uint32_t k = 0;
  uint32_t held_out_items = 0;
  uint32_t users = 0;  // with something held out to find and something in train
  double recall = 0, ndcg = 0;
  double random_recall = 0, random_ndcg = 0;
  double lambda = 0;  // chosen on items held out for that
};

/// How well factors predicted from attributes rank items whose every interaction was held out of training, among these
/// items only, beside a random order of them. Two lots of items are held out: lambda is chosen on one, the figures come
/// from the other.
///
/// Errors  InvalidArgument: a share not in (0, 0.4], k is 0, too few items to hold any out, a feature out of range.
absl::StatusOr<ColdReport> RunCold(const ColdOptions& options, std::ostream& log);

/// One JSON object in one line: `recall@K`, `ndcg@K`, the same nested under `random`.
std::string ToJson(const ColdReport& report);

}  // namespace bowerbird::evaluate
