#include "learn/cf/ials.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/parallel.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "base/vector_math.h"
#include "fmt/format.h"
#include "learn/cf/row_solver.h"
#include "learn/cf/symmetric_eigen.h"
#include "model/dense_kernels.h"
#include "model/fold_in.h"

namespace bowerbird::learn::cf {

namespace {

constexpr uint32_t kMaxFactors = model::FoldIn::kMaxDim;
// Less than this is lost beside the other terms in float32.
constexpr float kMinRegularization = 1e-9f;

absl::Status Validate(const IalsOptions& options) {
  const model::IalsObjective& objective = options.objective;
  if (options.factors == 0 || options.factors > kMaxFactors) {
    return absl::InvalidArgumentError(fmt::format("factors is {}; expected 1 to {}", options.factors, kMaxFactors));
  }
  if (options.epochs == 0) return absl::InvalidArgumentError("epochs is 0; expected at least 1");
  if (options.block_size == 0) return absl::InvalidArgumentError("block_size is 0; expected at least 1");
  if (!(objective.regularization >= kMinRegularization) || !std::isfinite(objective.regularization)) {
    return absl::InvalidArgumentError(fmt::format("regularization is {}; expected a finite number of at least {}",
                                                  objective.regularization, kMinRegularization));
  }
  if (!(objective.unobserved_weight >= 0) || !std::isfinite(objective.unobserved_weight)) {
    return absl::InvalidArgumentError(
        fmt::format("unobserved_weight is {}; expected a finite number of at least 0", objective.unobserved_weight));
  }
  if (!(objective.frequency_exponent >= 0) || !std::isfinite(objective.frequency_exponent)) {
    return absl::InvalidArgumentError(
        fmt::format("frequency_exponent is {}; expected a finite number of at least 0", objective.frequency_exponent));
  }
  return absl::OkStatus();
}

// Sum of y y^T in double. The slices, hence the bits, do not depend on the thread count.
std::vector<double> ParallelGramian(std::span<const float> factors, size_t dim, uint32_t threads) {
  constexpr size_t kSlices = 16;
  const size_t count = factors.size() / dim, slice_rows = (count + kSlices - 1) / kSlices;
  std::vector<std::vector<float>> slices(kSlices);
  base::ParallelFor(threads, kSlices, [&](size_t slice, uint32_t) {
    const size_t begin = std::min(count, slice * slice_rows), end = std::min(count, begin + slice_rows);
    slices[slice] = model::Gramian(factors.subspan(begin * dim, (end - begin) * dim), static_cast<uint32_t>(dim));
  });
  std::vector<double> sum(dim * dim);
  for (const std::vector<float>& slice : slices) {
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += slice[i];
  }
  return sum;
}

// Turns every row of `factors` into the axes that are the rows of `axes`.
void RotateRows(std::vector<float>& factors, const std::vector<float>& axes, size_t dim, uint32_t threads) {
  constexpr size_t kRows = 256;
  const size_t count = factors.size() / dim;
  base::ParallelFor(threads, (count + kRows - 1) / kRows, [&](size_t task, uint32_t) {
    const size_t first = task * kRows, rows = std::min(kRows, count - first);
    std::vector<float> rotated(rows * dim);
    model::RowProducts(factors.data() + first * dim, rows, axes.data(), dim, dim, rotated.data(), dim);
    std::memcpy(factors.data() + first * dim, rotated.data(), rotated.size() * sizeof(float));
  });
}

// One side's rows to solve.
struct SideRows {
  const SparseRows& sparse;
  std::vector<uint32_t> order;       // most interactions first, so that threads end at about the same time
  std::vector<float> ridges;         // of each row
  std::vector<float> inverse_roots;  // 1 / the square root of a row's summed weight; 0 for an empty row

  SideRows(const SparseRows& rows, uint64_t other_count, const model::IalsObjective& objective)
      : sparse(rows), order(rows.row_count()), ridges(rows.row_count()), inverse_roots(rows.row_count()) {
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return rows.size(a) > rows.size(b); });
    for (uint32_t r = 0; r < rows.row_count(); ++r) {
      const std::span<const float> weights = rows.weights_of(r);
      const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
      ridges[r] = objective.RowRegularization(weight, other_count);
      if (weight > 0) inverse_roots[r] = static_cast<float>(1.0 / std::sqrt(weight));
    }
  }
};

class Trainer {
 public:
  Trainer(const Interactions& interactions, const IalsOptions& options)
      : options_(options),
        dim_(options.factors),
        user_rows_(interactions.by_user, interactions.item_count(), options.objective),
        item_rows_(interactions.by_item, interactions.user_count(), options.objective) {
    base::Rng rng(options.seed);
    model_.factors = options.factors;
    model_.users.resize(interactions.user_count() * dim_);
    model_.items.resize(interactions.item_count() * dim_);
    // Only users with interactions are drawn: the others' factors are zero from the start, as they stay.
    for (uint32_t u = 0; u < interactions.user_count(); ++u) {
      if (interactions.by_user.size(u) == 0) continue;
      for (size_t c = 0; c < dim_; ++c) {
        model_.users[u * dim_ + c] = static_cast<float>(rng.Normal() / std::sqrt(static_cast<double>(dim_)));
      }
    }
    for (uint32_t pass = 0; pass < kStartPasses; ++pass) {
      MultiplySide(item_rows_, user_rows_, model_.users, model_.items);
      MultiplySide(user_rows_, item_rows_, model_.items, model_.users);
    }
    RestoreLength(interactions.by_user);
  }

  void RunEpoch() {
    SolveSide(item_rows_, model_.users, model_.items, options_.solver);
    SolveUsers(options_.solver);
  }

  void SolveUsers(IalsOptions::Solver solver) { SolveSide(user_rows_, model_.items, model_.users, solver); }

  IalsModel& model() { return model_; }

 private:
  // Passes of subspace iteration over the matrix with each weight divided by the square roots of its row's and column's
  // sums (Halko, Martinsson and Tropp 2011): they turn the random start towards the leading singular vectors, each at
  // the cost of two sparse products, a small part of an epoch, and save about two epochs. More than two drown the
  // small axes.
  static constexpr uint32_t kStartPasses = 2;

  // The product of `rows`, scaled so, with the other side's factors, into `to`.
  void MultiplySide(const SideRows& rows, const SideRows& other, const std::vector<float>& from,
                    std::vector<float>& to) const {
    constexpr size_t kRows = 32;
    base::ParallelFor(options_.threads, (rows.order.size() + kRows - 1) / kRows, [&](size_t task, uint32_t) {
      std::vector<const float*> factors;
      std::vector<float> scale;
      const size_t end = std::min(rows.order.size(), (task + 1) * kRows);
      for (size_t at = task * kRows; at < end; ++at) {
        const uint32_t r = rows.order[at];
        const std::span<const uint32_t> columns = rows.sparse.columns_of(r);
        const std::span<const float> weights = rows.sparse.weights_of(r);
        factors.resize(columns.size());
        scale.resize(columns.size());
        for (size_t k = 0; k < columns.size(); ++k) {
          factors[k] = from.data() + size_t{columns[k]} * dim_;
          scale[k] = weights[k] * rows.inverse_roots[r] * other.inverse_roots[columns[k]];
        }
        model::WeightedSum(factors.data(), scale.data(), columns.size(), dim_, to.data() + r * dim_);
      }
    });
  }

  // The users as long again, on average, as they were drawn.
  void RestoreLength(const SparseRows& by_user) {
    double squares = 0;
    for (const float x : model_.users) squares += double{x} * x;
    if (squares == 0) return;
    uint32_t drawn = 0;
    for (uint32_t u = 0; u < by_user.row_count(); ++u) drawn += by_user.size(u) > 0 ? 1 : 0;
    const auto factor = static_cast<float>(std::sqrt(drawn / squares));
    for (float& x : model_.users) x *= factor;
  }

  // Solves `rows` (into `moving`) against the factors of the other side, after turning both into the other side's
  // principal axes.
  void SolveSide(const SideRows& rows, std::vector<float>& fixed, std::vector<float>& moving,
                 IalsOptions::Solver solver) {
    const SymmetricEigen eigen = DecomposeSymmetric(ParallelGramian(fixed, dim_, options_.threads), dim_);
    const std::vector<float> axes(eigen.vectors.begin(), eigen.vectors.end());
    std::vector<float> gramian(dim_);
    // Rounding may leave a tiny negative value where there is nothing.
    for (size_t c = 0; c < dim_; ++c) gramian[c] = static_cast<float>(std::max(0.0, eigen.values[c]));
    RotateRows(fixed, axes, dim_, options_.threads);
    if (solver == IalsOptions::Solver::kBlock) RotateRows(moving, axes, dim_, options_.threads);

    const RowSolver::Side side{options_.factors, fixed, gramian, options_.objective.unobserved_weight};
    std::vector<RowSolver> solvers(base::ResolveThreads(options_.threads), RowSolver(side));
    constexpr size_t kRows = 32;
    base::ParallelFor(options_.threads, (rows.order.size() + kRows - 1) / kRows, [&](size_t task, uint32_t thread) {
      const size_t begin = task * kRows, end = std::min(rows.order.size(), begin + kRows);
      std::vector<RowSolver::Row> todo;
      for (size_t at = begin; at < end; ++at) {
        const uint32_t r = rows.order[at];
        todo.push_back({rows.sparse.columns_of(r), rows.sparse.weights_of(r), rows.ridges[r],
                        std::span(moving).subspan(r * dim_, dim_)});
        // The rows lie anywhere in the matrix; by the time the first is solved the others' heads have come.
        __builtin_prefetch(todo.back().columns.data());
        __builtin_prefetch(todo.back().weights.data());
      }
      solver == IalsOptions::Solver::kExact ? SolveTogether(todo, solvers[thread]) : ImproveEach(todo, solvers[thread]);
    });
  }

  // Solves rows in groups of equal length.
  void SolveTogether(std::span<const RowSolver::Row> rows, RowSolver& solver) const {
    const auto group = [&](size_t begin) {
      const size_t columns = begin < rows.size() ? rows[begin].columns.size() : 0;
      size_t end = begin;
      while (end < rows.size() && end - begin < RowSolver::Together(columns, options_.factors) &&
             rows[end].columns.size() == columns) {
        ++end;
      }
      return rows.subspan(begin, end - begin);
    };
    for (std::span<const RowSolver::Row> now = group(0); !now.empty();) {
      const std::span<const RowSolver::Row> next = group(static_cast<size_t>(now.data() - rows.data()) + now.size());
      solver.Announce(next);
      solver.SolveExact(now);
      now = next;
    }
  }

  void ImproveEach(std::span<const RowSolver::Row> rows, RowSolver& solver) const {
    for (const RowSolver::Row& row : rows) solver.ImproveByBlocks(row, options_.block_size);
  }

  const IalsOptions& options_;
  const size_t dim_;
  const SideRows user_rows_, item_rows_;
  IalsModel model_;
};

}  // namespace

absl::StatusOr<IalsModel> TrainIals(const Interactions& interactions, const IalsOptions& options) {
  RETURN_IF_ERROR(Validate(options));
  using Clock = std::chrono::steady_clock;
  auto start = Clock::now();
  Trainer trainer(interactions, options);
  for (uint32_t epoch = 1; epoch <= options.epochs; ++epoch) {
    if (epoch > 1) start = Clock::now();
    trainer.RunEpoch();
    const std::chrono::duration<double> seconds = Clock::now() - start;
    if (options.progress && !options.progress({epoch, seconds.count(), trainer.model()})) break;
  }
  // The users that are handed out are exact whatever the solver, so that they agree with the fold-in.
  if (options.solver != IalsOptions::Solver::kExact) trainer.SolveUsers(IalsOptions::Solver::kExact);
  return std::move(trainer.model());
}

double IalsLoss(const Interactions& interactions, const IalsModel& model, const model::IalsObjective& objective) {
  const uint32_t dim = model.factors;
  const auto row = [&](const std::vector<float>& factors, uint32_t r) {
    return std::span(factors).subspan(size_t{r} * dim, dim);
  };
  double loss = 0;
  for (uint32_t u = 0; u < interactions.user_count(); ++u) {
    const auto columns = interactions.by_user.columns_of(u);
    const auto weights = interactions.by_user.weights_of(u);
    for (size_t k = 0; k < columns.size(); ++k) {
      const double miss = 1.0 - base::Dot(row(model.users, u), row(model.items, columns[k]));
      loss += weights[k] * miss * miss;
    }
  }
  const std::vector<float> users = model::Gramian(model.users, dim), items = model::Gramian(model.items, dim);
  double all_pairs = 0;
  for (size_t i = 0; i < users.size(); ++i) all_pairs += static_cast<double>(users[i]) * items[i];
  loss += objective.unobserved_weight * all_pairs;
  const auto penalty = [&](const SparseRows& rows, const std::vector<float>& factors, uint64_t other_count) {
    for (uint32_t r = 0; r < rows.row_count(); ++r) {
      const auto weights = rows.weights_of(r);
      const double ridge =
          objective.RowRegularization(std::accumulate(weights.begin(), weights.end(), 0.0), other_count);
      loss += ridge * base::Dot(row(factors, r), row(factors, r));
    }
  };
  penalty(interactions.by_user, model.users, interactions.item_count());
  penalty(interactions.by_item, model.items, interactions.user_count());
  return loss;
}

}  // namespace bowerbird::learn::cf
