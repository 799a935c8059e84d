#include "state/print_window.h"

#include <algorithm>
#include <deque>

#include "base/byte_codec.h"
#include "base/rng.h"
#include "gtest/gtest.h"

namespace bowerbird::state {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;

TEST(PrintWindowTest, AgreesWithAQueueAtEveryLengthAndAfterReloads) {
  for (const uint32_t prints_max : {1, 15, 17, 40, 512}) {
    base::Rng rng(prints_max);
    PrintWindow window;
    std::deque<std::pair<uint64_t, int64_t>> expected;
    int64_t now_us = 1000 * kHourUs;
    for (int i = 0; i < 5'000; ++i) {
      // Long pauses empty the window, so that it grows again from nothing.
      now_us += rng.Bernoulli(.002) ? 50 * kHourUs : static_cast<int64_t>(rng.Below(kHourUs / 100));
      // Numbers in a row and scattered ones: the filter relies on neither.
      const uint64_t print = rng.Bernoulli(.5) ? 1 + rng.Below(2 * prints_max + 4) : rng() | 1;
      const bool contained = std::ranges::any_of(expected, [&](const auto& entry) { return entry.first == print; });
      ASSERT_EQ(window.Contains(print), contained) << "step " << i;
      if (!contained) {
        window.Add(print, now_us, now_us, prints_max, 48 * kHourUs);
        expected.emplace_back(print, now_us / kHourUs);
        while (expected.size() > prints_max || expected.front().second + 48 < now_us / kHourUs) expected.pop_front();
      }
      ASSERT_EQ(window.size(), expected.size());
      if (!rng.Bernoulli(.01)) continue;
      std::string bytes;
      window.Encode(&bytes);
      base::Reader reader(bytes);
      window = PrintWindow();
      ASSERT_TRUE(window.Decode(&reader) && reader.empty());
    }
    for (const auto& [print, hour] : expected) EXPECT_TRUE(window.Contains(print));
  }
}

}  // namespace
}  // namespace bowerbird::state
