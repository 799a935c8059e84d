#include "state/seen_items.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/byte_codec.h"
#include "base/hash.h"
#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

/// Keys as ids give them, and keys that lie together, as no id would.
ItemKey KeyOf(uint64_t number, bool spread) {
  return ItemKey(spread ? base::Hash64(std::to_string(number)) : (number % 3 == 0 ? ~number : number));
}

TEST(SeenItemsTest, MarksAgreeWithAMapHoweverKeysAreSpreadAndRecordsReload) {
  for (const bool spread : {true, false}) {
    base::Rng rng(spread ? 1 : 2);
    SeenItems seen;
    std::map<uint64_t, std::pair<uint32_t, uint32_t>> expected;
    for (int i = 0; i < 20'000; ++i) {
      const ItemKey item = KeyOf(rng.Below(1500), spread);
      const auto time_s = static_cast<uint32_t>(rng.Below(1000));
      const auto impressions = static_cast<uint32_t>(rng.Below(3));
      seen.Mark(item, time_s, impressions);
      auto& [newest, count] = expected[item.value];
      newest = std::max(newest, time_s);
      count += impressions;
      if (!rng.Bernoulli(.01)) continue;
      std::string bytes;
      seen.Encode(&bytes);
      base::Reader reader(bytes);
      seen = SeenItems();
      seen.Decode(&reader);
      ASSERT_TRUE(reader.ok() && reader.empty());
    }
    const std::vector<SeenItem> sorted = seen.Sorted();
    ASSERT_EQ(sorted.size(), expected.size());
    auto at = expected.begin();
    for (const SeenItem& item : sorted) {
      EXPECT_EQ(item.item.value, at->first);
      EXPECT_EQ(item.time_s, at->second.first);
      EXPECT_EQ(item.count, at->second.second);
      ++at;
    }
  }
}

TEST(SeenItemsTest, BoundedAndDropsTheOldest) {
  SeenItems seen;
  for (uint32_t i = 0; i < 10'000; ++i) seen.Mark(KeyOf(i, true), i, 1);
  EXPECT_LT(seen.size(), kSeenMax + kSeenSweep);
  EXPECT_GE(seen.size(), kSeenMax);
  const std::vector<SeenItem> sorted = seen.Sorted();
  uint32_t oldest = 10'000;
  for (const SeenItem& item : sorted) oldest = std::min(oldest, item.time_s);
  EXPECT_EQ(oldest, 10'000 - seen.size());
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end(),
                             [](const SeenItem& a, const SeenItem& b) { return a.item < b.item; }));
}

TEST(SeenItemsTest, CountsSaturate) {
  SeenItems seen;
  seen.Mark(ItemKey(1), 5, ~0u);
  seen.Mark(ItemKey(1), 3, 7);
  EXPECT_EQ(seen.Sorted().front().count, ~0u);
  EXPECT_EQ(seen.Sorted().front().time_s, 5u);
}

}  // namespace
}  // namespace bowerbird::state
