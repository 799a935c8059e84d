#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "index/item_features.h"
#include "index/key_directory.h"
#include "index/snapshot_builder.h"

namespace bowerbird::index {

/// The factors of all items in ordinal order, as they lie in a snapshot.
struct BuiltFactors {
  std::vector<uint16_t> rows;     ///< {items, FactorRows::Stride(dim)}
  std::vector<uint64_t> trained;  ///< bitmap
  std::vector<float> inverse_norms;
  uint32_t trained_count = 0, predicted_count = 0;
  std::vector<float> regression_weights;  ///< empty: nothing to learn from
  uint32_t regression_columns = 0, regression_dense_dim = 0;
  std::vector<EmbeddingInput> embeddings;
};

/// InvalidArgument: a shape of the model does not fit, or a value is not finite. Everything later may rely on it.
absl::Status CheckModel(const CfModel& model);

/// The ordinal of each of the model's items; kNoOrdinal for those that the catalog does not have.
std::vector<Ordinal> OrdinalsOf(const CfModel& model, std::span<const uint64_t> keys);

/// Takes the model's factors for items that it has, learns from these what factors follow from content, and predicts
/// those of the others. `read_item` gives an ordinal's item.
absl::StatusOr<BuiltFactors> BuildFactors(const CfModel& model, std::span<const Ordinal> ordinals, uint32_t item_count,
                                          const std::function<v1::Item(Ordinal)>& read_item,
                                          const config::Config& config, const BuildOptions& options);

}  // namespace bowerbird::index
