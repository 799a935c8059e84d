#include "state/item_record.h"

#include <algorithm>

#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::state {
namespace {

const ItemLayout kLayout{3'600'000'000, 10};

ItemEvent RandomEvent(base::Rng* rng) {
  ItemEvent event;
  event.item = catalog::ItemKey(rng->Below(3));
  event.bucket = static_cast<uint32_t>(1000 + rng->Below(25));
  event.kind = static_cast<ItemEvent::Kind>(1 + rng->Below(3));
  event.weight = event.kind == ItemEvent::Kind::kAction ? ToItemWeight(0.1 * static_cast<double>(rng->Below(50))) : 0;
  return event;
}

TEST(ItemRecordTest, AnyOrderAndGroupingGivesTheSameBytes) {
  base::Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<ItemEvent> events(1 + rng.Below(60));
    for (ItemEvent& event : events) event = RandomEvent(&rng);
    std::vector<ItemEvent> all = events;
    const auto expected = SumByItem(&all, kLayout);

    std::vector<ItemRecord> sums(3);
    for (size_t i = events.size(); i > 1; --i) std::swap(events[i - 1], events[rng.Below(i)]);
    for (size_t first = 0; first < events.size();) {
      const size_t last = std::min<size_t>(events.size(), first + 1 + rng.Below(10));
      std::vector<ItemEvent> group(events.begin() + static_cast<ptrdiff_t>(first),
                                   events.begin() + static_cast<ptrdiff_t>(last));
      for (const auto& [item, record] : SumByItem(&group, kLayout)) sums[item.value].Add(record, kLayout);
      first = last;
    }
    for (const auto& [item, record] : expected) {
      EXPECT_EQ(EncodeItemRecord(record), EncodeItemRecord(sums[item.value])) << "round " << round;
    }
  }
}

TEST(ItemRecordTest, KeepsTotalsOfDroppedBuckets) {
  std::vector<ItemEvent> events;
  for (uint32_t bucket = 0; bucket < 30; ++bucket) {
    events.push_back({catalog::ItemKey(1), ToItemWeight(2), bucket, ItemEvent::Kind::kAction});
  }
  const auto sums = SumByItem(&events, kLayout);
  ASSERT_EQ(sums.size(), 1u);
  EXPECT_EQ(sums[0].second.total.actions, 30u);
  EXPECT_EQ(sums[0].second.total.weight, ToItemWeight(60));
  ASSERT_EQ(sums[0].second.buckets.size(), 10u);
  EXPECT_EQ(sums[0].second.buckets.front().bucket, 20u);
}

TEST(ItemRecordTest, DecodesWhatItEncodedAndRefusesDamage) {
  base::Rng rng(5);
  std::vector<ItemEvent> events(40);
  for (ItemEvent& event : events) event = RandomEvent(&rng);
  const auto sums = SumByItem(&events, kLayout);
  const std::string bytes = EncodeItemRecord(sums[0].second);
  ASSERT_TRUE(DecodeItemRecord(bytes).ok());
  EXPECT_EQ(EncodeItemRecord(*DecodeItemRecord(bytes)), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeItemRecord(bytes.substr(0, size)).ok());
  EXPECT_FALSE(DecodeItemRecord(bytes + "x").ok());
}

}  // namespace
}  // namespace bowerbird::state
