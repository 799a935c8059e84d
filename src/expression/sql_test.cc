#include "expression/sql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bowerbird::expression {
namespace {

Schema TestSchema() {
  Schema schema;
  for (const auto& [name, type] :
       {std::pair("flag", Type::kBool), std::pair("price", Type::kNumber), std::pair("brand", Type::kString),
        std::pair("made", Type::kTime), std::pair("tags", Type::kStrings)}) {
    EXPECT_TRUE(schema.Add(name, type).ok());
  }
  return schema;
}

/// Or what is wrong with it.
std::string SqlOf(std::string_view text) {
  const Schema schema = TestSchema();
  CompileError error;
  const auto sql = ToSql(
      text, schema, [&](uint32_t attribute) { return "e." + std::string(schema.name(attribute)); }, &error);
  return sql.value_or("found " + error.found);
}

// That the two mean the same on events, absent values among them, is what experiment/metrics/oracle_test.cc shows.
TEST(SqlTest, SaysEachComparisonInSql) {
  for (const auto& [text, sql] : std::vector<std::pair<std::string, std::string>>{
           {"true", "TRUE"},
           {"flag", "COALESCE(e.flag = TRUE, FALSE)"},
           {"not flag", "NOT COALESCE(e.flag = TRUE, FALSE)"},
           {"price in 1..2.5",
            "COALESCE((CAST(e.price AS DOUBLE) >= 1e0 AND CAST(e.price AS DOUBLE) <= 2.5e0), FALSE)"},
           {"price in [2, 1]", "COALESCE(CAST(e.price AS DOUBLE) IN (1e0, 2e0), FALSE)"},
           {"brand != 'acme'", "COALESCE(e.brand NOT IN ('acme'), FALSE)"},
           {"brand >= 'a'", "COALESCE(e.brand >= 'a', FALSE)"},
           {"brand contains 'x'", "COALESCE(contains(e.brand, 'x'), FALSE)"},
           {"tags in ['a', 'b']",
            "(COALESCE(array_contains(e.tags, 'a'), FALSE) OR COALESCE(array_contains(e.tags, 'b'), FALSE))"},
           {"made >= '2026-01-02'",
            "COALESCE((e.made >= TIMESTAMP '2026-01-02 00:00:00' AND e.made IS NOT NULL), FALSE)"},
           {"flag and (brand == 'a' or brand == 'b')",
            "(COALESCE(e.flag = TRUE, FALSE) AND (COALESCE(e.brand IN ('a'), FALSE) OR COALESCE(e.brand IN ('b'), "
            "FALSE)))"}}) {
    EXPECT_EQ(SqlOf(text), sql) << text;
  }
}

TEST(SqlTest, TextsEndWhereTheyEnd) {
  EXPECT_EQ(SqlText("it's"), "concat('it', chr(39), 's')");
  EXPECT_EQ(SqlText("'; DROP TABLE x; --"), "concat('', chr(39), '; DROP TABLE x; --')");
  // Spark takes \' for a quote within the text.
  EXPECT_EQ(SqlText("\\' OR TRUE --"), "concat('', chr(92), '', chr(39), ' OR TRUE --')");
}

TEST(SqlTest, NumbersAreDoubles) {
  EXPECT_EQ(SqlNumber(0.1), "0.1e0");
  EXPECT_EQ(SqlNumber(-3), "-3e0");
  EXPECT_EQ(SqlNumber(1e300), "1e+300");
}

TEST(SqlTest, RefusesWhatATableOfEventsHasNot) {
  EXPECT_EQ(SqlOf("flag or not made > now - 7d"), "found \"now\"");
  EXPECT_THAT(SqlOf("item.features.a.b > 1"), testing::HasSubstr("found"));
  EXPECT_THAT(SqlOf("price >"), testing::HasSubstr("found"));
}

}  // namespace
}  // namespace bowerbird::expression
