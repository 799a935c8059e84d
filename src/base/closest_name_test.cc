#include "base/closest_name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bowerbird::base {
namespace {

const std::vector<std::string_view> kNames = {"price", "prize", "category", "available", "id"};

TEST(ClosestNameTest, FindsTypingSlips) {
  EXPECT_EQ(ClosestName("pirce", kNames), "price");  // swapped
  EXPECT_EQ(ClosestName("catgory", kNames), "category");
  EXPECT_EQ(ClosestName("avaliable", kNames), "available");
  EXPECT_EQ(ClosestName("prices", kNames), "price");
}

TEST(ClosestNameTest, PrefersTheFirstOfEquals) { EXPECT_EQ(ClosestName("prike", kNames), "price"); }

TEST(ClosestNameTest, FindsNothingWhenNothingIsClose) {
  EXPECT_EQ(ClosestName("weight", kNames), "");
  EXPECT_EQ(ClosestName("ix", kNames), "");
  EXPECT_EQ(ClosestName("", kNames), "");
  EXPECT_EQ(ClosestName(std::string(65, 'a'), kNames), "");
  EXPECT_EQ(ClosestName("price", {}), "");
}

}  // namespace
}  // namespace bowerbird::base
