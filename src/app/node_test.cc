#include "app/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "store/file.h"

namespace bowerbird::app {
namespace {

class NodeTest : public testing::Test {
 protected:
  NodeTest() { std::filesystem::remove_all(dir_); }
  const std::string dir_ = testing::TempDir() + "bowerbird_node_test";
};

TEST_F(NodeTest, EveryPartitionHasOneOwnerAndEachNodeARunOfThem) {
  for (const uint32_t partitions : {1u, 4u, 64u, 1024u}) {
    for (uint32_t count = 1; count <= std::min(partitions, 70u); ++count) {
      uint32_t next = 0;
      for (uint32_t index = 0; index < count; ++index) {
        const Node node{index, count};
        const state::PartitionRange owned = node.Owned(partitions);
        uint32_t here = 0;
        for (uint32_t p = 0; p < partitions; ++p) {
          ASSERT_EQ(owned.Has(p), node.OwnerOf(p, partitions) == index) << p << " of " << partitions << ", " << count;
          here += owned.Has(p) ? 1 : 0;
        }
        if (count > 1) {
          ASSERT_EQ(owned.first, next);
        }
        next = owned.end;
        ASSERT_GE(here, partitions / count);
        ASSERT_LE(here, partitions / count + 1);
      }
      if (count > 1) {
        ASSERT_EQ(next, partitions);
      }
    }
  }
}

TEST_F(NodeTest, APartitionThatSplitsStaysWhereItIs) {
  for (uint32_t count = 1; count <= 16; ++count) {
    const Node node{0, count};
    for (uint32_t p = 0; p < 64; ++p) {
      const uint32_t owner = node.OwnerOf(p, 64);
      EXPECT_EQ(node.OwnerOf(2 * p, 128), owner);
      // Where the nodes do not divide the partitions evenly, a border may move by the half of one.
      EXPECT_LE(node.OwnerOf(2 * p + 1, 128) - owner, 64 % count == 0 ? 0u : 1u);
    }
  }
}

TEST_F(NodeTest, AFolderIsAloneUntilItIsClaimed) {
  ASSERT_TRUE(ReadNode(dir_).ok());
  EXPECT_TRUE(ReadNode(dir_)->alone());
  ASSERT_TRUE(ClaimNode(dir_, {1, 3}).ok());
  EXPECT_EQ(*ReadNode(dir_), (Node{1, 3}));
  EXPECT_TRUE(ClaimNode(dir_, {1, 3}).ok()) << "the same again is no change";
}

TEST_F(NodeTest, AClaimedFolderIsRefusedToOthers) {
  ASSERT_TRUE(ClaimNode(dir_, {1, 3}).ok());
  for (const Node& other : {Node{0, 3}, Node{1, 4}, Node{0, 1}}) {
    const absl::Status refused = ClaimNode(dir_, other);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("node 1 of 3"));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ClaimNode(dir_ + "2", {3, 3})));
}

TEST_F(NodeTest, ADamagedFileIsNotTakenForANodeAlone) {
  std::filesystem::create_directories(dir_);
  for (const char* text : {"", "1", "3 of 3\n", "1 of 3 \n", "one of three\n", "-1 of 3\n"}) {
    ASSERT_TRUE(store::AtomicWriteFile(dir_ + "/node", text).ok());
    EXPECT_TRUE(absl::IsDataLoss(ReadNode(dir_).status())) << text;
  }
}

}  // namespace
}  // namespace bowerbird::app
