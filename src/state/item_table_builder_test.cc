#include "state/item_table_builder.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

ItemLayout Layout(const config::Config& config) { return {config.state.item_bucket_us, config.state.item_buckets_max}; }

ItemEvent Click(uint64_t item, int64_t time_us, double weight = 1) {
  const config::Config config = TestConfig();
  return {ItemKey(item << 50), ToItemWeight(weight), Layout(config).BucketOf(time_us), ItemEvent::Kind::kAction};
}

void ExpectEqual(const ItemTable& a, const ItemTable& b, const std::vector<ItemKey>& items) {
  EXPECT_EQ(a.time_us(), b.time_us());
  EXPECT_TRUE(std::equal(a.offsets().begin(), a.offsets().end(), b.offsets().begin(), b.offsets().end()));
  for (const ItemKey item : items) {
    const ItemCounts* counts_a = a.Find(item);
    const ItemCounts* counts_b = b.Find(item);
    ASSERT_EQ(counts_a == nullptr, counts_b == nullptr);
    if (counts_a == nullptr) continue;
    EXPECT_EQ(counts_a->impressions, counts_b->impressions);
    EXPECT_EQ(counts_a->actions, counts_b->actions);
    EXPECT_EQ(counts_a->negatives, counts_b->negatives);
    EXPECT_EQ(counts_a->weight, counts_b->weight);
  }
  for (const char* list : {"trending", "popular"}) {
    const auto top_a = a.Top(list), top_b = b.Top(list);
    ASSERT_EQ(top_a.size(), top_b.size()) << list;
    for (size_t i = 0; i < top_a.size(); ++i) {
      EXPECT_EQ(top_a[i].item, top_b[i].item) << list << " " << i;
      EXPECT_EQ(top_a[i].score, top_b[i].score) << list << " " << i;
    }
  }
}

TEST(ItemTableBuilderTest, TrendingPrefersTheRecentAndPopularTheMany) {
  const config::Config config = TestConfig();
  ItemTableBuilder builder(config, Layout(config), 1);
  std::vector<ItemEvent> events;
  for (int i = 0; i < 10; ++i) events.push_back(Click(1, kStartUs - 20 * kHourUs));
  for (int i = 0; i < 5; ++i) events.push_back(Click(2, kStartUs - kHourUs));
  for (int i = 0; i < 50; ++i) events.push_back(Click(3, kStartUs - 40 * kHourUs));  // outside trending's window
  events.push_back({ItemKey(4), 0, 1, ItemEvent::Kind::kImpression});
  builder.Absorb(0, 66, &events);
  const auto table = builder.Build(kStartUs, 7);
  EXPECT_EQ(table->version(), 7u);
  EXPECT_EQ(table->offsets()[0], 66u);
  ASSERT_EQ(table->Top("trending").size(), 2u);
  EXPECT_EQ(table->Top("trending")[0].item, ItemKey(uint64_t{2} << 50));
  ASSERT_EQ(table->Top("popular").size(), 3u);
  EXPECT_EQ(table->Top("popular")[0].item, ItemKey(uint64_t{3} << 50));
  EXPECT_EQ(table->Top("popular")[0].score, 50.0f);
  EXPECT_TRUE(table->Top("unknown").empty());
  ASSERT_NE(table->Find(ItemKey(4)), nullptr);
  EXPECT_EQ(table->Find(ItemKey(4))->impressions, 1u);
  EXPECT_EQ(table->Find(ItemKey(5)), nullptr);
}

TEST(ItemTableBuilderTest, ListsAreBoundedAndTiesGoByKey) {
  const config::Config config = TestConfig();
  ItemTableBuilder builder(config, Layout(config), 1);
  std::vector<ItemEvent> events;
  for (uint64_t item = 100; item > 0; --item) events.push_back(Click(item, kStartUs));
  builder.Absorb(0, 100, &events);
  const auto table = builder.Build(kStartUs, 1);
  ASSERT_EQ(table->Top("popular").size(), 40u);
  for (size_t i = 0; i < 40; ++i) EXPECT_EQ(table->Top("popular")[i].item, ItemKey((i + 1) << 50));
}

TEST(ItemTableBuilderTest, APublishedTableDoesNotChange) {
  const config::Config config = TestConfig();
  ItemTableBuilder builder(config, Layout(config), 1);
  std::vector<ItemEvent> events = {Click(1, kStartUs)};
  builder.Absorb(0, 1, &events);
  const auto first = builder.Build(kStartUs, 1);
  events = {Click(1, kStartUs), Click(2, kStartUs)};
  builder.Absorb(0, 3, &events);
  const auto second = builder.Build(kStartUs - kHourUs, 2);
  EXPECT_EQ(first->Find(ItemKey(uint64_t{1} << 50))->actions, 1u);
  EXPECT_EQ(first->Find(ItemKey(uint64_t{2} << 50)), nullptr);
  EXPECT_EQ(second->Find(ItemKey(uint64_t{1} << 50))->actions, 2u);
  EXPECT_EQ(second->time_us(), kStartUs) << "time does not go back";
}

TEST(ItemTableBuilderTest, EqualOffsetsAndTimeGiveEqualTablesHoweverTheyCameAbout) {
  const config::Config config = TestConfig();
  const ItemLayout layout = Layout(config);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    base::Rng rng(seed);
    std::vector<ItemEvent> events;
    std::vector<ItemKey> items;
    for (int i = 0; i < 60; ++i) items.push_back(ItemKey(rng()));
    int64_t now_us = kStartUs;
    ItemTableBuilder live(config, layout, 1);
    for (int round = 0; round < 30; ++round) {
      std::vector<ItemEvent> batch;
      for (uint64_t i = rng.Below(40); i > 0; --i) {
        now_us += static_cast<int64_t>(rng.Below(10 * 60 * kSecondUs));
        // Some events are late, some ahead of time.
        const int64_t time_us = now_us + static_cast<int64_t>(rng.Below(60 * kHourUs)) - 58 * kHourUs;
        const auto kind = static_cast<ItemEvent::Kind>(1 + rng.Below(3));
        const uint64_t weight = kind == ItemEvent::Kind::kAction ? ToItemWeight(rng.Uniform() * 3) : 0;
        batch.push_back({items[rng.Below(items.size())], weight, layout.BucketOf(time_us), kind});
        events.push_back(batch.back());
      }
      live.Absorb(0, events.size(), &batch);
      if (rng.Bernoulli(0.5)) (void)live.Build(now_us, 1);
    }
    const auto expected = live.Build(now_us, 1);

    ItemTableBuilder at_once(config, layout, 1);
    std::vector<ItemEvent> all = events;
    at_once.Absorb(0, all.size(), &all);
    ExpectEqual(*expected, *at_once.Build(now_us, 1), items);

    // From the records that the store keeps.
    ItemTableBuilder loaded(config, layout, 1);
    for (const auto& [item, record] : SumByItem(&all, layout)) loaded.Load(item, record);
    loaded.SetOffsets({events.size()});
    ExpectEqual(*expected, *loaded.Build(now_us, 1), items);
  }
}

}  // namespace
}  // namespace bowerbird::state
