#include "sim/world/logging_policy.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "sim/world/catalog_maker.h"

namespace bowerbird::sim::world {
namespace {

constexpr double kTopicalShare = .42;
constexpr double kPopularShare = .26;
constexpr double kFreshShare = .12;
constexpr double kHalfLifeDays = 5;
constexpr double kFreshDays = 4;
constexpr uint32_t kPopularItems = 400;
constexpr int64_t kRankEveryUs = kDayUs / 4;

}  // namespace

LoggingPolicy::LoggingPolicy(const WorldOptions& options, std::span<const Item> items, uint32_t users)
    : items_(items),
      rng_(StreamSeed(options.seed, "logging")),
      topic_of_(items.size()),
      clicks_(items.size()),
      clicked_at_us_(items.size()),
      user_topics_(users) {
  base::StringMap<uint32_t> numbers;
  for (uint32_t t = 0; t < kTopics; ++t) numbers.emplace(Topics()[t].name, t);
  for (size_t i = 0; i < items.size(); ++i) topic_of_[i] = numbers.at(items[i].topic);
  for (auto& topics : user_topics_) topics.fill(0);
}

void LoggingPolicy::RankPopular(int64_t now_us) {
  std::vector<std::pair<double, uint32_t>> scored;
  scored.reserve(existing_);
  for (uint32_t i = 0; i < existing_; ++i) {
    const double age_us = static_cast<double>(now_us - clicked_at_us_[i]);
    scored.push_back({-clicks_[i] * std::exp2(-age_us / (kHalfLifeDays * static_cast<double>(kDayUs))), i});
  }
  const size_t keep = std::min<size_t>(kPopularItems, scored.size());
  std::partial_sort(scored.begin(), scored.begin() + static_cast<ptrdiff_t>(keep), scored.end());
  popular_.clear();
  for (size_t i = 0; i < keep; ++i) popular_.push_back(scored[i].second);
  ranked_at_us_ = now_us;
}

uint32_t LoggingPolicy::Draw(uint32_t user, int64_t now_us) {
  const double kind = rng_.Uniform();
  if (kind < kTopicalShare) {
    const auto& topics = user_topics_[user];
    double sum = 0;
    for (const float weight : topics) sum += weight;
    double left = rng_.Uniform() * sum;
    for (uint32_t t = 0; t < kTopics && sum > 0; ++t) {
      left -= topics[t];
      const std::vector<uint32_t>& list = by_topic_[t];
      if (left >= 0 || list.empty()) continue;
      // The more clicked of two.
      const uint32_t a = list[rng_.Below(list.size())];
      const uint32_t b = list[rng_.Below(list.size())];
      return clicks_[a] >= clicks_[b] ? a : b;
    }
  } else if (kind < kTopicalShare + kPopularShare) {
    // Geometric in the rank: the top is shown often, the tail of the list now and then.
    const auto rank = static_cast<size_t>(rng_.Exponential() * 40);
    if (rank < popular_.size()) return popular_[rank];
  } else if (kind < kTopicalShare + kPopularShare + kFreshShare) {
    const auto since_us = now_us - static_cast<int64_t>(kFreshDays * static_cast<double>(kDayUs));
    const auto first =
        std::lower_bound(items_.begin(), items_.begin() + existing_, since_us,
                         [](const Item& item, int64_t time_us) { return item.created_time_us < time_us; });
    const auto begin = static_cast<uint32_t>(first - items_.begin());
    if (begin < existing_) return begin + static_cast<uint32_t>(rng_.Below(existing_ - begin));
  }
  return static_cast<uint32_t>(rng_.Below(existing_));
}

std::vector<ItemNumber> LoggingPolicy::Page(uint32_t user, int64_t now_us, uint32_t n) {
  while (existing_ < items_.size() && items_[existing_].created_time_us <= now_us) {
    by_topic_[topic_of_[existing_]].push_back(existing_);
    ++existing_;
  }
  if (existing_ == 0) return {};
  if (now_us - ranked_at_us_ > kRankEveryUs) RankPopular(now_us);
  std::vector<ItemNumber> page;
  absl::flat_hash_set<uint32_t> on_page;
  for (uint32_t attempt = 0; attempt < 4 * n && page.size() < n; ++attempt) {
    const uint32_t item = Draw(user, now_us);
    if (on_page.insert(item).second) page.push_back(ItemNumber(item));
  }
  return page;
}

void LoggingPolicy::Observe(uint32_t user, int64_t now_us, const Action& action) {
  if (action.type == ActionType::kImpression || action.type == ActionType::kHide) return;
  const uint32_t item = action.item.value;
  const double age_us = std::max<double>(0, static_cast<double>(now_us - clicked_at_us_[item]));
  clicks_[item] = clicks_[item] * std::exp2(-age_us / (kHalfLifeDays * static_cast<double>(kDayUs))) + 1;
  clicked_at_us_[item] = std::max(clicked_at_us_[item], now_us);
  user_topics_[user][topic_of_[item]] += 1;
}

}  // namespace bowerbird::sim::world
