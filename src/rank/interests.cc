#include "rank/interests.h"

#include <algorithm>
#include <cmath>

namespace bowerbird::rank {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kHourUs = 3600 * kSecondUs;
constexpr int64_t kSeenHalfLifeUs = 60 * 24 * kHourUs;
constexpr int64_t kTiredHalfLifeUs = 14 * kHourUs;
constexpr int64_t kSessionHalfLifeUs = 2 * kHourUs;
constexpr double kSessionItemHalfLife = 2;  ///< items
constexpr size_t kSessionItems = 12;
/// Items seen that a prior is worth.
constexpr double kUserPrior = 10, kCoarsePrior = 5, kFinePrior = 8;
constexpr double kPriorRate = .1;

double Decay(int64_t age_us, int64_t half_life_us) {
  return std::exp2(-static_cast<double>(std::max<int64_t>(0, age_us)) / static_cast<double>(half_life_us));
}

}  // namespace

const Interests::Category Interests::none_;

double ActionValue(double strength) { return strength / (strength + 2); }

Interests Interests::Make(const config::Config& config, const index::LiveView& view, const state::UserState& user,
                          const retrieve::Taste& taste, int64_t now_us) {
  Interests interests;

  double affinity_sum = 0;
  std::vector<double> affinities(user.affinities.size());
  for (size_t i = 0; i < affinities.size(); ++i) {
    affinities[i] = std::max(0.0, user.affinities[i].At(now_us, config.state.affinity_half_life_us));
    affinity_sum += affinities[i];
  }
  for (size_t i = 0; i < affinities.size() && affinity_sum > 0; ++i) {
    interests.categories_[catalog::CategoryHash(user.affinities[i].category)].affinity =
        static_cast<float>(affinities[i] / affinity_sum);
  }

  absl::flat_hash_map<uint64_t, double> values;
  for (const retrieve::RecentItem& recent : taste.recent) {
    values.emplace(recent.item.key.value, ActionValue(recent.strength));
  }
  double acted = 0, seen = 0;
  for (const state::SeenItem& item : user.seen) {
    const int64_t age_us = now_us - int64_t{item.time_s} * kSecondUs;
    index::ItemHandle handle;
    if (!view.Find(item.item, &handle)) continue;
    const double weight = Decay(age_us, kSeenHalfLifeUs);
    const double tired = item.count > 0 ? Decay(age_us, kTiredHalfLifeUs) : 0;
    const auto value = values.find(item.item.value);
    const double gain = value == values.end() ? 0 : value->second;
    acted += weight * gain;
    seen += weight;
    for (const uint64_t hash : view.Categories(handle)) {
      Category& category = interests.categories_[hash];
      category.acted += static_cast<float>(weight * gain);
      category.seen += static_cast<float>(weight);
      category.tired += static_cast<float>(tired);
    }
  }
  interests.rate_ = (acted + kUserPrior * kPriorRate) / (seen + kUserPrior);

  for (size_t i = 0; i < std::min(kSessionItems, taste.recent.size()); ++i) {
    const retrieve::RecentItem& recent = taste.recent[i];
    const double weight = ActionValue(recent.strength) * std::exp2(-static_cast<double>(i) / kSessionItemHalfLife) *
                          Decay(now_us - recent.time_us, kSessionHalfLifeUs);
    for (const uint64_t hash : view.Categories(recent.item)) {
      interests.categories_[hash].session += static_cast<float>(weight);
    }
  }
  for (auto& [hash, category] : interests.categories_) {
    const double rate = (category.acted + kCoarsePrior * interests.rate_) / (category.seen + kCoarsePrior);
    category.rate = static_cast<float>(rate);
    category.lift = static_cast<float>(std::log(rate / interests.rate_));
    category.tired_log = std::log1p(category.tired);
  }
  return interests;
}

Interests::Lift Interests::LiftOf(std::span<const uint64_t> categories) const {
  if (categories.empty()) return {};
  const auto first = categories_.find(categories.front());
  const double first_rate = first == categories_.end() ? rate_ : first->second.rate;
  double rate = first_rate;
  for (const uint64_t hash : categories.subspan(1)) {
    const auto found = categories_.find(hash);
    if (found == categories_.end()) continue;  // without a history it is at the rate before it
    rate = (found->second.acted + kFinePrior * rate) / (found->second.seen + kFinePrior);
  }
  return {first == categories_.end() ? 0 : first->second.lift, rate == first_rate ? 0 : std::log(rate / first_rate)};
}

}  // namespace bowerbird::rank
