#include "collect/hide_overlay.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace bowerbird::collect {
namespace {

using catalog::ItemKey;
using catalog::UserKey;

TEST(HideOverlayTest, GivesWhatIsNotFoldedYet) {
  HideOverlay overlay;
  overlay.Add(UserKey(1), "a", ItemKey(10), 5);
  overlay.Add(UserKey(1), "c", ItemKey(12), 9);
  overlay.Add(UserKey(1), "b", ItemKey(11), 7);
  overlay.Add(UserKey(2), "z", ItemKey(20), 6);
  std::vector<HideOverlay::Hide> hides = overlay.Unfolded(UserKey(1), 0);
  ASSERT_EQ(hides.size(), 3u);
  EXPECT_EQ(hides[0].item, "a");
  EXPECT_EQ(hides[1].item, "b");
  EXPECT_EQ(hides[2].item, "c");
  EXPECT_EQ(hides[2].key, ItemKey(12));
  // Folded up to 7: the hide at 7 is not folded yet.
  hides = overlay.Unfolded(UserKey(1), 7);
  ASSERT_EQ(hides.size(), 2u);
  EXPECT_EQ(hides[0].offset, 7u);
  EXPECT_EQ(overlay.size(), 3u);
  EXPECT_TRUE(overlay.Unfolded(UserKey(1), 10).empty());
  EXPECT_EQ(overlay.size(), 1u);
  EXPECT_TRUE(overlay.Unfolded(UserKey(3), 0).empty());
  EXPECT_EQ(overlay.dropped(), 0u);
}

TEST(HideOverlayTest, AnUnhideUndoesOnlyTheHidesOfItsItemBeforeIt) {
  HideOverlay overlay;
  overlay.Add(UserKey(1), "a", ItemKey(10), 5);
  overlay.Add(UserKey(1), "b", ItemKey(11), 6);
  overlay.Add(UserKey(2), "a", ItemKey(10), 7);
  overlay.Undo(UserKey(1), ItemKey(10), 8);
  overlay.Undo(UserKey(3), ItemKey(10), 8);
  ASSERT_EQ(overlay.Unfolded(UserKey(1), 0).size(), 1u);
  EXPECT_EQ(overlay.Unfolded(UserKey(1), 0)[0].item, "b");
  EXPECT_EQ(overlay.Unfolded(UserKey(2), 0).size(), 1u);
  // Acknowledged out of order: the hide is the newer one.
  overlay.Add(UserKey(1), "a", ItemKey(10), 12);
  overlay.Undo(UserKey(1), ItemKey(10), 9);
  EXPECT_EQ(overlay.Unfolded(UserKey(1), 0).size(), 2u);
  EXPECT_EQ(overlay.size(), 3u);
}

TEST(HideOverlayTest, TheOldestGoesAtTheBound) {
  HideOverlay overlay(160);  // 10 a shard
  for (uint64_t i = 0; i < 25; ++i) overlay.Add(UserKey(16 * (i % 2)), std::to_string(i), ItemKey(i), i);
  EXPECT_EQ(overlay.size(), 10u);
  EXPECT_EQ(overlay.dropped(), 15u);
  std::vector<HideOverlay::Hide> even = overlay.Unfolded(UserKey(0), 0);
  ASSERT_EQ(even.size(), 5u);
  EXPECT_EQ(even[0].offset, 16u);
  EXPECT_EQ(overlay.Unfolded(UserKey(16), 0)[0].offset, 15u);
}

TEST(HideOverlayTest, ManyThreadsStayInsideTheBound) {
  HideOverlay overlay(320);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&overlay, t] {
      for (uint64_t i = 0; i < 5'000; ++i) {
        overlay.Add(UserKey(i % 40), "item", ItemKey(i), i);
        if (i % 7 == t) overlay.Unfolded(UserKey(i % 40), i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(overlay.size(), 320u);
}

}  // namespace
}  // namespace bowerbird::collect
