#include "config/plane_shift.h"

#include <gtest/gtest.h>

#include "config/config.h"

namespace bowerbird::config {
namespace {

TEST(PlaneShiftTest, MovesThereAndBack) {
  for (const char* text :
       {"", "plain", "caf\xC3\xA9", "\xC2\x80|\xDF\xBF|\xE0\xA0\x80|\xEF\xBB\xBE", "\xE2\x9C\x94\xEF\xB8\x8F",
        "\xF0\x9F\x98\x80 \xEF\xBC\x81", "\xC3", "\xE2\x9C", "\xED\xA0\x80", "\xC0\x80", "\xFF\xFE"}) {
    const std::string up = ShiftUp(text);
    EXPECT_EQ(ShiftDown(up), text);
    EXPECT_FALSE(HasShifted(text));
  }
  EXPECT_EQ(ShiftUp("\xC3\xA9"), "\xF3\xB0\x83\xA9");
  EXPECT_TRUE(HasShifted(ShiftUp("caf\xC3\xA9")));
  EXPECT_EQ(ShiftUp("\xEF\xBB\xBF[app]"), "[app]");
}

TEST(PlaneShiftTest, LeavesNoTraceInWhatIsReadOrReported) {
  const ParseResult result = Parse("[surfaces.home]\nfilter = \"title contains 'caf\xC3\xA9'\" # \xE2\x9C\x94\n", "x");
  ASSERT_NE(result.config, nullptr);
  EXPECT_EQ(result.config->FindSurface("home")->filter->text(), "title contains 'caf\xC3\xA9'");
  EXPECT_EQ(Parse("[app]\n\"na\xC3\xAFve\" = 1", "x").problems.at(0).found, "the unknown key \"na\xC3\xAFve\"");
  const std::string found = Parse("[app]\n\xC3\xA9 = 1", "x").problems.at(0).found;
  EXPECT_NE(found.find("\xC3\xA9"), found.npos) << found;
  EXPECT_EQ(Parse("# \xF3\xB0\x83\xA9", "x").problems.size(), 1u);
}

}  // namespace
}  // namespace bowerbird::config
