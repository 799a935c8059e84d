#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/item.pb.h"
#include "model/attribute_regression.h"

namespace bowerbird::index {

/// A given embedding that takes part in the prediction, by its name in Item.embeddings.
struct EmbeddingInput {
  std::string name;
  uint32_t dim = 0;
};

/// What is known of an item without any event, as numbers for the attribute regression: its categories, attributes and
/// the words of its title as hashed columns, its given embeddings (each scaled to length 1; zeros where not given).
struct ItemFeatures {
  std::vector<uint32_t> columns;  ///< ascending, each once
  std::vector<float> dense;
};

/// `column_count` is a power of two.
void ReadFeatures(const v1::Item& item, std::span<const std::string> categories, uint32_t column_count,
                  std::span<const EmbeddingInput> embeddings, ItemFeatures* features);

/// Predicts an item's factor from its content.
///
/// Threads  immutable.
class FactorPredictor {
 public:
  /// InvalidArgument: the regression's dense_dim is not the sum of the embeddings', or its column_count is no power of
  /// two.
  static absl::StatusOr<FactorPredictor> Create(model::AttributeRegression regression,
                                                std::vector<EmbeddingInput> embeddings);

  /// `categories` as catalog::CategoriesOf gives them; `factor` has dim() floats.
  void Predict(const v1::Item& item, std::span<const std::string> categories, std::span<float> factor) const;
  uint32_t dim() const { return regression_.factor_dim(); }

 private:
  FactorPredictor(model::AttributeRegression regression, std::vector<EmbeddingInput> embeddings)
      : regression_(std::move(regression)), embeddings_(std::move(embeddings)) {}

  model::AttributeRegression regression_;
  std::vector<EmbeddingInput> embeddings_;
};

}  // namespace bowerbird::index
