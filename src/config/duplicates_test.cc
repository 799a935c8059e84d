#include "config/duplicates.h"

#include <gtest/gtest.h>

namespace bowerbird::config {
namespace {

TEST(MaskableTextTest, KeepsTheTextWhenNothingIsMasked) {
  for (const char* text : {"", "a = 1", "a = 1\n", "\n\na = 1\r\n[b]\n"}) EXPECT_EQ(MaskableText(text).Text(), text);
}

TEST(MaskableTextTest, MasksATableUpToTheNextHeader) {
  MaskableText text("[a]\nx = 1\n[b]\ny = [\n  [1, 2],\n]\n[[c]] # last\nz = 3");
  const Masked masked = text.MaskTable(3);
  EXPECT_EQ(masked.table, "b");
  EXPECT_EQ(masked.key, "");
  EXPECT_EQ(text.Text(), "[a]\nx = 1\n\n\n\n\n[[c]] # last\nz = 3");
}

TEST(MaskableTextTest, MasksAKeyWithAllLinesOfItsValue) {
  MaskableText text("[a]\nx = [ # ]\n  \"]\",\n]\ny = 1\nz = \"\"\"\n]\n\"\"\"\nw = 2");
  EXPECT_EQ(text.MaskKey(2).key, "x");
  EXPECT_EQ(text.Text(), "[a]\n\n\n\ny = 1\nz = \"\"\"\n]\n\"\"\"\nw = 2");
  const Masked masked = text.MaskKey(6);
  EXPECT_EQ(masked.table, "a");
  EXPECT_EQ(masked.key, "z");
  EXPECT_EQ(text.Text(), "[a]\n\n\n\ny = 1\n\n\n\nw = 2");
}

TEST(MaskableTextTest, MasksTheLastStatement) {
  MaskableText text("x = 1\nx = [1,");
  EXPECT_EQ(text.MaskKey(2).table, "");
  EXPECT_EQ(text.Text(), "x = 1\n");
}

TEST(MaskableTextTest, IgnoresLinesThatAreNotThere) {
  MaskableText text("x = 1");
  text.MaskKey(0);
  text.MaskKey(2);
  text.MaskTable(7);
  EXPECT_EQ(text.Text(), "x = 1");
}

}  // namespace
}  // namespace bowerbird::config
