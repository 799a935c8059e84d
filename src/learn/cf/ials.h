#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "learn/cf/interactions.h"
#include "model/ials_objective.h"

namespace bowerbird::learn::cf {

/// Row-major factors; a user's affinity to an item is the inner product. Both sides stand in the principal axes of the
/// item factors (their Gramian is diagonal, largest first), which the objective leaves open.
struct IalsModel {
  uint32_t factors = 0;
  std::vector<float> users;  // {user_count, factors}
  std::vector<float> items;  // {item_count, factors}
};

struct IalsEpoch {
  uint32_t epoch;  // from 1
  double seconds;  // of this epoch, the first with the start, without the callback's own time
  const IalsModel& model;
};

struct IalsOptions {
  /// kExact solves each row's least squares; kBlock improves a row with more interactions than factors by one pass over
  /// blocks of `block_size` factors (other rows are solved exactly, which costs less).
  enum class Solver : uint8_t { kExact, kBlock };

  uint32_t factors = 64;
  model::IalsObjective objective;
  uint32_t epochs = 8;
  Solver solver = Solver::kExact;
  uint32_t block_size = 64;
  uint64_t seed = 1;
  uint32_t threads = 0;  // 0: all
  /// Called after each epoch; returning false ends the training with the model as it is.
  std::function<bool(const IalsEpoch&)> progress;
};

/// Trains by alternating least squares: an epoch solves every item against the users, then every user against the
/// items, so that the returned users are the exact fold-ins (model/fold_in.h) of their interactions into the returned
/// items.
///
/// Threads  options.threads of them while it runs; the result has the same bits for any number of them.
/// Cost     see docs/methods/ials.md and bench/ials.cc.
/// Errors   InvalidArgument: factors is 0 or above 4096, epochs or block_size is 0, regularization is below 1e-9,
///          unobserved_weight or frequency_exponent is negative, any of them is not finite.
/// Source   Hu, Koren, Volinsky 2008; Rendle et al. 2021; block solves: Rendle et al. 2021, "iALS++". Rows with fewer
///          interactions than factors are solved through their own, smaller, dual system, in axes where the Gramian is
///          diagonal.
absl::StatusOr<IalsModel> TrainIals(const Interactions& interactions, const IalsOptions& options);

/// The objective's value, in double: for tests and reports.
double IalsLoss(const Interactions& interactions, const IalsModel& model, const model::IalsObjective& objective);

}  // namespace bowerbird::learn::cf
