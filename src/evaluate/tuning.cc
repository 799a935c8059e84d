#include "evaluate/tuning.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::evaluate {

namespace {

double ValidationNdcg(const Ranker& ranker, const TrainingData& train, const Wanted& wanted, uint32_t threads) {
  const RankedLists lists =
      RankAll(ranker, wanted.users, train.matrix.by_user, train.matrix.item_count(), kTuningCutoff, threads);
  double sum = 0;
  for (size_t l = 0; l < wanted.users.size(); ++l) sum += MeasureList(lists.of(l), wanted.items[l], kTuningCutoff).ndcg;
  return sum / static_cast<double>(wanted.users.size());
}

// Trains until the validation part has not improved for two looks, and keeps the epochs of the best look. Settings that
// start far behind `best_so_far` are given up at the first look.
absl::StatusOr<TunedIals> TryIals(const TrainingData& train, const Wanted& wanted, learn::cf::IalsOptions options,
                                  double best_so_far, std::ostream& log) {
  constexpr uint32_t kFirstLook = 4, kLookEvery = 2, kMaxEpochs = 20;
  constexpr double kHopeless = 0.93;
  TunedIals best{.options = options, .validation_ndcg = -1};
  uint32_t worse = 0;
  options.epochs = kMaxEpochs;
  options.progress = [&](const learn::cf::IalsEpoch& epoch) {
    if (epoch.epoch < kFirstLook || (epoch.epoch - kFirstLook) % kLookEvery != 0) return true;
    const double ndcg = ValidationNdcg(IalsRanker(epoch.model), train, wanted, options.threads);
    if (ndcg > best.validation_ndcg) {
      best.validation_ndcg = ndcg;
      best.options.epochs = epoch.epoch;
      worse = 0;
    } else {
      ++worse;
    }
    return worse < 2 && best.validation_ndcg >= kHopeless * best_so_far;
  };
  RETURN_IF_ERROR(learn::cf::TrainIals(train.matrix, options).status());
  log << fmt::format("  validation ndcg@{} {:.4f}: unobserved_weight {:.3g}, regularization {:.3g}, {} epochs\n",
                     kTuningCutoff, best.validation_ndcg, options.objective.unobserved_weight,
                     options.objective.regularization, best.options.epochs)
      << std::flush;
  return best;
}

absl::StatusOr<TunedCoOccurrence> TryCoOccurrence(const TrainingData& train, const Wanted& wanted,
                                                  const learn::cf::CoOccurrenceOptions& options, std::ostream& log) {
  ASSIGN_OR_RETURN(const learn::cf::CoOccurrenceLists lists,
                   learn::cf::CountCoOccurrence(train.matrix.user_count(), train.matrix.item_count(), train.users,
                                                train.items, train.times_us, train.weights, options));
  const double ndcg = ValidationNdcg(CoOccurrenceRanker(lists, train.matrix), train, wanted, options.threads);
  log << fmt::format(
             "  validation ndcg@{} {:.4f}: popularity_exponent {:.2g}, support_shrinkage {:.3g}, gap half-life {:.3g} "
             "s, age "
             "half-life {:.3g} s\n",
             kTuningCutoff, ndcg, options.popularity_exponent, options.support_shrinkage,
             options.gap_half_life_us * 1e-6, options.age_half_life_us * 1e-6)
      << std::flush;
  return TunedCoOccurrence{options, ndcg};
}

// The median time between neighboring actions of a user, or 0 where times say nothing.
double MedianGapUs(const TrainingData& train) {
  std::vector<std::pair<uint32_t, int64_t>> actions;
  for (size_t k = 0; k < train.users.size(); ++k) actions.emplace_back(train.users[k], train.times_us[k]);
  std::sort(actions.begin(), actions.end());
  std::vector<double> gaps;
  for (size_t k = 1; k < actions.size(); ++k) {
    if (actions[k].first == actions[k - 1].first && actions[k].second > actions[k - 1].second) {
      gaps.push_back(static_cast<double>(actions[k].second) - static_cast<double>(actions[k - 1].second));
    }
  }
  if (gaps.empty()) return 0;
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2), gaps.end());
  return gaps[gaps.size() / 2];
}

}  // namespace

absl::StatusOr<TrainingData> TrainingData::Build(uint32_t user_count, uint32_t item_count,
                                                 std::span<const Interaction> interactions) {
  TrainingData data;
  for (const Interaction& it : interactions) {
    data.users.push_back(it.user);
    data.items.push_back(it.item);
    data.times_us.push_back(it.time_us);
    data.weights.push_back(it.weight);
  }
  ASSIGN_OR_RETURN(data.matrix,
                   learn::cf::Interactions::Build(user_count, item_count, data.users, data.items, data.weights));
  return data;
}

absl::StatusOr<Wanted> Wanted::Build(uint32_t user_count, uint32_t item_count, std::span<const Interaction> part) {
  ASSIGN_OR_RETURN(TrainingData data, TrainingData::Build(user_count, item_count, part));
  Wanted wanted;
  wanted.rows = std::move(data.matrix.by_user);
  for (uint32_t user = 0; user < user_count; ++user) {
    if (wanted.rows.size(user) == 0) continue;
    wanted.users.push_back(user);
    wanted.items.push_back(wanted.rows.columns_of(user));
  }
  return wanted;
}

void Wanted::Sample(size_t count, uint64_t seed) {
  base::Rng rng(seed);
  for (size_t k = 0; k < std::min(count, users.size()); ++k)
    std::swap(users[k], users[k + rng.Below(users.size() - k)]);
  users.resize(std::min(count, users.size()));
  std::sort(users.begin(), users.end());
  items.clear();
  for (uint32_t user : users) items.push_back(rows.columns_of(user));
}

absl::StatusOr<TunedIals> TuneIals(const TrainingData& train, const Wanted& wanted, const learn::cf::IalsOptions& start,
                                   std::ostream& log) {
  // The two settings pull on each other: a row's whole ridge is regularization * (its weight + unobserved_weight *
  // items). So the walk is along unobserved_weight at an average user's ridge kept, then along the ridge.
  constexpr double kTypicalRidge = 2;
  const double item_count = train.matrix.item_count();
  double total_weight = 0;
  for (float weight : train.weights) total_weight += weight;
  const double mean_weight = total_weight / std::max(1u, train.matrix.user_count());
  TunedIals best{.options = start, .validation_ndcg = -1};
  double best_weight = 0, best_ridge = 0;
  const auto attempt = [&](double unobserved_weight, double ridge) -> absl::Status {
    learn::cf::IalsOptions options = start;
    options.objective.unobserved_weight = static_cast<float>(unobserved_weight);
    options.objective.regularization = static_cast<float>(ridge / (mean_weight + unobserved_weight * item_count));
    ASSIGN_OR_RETURN(const TunedIals result, TryIals(train, wanted, options, best.validation_ndcg, log));
    if (result.validation_ndcg > best.validation_ndcg) {
      best = result;
      best_weight = unobserved_weight;
      best_ridge = ridge;
    }
    return absl::OkStatus();
  };
  for (double unobserved_weight : {0.01, 0.03, 0.1, 0.3, 0.003})
    RETURN_IF_ERROR(attempt(unobserved_weight, kTypicalRidge));
  for (double factor : {0.4, 2.5, 6.0}) RETURN_IF_ERROR(attempt(best_weight, factor * kTypicalRidge));
  const double center = best_weight, ridge = best_ridge;
  for (double factor : {0.55, 1.8}) RETURN_IF_ERROR(attempt(factor * center, ridge));
  return best;
}

absl::StatusOr<TunedCoOccurrence> TuneCoOccurrence(const TrainingData& train, const Wanted& wanted,
                                                   const learn::cf::CoOccurrenceOptions& start, std::ostream& log) {
  TunedCoOccurrence best{.options = start, .validation_ndcg = -1};
  // Walks along one option from the best so far.
  const auto walk = [&](double learn::cf::CoOccurrenceOptions::*option,
                        std::initializer_list<double> values) -> absl::Status {
    learn::cf::CoOccurrenceOptions options = best.options;
    for (double value : values) {
      options.*option = value;
      ASSIGN_OR_RETURN(const TunedCoOccurrence result, TryCoOccurrence(train, wanted, options, log));
      if (result.validation_ndcg > best.validation_ndcg) best = result;
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(walk(&learn::cf::CoOccurrenceOptions::popularity_exponent, {0.1, 0.2, 0.3, 0.4, 0.5}));
  RETURN_IF_ERROR(walk(&learn::cf::CoOccurrenceOptions::support_shrinkage, {0, 10}));
  if (const double gap = MedianGapUs(train); gap > 0) {
    RETURN_IF_ERROR(walk(&learn::cf::CoOccurrenceOptions::gap_half_life_us, {2 * gap, 16 * gap}));
    const auto [first, last] = std::minmax_element(train.times_us.begin(), train.times_us.end());
    const double span = static_cast<double>(*last) - static_cast<double>(*first);
    RETURN_IF_ERROR(walk(&learn::cf::CoOccurrenceOptions::age_half_life_us, {span / 64, span / 16, span / 4}));
  }
  return best;
}

}  // namespace bowerbird::evaluate
