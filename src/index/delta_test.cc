#include "index/delta.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "base/rng.h"

namespace bowerbird::index {
namespace {

DeltaLevels::Pointer Make(uint64_t key, uint64_t offset) {
  auto item = std::make_shared<DeltaItem>();
  item->key = catalog::ItemKey(key);
  item->offset = offset;
  return item;
}

TEST(DeltaLevelsTest, TheNewestChangeOfAKeyWinsAndLevelsStayFew) {
  base::Rng rng(1);
  DeltaLevels levels;
  std::map<uint64_t, uint64_t> twin;
  for (uint64_t offset = 0; offset < 3000;) {
    std::map<uint64_t, DeltaLevels::Pointer> batch;
    for (uint64_t i = rng.Below(5); i > 0; --i, ++offset) {
      const uint64_t key = rng.Below(1000);
      batch[key] = Make(key, offset);
      twin[key] = offset;
    }
    if (batch.empty()) ++offset;
    std::vector<DeltaLevels::Pointer> changes;
    for (auto& [key, change] : batch) changes.push_back(std::move(change));
    levels = levels.With(std::move(changes));
    EXPECT_LE(levels.level_count(), static_cast<size_t>(std::bit_width(twin.size())) + 1);
  }
  for (uint64_t key = 0; key < 1000; ++key) {
    const DeltaItem* found = levels.Find(catalog::ItemKey(key));
    ASSERT_EQ(found != nullptr, twin.contains(key));
    if (found == nullptr) continue;
    EXPECT_EQ(found->offset, twin[key]);
  }
  std::map<uint64_t, uint64_t> listed;
  uint64_t last = 0;
  levels.ForEach([&](const DeltaLevels::Pointer& change) {
    EXPECT_TRUE(listed.empty() || change->key.value > last);
    last = change->key.value;
    listed[last] = change->offset;
  });
  EXPECT_EQ(listed, twin);
}

TEST(DeltaLevelsTest, AnEarlierCopyDoesNotSeeLaterChanges) {
  DeltaLevels first;
  first = first.With({Make(5, 1), Make(7, 2)});
  const DeltaLevels second = first.With({Make(5, 3)});
  EXPECT_EQ(first.Find(catalog::ItemKey(5))->offset, 1u);
  EXPECT_EQ(second.Find(catalog::ItemKey(5))->offset, 3u);
  EXPECT_EQ(second.Find(catalog::ItemKey(7))->offset, 2u);
  EXPECT_EQ(second.Find(catalog::ItemKey(6)), nullptr);
}

}  // namespace
}  // namespace bowerbird::index
