#include "index/changed_ordinals.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/rng.h"

namespace bowerbird::index {
namespace {

TEST(ChangedOrdinalsTest, HoldsWhatASetHoldsAndCopiesStayAsTheyWere) {
  constexpr uint32_t kCount = 200'000;
  base::Rng rng(1);
  ChangedOrdinals changed;
  std::set<uint32_t> twin;
  std::vector<std::pair<ChangedOrdinals, std::set<uint32_t>>> copies;
  for (int round = 0; round < 20; ++round) {
    copies.emplace_back(changed, twin);
    std::vector<Ordinal> added;
    for (uint64_t i = rng.Below(50); i > 0; --i) added.push_back(Ordinal(static_cast<uint32_t>(rng.Below(kCount))));
    for (const Ordinal ordinal : added) twin.insert(ordinal.value);
    changed.Add(added);
  }
  copies.emplace_back(changed, twin);
  for (const auto& [copy, expected] : copies) {
    std::vector<uint64_t> words((kCount + 63) / 64, ~uint64_t{0});
    copy.RemoveFrom(words);
    for (uint32_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(copy.Contains(Ordinal(i)), expected.contains(i)) << i;
      ASSERT_EQ((words[i / 64] >> (i % 64)) & 1, expected.contains(i) ? 0u : 1u) << i;
    }
  }
}

TEST(ChangedOrdinalsTest, TakesOutOfFewerWordsThanItKnows) {
  ChangedOrdinals changed;
  changed.Add(std::vector<Ordinal>{Ordinal(1), Ordinal(100'000)});
  std::vector<uint64_t> words(1, ~uint64_t{0});
  changed.RemoveFrom(words);
  EXPECT_EQ(words[0], ~uint64_t{2});
}

}  // namespace
}  // namespace bowerbird::index
