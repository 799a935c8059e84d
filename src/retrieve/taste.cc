#include "retrieve/taste.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "base/vector_math.h"

namespace bowerbird::retrieve {
namespace {

constexpr double kNewestExtra = 2.0;
constexpr double kRecencyHalfLife = 6;  ///< items

std::vector<RecentItem> CollectRecent(const config::Config& config, const index::LiveView& view,
                                      const state::UserState& user) {
  std::array<bool, 256> positive{};
  for (const config::EventType& type : config.event_types) {
    positive[type.code] = type.polarity == config::Polarity::kPositive;
  }
  std::vector<RecentItem> recent;
  std::vector<double> strongest;
  absl::flat_hash_map<uint64_t, uint32_t> places;
  for (size_t i = user.actions.size(); i-- > 0;) {
    const state::Action& action = user.actions[i];
    const double strength = base::FromBf16(action.strength_bf16);
    if (!positive[action.type] || !(strength > 0) || user.IsHidden(action.item)) continue;
    const auto known = places.find(action.item.value);
    if (known != places.end()) {
      RecentItem& item = recent[known->second];
      item.strength += strength;
      if (strength > strongest[known->second]) {
        strongest[known->second] = strength;
        item.type = action.type;
      }
      continue;
    }
    if (recent.size() == kRecentItemsMax) continue;
    index::ItemHandle handle;
    if (!view.Find(action.item, &handle)) continue;
    places.emplace(action.item.value, static_cast<uint32_t>(recent.size()));
    recent.push_back({handle, strength, int64_t{action.time_s} * 1'000'000, action.type});
    strongest.push_back(strength);
  }
  return recent;
}

/// Root of x^T G x / items.
float RootMeanSquare(const index::Snapshot& snapshot, std::span<const float> factor) {
  if (snapshot.trained_count() == 0) return 0;
  std::vector<float> product(factor.size());
  base::MatrixVector(snapshot.gramian(), factor, product);
  const double squared = base::Dot(product, factor);
  return static_cast<float>(std::sqrt(std::max(0.0, squared / snapshot.trained_count())));
}

}  // namespace

double RecencyWeight(size_t recency) {
  return 1 + kNewestExtra * std::exp2(-static_cast<double>(recency) / kRecencyHalfLife);
}

Taste MakeTaste(const config::Config& config, const index::LiveView& view, const state::UserState& user) {
  Taste taste;
  taste.recent = CollectRecent(config, view, user);
  const index::Snapshot* snapshot = view.snapshot();
  if (snapshot == nullptr || snapshot->fold_in() == nullptr || taste.recent.empty()) return taste;

  std::vector<float> weights(taste.recent.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(taste.recent[i].strength * RecencyWeight(i));
  }
  thread_local model::FoldIn::Scratch scratch;
  std::vector<float> row_scratch;
  taste.factor.resize(snapshot->dim());
  snapshot->fold_in()->Solve(
      weights,
      [&](size_t position, float* row) {
        const std::span<const float> factor = view.Factor(taste.recent[position].item, &row_scratch);
        std::copy(factor.begin(), factor.end(), row);
      },
      scratch, taste.factor);
  taste.factor_rms = RootMeanSquare(*snapshot, taste.factor);
  if (!(taste.factor_rms > 0)) taste.factor.clear();
  return taste;
}

}  // namespace bowerbird::retrieve
