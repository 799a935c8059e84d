#include "state/partition_blocks.h"

#include <vector>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/item_signals_for_test.h"

namespace bowerbird::state {
namespace {

using testing::ElementsAre;

TEST(PartitionBlocksTest, AreTheFewestNodesOfTheTree) {
  EXPECT_THAT(BlocksOf({}, 64), ElementsAre(PartitionRange{0, 64}));
  EXPECT_THAT(BlocksOf({0, 32}, 64), ElementsAre(PartitionRange{0, 32}));
  EXPECT_THAT(BlocksOf({21, 42}, 64),
              ElementsAre(PartitionRange{21, 22}, PartitionRange{22, 24}, PartitionRange{24, 32},
                          PartitionRange{32, 40}, PartitionRange{40, 42}));
  EXPECT_THAT(BlocksOf({5, 6}, 8), ElementsAre(PartitionRange{5, 6}));
  EXPECT_THAT(BlocksOf({}, 1), ElementsAre(PartitionRange{0, 1}));
}

TEST(PartitionBlocksTest, KnowsItsNodes) {
  EXPECT_TRUE(IsBlock({0, 64}, 64));
  EXPECT_TRUE(IsBlock({48, 64}, 64));
  EXPECT_TRUE(IsBlock({7, 8}, 64));
  EXPECT_FALSE(IsBlock({4, 12}, 64));
  EXPECT_FALSE(IsBlock({0, 3}, 64));
  EXPECT_FALSE(IsBlock({8, 8}, 64));
  EXPECT_FALSE(IsBlock({64, 128}, 64));
}

/// However the partitions are divided among nodes, what is merged of what the nodes merged is what is merged of all.
TEST(PartitionBlocksTest, AValueDoesNotDependOnWhoMergedWhat) {
  constexpr uint32_t kPartitions = 16;
  const auto config = ConfigWithSignals(ItemSignalsOfAllKinds());
  const signal::Set signals(*config, signal::Per::kItem);
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    for (size_t slot = 0; slot < signals.size(); ++slot) {
      RandomEvents events(seed * 100 + slot, 8, 1);
      std::vector<std::string> lanes(kPartitions);
      for (uint64_t i = rng.Below(400); i > 0; --i) {
        const v1::Event event = events.Next();
        const signal::Input input{&event, event.event_time_us(), rng.Uniform(), event.user()};
        const auto counting = signals.CountingSlots(event.type());
        if (std::ranges::find(counting, slot) == counting.end()) continue;
        signals[slot].Fold(input, &lanes[rng.Below(kPartitions)]);
      }
      const auto merged = [&](const PartitionRange& block) {
        std::vector<BlockValue> values;
        for (uint32_t p = block.first; p < block.end; ++p) {
          if (!lanes[p].empty()) values.push_back({{p, p + 1}, lanes[p]});
        }
        return MergeBlocks(signals[slot], values, block);
      };
      const std::string whole = merged({0, kPartitions});
      ASSERT_TRUE(signals[slot].Check(whole).ok());
      std::vector<std::string> of_blocks;
      std::vector<PartitionRange> blocks;
      for (uint32_t first = 0; first < kPartitions;) {
        const auto end = first + 1 + static_cast<uint32_t>(rng.Below(kPartitions - first));
        for (const PartitionRange& block : BlocksOf({first, end}, kPartitions)) {
          blocks.push_back(block);
          of_blocks.push_back(merged(block));
        }
        first = end;
      }
      std::vector<BlockValue> values;
      for (size_t i = 0; i < blocks.size(); ++i) {
        if (!of_blocks[i].empty()) values.push_back({blocks[i], of_blocks[i]});
      }
      ASSERT_EQ(MergeBlocks(signals[slot], values, {0, kPartitions}), whole) << signals[slot].signal().name;
    }
  }
}

}  // namespace
}  // namespace bowerbird::state
