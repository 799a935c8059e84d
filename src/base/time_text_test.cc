#include "base/time_text.h"

#include <gtest/gtest.h>

namespace bowerbird::base {
namespace {

TEST(DurationTest, ReadsEveryUnitAndWritesTheShortestExactForm) {
  EXPECT_EQ(*ParseDurationUs("7d"), 604'800'000'000);
  EXPECT_EQ(*ParseDurationUs("1.5h"), 5'400'000'000);
  EXPECT_EQ(*ParseDurationUs("50ms"), 50'000);
  EXPECT_EQ(*ParseDurationUs("-1s"), -1'000'000);
  EXPECT_EQ(FormatDurationUs(604'800'000'000), "7d");
  EXPECT_EQ(FormatDurationUs(90'000'000), "90s");
}

class BadDurationTest : public testing::TestWithParam<const char*> {};
TEST_P(BadDurationTest, IsRefused) { EXPECT_FALSE(ParseDurationUs(GetParam()).ok()); }
INSTANTIATE_TEST_SUITE_P(All, BadDurationTest,
                         testing::Values("", "7", "d", "7 days", "1e300d", "nans", "7dd", "inf s"));

TEST(TimeTest, ReadsRfc3339AndDates) {
  EXPECT_EQ(*ParseTimeUs("1970-01-01T00:00:01.5Z"), 1'500'000);
  EXPECT_EQ(*ParseTimeUs("1970-01-01T01:00:00+01:00"), 0);
  EXPECT_EQ(*ParseTimeUs("1970-01-02"), 86'400'000'000);
  EXPECT_EQ(FormatTimeUs(1'500'000), "1970-01-01T00:00:01.5Z");
  for (const char* bad : {"", "yesterday", "infinite-future", "2026-13-01", "12345"})
    EXPECT_FALSE(ParseTimeUs(bad).ok()) << bad;
}

}  // namespace
}  // namespace bowerbird::base
