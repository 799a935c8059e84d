#include "index/item_features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/vector_math.h"
#include "catalog/item_rules.h"
#include "index/sample_for_test.h"

namespace bowerbird::index {
namespace {

std::vector<uint32_t> Columns(const v1::Item& item, uint32_t column_count = 1u << 31) {
  ItemFeatures features;
  ReadFeatures(item, {}, column_count, {}, &features);
  return features.columns;
}

TEST(ItemFeaturesTest, DoNotDependOnTheOrderOfAttributes) {
  v1::Item a, b;
  for (const char* name : {"x", "y", "z", "w"}) (*a.mutable_attributes())[name].set_string_value(name);
  for (const char* name : {"w", "z", "x", "y"}) (*b.mutable_attributes())[name].set_string_value(name);
  EXPECT_EQ(Columns(a).size(), 4u);
  EXPECT_EQ(Columns(a), Columns(b));
}

TEST(ItemFeaturesTest, TellAttributesApartAndIgnoreTheCaseOfTitles) {
  v1::Item red, wine;
  (*red.mutable_attributes())["color"].set_string_value("red");
  (*wine.mutable_attributes())["wine"].set_string_value("red");
  EXPECT_NE(Columns(red), Columns(wine));
  v1::Item loud, quiet;
  loud.set_title("BIG Chair, a chair");
  quiet.set_title("big chair");
  EXPECT_EQ(Columns(loud), Columns(quiet)) << "a word of one letter says nothing, and one said twice counts once";
}

TEST(ItemFeaturesTest, FewerColumnsAreTheLowBitsOfMany) {
  base::Rng rng(1);
  for (uint32_t i = 0; i < 50; ++i) {
    const v1::Item item = SampleItem(i, &rng);
    std::vector<uint32_t> low = Columns(item);
    for (uint32_t& column : low) column &= 1023;
    std::ranges::sort(low);
    const auto repeated = std::ranges::unique(low);
    low.erase(repeated.begin(), repeated.end());
    EXPECT_EQ(Columns(item, 1024), low);
  }
}

TEST(ItemFeaturesTest, EmbeddingsHaveLengthOneOrAreZero) {
  v1::Item item;
  const auto add = [&](const char* name, std::initializer_list<float> values) {
    v1::Embedding* embedding = item.add_embeddings();
    embedding->set_name(name);
    for (const float value : values) embedding->add_values(value);
  };
  add("image", {3, 4});
  add("short", {1});
  add("zero", {0, 0});
  const std::vector<EmbeddingInput> inputs = {{"missing", 2}, {"image", 2}, {"short", 2}, {"zero", 2}};
  ItemFeatures features;
  ReadFeatures(item, {}, 64, inputs, &features);
  EXPECT_EQ(features.dense, (std::vector<float>{0, 0, 0.6f, 0.8f, 0, 0, 0, 0}));
}

TEST(ItemFeaturesTest, RefusesAPredictorWhoseInputsDoNotFit) {
  const auto regression = [](uint32_t columns, uint32_t dense) {
    return model::AttributeRegression::FromWeights(columns, dense, 1, std::vector<float>(1 + columns + dense)).value();
  };
  EXPECT_TRUE(FactorPredictor::Create(regression(4, 2), {{"image", 2}}).ok());
  EXPECT_FALSE(FactorPredictor::Create(regression(4, 2), {{"image", 3}}).ok());
  EXPECT_FALSE(FactorPredictor::Create(regression(5, 2), {{"image", 2}}).ok());
}

TEST(ItemFeaturesTest, AnItemWithoutEventsIsPredictedNearOthersOfItsTopic) {
  // Each topic has a direction; the items of topic t have factors near it.
  constexpr uint32_t kDim = 8;
  base::Rng rng(2);
  const KeyedItems items = SampleItems(900, &rng);
  std::vector<std::vector<float>> directions(7, std::vector<float>(kDim));
  for (auto& direction : directions) {
    for (float& value : direction) value = static_cast<float>(rng.Normal());
  }
  const auto topic_of = [](const v1::Item& item) { return std::stoul(item.id().substr(5)) % 7; };
  CfModel model = SampleModel(items, kDim, &rng);
  for (size_t row = 0; row + 5 < model.items.size(); ++row) {
    const auto found = std::ranges::find(items, model.items[row], &std::pair<catalog::ItemKey, v1::Item>::first);
    const std::vector<float>& direction = directions[topic_of(found->second)];
    for (uint32_t c = 0; c < kDim; ++c) {
      model.factors[row * kDim + c] = direction[c] + static_cast<float>(rng.Normal()) * 0.2f;
    }
  }
  const auto snapshot = SampleSnapshot(items, &model, 1, "000001");
  uint32_t near = 0, predicted = 0;
  for (uint32_t i = 0; i < snapshot->size(); ++i) {
    const v1::Item& item = items[i].second;
    // Only those whose content says what they are about.
    if (snapshot->FactorTrained(Ordinal(i)) || !item.attributes().contains("topics")) continue;
    std::vector<float> factor;
    for (const uint16_t value : snapshot->factors().Row(Ordinal(i))) factor.push_back(base::FromBf16(value));
    size_t best = 0;
    for (size_t t = 1; t < directions.size(); ++t) {
      const auto cosine = [&](size_t topic) {
        return base::Dot(factor, directions[topic]) / std::sqrt(base::Dot(directions[topic], directions[topic]));
      };
      if (cosine(t) > cosine(best)) best = t;
    }
    ++predicted;
    near += best == topic_of(item);
  }
  EXPECT_GT(predicted, 100u);
  EXPECT_GT(near, predicted * 9 / 10) << near << " of " << predicted;
}

}  // namespace
}  // namespace bowerbird::index
