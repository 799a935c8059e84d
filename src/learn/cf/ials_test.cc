#include "learn/cf/ials.h"

#include <cmath>
#include <numeric>
#include <string>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/fold_in.h"

namespace bowerbird::learn::cf {
namespace {

// Users in groups that favor a group's items, some of them (user 0 and item 0) with far more interactions than factors.
Interactions SmallWorld(uint32_t user_count, uint32_t item_count, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<uint32_t> users, items;
  std::vector<float> weights;
  for (uint32_t u = 0; u < user_count; ++u) {
    for (uint32_t i = 0; i < item_count; ++i) {
      const double chance = u == 0 || i == 0 ? 0.8 : (u % 4 == i % 4 ? 0.2 : 0.02);
      if (u == 3 || i == 5 || !rng.Bernoulli(chance)) continue;  // a user and an item without interactions
      users.push_back(u);
      items.push_back(i);
      weights.push_back(static_cast<float>(0.5 + 2 * rng.Uniform()));
    }
  }
  return *Interactions::Build(user_count, item_count, users, items, weights);
}

// One side solved in double from the normal equations, by Gaussian elimination.
std::vector<double> SolveDense(const SparseRows& rows, const std::vector<double>& fixed, size_t dim,
                               const model::IalsObjective& objective) {
  const size_t fixed_count = fixed.size() / dim, columns = dim + 1;
  std::vector<double> result(rows.row_count() * dim);
  for (uint32_t r = 0; r < rows.row_count(); ++r) {
    std::vector<double> a(dim * columns);
    double observed = 0;
    for (float w : rows.weights_of(r)) observed += w;
    for (size_t i = 0; i < dim; ++i) {
      for (size_t j = 0; j < dim; ++j) {
        for (size_t k = 0; k < fixed_count; ++k) {
          a[i * columns + j] += double{objective.unobserved_weight} * fixed[k * dim + i] * fixed[k * dim + j];
        }
        for (size_t k = 0; k < rows.size(r); ++k) {
          const double* row = fixed.data() + rows.columns_of(r)[k] * dim;
          a[i * columns + j] += rows.weights_of(r)[k] * row[i] * row[j];
        }
      }
      a[i * columns + i] +=
          double{objective.regularization} * (observed + double{objective.unobserved_weight} * fixed_count);
      for (size_t k = 0; k < rows.size(r); ++k)
        a[i * columns + dim] += rows.weights_of(r)[k] * fixed[rows.columns_of(r)[k] * dim + i];
    }
    for (size_t p = 0; p < dim; ++p) {
      for (size_t i = 0; i < dim; ++i) {
        if (i == p) continue;
        const double factor = a[i * columns + p] / a[p * columns + p];
        for (size_t j = p; j < columns; ++j) a[i * columns + j] -= factor * a[p * columns + j];
      }
    }
    for (size_t i = 0; i < dim; ++i) result[r * dim + i] = a[i * columns + dim] / a[i * columns + i];
  }
  return result;
}

// rows x from, with weights over the square roots of both sides' sums.
std::vector<double> MultiplyScaled(const SparseRows& rows, const SparseRows& other, const std::vector<double>& from,
                                   size_t dim) {
  const auto weight_of = [](const SparseRows& side, uint32_t r) {
    double sum = 0;
    for (const float w : side.weights_of(r)) sum += w;
    return sum;
  };
  std::vector<double> to(rows.row_count() * dim);
  for (uint32_t r = 0; r < rows.row_count(); ++r) {
    for (size_t k = 0; k < rows.size(r); ++k) {
      const uint32_t c = rows.columns_of(r)[k];
      const double scale = rows.weights_of(r)[k] / std::sqrt(weight_of(rows, r) * weight_of(other, c));
      for (size_t i = 0; i < dim; ++i) to[r * dim + i] += scale * from[c * dim + i];
    }
  }
  return to;
}

IalsOptions Options(uint32_t factors, uint32_t epochs) {
  IalsOptions options;
  options.factors = factors;
  options.epochs = epochs;
  options.objective = {0.05f, 0.01f, 1.0f};
  options.threads = 2;
  return options;
}

TEST(IalsTest, EqualsADenseDoublePrecisionReference) {
  const Interactions data = SmallWorld(60, 50, 1);
  for (uint32_t factors : {3u, 8u, 20u}) {
    const IalsOptions options = Options(factors, 3);
    auto trained = TrainIals(data, options);
    ASSERT_TRUE(trained.ok()) << trained.status().message();
    // The same start, drawn as the trainer draws it; the axes may differ, so compare the products of users and items.
    base::Rng rng(options.seed);
    std::vector<double> users(60 * factors), items;
    for (uint32_t u = 0; u < 60; ++u) {
      for (uint32_t c = 0; c < factors && data.by_user.size(u) > 0; ++c) {
        users[u * factors + c] = static_cast<float>(rng.Normal() / std::sqrt(static_cast<double>(factors)));
      }
    }
    for (int pass = 0; pass < 2; ++pass) {
      items = MultiplyScaled(data.by_item, data.by_user, users, factors);
      users = MultiplyScaled(data.by_user, data.by_item, items, factors);
    }
    const double squares = std::inner_product(users.begin(), users.end(), users.begin(), 0.0);
    double drawn = 0;
    for (uint32_t u = 0; u < 60; ++u) drawn += data.by_user.size(u) > 0 ? 1 : 0;
    for (double& x : users) x *= std::sqrt(drawn / squares);
    for (int epoch = 0; epoch < 3; ++epoch) {
      items = SolveDense(data.by_item, users, factors, options.objective);
      users = SolveDense(data.by_user, items, factors, options.objective);
    }
    for (uint32_t u = 0; u < 60; ++u) {
      for (uint32_t i = 0; i < 50; ++i) {
        double expected = 0, actual = 0;
        for (uint32_t c = 0; c < factors; ++c) {
          expected += users[u * factors + c] * items[i * factors + c];
          actual += static_cast<double>(trained->users[u * factors + c]) * trained->items[i * factors + c];
        }
        ASSERT_NEAR(actual, expected, 2e-4) << factors << " factors, user " << u << ", item " << i;
      }
    }
  }
}

TEST(IalsTest, LossNeverRises) {
  const Interactions data = SmallWorld(150, 120, 2);
  for (auto solver : {IalsOptions::Solver::kExact, IalsOptions::Solver::kBlock}) {
    IalsOptions options = Options(16, 12);
    options.solver = solver;
    options.block_size = 5;
    double last = 1e300;
    options.progress = [&](const IalsEpoch& epoch) {
      const double loss = IalsLoss(data, epoch.model, options.objective);
      EXPECT_LE(loss, last * (1 + 1e-6)) << "epoch " << epoch.epoch;
      last = loss;
      return true;
    };
    ASSERT_TRUE(TrainIals(data, options).ok());
  }
}

TEST(IalsTest, BlockSolvesReachTheLossOfExactOnes) {
  const Interactions data = SmallWorld(150, 120, 3);
  IalsOptions options = Options(16, 40);
  const double exact = IalsLoss(data, *TrainIals(data, options), options.objective);
  options.solver = IalsOptions::Solver::kBlock;
  for (uint32_t block_size : {4u, 7u, 16u, 99u}) {
    options.block_size = block_size;
    EXPECT_NEAR(IalsLoss(data, *TrainIals(data, options), options.objective), exact, 0.005 * exact) << block_size;
  }
}

TEST(IalsTest, AnyThreadCountGivesTheSameBits) {
  const Interactions data = SmallWorld(200, 150, 4);
  for (auto solver : {IalsOptions::Solver::kExact, IalsOptions::Solver::kBlock}) {
    IalsOptions options = Options(12, 3);
    options.solver = solver;
    options.block_size = 4;
    options.threads = 1;
    auto one = TrainIals(data, options);
    options.threads = 5;
    auto five = TrainIals(data, options);
    ASSERT_TRUE(one.ok() && five.ok());
    EXPECT_EQ(one->users, five->users);
    EXPECT_EQ(one->items, five->items);
  }
}

TEST(IalsTest, FoldingInATrainedUserGivesTheTrainedFactor) {
  const Interactions data = SmallWorld(150, 120, 5);
  for (auto solver : {IalsOptions::Solver::kExact, IalsOptions::Solver::kBlock}) {
    for (float exponent : {1.0f, 0.7f}) {
      IalsOptions options = Options(16, 6);
      options.solver = solver;
      options.block_size = 6;
      options.objective.frequency_exponent = exponent;
      auto trained = TrainIals(data, options);
      ASSERT_TRUE(trained.ok());
      auto fold_in =
          model::FoldIn::Create(options.objective, data.item_count(), 16, model::Gramian(trained->items, 16));
      ASSERT_TRUE(fold_in.ok());
      model::FoldIn::Scratch scratch;
      std::vector<float> x(16);
      for (uint32_t u = 0; u < data.user_count(); ++u) {
        fold_in->Solve(trained->items, data.by_user.columns_of(u), data.by_user.weights_of(u), scratch, x);
        for (uint32_t c = 0; c < 16; ++c) ASSERT_NEAR(x[c], trained->users[u * 16 + c], 1e-4) << "user " << u;
      }
    }
  }
}

TEST(IalsTest, RowsWithoutInteractionsAreZero) {
  auto trained = TrainIals(SmallWorld(60, 50, 6), Options(8, 2));
  ASSERT_TRUE(trained.ok());
  EXPECT_THAT(std::span(trained->users).subspan(3 * 8, 8), testing::Each(0.0f));
  EXPECT_THAT(std::span(trained->items).subspan(5 * 8, 8), testing::Each(0.0f));
}

TEST(IalsTest, AWeightOfTwoIsTheSameAsTwoActions) {
  const std::vector<uint32_t> twice_users = {0, 0, 0, 1, 1, 2}, twice_items = {0, 0, 1, 1, 2, 0};
  const std::vector<uint32_t> users = {0, 0, 1, 1, 2}, items = {0, 1, 1, 2, 0};
  auto twice = TrainIals(*Interactions::Build(3, 3, twice_users, twice_items, {}), Options(2, 4));
  auto weighted = TrainIals(*Interactions::Build(3, 3, users, items, std::vector<float>{2, 1, 1, 1, 1}), Options(2, 4));
  ASSERT_TRUE(twice.ok() && weighted.ok());
  EXPECT_EQ(twice->users, weighted->users);
}

TEST(IalsTest, ProgressCanEndTheTraining) {
  IalsOptions options = Options(4, 10);
  uint32_t epochs = 0;
  options.progress = [&](const IalsEpoch& epoch) {
    epochs = epoch.epoch;
    return epoch.epoch < 3;
  };
  ASSERT_TRUE(TrainIals(SmallWorld(30, 30, 7), options).ok());
  EXPECT_EQ(epochs, 3u);
}

TEST(IalsTest, TrainsOnNothingAndOnHeavyWeights) {
  auto nothing = TrainIals(*Interactions::Build(3, 2, {}, {}, {}), Options(4, 2));
  ASSERT_TRUE(nothing.ok());
  EXPECT_THAT(nothing->items, testing::Each(0.0f));
  const std::vector<uint32_t> users = {0, 1, 1}, items = {0, 0, 1};
  auto heavy = TrainIals(*Interactions::Build(2, 2, users, items, std::vector<float>{1e9f, 1e-30f, 1}), Options(4, 3));
  ASSERT_TRUE(heavy.ok());
  for (float v : heavy->users) EXPECT_TRUE(std::isfinite(v));
}

TEST(IalsTest, RefusesImpossibleOptions) {
  const Interactions data = SmallWorld(10, 10, 8);
  const auto message = [&](auto change) {
    IalsOptions options = Options(4, 2);
    change(options);
    return std::string(TrainIals(data, options).status().message());
  };
  EXPECT_THAT(message([](IalsOptions& o) { o.factors = 0; }), testing::HasSubstr("factors is 0"));
  EXPECT_THAT(message([](IalsOptions& o) { o.factors = 5000; }), testing::HasSubstr("factors is 5000"));
  EXPECT_THAT(message([](IalsOptions& o) { o.epochs = 0; }), testing::HasSubstr("epochs is 0"));
  EXPECT_THAT(message([](IalsOptions& o) { o.block_size = 0; }), testing::HasSubstr("block_size is 0"));
  EXPECT_THAT(message([](IalsOptions& o) { o.objective.regularization = 0; }),
              testing::HasSubstr("regularization is 0"));
  EXPECT_THAT(message([](IalsOptions& o) { o.objective.unobserved_weight = -1; }),
              testing::HasSubstr("unobserved_weight is -1"));
  EXPECT_THAT(message([](IalsOptions& o) { o.objective.frequency_exponent = std::nanf(""); }),
              testing::HasSubstr("frequency_exponent"));
}

}  // namespace
}  // namespace bowerbird::learn::cf
