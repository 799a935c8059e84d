#include "learn/cf/co_occurrence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::learn::cf {

namespace {

absl::Status Validate(uint32_t user_count, uint32_t item_count, std::span<const uint32_t> users,
                      std::span<const uint32_t> items, std::span<const int64_t> times_us,
                      std::span<const float> weights, const CoOccurrenceOptions& options) {
  const size_t count = users.size();
  const auto invalid = [](std::string message) { return absl::InvalidArgumentError(message); };
  if (items.size() != count || (!times_us.empty() && times_us.size() != count) ||
      (!weights.empty() && weights.size() != count)) {
    return invalid(
        fmt::format("users has {} entries, items {}, times_us {}, weights {}; expected equal sizes (times_us and "
                    "weights may be empty)",
                    count, items.size(), times_us.size(), weights.size()));
  }
  for (size_t k = 0; k < count; ++k) {
    if (users[k] >= user_count)
      return invalid(fmt::format("users[{}] is {}; expected below {}", k, users[k], user_count));
    if (items[k] >= item_count)
      return invalid(fmt::format("items[{}] is {}; expected below {}", k, items[k], item_count));
    if (!weights.empty() && !(weights[k] > 0 && std::isfinite(weights[k]))) {
      return invalid(fmt::format("weights[{}] is {}; expected a finite number above 0", k, weights[k]));
    }
  }
  if (options.max_actions_per_user == 0) return invalid("max_actions_per_user is 0; expected at least 1");
  if (!(options.popularity_exponent >= 0 && options.popularity_exponent <= 1)) {
    return invalid(fmt::format("popularity_exponent is {}; expected 0 to 1", options.popularity_exponent));
  }
  for (const auto& [name, value] : {std::pair{"gap_half_life_us", options.gap_half_life_us},
                                    {"age_half_life_us", options.age_half_life_us},
                                    {"support_shrinkage", options.support_shrinkage}}) {
    if (!(value >= 0 && std::isfinite(value)))
      return invalid(fmt::format("{} is {}; expected a finite number of at least 0", name, value));
  }
  return absl::OkStatus();
}

double Decay(double elapsed_us, double half_life_us) {
  return half_life_us > 0 ? std::exp2(-elapsed_us / half_life_us) : 1.0;
}

struct Action {
  uint32_t item;
  float weight;
  int64_t time_us;
};

// Each user's newest actions, one an item, in item order; and for each item, who acted on it.
struct Histories {
  std::vector<uint64_t> user_offsets;
  std::vector<Action> actions;
  std::vector<uint64_t> item_offsets;
  std::vector<uint64_t> item_actions;  // index in `actions`
  std::vector<uint32_t> action_users;  // parallel to item_actions
};

Histories GroupActions(uint32_t user_count, uint32_t item_count, std::span<const uint32_t> users,
                       std::span<const uint32_t> items, std::span<const int64_t> times_us,
                       std::span<const float> weights, uint32_t max_actions) {
  Histories result;
  std::vector<uint64_t> offsets(user_count + size_t{1});
  for (uint32_t user : users) ++offsets[user + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  result.actions.resize(users.size());
  std::vector<uint64_t> next(offsets.begin(), offsets.end() - 1);
  for (size_t k = 0; k < users.size(); ++k) {
    result.actions[next[users[k]]++] = {items[k], weights.empty() ? 1.0f : weights[k],
                                        times_us.empty() ? 0 : times_us[k]};
  }
  result.user_offsets.assign(1, 0);
  result.item_offsets.assign(item_count + size_t{1}, 0);
  uint64_t to = 0;
  for (uint32_t user = 0; user < user_count; ++user) {
    const auto begin = result.actions.begin() + offsets[user], end = result.actions.begin() + offsets[user + 1];
    std::sort(begin, end, [](const Action& a, const Action& b) {
      return std::tuple(a.item, b.time_us, b.weight) < std::tuple(b.item, a.time_us, a.weight);
    });
    // Of an item's actions the newest comes first; it takes the largest weight of them.
    auto unique_end = begin;
    for (auto action = begin; action != end; ++action) {
      if (unique_end != begin && (unique_end - 1)->item == action->item) {
        (unique_end - 1)->weight = std::max((unique_end - 1)->weight, action->weight);
      } else {
        *unique_end++ = *action;
      }
    }
    if (unique_end - begin > max_actions) {
      std::nth_element(begin, begin + max_actions, unique_end, [](const Action& a, const Action& b) {
        return std::tuple(b.time_us, a.item) < std::tuple(a.time_us, b.item);
      });
      unique_end = begin + max_actions;
      std::sort(begin, unique_end, [](const Action& a, const Action& b) { return a.item < b.item; });
    }
    for (auto action = begin; action != unique_end; ++action) {
      ++result.item_offsets[action->item + 1];
      result.actions[to++] = *action;
    }
    result.user_offsets.push_back(to);
  }
  result.actions.resize(to);
  std::partial_sum(result.item_offsets.begin(), result.item_offsets.end(), result.item_offsets.begin());
  result.item_actions.resize(to);
  result.action_users.resize(to);
  next.assign(result.item_offsets.begin(), result.item_offsets.end() - 1);
  for (uint32_t user = 0; user < user_count; ++user) {
    for (uint64_t k = result.user_offsets[user]; k < result.user_offsets[user + 1]; ++k) {
      const uint64_t at = next[result.actions[k].item]++;
      result.item_actions[at] = k;
      result.action_users[at] = user;
    }
  }
  return result;
}

struct Neighbor {
  uint32_t item;
  float score;
};

class NeighborCounter {
 public:
  NeighborCounter(const Histories& histories, const CoOccurrenceOptions& options, uint32_t item_count)
      : histories_(histories), options_(options), mass_(item_count) {
    freshness_.reserve(histories.actions.size());
    for (const Action& action : histories.actions) {
      const double age = static_cast<double>(options.now_us) - static_cast<double>(action.time_us);
      freshness_.push_back(static_cast<float>(Decay(std::max(0.0, age), options.age_half_life_us)));
      mass_[action.item] += action.weight * freshness_.back();
    }
  }

  // The best neighbors of `item`. `counts` {item_count} is zero before and after; `touched` is working memory.
  std::vector<Neighbor> Find(uint32_t item, std::vector<double>& counts, std::vector<uint32_t>& touched) const {
    touched.clear();
    for (uint64_t k = histories_.item_offsets[item]; k < histories_.item_offsets[item + 1]; ++k) {
      const uint64_t own = histories_.item_actions[k];
      const uint32_t user = histories_.action_users[k];
      for (uint64_t o = histories_.user_offsets[user]; o < histories_.user_offsets[user + 1]; ++o) {
        const uint32_t other = histories_.actions[o].item;
        if (other == item) continue;
        if (counts[other] == 0) touched.push_back(other);
        counts[other] += PairWeight(own, o);
      }
    }
    std::vector<Neighbor> neighbors;
    neighbors.reserve(touched.size());
    for (uint32_t other : touched) {
      const double count = std::exchange(counts[other], 0.0);
      const double popularity = std::pow(mass_[item], 1 - options_.popularity_exponent) *
                                std::pow(mass_[other], options_.popularity_exponent);
      const double score = count / popularity * (count / (count + options_.support_shrinkage));
      // Decay may leave nothing that a float can hold.
      if (std::isnormal(static_cast<float>(score))) neighbors.push_back({other, static_cast<float>(score)});
    }
    const size_t kept = std::min<size_t>(neighbors.size(), options_.neighbors);
    std::partial_sort(
        neighbors.begin(), neighbors.begin() + kept, neighbors.end(),
        [](const Neighbor& a, const Neighbor& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; });
    return {neighbors.begin(), neighbors.begin() + kept};
  }

 private:
  // Of two actions of one user, by their places.
  double PairWeight(uint64_t own, uint64_t other) const {
    const Action &a = histories_.actions[own], &b = histories_.actions[other];
    // The later action is the fresher one.
    double weight = static_cast<double>(std::min(a.weight, b.weight)) * std::max(freshness_[own], freshness_[other]);
    if (options_.gap_half_life_us > 0) {
      weight *=
          Decay(std::abs(static_cast<double>(a.time_us) - static_cast<double>(b.time_us)), options_.gap_half_life_us);
    }
    return weight;
  }

  const Histories& histories_;
  const CoOccurrenceOptions& options_;
  std::vector<float> freshness_;  // of each action: its decay by age
  std::vector<double> mass_;      // of each item: the decayed weight of its actions
};

}  // namespace

absl::StatusOr<CoOccurrenceLists> CountCoOccurrence(uint32_t user_count, uint32_t item_count,
                                                    std::span<const uint32_t> users, std::span<const uint32_t> items,
                                                    std::span<const int64_t> times_us, std::span<const float> weights,
                                                    const CoOccurrenceOptions& options) {
  RETURN_IF_ERROR(Validate(user_count, item_count, users, items, times_us, weights, options));
  const Histories histories =
      GroupActions(user_count, item_count, users, items, times_us, weights, options.max_actions_per_user);
  const NeighborCounter counter(histories, options, item_count);

  constexpr size_t kItems = 256;
  const uint32_t threads = base::ResolveThreads(options.threads);
  std::vector<std::vector<double>> counts(threads);
  std::vector<std::vector<uint32_t>> touched(threads);
  std::vector<std::vector<Neighbor>> neighbors(item_count);
  base::ParallelFor(threads, (item_count + kItems - 1) / kItems, [&](size_t task, uint32_t thread) {
    counts[thread].resize(item_count);
    const size_t end = std::min<size_t>(item_count, (task + 1) * kItems);
    for (size_t item = task * kItems; item < end; ++item) {
      neighbors[item] = counter.Find(static_cast<uint32_t>(item), counts[thread], touched[thread]);
    }
  });

  CoOccurrenceLists lists;
  lists.offsets.reserve(item_count + size_t{1});
  lists.offsets.push_back(0);
  for (std::vector<Neighbor>& of_item : neighbors) {
    for (const Neighbor& neighbor : of_item) {
      lists.items.push_back(neighbor.item);
      lists.scores.push_back(neighbor.score);
    }
    lists.offsets.push_back(lists.items.size());
    std::vector<Neighbor>().swap(of_item);
  }
  return lists;
}

}  // namespace bowerbird::learn::cf
