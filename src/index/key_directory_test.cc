#include "index/key_directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"

namespace bowerbird::index {
namespace {

void ExpectFindsExactly(std::vector<uint64_t> keys) {
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  const KeyDirectory directory(keys);
  const auto expected = [&](uint64_t key) {
    const auto found = std::ranges::lower_bound(keys, key);
    return found != keys.end() && *found == key ? Ordinal(static_cast<uint32_t>(found - keys.begin())) : kNoOrdinal;
  };
  for (const uint64_t key : keys) {
    for (const uint64_t probe : {key - 1, key, key + 1}) {
      ASSERT_EQ(directory.Find(keys, catalog::ItemKey(probe)), expected(probe)) << probe << " of " << keys.size();
    }
  }
  for (const uint64_t probe : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}}) {
    ASSERT_EQ(directory.Find(keys, catalog::ItemKey(probe)), expected(probe));
  }
}

TEST(KeyDirectoryTest, FindsHashedKeys) {
  base::Rng rng(1);
  for (const size_t count : {0, 1, 2, 3, 7, 8, 9, 100, 4097}) {
    std::vector<uint64_t> keys;
    for (size_t i = 0; i < count; ++i) keys.push_back(rng());
    ExpectFindsExactly(keys);
  }
}

TEST(KeyDirectoryTest, FindsKeysThatAreNoHashes) {
  std::vector<uint64_t> small, large;
  for (uint64_t i = 0; i < 1000; ++i) {
    small.push_back(i * 3);
    large.push_back(~uint64_t{0} - i * 5);
  }
  ExpectFindsExactly(small);
  ExpectFindsExactly(large);
  small.insert(small.end(), large.begin(), large.end());
  ExpectFindsExactly(small);
}

TEST(KeyDirectoryTest, AnEmptyOneFindsNothing) { EXPECT_EQ(KeyDirectory().Find({}, catalog::ItemKey(1)), kNoOrdinal); }

}  // namespace
}  // namespace bowerbird::index
