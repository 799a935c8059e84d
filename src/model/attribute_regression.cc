#include "model/attribute_regression.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "base/vector_math.h"
#include "fmt/format.h"

namespace bowerbird::model {

namespace {

absl::Status Validate(const FeatureRows& features, std::span<const float> factors, uint32_t factor_dim,
                      std::span<const float> item_weights, const AttributeRegression::TrainOptions& options) {
  const size_t rows = features.row_count();
  const auto invalid = [](std::string message) { return absl::InvalidArgumentError(message); };
  if (factor_dim == 0) return invalid("factor_dim is 0; expected at least 1");
  if (rows == 0) return invalid("features has no rows; expected at least one item");
  if (factors.size() != rows * factor_dim) {
    return invalid(fmt::format("factors has {} values; expected {} rows * {}", factors.size(), rows, factor_dim));
  }
  if (features.offsets.front() != 0 || features.offsets.back() != features.columns.size() ||
      !std::is_sorted(features.offsets.begin(), features.offsets.end())) {
    return invalid(fmt::format("offsets do not ascend from 0 to the number of columns, {}", features.columns.size()));
  }
  for (size_t k = 0; k < features.columns.size(); ++k) {
    if (features.columns[k] >= features.column_count) {
      return invalid(
          fmt::format("columns[{}] is {}; expected below {}", k, features.columns[k], features.column_count));
    }
  }
  if (!features.values.empty() && features.values.size() != features.columns.size()) {
    return invalid(
        fmt::format("values has {} entries; expected none or {}", features.values.size(), features.columns.size()));
  }
  if (features.dense.size() != rows * features.dense_dim) {
    return invalid(
        fmt::format("dense has {} values; expected {} rows * {}", features.dense.size(), rows, features.dense_dim));
  }
  if (!item_weights.empty() && item_weights.size() != rows) {
    return invalid(fmt::format("item_weights has {} entries; expected none or {}", item_weights.size(), rows));
  }
  const auto finite = [](float v) { return std::isfinite(v); };
  for (const auto& [name, values] :
       {std::pair{"factors", factors}, {"values", features.values}, {"dense", features.dense}}) {
    if (!std::all_of(values.begin(), values.end(), finite))
      return invalid(fmt::format("{} holds a value that is not finite", name));
  }
  if (!std::all_of(item_weights.begin(), item_weights.end(), [](float w) { return std::isfinite(w) && w >= 0; })) {
    return invalid("item_weights holds a value that is not a finite number of at least 0");
  }
  if (!item_weights.empty() && std::all_of(item_weights.begin(), item_weights.end(), [](float w) { return w == 0; })) {
    return invalid("item_weights are all 0; expected at least one item with weight");
  }
  if (!(options.lambda > 0) || !std::isfinite(options.lambda)) {
    return invalid(fmt::format("lambda is {}; expected a finite number above 0", options.lambda));
  }
  return absl::OkStatus();
}

// The matrix of the normal equations, F^T W F + lambda (but not on the intercept), applied without being formed.
// Unknowns are rows {1 + sparse + dense, factor_dim}; each output row is summed by one task in item order.
class NormalEquations {
 public:
  NormalEquations(const FeatureRows& features, uint32_t factor_dim, std::span<const float> item_weights,
                  const AttributeRegression::TrainOptions& options)
      : features_(features), dim_(factor_dim), item_weights_(item_weights), options_(options) {
    // The sparse columns, each with its items.
    offsets_.assign(features.column_count + size_t{1}, 0);
    for (uint32_t column : features.columns) ++offsets_[column + 1];
    for (size_t c = 0; c < features.column_count; ++c) offsets_[c + 1] += offsets_[c];
    items_.resize(features.columns.size());
    values_.resize(features.columns.size());
    std::vector<uint64_t> next(offsets_.begin(), offsets_.end() - 1);
    for (uint32_t item = 0; item < features.row_count(); ++item) {
      for (uint64_t k = features.offsets[item]; k < features.offsets[item + 1]; ++k) {
        const uint64_t at = next[features.columns[k]]++;
        items_[at] = item;
        values_[at] = Value(k);
      }
    }
  }

  size_t unknown_count() const { return size_t{1} + features_.column_count + features_.dense_dim; }

  // out = F^T W per_item, where per_item is {item_count, dim}.
  void Gather(std::span<const float> per_item, std::span<float> out) const {
    std::fill(out.begin(), out.end(), 0.0f);
    constexpr size_t kRows = 64;
    base::ParallelFor(options_.threads, (unknown_count() + kRows - 1) / kRows, [&](size_t task, uint32_t) {
      const size_t end = std::min(unknown_count(), (task + 1) * kRows);
      for (size_t row = task * kRows; row < end; ++row) {
        ForEachItem(row, [&](uint32_t item, float value) {
          base::Axpy(value * Weight(item), per_item.subspan(item * dim_, dim_), out.subspan(row * dim_, dim_));
        });
      }
    });
  }

  // out = (F^T W F + lambda) x.
  void Apply(std::span<const float> x, std::vector<float>& per_item, std::span<float> out) const {
    per_item.assign(features_.row_count() * dim_, 0.0f);
    constexpr size_t kItems = 256;
    base::ParallelFor(options_.threads, (features_.row_count() + kItems - 1) / kItems, [&](size_t task, uint32_t) {
      const size_t end = std::min(features_.row_count(), (task + 1) * kItems);
      for (size_t item = task * kItems; item < end; ++item)
        Predict(item, x, std::span(per_item).subspan(item * dim_, dim_));
    });
    Gather(per_item, out);
    base::Axpy(options_.lambda, x.subspan(dim_), out.subspan(dim_));
  }

  // The matrix's diagonal, for preconditioning.
  std::vector<float> Diagonal() const {
    std::vector<float> diagonal(unknown_count());
    for (size_t row = 0; row < diagonal.size(); ++row) {
      double sum = row == 0 ? 0 : options_.lambda;
      ForEachItem(row, [&](uint32_t item, float value) { sum += static_cast<double>(Weight(item)) * value * value; });
      diagonal[row] = static_cast<float>(sum);
    }
    return diagonal;
  }

 private:
  float Weight(uint32_t item) const { return item_weights_.empty() ? 1.0f : item_weights_[item]; }
  float Value(uint64_t k) const { return features_.values.empty() ? 1.0f : features_.values[k]; }

  template <typename Visit>
  void ForEachItem(size_t row, Visit visit) const {
    const uint32_t item_count = static_cast<uint32_t>(features_.row_count());
    if (row == 0) {
      for (uint32_t item = 0; item < item_count; ++item) visit(item, 1.0f);
    } else if (row <= features_.column_count) {
      for (uint64_t k = offsets_[row - 1]; k < offsets_[row]; ++k) visit(items_[k], values_[k]);
    } else {
      const size_t c = row - 1 - features_.column_count;
      for (uint32_t item = 0; item < item_count; ++item) visit(item, features_.dense[item * features_.dense_dim + c]);
    }
  }

  void Predict(size_t item, std::span<const float> x, std::span<float> out) const {
    base::Axpy(1.0f, x.first(dim_), out);
    for (uint64_t k = features_.offsets[item]; k < features_.offsets[item + 1]; ++k) {
      base::Axpy(Value(k), x.subspan((size_t{1} + features_.columns[k]) * dim_, dim_), out);
    }
    const size_t dense = size_t{1} + features_.column_count;
    for (size_t c = 0; c < features_.dense_dim; ++c) {
      base::Axpy(features_.dense[item * features_.dense_dim + c], x.subspan((dense + c) * dim_, dim_), out);
    }
  }

  const FeatureRows& features_;
  const size_t dim_;
  const std::span<const float> item_weights_;
  const AttributeRegression::TrainOptions& options_;
  std::vector<uint64_t> offsets_;
  std::vector<uint32_t> items_;
  std::vector<float> values_;
};

// out[c] = sum over rows of scale[row] * a[row][c] * b[row][c]; scale empty means all 1.
std::vector<double> ColumnDots(std::span<const float> a, std::span<const float> b, std::span<const float> scale,
                               size_t dim) {
  std::vector<double> dots(dim);
  for (size_t row = 0; row < a.size() / dim; ++row) {
    const double s = scale.empty() ? 1.0 : scale[row];
    for (size_t c = 0; c < dim; ++c) dots[c] += s * a[row * dim + c] * b[row * dim + c];
  }
  return dots;
}

// Solves for every factor column at once by conjugate gradients under the diagonal; columns share the matrix, not the
// step sizes.
std::vector<float> ConjugateGradients(const NormalEquations& equations, std::vector<float> residual, size_t dim,
                                      const AttributeRegression::TrainOptions& options) {
  const size_t rows = equations.unknown_count();
  std::vector<float> inverse = equations.Diagonal();
  for (float& value : inverse) value = 1.0f / value;
  std::vector<float> x(rows * dim), direction(rows * dim), image(rows * dim), per_item;
  for (size_t k = 0; k < direction.size(); ++k) direction[k] = inverse[k / dim] * residual[k];
  std::vector<double> product = ColumnDots(residual, residual, inverse, dim);
  const std::vector<double> start = product;
  for (uint32_t iteration = 0; iteration < options.max_iterations; ++iteration) {
    const auto done = [&](size_t c) { return product[c] <= start[c] * options.tolerance * options.tolerance; };
    size_t open = 0;
    for (size_t c = 0; c < dim; ++c) open += !done(c);
    if (open == 0) break;
    equations.Apply(direction, per_item, image);
    const std::vector<double> curvature = ColumnDots(direction, image, {}, dim);
    std::vector<float> step(dim);
    for (size_t c = 0; c < dim; ++c) step[c] = curvature[c] > 0 ? static_cast<float>(product[c] / curvature[c]) : 0.0f;
    for (size_t row = 0; row < rows; ++row) {
      for (size_t c = 0, k = row * dim; c < dim; ++c, ++k) {
        x[k] += step[c] * direction[k];
        residual[k] -= step[c] * image[k];
      }
    }
    const std::vector<double> next = ColumnDots(residual, residual, inverse, dim);
    for (size_t row = 0; row < rows; ++row) {
      for (size_t c = 0, k = row * dim; c < dim; ++c, ++k) {
        const float momentum = product[c] > 0 ? static_cast<float>(next[c] / product[c]) : 0.0f;
        direction[k] = inverse[row] * residual[k] + momentum * direction[k];
      }
    }
    product = next;
  }
  return x;
}

}  // namespace

uint32_t AttributeColumn(std::string_view attribute, std::string_view value, uint32_t column_count) {
  BOWERBIRD_CHECK(column_count > 0);
  return static_cast<uint32_t>(base::CombineHash(base::Hash64(attribute), base::Hash64(value)) % column_count);
}

absl::StatusOr<AttributeRegression> AttributeRegression::Train(const FeatureRows& features,
                                                               std::span<const float> factors, uint32_t factor_dim,
                                                               std::span<const float> item_weights,
                                                               const TrainOptions& options) {
  RETURN_IF_ERROR(Validate(features, factors, factor_dim, item_weights, options));
  const NormalEquations equations(features, factor_dim, item_weights, options);
  std::vector<float> right_side(equations.unknown_count() * factor_dim);
  equations.Gather(factors, right_side);
  return FromWeights(features.column_count, features.dense_dim, factor_dim,
                     ConjugateGradients(equations, std::move(right_side), factor_dim, options));
}

absl::StatusOr<AttributeRegression> AttributeRegression::FromWeights(uint32_t column_count, uint32_t dense_dim,
                                                                     uint32_t factor_dim, std::vector<float> weights) {
  const uint64_t expected = (uint64_t{1} + column_count + dense_dim) * factor_dim;
  if (factor_dim == 0 || weights.size() != expected) {
    return absl::InvalidArgumentError(fmt::format("weights has {} values; expected (1 + {} + {}) * {}", weights.size(),
                                                  column_count, dense_dim, factor_dim));
  }
  if (!std::all_of(weights.begin(), weights.end(), [](float v) { return std::isfinite(v); })) {
    return absl::InvalidArgumentError("weights holds a value that is not finite");
  }
  AttributeRegression result;
  result.column_count_ = column_count;
  result.dense_dim_ = dense_dim;
  result.factor_dim_ = factor_dim;
  result.weights_ = std::move(weights);
  return result;
}

void AttributeRegression::Predict(std::span<const uint32_t> columns, std::span<const float> values,
                                  std::span<const float> dense, std::span<float> factor) const {
  BOWERBIRD_CHECK(factor.size() == factor_dim_ && (values.empty() || values.size() == columns.size()));
  BOWERBIRD_CHECK(dense.empty() || dense.size() == dense_dim_);
  const auto row = [&](size_t r) { return std::span(weights_).subspan(r * factor_dim_, factor_dim_); };
  std::copy_n(weights_.begin(), factor_dim_, factor.begin());
  for (size_t k = 0; k < columns.size(); ++k) {
    if (columns[k] < column_count_) base::Axpy(values.empty() ? 1.0f : values[k], row(size_t{1} + columns[k]), factor);
  }
  for (size_t c = 0; c < dense.size(); ++c) base::Axpy(dense[c], row(size_t{1} + column_count_ + c), factor);
}

}  // namespace bowerbird::model
