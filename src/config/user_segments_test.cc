#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace bowerbird::config {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kSignals = R"(
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
[signals.interests]
kind = "decayed_sum"
on = ["click"]
by = "item.category"
half_life = "7d"
[signals.recent]
kind = "last_n"
on = ["click"]
)";

ParseResult With(const std::string& where) {
  return Parse(std::string("[segments.chosen]\nwhere = '''") + where + "'''\nowner = \"feed\"\n" + kSignals, "t");
}

TEST(UserSegmentsTest, ReadWhatIsDeclaredAndBuiltIn) {
  const ParseResult result = With(
      "lifecycle == \"core\" and signals.clicks >= 3 and signals.interests.lamps > 0.5 and signals.interests contains "
      "\"desks\" and signals.recent contains \"i1\" and last_time > now - 7d");
  ASSERT_NE(result.config, nullptr) << result.problems.front().ToString();
  ASSERT_THAT(result.config->user_segments, SizeIs(1));
  const UserSegment& segment = result.config->user_segments[0];
  EXPECT_EQ(segment.name, "chosen");
  EXPECT_EQ(segment.owner, "feed");
  size_t keys = 0;
  for (const uint32_t attribute : segment.where->attributes()) {
    const SegmentField& field = segment.fields[attribute];
    if (field.signal.key.empty()) continue;
    ++keys;
    EXPECT_EQ(field.signal.key, "lamps");
    EXPECT_EQ(field.signal.signal, "interests");
  }
  EXPECT_EQ(keys, 1u);
}

TEST(UserSegmentsTest, RefuseWhatNobodyDeclares) {
  for (const auto& [where, found] : {
           std::pair{"signals.nothing > 1", "signals.nothing"},
           std::pair{"signals.clicks.lamps > 1", "signals.clicks.lamps"},
           std::pair{"signals.interests > 1", ">"},
           std::pair{"lifecycle > ", "the end"},
       }) {
    const ParseResult result = With(where);
    ASSERT_THAT(result.problems, SizeIs(1)) << where;
    EXPECT_EQ(result.problems[0].key, "segments.chosen.where");
    EXPECT_THAT(result.problems[0].found, HasSubstr(found));
  }
  EXPECT_THAT(Parse("[segments.a]\n", "t").problems, SizeIs(1));
}

}  // namespace
}  // namespace bowerbird::config
