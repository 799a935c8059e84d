#include "learn/cf/row_solver.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/vector_math.h"

namespace bowerbird::learn::cf {

namespace {
// Rows gathered before they are multiplied: enough to amortize reading the matrix, few enough to stay in cache.
constexpr size_t kPanelRows = 64;
}  // namespace

RowSolver::RowSolver(const Side& side) : side_(side) {}

void RowSolver::FetchAnnouncedRow() {
  constexpr size_t kLineFloats = 16, kMaxColumns = 64;
  if (fetched_rows_ == announced_.size()) return;
  const std::span<const uint32_t> columns = announced_[fetched_rows_++].columns;
  for (uint32_t column : columns.first(std::min(columns.size(), kMaxColumns))) {
    const float* row = side_.factors.data() + static_cast<size_t>(column) * side_.dim;
    for (size_t c = 0; c < side_.dim; c += kLineFloats) __builtin_prefetch(row + c);
  }
}

void RowSolver::Prepare(const Row& row, Scaled& scaled) const {
  scaled.rows.resize(row.columns.size());
  scaled.row_scales.resize(row.columns.size());
  for (size_t k = 0; k < row.columns.size(); ++k) {
    scaled.rows[k] = side_.factors.data() + static_cast<size_t>(row.columns[k]) * side_.dim;
    scaled.row_scales[k] = std::sqrt(row.weights[k]);
  }
  scaled.column_scales.resize(side_.dim);
  model::InverseSquareRoots(side_.gramian, side_.unobserved_weight, row.ridge, scaled.column_scales.data());
}

void RowSolver::ResetMatrices(size_t systems, size_t size, size_t stride) {
  const size_t floats = model::MatrixFloats(size, stride);
  matrices_.resize(std::max(matrices_.size(), systems * floats));
  for (size_t s = 0; s < systems; ++s) {
    float* matrix = matrices_.data() + s * floats;
    std::fill_n(matrix, size * stride, 0.0f);
    for (size_t i = 0; i < size; ++i) matrix[i * stride + i] = 1.0f;
  }
}

void RowSolver::SolveExact(std::span<const Row> rows) {
  const size_t count = rows.front().columns.size();
  BOWERBIRD_CHECK(rows.size() <= Together(count, side_.dim));
  if (count == 0) {
    for (const Row& row : rows) std::fill(row.x.begin(), row.x.end(), 0.0f);
  } else if (count < side_.dim) {
    SolveDual(rows);
  } else {
    SolvePrimal(rows.front());
  }
}

void RowSolver::SolveDual(std::span<const Row> rows) {
  const size_t count = rows.front().columns.size(), width = model::Padded(count), stride = model::Padded(count + 1);
  panel_.resize(std::max(panel_.size(), side_.dim * width));
  solutions_.resize(rows.size() * count);
  ResetMatrices(rows.size(), count, stride);
  for (size_t r = 0; r < rows.size(); ++r) {
    Scaled& scaled = scaled_[r];
    BOWERBIRD_CHECK(rows[r].columns.size() == count);
    Prepare(rows[r], scaled);
    model::GatherTransposed(scaled.rows.data(), scaled.row_scales.data(), scaled.column_scales.data(), count, side_.dim,
                            width, panel_.data());
    FetchAnnouncedRow();
    float* matrix = matrices_.data() + r * model::MatrixFloats(count, stride);
    model::AddPanelProducts(panel_.data(), side_.dim, width, count, matrix, stride);
    for (size_t k = 0; k < count; ++k) matrix[k * stride + count] = scaled.row_scales[k];
  }
  model::SolvePositiveDefinite(matrices_.data(), rows.size(), count, stride, 1.0f, solutions_.data());
  for (size_t r = 0; r < rows.size(); ++r) {
    // z = P^T a, and x = z * column_scales.
    const Scaled& scaled = scaled_[r];
    const std::span<float> x = rows[r].x, solution = std::span(solutions_).subspan(r * count, count);
    for (size_t k = 0; k < count; ++k) solution[k] *= scaled.row_scales[k];
    model::WeightedSum(scaled.rows.data(), solution.data(), count, side_.dim, x.data());
    for (size_t c = 0; c < side_.dim; ++c) x[c] *= scaled.column_scales[c] * scaled.column_scales[c];
  }
}

void RowSolver::AccumulateBlock(uint32_t first, uint32_t size, const float* right_sides) {
  const Scaled& scaled = scaled_[0];
  const size_t stride = model::Padded(size + 1);
  panel_.resize(std::max(panel_.size(), kPanelRows * stride));
  block_rows_.resize(kPanelRows);
  for (size_t begin = 0; begin < scaled.rows.size(); begin += kPanelRows) {
    const size_t count = std::min(kPanelRows, scaled.rows.size() - begin);
    for (size_t k = 0; k < count; ++k) block_rows_[k] = scaled.rows[begin + k] + first;
    model::GatherRows(block_rows_.data(), scaled.row_scales.data() + begin, scaled.column_scales.data() + first,
                      right_sides + begin, count, size, stride, panel_.data());
    model::AddPanelProducts(panel_.data(), count, stride, size, matrices_.data(), stride);
  }
}

void RowSolver::SolvePrimal(const Row& row) {
  const Scaled& scaled = scaled_[0];
  const size_t stride = model::Padded(side_.dim + 1);
  Prepare(row, scaled_[0]);
  ResetMatrices(1, side_.dim, stride);
  AccumulateBlock(0, side_.dim, scaled.row_scales.data());
  FetchAnnouncedRow();
  model::SolvePositiveDefinite(matrices_.data(), 1, side_.dim, stride, 1.0f, row.x.data());
  for (size_t c = 0; c < side_.dim; ++c) row.x[c] *= scaled.column_scales[c];
}

void RowSolver::ImproveByBlocks(const Row& row, uint32_t block_size) {
  if (row.columns.size() < side_.dim || block_size >= side_.dim) {
    SolveExact(std::span(&row, 1));
    return;
  }
  Scaled& scaled = scaled_[0];
  Prepare(row, scaled);
  residuals_.resize(row.columns.size());
  for (size_t k = 0; k < row.columns.size(); ++k) {
    residuals_[k] = scaled.row_scales[k] * (1.0f - base::Dot(row.x, std::span(scaled.rows[k], side_.dim)));
  }
  for (uint32_t first = 0; first < side_.dim; first += block_size) {
    ImproveBlock(first, std::min(block_size, side_.dim - first), row.x);
  }
}

void RowSolver::ImproveBlock(uint32_t first, uint32_t size, std::span<float> x) {
  const Scaled& scaled = scaled_[0];
  const size_t stride = model::Padded(size + 1);
  ResetMatrices(1, size, stride);
  AccumulateBlock(first, size, residuals_.data());
  // The Newton step in this block: (I + P^T P) step = P^T residual - z.
  for (size_t c = 0; c < size; ++c) matrices_[c * stride + size] -= x[first + c] / scaled.column_scales[first + c];
  solutions_.resize(size);
  model::SolvePositiveDefinite(matrices_.data(), 1, size, stride, 1.0f, solutions_.data());
  for (size_t c = 0; c < size; ++c) {
    solutions_[c] *= scaled.column_scales[first + c];
    x[first + c] += solutions_[c];
  }
  for (size_t k = 0; k < scaled.rows.size(); ++k) {
    residuals_[k] -= scaled.row_scales[k] * base::Dot(solutions_, std::span(scaled.rows[k] + first, size));
  }
}

}  // namespace bowerbird::learn::cf
