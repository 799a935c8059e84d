#include <algorithm>
#include <cmath>
#include <limits>

#include "config/rank_features.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rank/interests.h"
#include "rank/ranker.h"
#include "retrieve/catalog_for_test.h"

namespace bowerbird::rank {
namespace {

using retrieve::CatalogForTest;
using testing::Each;

constexpr int64_t kNowUs = CatalogForTest::kNowUs;
constexpr uint32_t kNowS = static_cast<uint32_t>(kNowUs / 1'000'000);

constexpr char kConfig[] = R"(
[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
[surfaces.chart]
generators = ["trending", "fresh"]
[surfaces.named]
generators = ["mine"]
[generators.mine]
kind = "ials"
)";

struct RankTest : testing::Test {
  CatalogForTest catalog{{.config = kConfig}};
  std::shared_ptr<const index::LiveView> view;
  state::UserState user;
  retrieve::Taste taste;
  config::Surface surface;

  RankTest() {
    catalog.ApplyAll();
    catalog.BuildSnapshot();
    view = catalog.View();
    surface = *catalog.config->FindSurface("home");
  }
  Candidate Item(uint32_t i) const {
    Candidate candidate;
    EXPECT_TRUE(view->Find(catalog.Key(i), &candidate.item));
    return candidate;
  }
  Request MakeRequest() {
    taste = retrieve::MakeTaste(*catalog.config, *view, user);
    Request request;
    request.config = catalog.config.get();
    request.surface = &surface;
    request.view = view.get();
    request.user = &user;
    request.items = catalog.table.get();
    request.taste = &taste;
    request.now_us = kNowUs;
    return request;
  }
  Ranked Run(const std::vector<Candidate>& candidates) { return Ranker(MakeRequest()).Rank(candidates); }
  static float Of(const Ranked& ranked, size_t candidate, Feature feature) {
    return ranked.features[candidate * kFeatures + static_cast<size_t>(feature)];
  }
  Interests MakeInterests() {
    taste = retrieve::MakeTaste(*catalog.config, *view, user);
    return Interests::Make(*catalog.config, *view, user, taste, kNowUs);
  }
  void SeeTopic(uint32_t topic, uint32_t times, uint32_t age_s = 3600) {
    for (uint32_t i = 0; i < times; ++i) CatalogForTest::See(catalog.Key(topic + 10 * (i + 5)), kNowS - age_s, &user);
  }
};

TEST_F(RankTest, FeatureNamesAreDistinct) {
  std::set<std::string_view> names;
  for (size_t f = 0; f < kFeatures; ++f) names.insert(FeatureName(static_cast<Feature>(f)));
  EXPECT_EQ(names.size(), kFeatures);
}

TEST_F(RankTest, InterestIsTheRateOfActionOnACategory) {
  user = catalog.User({{"save", 4}, {"save", 14}, {"click", 3}});
  SeeTopic(4, 2);
  SeeTopic(3, 10);
  const Interests interests = MakeInterests();
  const auto lift = [&](uint32_t item) { return interests.LiftOf(view->Categories(Item(item).item)).coarse; };
  EXPECT_GT(lift(104), .4) << "two of four acted on";
  EXPECT_LT(lift(103), lift(104) - .3) << "one of eleven acted on";
  EXPECT_NEAR(lift(105), 0, 1e-9) << "never seen";
  EXPECT_LT(std::abs(interests.LiftOf({}).coarse), 1e-9);
}

TEST_F(RankTest, InterestSaysNothingWithoutImpressions) {
  user = catalog.User({{"save", 4}, {"save", 14}, {"save", 24}, {"save", 3}});
  for (state::SeenItem& seen : user.seen) seen.count = 0;
  const Interests interests = MakeInterests();
  EXPECT_NEAR(interests.LiftOf(view->Categories(Item(104).item)).coarse,
              interests.LiftOf(view->Categories(Item(103).item)).coarse, .25);
}

TEST_F(RankTest, InterestFadesAndTirednessFadesFaster) {
  user = catalog.User({});
  SeeTopic(4, 8, 0);
  const float fresh = MakeInterests().Of(catalog::CategoryHash("topic-4")).tired;
  EXPECT_NEAR(fresh, 8, .01);
  user.seen.clear();
  SeeTopic(4, 8, 14 * 3600);
  const Interests later = MakeInterests();
  EXPECT_NEAR(later.Of(catalog::CategoryHash("topic-4")).tired, 4, .01);
  EXPECT_NEAR(later.Of(catalog::CategoryHash("topic-4")).seen, 8, .2);
}

TEST_F(RankTest, FineInterestAddsToTheCoarseOne) {
  // Parts of topic 4: item / 10 % 3.
  user = catalog.User({{"save", 4}, {"save", 34}, {"save", 64}});
  for (const uint32_t other : {14u, 24u, 44u, 54u}) CatalogForTest::See(catalog.Key(other), kNowS, &user);
  const Interests interests = MakeInterests();
  EXPECT_GT(interests.LiftOf(view->Categories(Item(94).item)).fine, 0);
  EXPECT_LT(interests.LiftOf(view->Categories(Item(104).item)).fine, 0);
  EXPECT_EQ(interests.LiftOf(view->Categories(Item(94).item)).coarse,
            interests.LiftOf(view->Categories(Item(104).item)).coarse);
}

TEST_F(RankTest, AffinitiesAreSharesDecayedToNow) {
  user = catalog.User({});
  const int64_t half_life_us = catalog.config->state.affinity_half_life_us;
  user.affinities = {{"topic-4", 6, kNowUs - half_life_us}, {"topic-3", 1, kNowUs}};
  EXPECT_FLOAT_EQ(MakeInterests().Of(catalog::CategoryHash("topic-4")).affinity, .75f);
}

TEST_F(RankTest, OneSaveLiftsItsTopic) {
  user = catalog.User({{"save", 4}});
  const Ranked ranked = Run({Item(104), Item(105)});
  EXPECT_GT(ranked.scores[0], ranked.scores[1]);
  for (const Feature feature : {Feature::kIals, Feature::kNear, Feature::kSession, Feature::kSessionCategory}) {
    EXPECT_GT(Of(ranked, 0, feature), Of(ranked, 1, feature)) << FeatureName(feature);
  }
  EXPECT_EQ(ranked.nearest[0], 0u);
  EXPECT_THAT(ranked.scores, Each(testing::AllOf(testing::Gt(0), testing::Lt(1))));
}

TEST_F(RankTest, TheNewestActionsWeighMost) {
  std::vector<std::pair<std::string, uint32_t>> actions;
  for (uint32_t i = 0; i < 8; ++i) actions.emplace_back("click", 3 + 10 * i);
  for (uint32_t i = 0; i < 8; ++i) actions.emplace_back("click", 4 + 10 * i);
  user = catalog.User(actions);
  const Ranked ranked = Run({Item(104), Item(103)});
  EXPECT_GT(Of(ranked, 0, Feature::kIals), Of(ranked, 1, Feature::kIals));
  EXPECT_GT(Of(ranked, 0, Feature::kSession), Of(ranked, 1, Feature::kSession));
  EXPECT_GT(ranked.scores[0], ranked.scores[1]);
}

TEST_F(RankTest, QualityIsShrunkAndNegativesCount) {
  catalog.table->counts[catalog.Key(101)] = {1000, 100, 0, 200};  // .2 an impression
  catalog.table->counts[catalog.Key(102)] = {1000, 100, 80, 200};
  catalog.table->counts[catalog.Key(103)] = {2, 2, 0, 4};  // 2 an impression, but of two
  catalog.table->counts[catalog.Key(104)] = {1000, 20, 0, 20};
  const Ranked ranked = Run({Item(101), Item(102), Item(103), Item(104), Item(105)});
  const auto quality = [&](size_t i) { return Of(ranked, i, Feature::kQuality); };
  EXPECT_GT(quality(0), quality(1));
  EXPECT_GT(quality(0), quality(3));
  EXPECT_GT(quality(2), 0);
  EXPECT_LT(quality(2), 1.2f);
  EXPECT_EQ(quality(4), 0);
}

TEST_F(RankTest, QualityIsNeutralWithoutImpressions) {
  catalog.table->counts[catalog.Key(101)] = {0, 100, 0, 100};
  catalog.table->counts[catalog.Key(102)] = {0, 3, 0, 3};
  const Ranked ranked = Run({Item(101), Item(102)});
  EXPECT_NEAR(Of(ranked, 0, Feature::kQuality), 0, 1e-6);
  EXPECT_NEAR(Of(ranked, 1, Feature::kQuality), 0, 1e-6);
  EXPECT_EQ(Of(ranked, 0, Feature::kPopularity), 1);
  EXPECT_GT(ranked.scores[0], ranked.scores[1]);
}

TEST_F(RankTest, ASurfaceWithoutPersonalGeneratorsScoresByItsGeneratorsAlone) {
  user = catalog.User({{"save", 4}, {"save", 14}});
  surface = *catalog.config->FindSurface("chart");
  Candidate hot = Item(195), warm = Item(194);
  hot.generated[static_cast<size_t>(config::GeneratorKind::kTrending)] = 1;
  warm.generated[static_cast<size_t>(config::GeneratorKind::kTrending)] = .5;
  const Ranked ranked = Run({hot, warm});
  EXPECT_GT(ranked.scores[0], ranked.scores[1]);
  EXPECT_EQ(Of(ranked, 1, Feature::kNear), 0);
}

TEST_F(RankTest, WeightsAreRelativeToTheGreatest) {
  surface.weights = {{"for_you", 50}, {"because", 50}, {"trending", 25}, {"fresh", 0}};
  EXPECT_EQ(GeneratorShare(*catalog.config, surface, "trending"), 1);
  const Ranked half = Run({Item(1)});
  surface.weights.clear();
  const Ranked one = Run({Item(1)});
  const auto weight = [](const Ranked& ranked, Feature feature) {
    return ranked.weights[static_cast<size_t>(feature)];
  };
  EXPECT_EQ(weight(half, Feature::kIals), weight(one, Feature::kIals));
  EXPECT_EQ(weight(half, Feature::kTrending), weight(one, Feature::kTrending) / 2);
  EXPECT_EQ(weight(half, Feature::kFresh), 0);
  EXPECT_EQ(weight(one, Feature::kSimilar), 0) << "not in the recipe";
  surface.weights = {{"near", 3}};
  EXPECT_EQ(weight(Run({Item(1)}), Feature::kNear), 3 * weight(one, Feature::kNear));
}

TEST_F(RankTest, TheFirstStageKeepsWhatTheRankerWants) {
  user = catalog.User({{"save", 4}, {"save", 14}, {"click", 33}, {"click", 24}, {"save", 63}});
  SeeTopic(4, 3);
  SeeTopic(3, 5);
  SeeTopic(8, 9);
  std::vector<Candidate> candidates;
  for (uint32_t i = 0; i < 200; ++i) {
    candidates.push_back(Item(i));
    candidates.back().generated[static_cast<size_t>(config::GeneratorKind::kTrending)] = i % 7 == 0 ? .5f : 0;
  }
  // One of the delta: its factor and its creation are its own.
  catalog.items[104].set_created_time_us(kNowUs);
  catalog.Apply(catalog.items[104]);
  view = catalog.View();
  candidates[104] = Item(104);
  candidates[104].generated[static_cast<size_t>(config::GeneratorKind::kFresh)] = 1;

  const Ranker ranker(MakeRequest());
  const std::vector<float> first = ranker.FirstScores(candidates);
  const Ranked ranked = ranker.Rank(candidates);
  const auto best = [](std::vector<float> scores, size_t count) {
    std::vector<uint32_t> order(scores.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
    return std::set<uint32_t>(order.begin(), order.begin() + static_cast<ptrdiff_t>(count));
  };
  const std::set<uint32_t> kept = best(first, 60);
  uint32_t lost = 0;
  for (const uint32_t wanted : best(ranked.scores, 25)) lost += kept.contains(wanted) ? 0 : 1;
  EXPECT_LE(lost, 1u) << "of the 25 best";
  EXPECT_TRUE(kept.contains(104));
}

TEST_F(RankTest, ACrowdMayBeGiven) {
  catalog.table->counts[catalog.Key(101)] = {1000, 100, 0, 200};
  catalog.table->counts[catalog.Key(102)] = {1000, 10, 0, 10};
  const Ranker ranker(MakeRequest());
  const Ranked both = ranker.Rank(std::vector{Item(101), Item(102)});
  const Ranked one = ranker.Rank(std::vector{Item(102)}, &both.crowd);
  EXPECT_EQ(Of(one, 0, Feature::kQuality), Of(both, 1, Feature::kQuality));
  EXPECT_EQ(Of(one, 0, Feature::kPopularity), Of(both, 1, Feature::kPopularity));
  EXPECT_EQ(one.scores[0], both.scores[1]);
}

/// The price of an item as a feature; absent where it is even.
class PriceFeatures final : public AddedFeatures {
 public:
  PriceFeatures(const index::LiveView& view, std::vector<std::pair<std::string, double>> features)
      : view_(view), features_(std::move(features)) {}
  size_t size() const override { return features_.size(); }
  std::string_view name(size_t added) const override { return features_[added].first; }
  double weight(size_t added) const override { return features_[added].second; }
  void Read(const index::ItemHandle& item, std::span<float> values) const override {
    const auto price = static_cast<int>(view_.Document(item).price());
    for (float& value : values) {
      value = price % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(price);
    }
  }

 private:
  const index::LiveView& view_;
  std::vector<std::pair<std::string, double>> features_;
};

TEST_F(RankTest, AnAddedFeatureAddsItsWeightAndNothingWhereItIsAbsent) {
  const std::vector<Candidate> candidates = {Item(1), Item(2), Item(3)};
  const Ranked plain = Run(candidates);
  const PriceFeatures prices(*view, {{"price", 0.5}, {"unused", 0}});
  Request request = MakeRequest();
  request.added = &prices;
  const Ranked ranked = Ranker(request).Rank(candidates);
  EXPECT_EQ(ranked.width, kFeatures + 2);
  EXPECT_THAT(ranked.added, testing::ElementsAre("price", "unused"));
  for (size_t i = 0; i < candidates.size(); ++i) {
    const float value = ranked.features[i * ranked.width + kFeatures];
    for (size_t f = 0; f < kFeatures; ++f) {
      EXPECT_EQ(ranked.features[i * ranked.width + f], plain.features[i * kFeatures + f]) << i << " " << f;
    }
    if (i == 1) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_EQ(ranked.scores[i], plain.scores[i]);
      continue;
    }
    EXPECT_EQ(value, static_cast<float>(i + 1));
    const double sum = std::log(plain.scores[i] / (1 - static_cast<double>(plain.scores[i]))) + 0.5 * value;
    EXPECT_NEAR(ranked.scores[i], 1 / (1 + std::exp(-sum)), 1e-5);
  }
}

TEST_F(RankTest, ATrainedRankerFindsItsAddedFeaturesByName) {
  model::TreeEnsemble trees;
  trees.feature_names = {"ials", "b", "a"};
  trees.depth = 1;
  trees.features = {2, 1};  // a, then b
  trees.thresholds = {2, 0};
  trees.leaves = {0, 1, 0, 10};
  const auto can_add = [](std::string_view name) { return name == "a" || name == "b"; };
  EXPECT_FALSE(Trained::Create("000001", trees, [](std::string_view) { return false; }).ok());
  const auto trained = Trained::Create("000001", trees, can_add);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_THAT(trained->added, testing::ElementsAre("a", "b"));
  const PriceFeatures prices(*view, {{"b", 0}, {"more", 0}, {"a", 0}});
  Request request = MakeRequest();
  request.added = &prices;
  request.trained = &*trained;
  const Ranked ranked = Ranker(request).Rank(std::vector{Item(1), Item(2), Item(3)});
  ASSERT_TRUE(ranked.by_trained);
  const auto sigmoid = [](double sum) { return static_cast<float>(1 / (1 + std::exp(-sum))); };
  EXPECT_EQ(ranked.scores[0], sigmoid(10)) << "1 is above 0, not above 2";
  EXPECT_EQ(ranked.scores[1], sigmoid(0)) << "absent answers no";
  EXPECT_EQ(ranked.scores[2], sigmoid(11));
}

TEST_F(RankTest, TheSameRequestGivesTheSameBits) {
  user = catalog.User({{"save", 4}, {"click", 33}, {"click", 4}});
  SeeTopic(2, 9);
  std::vector<Candidate> candidates;
  for (uint32_t i = 0; i < 150; ++i) candidates.push_back(Item(i));
  const Ranked one = Run(candidates), two = Run(candidates);
  EXPECT_EQ(one.features, two.features);
  EXPECT_EQ(one.scores, two.scores);
  EXPECT_TRUE(Run({}).scores.empty());
}

TEST_F(RankTest, ARecipesScoreFollowsFromTheFeatures) {
  user = catalog.User({{"save", 4}, {"click", 14}});
  surface.weights = {{"trending", 0.5}, {"interest", 2}};
  std::vector<Candidate> candidates;
  for (uint32_t i = 0; i < 40; ++i) candidates.push_back(Item(i));
  const Ranked ranked = Run(candidates);
  const Recipe recipe = Recipe::Of(*catalog.config, surface);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const auto features = std::span(ranked.features).subspan(i * kFeatures, kFeatures);
    EXPECT_EQ(recipe.Score(features, {}), ranked.scores[i]);
  }
  std::vector<float> added(ranked.features.begin(), ranked.features.begin() + kFeatures);
  added.push_back(2);
  added.push_back(std::numeric_limits<float>::quiet_NaN());
  const double logit = std::log(ranked.scores[0] / (1 - static_cast<double>(ranked.scores[0])));
  EXPECT_NEAR(recipe.Score(added, std::vector<double>{0.25, 100}), 1 / (1 + std::exp(-logit - 0.5)), 1e-5);
}

TEST_F(RankTest, TheConfigKnowsWhatWeightsScale) {
  const config::Surface& plain = *catalog.config->FindSurface("named");
  for (size_t f = 0; f < kFeatures; ++f) {
    const auto name = FeatureName(static_cast<Feature>(f));
    config::Surface scaled = plain;
    scaled.weights.emplace(name, 0);
    const bool scales = Recipe::Of(*catalog.config, scaled).weights[f] != Recipe::Of(*catalog.config, plain).weights[f];
    const bool known = std::ranges::find(config::kScaledFeatures, name) != std::end(config::kScaledFeatures);
    EXPECT_EQ(known, scales || name == "untrained") << name << "; untrained weighs nothing by itself";
  }
}

}  // namespace
}  // namespace bowerbird::rank
