// What the nodes of a cluster tell each other of items adds up to what one node counts of everything.
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/item_table_builder.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

constexpr uint32_t kNodes = 3, kPartitions = 8;

ItemLayout Layout(const config::Config& config) { return {config.state.item_bucket_us, config.state.item_buckets_max}; }
uint32_t OwnerOf(uint32_t partition) { return partition * kNodes / kPartitions; }

void ExpectEqual(const ItemTable& a, const ItemTable& b, const std::vector<ItemKey>& items) {
  ASSERT_TRUE(std::equal(a.offsets().begin(), a.offsets().end(), b.offsets().begin(), b.offsets().end()));
  for (const ItemKey item : items) {
    const ItemCounts *one = a.Find(item), *other = b.Find(item);
    ASSERT_EQ(one == nullptr, other == nullptr);
    if (one != nullptr) {
      ASSERT_EQ(one->impressions, other->impressions);
      ASSERT_EQ(one->actions, other->actions);
      ASSERT_EQ(one->negatives, other->negatives);
      ASSERT_EQ(one->weight, other->weight);
    }
    const NextItems *next = a.Next(item), *other_next = b.Next(item);
    ASSERT_EQ(next == nullptr, other_next == nullptr);
    if (next == nullptr) continue;
    ASSERT_EQ(next->newest_us, other_next->newest_us);
    ASSERT_EQ(next->total, other_next->total);
    ASSERT_EQ(next->items.size(), other_next->items.size());
    for (size_t i = 0; i < next->items.size(); ++i) {
      ASSERT_EQ(next->items[i].item, other_next->items[i].item);
      ASSERT_EQ(next->items[i].score, other_next->items[i].score);
    }
  }
  for (const char* list : {"trending", "popular"}) {
    const auto top = a.Top(list), other = b.Top(list);
    ASSERT_EQ(top.size(), other.size()) << list;
    for (size_t i = 0; i < top.size(); ++i) {
      ASSERT_EQ(top[i].item, other[i].item) << list << " " << i;
      ASSERT_EQ(top[i].score, other[i].score) << list << " " << i;
    }
  }
}

class Exchange {
 public:
  Exchange(const config::Config& config, base::Rng* rng) : rng_(*rng) {
    for (uint32_t node = 0; node < kNodes; ++node) nodes_.emplace_back(config, Layout(config), kPartitions);
  }
  ItemTableBuilder& node(uint32_t index) { return nodes_[index]; }
  /// What `from` has counted since it was last asked comes to `to`; now and then all of it, as after a restart.
  void Tell(uint32_t from, uint32_t to) {
    uint64_t& since = since_[from][to];
    if (rng_.Below(5) == 0) since = 0;
    ItemCountsDelta delta;
    delta.whole = since == 0;
    nodes_[from].Since(since).Encode(&delta);
    since = delta.change;
    ASSERT_TRUE(nodes_[to].TakeCounts(from, delta).ok());
    // A delta that comes twice changes nothing.
    if (rng_.Below(3) == 0) {
      ASSERT_TRUE(nodes_[to].TakeCounts(from, delta).ok());
    }
  }

 private:
  base::Rng& rng_;
  std::vector<ItemTableBuilder> nodes_;
  uint64_t since_[kNodes][kNodes] = {};
};

TEST(ItemCountsTest, TheNodesTablesAreTheTableOfEverything) {
  const config::Config config = TestConfig();
  const ItemLayout layout = Layout(config);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    std::vector<ItemKey> items = {kAnywhere};
    for (int i = 0; i < 40; ++i) items.push_back(ItemKey(rng()));
    ItemTableBuilder whole(config, layout, kPartitions);
    Exchange exchange(config, &rng);
    std::vector<log::Offset> folded(kPartitions, 0);
    int64_t now_us = kStartUs;
    for (int round = 0; round < 30; ++round) {
      for (uint32_t partition = 0; partition < kPartitions; ++partition) {
        if (rng.Below(2) == 0) continue;
        std::vector<ItemEvent> events;
        for (uint64_t i = rng.Below(10); i > 0; --i) {
          now_us += static_cast<int64_t>(rng.Below(5 * 60 * kSecondUs));
          const int64_t time_us = now_us + static_cast<int64_t>(rng.Below(60 * kHourUs)) - 58 * kHourUs;
          ItemEvent event;
          event.item = items[1 + rng.Below(items.size() - 1)];
          event.kind = static_cast<ItemEvent::Kind>(1 + rng.Below(3));
          event.bucket = layout.BucketOf(time_us);
          if (event.kind == ItemEvent::Kind::kAction) {
            event.weight = ToItemWeight(rng.Uniform());
            event.moved_s = static_cast<uint32_t>(time_us / kSecondUs);
            event.after = items[rng.Below(items.size())];
          }
          events.push_back(event);
        }
        folded[partition] += 1 + events.size();
        std::vector<ItemEvent> copy = events;
        whole.Absorb(partition, folded[partition], &copy);
        exchange.node(OwnerOf(partition)).Absorb(partition, folded[partition], &events);
      }
      if (rng.Below(2) == 0) {
        const auto from = static_cast<uint32_t>(rng.Below(kNodes));
        exchange.Tell(from, (from + 1) % kNodes);
      }
      if (rng.Below(4) != 0) continue;
      for (uint32_t from = 0; from < kNodes; ++from) {
        for (uint32_t to = 0; to < kNodes; ++to) {
          if (from != to) exchange.Tell(from, to);
        }
      }
      const auto expected = whole.Build(now_us, 1);
      for (uint32_t node = 0; node < kNodes; ++node)
        ExpectEqual(*expected, *exchange.node(node).Build(now_us, 1), items);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(ItemCountsTest, WhatCannotBeReadChangesNothing) {
  const config::Config config = TestConfig();
  ItemTableBuilder builder(config, Layout(config), kPartitions);
  ItemCountsDelta delta;
  delta.whole = true;
  delta.offsets.assign(kPartitions, 7);
  delta.items.push_back({ItemKey(5), "\xff damaged", ""});
  EXPECT_TRUE(absl::IsDataLoss(builder.TakeCounts(1, delta)));
  delta.items[0] = {ItemKey(5), "", "\xff damaged"};
  EXPECT_TRUE(absl::IsDataLoss(builder.TakeCounts(1, delta)));
  delta.items.clear();
  delta.offsets.pop_back();
  EXPECT_TRUE(absl::IsDataLoss(builder.TakeCounts(1, delta)));
  const auto table = builder.Build(kStartUs, 1);
  EXPECT_EQ(table->offsets()[0], 0u);
  EXPECT_TRUE(table->Top("popular").empty());
}

}  // namespace
}  // namespace bowerbird::state
