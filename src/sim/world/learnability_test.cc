#include <algorithm>
#include <cmath>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "gtest/gtest.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {
namespace {

constexpr uint32_t kPage = 12;

/// Actions and looks, smoothed towards a prior rate.
struct Rate {
  double actions = 0;
  double looks = 0;
  double Smoothed(double prior, double strength) const { return (actions + strength * prior) / (looks + strength); }
};

/// A plain recommender that knows only public fields and events: rates of action by topic, subtopic and style for each
/// user, by item over all users, multiplied. If it comes far, the world can be learned.
class CountingRecommender {
 public:
  explicit CountingRecommender(const World& world)
      : world_(world), items_(world.Items().size()), popular_(items_.size()) {
    for (size_t i = 0; i < items_.size(); ++i) {
      const Item& item = world.Items()[i];
      fields_.push_back(
          {Number("topic/" + item.topic), Number("subtopic/" + item.subtopic), Number("style/" + item.style)});
      creators_.push_back(Number("creator/" + item.creator));
    }
    creator_rates_.resize(numbers_.size());
  }

  void Observe(uint32_t user, int64_t time_us, const Action& action) {
    const uint32_t item = action.item.value;
    if (item >= items_.size()) return;
    double actions = 0;
    if (action.type == ActionType::kImpression) seen_[user].insert(item);
    if (action.type == ActionType::kClick) actions = .5;
    if (action.type == ActionType::kCloseup) actions = .5;
    if (action.type == ActionType::kSave) actions = 1;
    const double looks = action.type == ActionType::kImpression ? 1 : 0;
    Add(all_, actions, looks);
    Add(items_[item], actions, looks);
    Add(creator_rates_[creators_[item]], actions, looks);
    for (const uint32_t field : fields_[item]) {
      Add(users_[user][field], actions, looks);
      Add(field_rates_[field], actions, looks);
    }
    if (actions > 0)
      popular_[item] +=
          actions * std::exp2(static_cast<double>(time_us - world_.options().end_time_us) / (14 * 8.64e10));
  }

  std::vector<ItemNumber> Personal(uint32_t user) const {
    const double base = all_.Smoothed(.2, 1);
    static const absl::flat_hash_map<uint32_t, Rate> kNothing;
    const auto known = users_.find(user);
    const absl::flat_hash_map<uint32_t, Rate>& mine = known == users_.end() ? kNothing : known->second;
    const auto rate = [&](uint32_t field, double prior, double strength) {
      const auto it = mine.find(field);
      return it == mine.end() ? prior : it->second.Smoothed(prior, strength);
    };
    std::vector<double> scores(items_.size());
    for (uint32_t i = 0; i < items_.size(); ++i) {
      const auto& [topic, subtopic, style] = fields_[i];
      const double of_topic = rate(topic, field_rates_.at(topic).Smoothed(base, 50), 6);
      const double of_subtopic = rate(subtopic, of_topic, 6);
      const double everyone = field_rates_.at(subtopic).Smoothed(base, 20);
      const double of_item =
          items_[i].Smoothed(everyone * creator_rates_[creators_[i]].Smoothed(base, 60) / base, 15) / everyone;
      const double style_everyone = field_rates_.at(style).Smoothed(base, 50);
      scores[i] = of_subtopic * std::sqrt(of_item) * std::sqrt(rate(style, style_everyone, 20) / style_everyone);
    }
    return Top(user, scores, .04);
  }

  std::vector<ItemNumber> Popular(uint32_t user) const { return Top(user, popular_, 0); }

 private:
  static void Add(Rate& rate, double actions, double looks) {
    rate.actions += actions;
    rate.looks += looks;
  }
  uint32_t Number(const std::string& name) {
    return numbers_.try_emplace(name, static_cast<uint32_t>(numbers_.size())).first->second;
  }

  /// The best by score; each item of a topic on the page lowers the next one's.
  std::vector<ItemNumber> Top(uint32_t user, const std::vector<double>& scores, double topic_penalty) const {
    const auto seen = seen_.find(user);
    std::map<uint32_t, std::vector<std::pair<double, uint32_t>>> lists;
    for (uint32_t i = 0; i < scores.size(); ++i) {
      if (seen == seen_.end() || !seen->second.contains(i))
        lists[topic_penalty > 0 ? fields_[i][0] : 0].push_back({scores[i], i});
    }
    std::map<uint32_t, double> used;
    for (auto& [topic, list] : lists) {
      const size_t keep = std::min<size_t>(kPage, list.size());
      std::partial_sort(list.begin(), list.begin() + static_cast<ptrdiff_t>(keep), list.end(), std::greater<>());
      list.resize(keep);
      std::reverse(list.begin(), list.end());
    }
    std::vector<ItemNumber> page;
    while (page.size() < kPage) {
      double best = -1;
      uint32_t best_topic = 0;
      for (const auto& [topic, list] : lists) {
        if (list.empty()) continue;
        const double score = list.back().first / (1 + topic_penalty * used[topic]);
        if (score > best) {
          best = score;
          best_topic = topic;
        }
      }
      if (best < 0) break;
      page.push_back(ItemNumber(lists[best_topic].back().second));
      lists[best_topic].pop_back();
      used[best_topic] += 1;
    }
    return page;
  }

  const World& world_;
  Rate all_;
  std::vector<Rate> items_;
  std::vector<double> popular_;
  base::StringMap<uint32_t> numbers_;
  std::vector<std::array<uint32_t, 3>> fields_;
  std::vector<uint32_t> creators_;
  std::vector<Rate> creator_rates_;
  absl::flat_hash_map<uint32_t, Rate> field_rates_;
  absl::flat_hash_map<uint32_t, absl::flat_hash_map<uint32_t, Rate>> users_;
  absl::flat_hash_map<uint32_t, absl::flat_hash_set<uint32_t>> seen_;
};

struct Case {
  Family family;
  uint64_t seed;
};

class LearnabilityTest : public testing::TestWithParam<Case> {};

TEST_P(LearnabilityTest, CountingComesFarFromPopularityTowardsTheOracle) {
  enum Policy { kPersonal, kPopular, kRandom, kOracle, kPolicies };
  WorldOptions options;
  options.family = GetParam().family;
  options.seed = GetParam().seed;
  options.embedding_dim = 0;
  World world = *World::Create(options);
  CountingRecommender recommender(world);
  world.History([&](const Event& event) { recommender.Observe(event.user.value, event.time_us, event.action); });
  std::vector<ItemNumber> all;
  for (uint32_t i = 0; i < options.items; ++i) all.push_back(ItemNumber(i));

  std::array<double, kPolicies> utility{};
  std::array<double, kPolicies> sessions{};
  base::Rng rng(options.seed);
  std::vector<uint32_t> policy_of;
  for (uint32_t visits = 0; visits < 3000; ++visits) {
    const Visit visit = world.NextVisit();
    while (policy_of.size() <= visit.user.value) policy_of.push_back(static_cast<uint32_t>(rng.Below(kPolicies)));
    const uint32_t policy = policy_of[visit.user.value];
    Session session = world.Begin(visit.user, visit.time_us);
    std::vector<ItemNumber> shown;
    bool wants_more = true;
    while (wants_more) {
      std::vector<ItemNumber> page;
      if (policy == kPersonal) page = recommender.Personal(visit.user.value);
      if (policy == kPopular) page = recommender.Popular(visit.user.value);
      if (policy == kRandom) {
        for (uint32_t i = 0; i < kPage; ++i) page.push_back(all[rng.Below(all.size())]);
      }
      if (policy == kOracle) page = session.OraclePage(kPage, shown, all);
      shown.insert(shown.end(), page.begin(), page.end());
      const PageOutcome outcome = session.View(page);
      for (const Action& action : outcome.actions) {
        recommender.Observe(visit.user.value, visit.time_us + action.offset_us, action);
      }
      utility[policy] += outcome.utility;
      wants_more = outcome.wants_more;
    }
    sessions[policy] += 1;
  }
  for (uint32_t p = 0; p < kPolicies; ++p) utility[p] /= sessions[p];
  const double share = (utility[kPersonal] - utility[kPopular]) / (utility[kOracle] - utility[kPopular]);
  std::printf(
      "%s, seed %u: utility a session: personal %.2f popularity %.2f random %.2f oracle %.2f, share of oracle %.3f\n",
      std::string(FamilyName(options.family)).c_str(), static_cast<unsigned>(options.seed), utility[kPersonal],
      utility[kPopular], utility[kRandom], utility[kOracle], share);
  EXPECT_GE(share, .5);
  EXPECT_GT(utility[kPopular], utility[kRandom]);
  EXPECT_LT(utility[kPopular], .5 * utility[kOracle]);
}

INSTANTIATE_TEST_SUITE_P(All, LearnabilityTest,
                         testing::Values(Case{Family::kMixture, 1}, Case{Family::kMixture, 2},
                                         Case{Family::kHerding, 1}, Case{Family::kHerding, 2},
                                         Case{Family::kContextual, 1}, Case{Family::kContextual, 2}));

}  // namespace
}  // namespace bowerbird::sim::world
