#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace bowerbird::base {
namespace {

TEST(Utf8Test, AcceptsEverySequenceLengthAtEveryAlignment) {
  for (size_t shift = 0; shift < 9; ++shift) {
    const std::string text = std::string(shift, 'a') + "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa6" + std::string(shift, 'b');
    EXPECT_TRUE(IsValidUtf8(text)) << shift;
  }
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8(std::string_view("\0", 1)));
}

TEST(Utf8Test, FindsTheFirstBadByte) {
  for (const std::string_view bad :
       {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    for (size_t shift = 0; shift < 9; ++shift) {
      const std::string text = std::string(shift, 'a') + std::string(bad) + "tail of more than eight bytes";
      EXPECT_EQ(FindInvalidUtf8(text), shift);
      EXPECT_NE(FindInvalidUtf8(text, shift + bad.size()), shift);
    }
  }
}

}  // namespace
}  // namespace bowerbird::base
