#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
#include "expression/expression.h"

namespace bowerbird::expression {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Schema ItemSchema() {
  Schema schema;
  EXPECT_TRUE(schema.Add("price", Type::kNumber).ok());
  EXPECT_TRUE(schema.Add("available", Type::kBool).ok());
  EXPECT_TRUE(schema.Add("color", Type::kString).ok());
  EXPECT_TRUE(schema.Add("created", Type::kTime).ok());
  EXPECT_TRUE(schema.Add("tags", Type::kStrings).ok());
  EXPECT_TRUE(schema.Add("item.brand", Type::kString).ok());
  return schema;
}

TEST(SchemaTest, NumbersAttributesInOrder) {
  const Schema schema = ItemSchema();
  EXPECT_EQ(schema.size(), 6u);
  EXPECT_EQ(schema.Find("color"), 2u);
  EXPECT_EQ(schema.name(2), "color");
  EXPECT_EQ(schema.type(2), Type::kString);
  EXPECT_EQ(schema.Find("colour"), std::nullopt);
}

TEST(SchemaTest, RefusesSecondAndUnsayableNames) {
  Schema schema = ItemSchema();
  EXPECT_EQ(schema.Add("price", Type::kBool).status().code(), absl::StatusCode::kAlreadyExists);
  for (const char* name : {"", "a b", " a", "a ", "9a", "a-b", "and", "now", "a..b", "a.", ".a", "\"a\"", "a\xff"}) {
    EXPECT_EQ(schema.Add(name, Type::kBool).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_FALSE(IsAttributeName(std::string(129, 'a')));
  EXPECT_TRUE(IsAttributeName(std::string(128, 'a')));
  EXPECT_TRUE(IsAttributeName("_a9.b"));
}

TEST(CompileTest, ListsAttributesOnceInOrder) {
  const Schema schema = ItemSchema();
  const auto program = Program::Compile("tags contains 'a' or (price > 1 and not price < 2) or available", schema);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(std::vector<uint32_t>((*program)->attributes().begin(), (*program)->attributes().end()),
              ElementsAre(0, 1, 4));
  EXPECT_EQ((*program)->text(), "tags contains 'a' or (price > 1 and not price < 2) or available");
}

struct Refused {
  const char* name;
  const char* text;
  uint32_t position;
  const char* found;
  const char* expected;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.text; }

class CompileRefusesTest : public testing::TestWithParam<Refused> {};

TEST_P(CompileRefusesTest, NamingPositionFoundAndExpected) {
  const Schema schema = ItemSchema();
  CompileError error;
  ASSERT_EQ(Program::Compile(GetParam().text, schema, &error), nullptr);
  EXPECT_EQ(error.position, GetParam().position);
  EXPECT_THAT(error.found, HasSubstr(GetParam().found));
  EXPECT_THAT(error.expected, HasSubstr(GetParam().expected));
  const auto program = Program::Compile(GetParam().text, schema);
  EXPECT_EQ(program.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(program.status().message()), HasSubstr(GetParam().found));
}

INSTANTIATE_TEST_SUITE_P(
    All, CompileRefusesTest,
    testing::Values(
        Refused{"empty", "", 1, "the end of the text", "an attribute"},
        Refused{"blank", "  \n", 4, "the end of the text", "an attribute"},
        Refused{"unknown", "pirce > 3", 1, "'pirce'", "did you mean 'price'?): available, color"},
        Refused{"literal_first", "3 < price", 1, "'3'", "an attribute"},
        Refused{"no_operator", "price", 6, "the end",
                "==, !=, <, <=, >, >=, in or not in after 'price', which is number"},
        Refused{"no_literal", "price >", 8, "the end", "a number, because 'price' is number"},
        Refused{"text_for_number", "price > \"3\"", 9, "\"3\"", "a number"},
        Refused{"number_for_text", "color == 3", 10, "'3'", "a string in quotes"},
        Refused{"number_for_bool", "available == 1", 14, "'1'", "true or false"},
        Refused{"order_of_bools", "available < true", 11, "'<'", "==, !=, or nothing"},
        Refused{"duration_for_number", "price > 7d", 9, "'7d'", "a number"},
        Refused{"minus_alone", "price > -", 9, "'-' and the end", "a number"},
        Refused{"equal_sets", "tags == \"a\"", 6, "'=='", "contains, in or not in after 'tags', which is strings"},
        Refused{"number_contains", "price contains \"a\"", 7, "'contains'", "==, !="},
        Refused{"contains_number", "tags contains 3", 15, "'3'", "a string"},
        Refused{"one_equals_sign", "price = 3", 7, "'='", "'=='"},
        Refused{"ampersands", "available && available", 11, "'&&'", "'and'"},
        Refused{"bars", "available || available", 11, "'||'", "'or'"},
        Refused{"exclamation", "!available", 1, "'!'", "'not'"}, Refused{"angle", "price <> 3", 7, "'<>'", "'!='"},
        Refused{"two_terms", "available available", 11, "'available'", "==, !=, or nothing"},
        Refused{"after_the_end", "price > 3 4", 11, "'4'", "'and', 'or' or the end"},
        Refused{"open_parenthesis", "(price > 3", 11, "the end", "')'"},
        Refused{"closing_parenthesis", "price > 3)", 10, "')'", "'and', 'or' or the end"},
        Refused{"dangling_and", "available and", 14, "the end", "an attribute"},
        Refused{"dangling_not", "not", 4, "the end", "an attribute"},
        Refused{"not_without_in", "price not 3", 11, "'3'", "'in' after 'not'"},
        Refused{"bad_time", "created > \"soon\"", 11, "\"soon\"", "2026-11-21"},
        Refused{"number_time", "created > 3", 11, "'3'", "now, or a time in quotes"},
        Refused{"now_minus_number", "created > now - 3", 17, "'3'", "a duration"},
        Refused{"list_of_times", "created in [now]", 12, "'['", "now, or a time"},
        Refused{"empty_list", "price in []", 11, "']'", "a number"},
        Refused{"list_without_comma", "price in [1 2]", 13, "'2'", "',' or ']'"},
        Refused{"trailing_comma", "price in [1,]", 13, "']'", "a number"},
        Refused{"mixed_list", "color in [\"a\", 2]", 16, "'2'", "a string"},
        Refused{"text_range", "color in \"a\"..\"b\"", 10, "\"a\"", "a list such as"},
        Refused{"half_range", "price in 10", 12, "the end", "'..' and the upper bound"},
        Refused{"in_alone", "price in", 9, "the end", "a list such as [1, 2] or a range"},
        Refused{"reversed_range", "price in 20..10", 10, "20..10", "the smaller bound first"},
        Refused{"reversed_times", "created in now..now - 7d", 12, "a later bound", "the earlier bound first"},
        Refused{"bad_unit", "created > now - 7y", 17, "'7y'", "w such as 7d"},
        Refused{"huge_number", "price > 1e999", 9, "'1e999'", "range of a double"},
        Refused{"open_string", "color == \"abc", 10, "a string without its end", "a closing \""},
        Refused{"bad_escape", "color == \"a\\q\"", 12, "'\\q'", "one of"},
        Refused{"short_unicode", "color == \"\\u12\"", 11, "'\\u12\"'", "\\uXXXX"},
        Refused{"lone_surrogate", "color == \"\\ud800 \"", 11, "'\\ud800'", "\\uXXXX"},
        Refused{"control_byte", "price > \x01", 9, "the byte 0x01", "a literal"},
        Refused{"not_ascii", "price > 1 and \xc3\xa9", 15, "the byte 0xc3", "an attribute"},
        Refused{"semicolon", "price > 3;", 10, "';'", "an attribute"},
        Refused{"word_as_attribute", "now > 3", 1, "'now'", "an attribute"}),
    [](const auto& info) { return info.param.name; });

TEST(CompileLimitTest, TextBytes) {
  const Schema schema = ItemSchema();
  CompileError error;
  const std::string text = "available" + std::string(Program::kTextBytesMax - 9, ' ');
  EXPECT_NE(Program::Compile(text, schema, &error), nullptr);
  EXPECT_EQ(Program::Compile(text + " ", schema, &error), nullptr);
  EXPECT_EQ(error.expected, "at most 4096 bytes");
}

TEST(CompileLimitTest, DepthCountsParenthesesAndNot) {
  const Schema schema = ItemSchema();
  CompileError error;
  const auto nested = [](uint32_t depth) {
    std::string text;
    for (uint32_t i = 0; i < depth; ++i) text += i % 2 == 0 ? "(" : "not ";
    text += "available";
    return text + std::string((depth + 1) / 2, ')');
  };
  EXPECT_NE(Program::Compile(nested(Program::kDepthMax), schema, &error), nullptr);
  EXPECT_EQ(Program::Compile(nested(Program::kDepthMax + 1), schema, &error), nullptr);
  EXPECT_THAT(error.expected, HasSubstr("at most 32 levels"));
  EXPECT_EQ(Program::Compile(std::string(4096, '('), schema, &error), nullptr);
}

TEST(CompileLimitTest, ManyTermsAreNotDeep) {
  const Schema schema = ItemSchema();
  CompileError error;
  std::string text = "available";
  while (text.size() + 14 <= Program::kTextBytesMax) text += " and available";
  EXPECT_NE(Program::Compile(text, schema, &error), nullptr) << error.expected;
}

TEST(CompileLimitTest, ListLength) {
  const Schema schema = ItemSchema();
  CompileError error;
  const auto list = [](uint32_t size) {
    std::string text = "price in [1";
    for (uint32_t i = 1; i < size; ++i) text += fmt::format(",{}", i % 10);
    return text + "]";
  };
  EXPECT_NE(Program::Compile(list(Program::kListMax), schema, &error), nullptr);
  EXPECT_EQ(Program::Compile(list(Program::kListMax + 1), schema, &error), nullptr);
  EXPECT_EQ(error.expected, "at most 1000 values in a list");
}

TEST(CompileTest, AnyBytesCompileOrAreRefused) {
  const Schema schema = ItemSchema();
  base::Rng rng(7);
  constexpr std::string_view kPieces[] = {"price", "tags", "created", "color", " and ", " or ", "not ",
                                          "(",     ")",    "[",       "]",     "1",     "..",   ",",
                                          "7d",    "now",  "==",      "\"",    "\\",    "-"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (uint64_t i = rng.Below(20); i > 0; --i) {
      text += rng.Bernoulli(0.1)
                  ? std::string(1, static_cast<char>(rng.Below(256)))
                  : std::string(kPieces[rng.Below(std::size(kPieces))]) + (rng.Bernoulli(0.5) ? " " : "");
    }
    CompileError error;
    if (Program::Compile(text, schema, &error) == nullptr) {
      ASSERT_GE(error.position, 1u) << text;
      ASSERT_LE(error.position, text.size() + 1) << text;
      ASSERT_FALSE(error.found.empty() || error.expected.empty()) << text;
    }
  }
}

Schema OpenSchema() {
  Schema schema = ItemSchema();
  schema.OpenBelow("user.features.", "TABLE.COLUMN");
  schema.OpenBelow("item.features.", "TABLE.COLUMN");
  return schema;
}

TEST(OpenNumberTest, NamesBelowAnOpenPrefixAreNumbersEachOnce) {
  const auto program = Program::Compile(
      "item.features.q.score > 0.5 and (user.features.t.churn in 0..1 or item.features.q.score < 0.1) and price < 5 "
      "and "
      "dot( user.features.t.v , item.features.q.v ) not in [1, 2]",
      OpenSchema());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->open_begin(), 6u);
  ASSERT_EQ((*program)->open().size(), 3u);
  EXPECT_EQ((*program)->open()[0].Text(), "item.features.q.score");
  EXPECT_EQ((*program)->open()[1].Text(), "user.features.t.churn");
  EXPECT_EQ((*program)->open()[2].Text(), "dot(user.features.t.v,item.features.q.v)");
  EXPECT_THAT((*program)->attributes(), ElementsAre(0, 6, 7, 8));
}

struct RefusedOpen {
  const char* text;
  uint32_t position;
  const char* expected;
};
class RefusesOpenTest : public testing::TestWithParam<RefusedOpen> {};

TEST_P(RefusesOpenTest, SayingWhatWouldBeAccepted) {
  CompileError error;
  EXPECT_EQ(Program::Compile(GetParam().text, OpenSchema(), &error), nullptr);
  EXPECT_EQ(error.position, GetParam().position);
  EXPECT_THAT(error.expected, HasSubstr(GetParam().expected));
}
INSTANTIATE_TEST_SUITE_P(
    All, RefusesOpenTest,
    testing::Values(RefusedOpen{"item.features.q > 1", 1, "item.features.TABLE.COLUMN"},
                    RefusedOpen{"item.features.q.a.b > 1", 1, "item.features.TABLE.COLUMN"},
                    RefusedOpen{"item.features.q.score == 'a'", 26, "a number"},
                    RefusedOpen{"item.features.q.score", 22, "after 'item.features.q.score', which is number"},
                    RefusedOpen{"dot > 1", 5, "'('"}, RefusedOpen{"dot(price, price) > 1", 5, "user.features"},
                    RefusedOpen{"dot(user.features.a.v item.features.b.v) > 1", 23, "','"},
                    RefusedOpen{"dot(user.features.a.v, item.features.b.v > 1", 42, "')'"},
                    RefusedOpen{"dot(user.features.a.v, item.features.b.v)", 42, "after 'dot'"}));

TEST(OpenNumberTest, AreBoundedAndUnknownToASchemaThatIsNotOpen) {
  EXPECT_FALSE(Program::Compile("item.features.q.score > 1", ItemSchema()).ok());
  EXPECT_FALSE(Program::Compile("dot(item.features.q.v, item.features.q.v) > 1", ItemSchema()).ok());
  std::string text = "true";
  for (uint32_t i = 0; i < Program::kOpenMax; ++i) text += fmt::format(" and item.features.q.c{} > 1", i);
  EXPECT_TRUE(Program::Compile(text, OpenSchema()).ok());
  EXPECT_FALSE(Program::Compile(text + " and item.features.q.more > 1", OpenSchema()).ok());
}

TEST(OpenNumberTest, StandByThemselvesWhereOneIsAsked) {
  CompileError error;
  EXPECT_EQ(ParseOpenNumber("item.features.q.score", OpenSchema(), &error)->Text(), "item.features.q.score");
  EXPECT_EQ(ParseOpenNumber(" dot(user.features.t.v, item.features.q.v) ", OpenSchema(), &error)->Text(),
            "dot(user.features.t.v,item.features.q.v)");
  for (const char* text : {"", "price", "item.features.q.score > 1", "ials", "dot(price, price)", "7"}) {
    EXPECT_FALSE(ParseOpenNumber(text, OpenSchema(), &error).has_value()) << text;
  }
}

}  // namespace
}  // namespace bowerbird::expression
