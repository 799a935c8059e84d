#include "expression/conjuncts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bowerbird::expression {
namespace {

using testing::ElementsAre;

TEST(ConjunctsTest, CutsAtTheOutermostAndsOnly) {
  EXPECT_THAT(Conjuncts("price < 50"), ElementsAre("price < 50"));
  EXPECT_THAT(Conjuncts("  price < 50 and not (color == \"red\" and available)  and tags contains \"and\" "),
              ElementsAre("price < 50", "not (color == \"red\" and available)", "tags contains \"and\""));
  EXPECT_THAT(Conjuncts("color in [\"red\", \"blue\"] and (price < 5 or price > 9)"),
              ElementsAre("color in [\"red\", \"blue\"]", "(price < 5 or price > 9)"));
}

TEST(ConjunctsTest, AlternativesStayWhole) {
  EXPECT_THAT(Conjuncts("price < 5 and available or color == \"red\""),
              ElementsAre("price < 5 and available or color == \"red\""));
}

}  // namespace
}  // namespace bowerbird::expression
