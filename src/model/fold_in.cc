#include "model/fold_in.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "fmt/format.h"
#include "model/dense_kernels.h"

namespace bowerbird::model {

namespace {

// Rows that are gathered before they are multiplied: enough to amortize reading the matrix, few enough to stay in
// cache.
constexpr size_t kPanelRows = 64;

bool AllFinite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

std::vector<float> Gramian(std::span<const float> factors, uint32_t dim) {
  BOWERBIRD_CHECK(dim > 0 && factors.size() % dim == 0);
  const size_t count = factors.size() / dim, stride = Padded(dim);
  constexpr size_t kRows = 256;
  std::vector<float> panel(kRows * stride), products(MatrixFloats(dim, stride));
  std::vector<double> sum(static_cast<size_t>(dim) * dim);
  for (size_t first = 0; first < count; first += kRows) {
    const size_t rows = std::min(kRows, count - first);
    for (size_t r = 0; r < rows; ++r) {
      std::memcpy(panel.data() + r * stride, factors.data() + (first + r) * dim, dim * sizeof(float));
    }
    std::fill(products.begin(), products.end(), 0.0f);
    AddPanelProducts(panel.data(), rows, stride, dim, products.data(), stride);
    for (size_t i = 0; i < dim; ++i) {
      for (size_t j = i; j < dim; ++j) sum[i * dim + j] += products[i * stride + j];
    }
  }
  std::vector<float> gramian(sum.size());
  for (size_t i = 0; i < dim; ++i) {
    for (size_t j = i; j < dim; ++j) gramian[i * dim + j] = gramian[j * dim + i] = static_cast<float>(sum[i * dim + j]);
  }
  return gramian;
}

absl::StatusOr<FoldIn> FoldIn::Create(const IalsObjective& objective, uint64_t item_count, uint32_t dim,
                                      std::span<const float> gramian) {
  if (dim == 0 || dim > kMaxDim) {
    return absl::InvalidArgumentError(fmt::format("dim is {}; expected 1 to {}", dim, kMaxDim));
  }
  if (gramian.size() != static_cast<size_t>(dim) * dim) {
    return absl::InvalidArgumentError(
        fmt::format("gramian has {} values; expected dim * dim = {}", gramian.size(), static_cast<size_t>(dim) * dim));
  }
  if (!AllFinite(gramian)) return absl::InvalidArgumentError("gramian holds a value that is not finite");
  if (!(objective.regularization > 0) || !std::isfinite(objective.regularization)) {
    return absl::InvalidArgumentError(
        fmt::format("regularization is {}; expected a number above 0", objective.regularization));
  }
  if (!(objective.unobserved_weight >= 0) || !std::isfinite(objective.unobserved_weight)) {
    return absl::InvalidArgumentError(
        fmt::format("unobserved_weight is {}; expected a number of at least 0", objective.unobserved_weight));
  }
  FoldIn fold_in;
  fold_in.objective_ = objective;
  fold_in.item_count_ = item_count;
  fold_in.dim_ = dim;
  fold_in.stride_ = Padded(dim + 1);
  fold_in.base_.assign(dim * fold_in.stride_, 0.0f);
  for (size_t i = 0; i < dim; ++i) {
    for (size_t j = i; j < dim; ++j) {
      fold_in.base_[i * fold_in.stride_ + j] = objective.unobserved_weight * gramian[i * dim + j];
    }
  }
  return fold_in;
}

void FoldIn::Solve(std::span<const float> weights, ReadRow read_row, Scratch& scratch, std::span<float> factor) const {
  BOWERBIRD_CHECK(factor.size() == dim_);
  scratch.panel.resize(kPanelRows * stride_);
  scratch.matrix.resize(MatrixFloats(dim_, stride_));
  std::copy(base_.begin(), base_.end(), scratch.matrix.begin());
  double observed_weight = 0;
  size_t rows = 0;
  const auto flush = [&] {
    AddPanelProducts(scratch.panel.data(), rows, stride_, dim_, scratch.matrix.data(), stride_);
    rows = 0;
  };
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] > 0 && std::isfinite(weights[i]))) continue;
    // A row scaled by sqrt(weight), beside the right side's share: its products with itself are both sums at once.
    float* row = scratch.panel.data() + rows * stride_;
    read_row(i, row);
    const float scale = std::sqrt(weights[i]);
    for (uint32_t c = 0; c < dim_; ++c) row[c] *= scale;
    row[dim_] = scale;
    std::fill(row + dim_ + 1, row + stride_, 0.0f);
    observed_weight += weights[i];
    if (++rows == kPanelRows) flush();
  }
  if (observed_weight == 0) {
    std::fill(factor.begin(), factor.end(), 0.0f);
    return;
  }
  flush();
  const float ridge = objective_.RowRegularization(observed_weight, item_count_);
  for (size_t i = 0; i < dim_; ++i) scratch.matrix[i * stride_ + i] += ridge;
  SolvePositiveDefinite(scratch.matrix.data(), 1, dim_, stride_, ridge, factor.data());
  // Only weights near the end of float's range overflow on the way: no taste is known then.
  if (!AllFinite(factor)) std::fill(factor.begin(), factor.end(), 0.0f);
}

void FoldIn::Solve(std::span<const float> factors, std::span<const uint32_t> items, std::span<const float> weights,
                   Scratch& scratch, std::span<float> factor) const {
  BOWERBIRD_CHECK(items.size() == weights.size());
  Solve(
      weights,
      [&](size_t i, float* row) {
        BOWERBIRD_CHECK((items[i] + size_t{1}) * dim_ <= factors.size());
        std::memcpy(row, factors.data() + static_cast<size_t>(items[i]) * dim_, dim_ * sizeof(float));
      },
      scratch, factor);
}

void FoldIn::Solve(std::span<const uint16_t> factors_bf16, std::span<const uint32_t> items,
                   std::span<const float> weights, Scratch& scratch, std::span<float> factor) const {
  BOWERBIRD_CHECK(items.size() == weights.size());
  Solve(
      weights,
      [&](size_t i, float* row) {
        BOWERBIRD_CHECK((items[i] + size_t{1}) * dim_ <= factors_bf16.size());
        const uint16_t* from = factors_bf16.data() + static_cast<size_t>(items[i]) * dim_;
        for (uint32_t c = 0; c < dim_; ++c) row[c] = std::bit_cast<float>(static_cast<uint32_t>(from[c]) << 16);
      },
      scratch, factor);
}

}  // namespace bowerbird::model
