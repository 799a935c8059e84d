#include "base/published.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace bowerbird::base {
namespace {

TEST(PublishedTest, AReaderKeepsWhatItGotWhileOthersReplaceIt) {
  Published<int> published(std::make_shared<const int>(1));
  const auto held = published.Get();
  published.Set(std::make_shared<const int>(2));
  EXPECT_EQ(*held, 1);
  EXPECT_EQ(*published.Get(), 2);
}

TEST(PublishedTest, ReadersNeverSeeATornOrFreedValue) {
  Published<std::vector<int>> published(std::make_shared<const std::vector<int>>(64, 0));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 1; i <= 2000; ++i) published.Set(std::make_shared<const std::vector<int>>(64, i));
    stop = true;
  });
  while (!stop) {
    const auto value = published.Get();
    for (const int x : *value) ASSERT_EQ(x, value->front());
  }
  writer.join();
}

}  // namespace
}  // namespace bowerbird::base
