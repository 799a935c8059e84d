#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "expression/expression.h"
#include "expression/table_for_test.h"

namespace bowerbird::expression {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;
constexpr int64_t kNowUs = 1'793'000'000'000'000;

Schema ItemSchema() {
  Schema schema;
  EXPECT_TRUE(schema.Add("price", Type::kNumber).ok());
  EXPECT_TRUE(schema.Add("available", Type::kBool).ok());
  EXPECT_TRUE(schema.Add("color", Type::kString).ok());
  EXPECT_TRUE(schema.Add("created", Type::kTime).ok());
  EXPECT_TRUE(schema.Add("tags", Type::kStrings).ok());
  return schema;
}

// A lamp made two days ago.
std::vector<Value> Lamp() {
  return {15.0, true, std::string("dark green"), TimeUs{kNowUs - 2 * kDayUs},
          std::vector<std::string>{"lamp", "home", "caf\xc3\xa9", "\xf0\x9f\x98\x80"}};
}

bool Holds(const std::string& text, const std::vector<Value>& row) {
  const Schema schema = ItemSchema();
  const auto program = Program::Compile(text, schema);
  EXPECT_TRUE(program.ok()) << program.status();
  if (!program.ok()) return false;
  const bool by_row = (*program)->Evaluate(TestRow(row), kNowUs);
  uint64_t bitmap = ~uint64_t{0};
  (*program)->EvaluateColumns(TestColumns(schema, {row}), 0, 1, kNowUs, {&bitmap, 1});
  EXPECT_EQ(bitmap, by_row ? 1u : 0u) << text;
  return by_row;
}

struct Case {
  const char* text;
  bool lamp;   ///< of Lamp()
  bool empty;  ///< of a row without any value
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.text; }

class EvaluateTest : public testing::TestWithParam<Case> {};

TEST_P(EvaluateTest, OnARowAndOnNothing) {
  EXPECT_EQ(Holds(GetParam().text, Lamp()), GetParam().lamp);
  EXPECT_EQ(Holds(GetParam().text, std::vector<Value>(5)), GetParam().empty);
}

INSTANTIATE_TEST_SUITE_P(Numbers, EvaluateTest,
                         testing::Values(Case{"price == 15", true, false}, Case{"price != 15", false, false},
                                         Case{"price != 14", true, false}, Case{"price < 15", false, false},
                                         Case{"price <= 15.0", true, false}, Case{"price > 1.49e1", true, false},
                                         Case{"price >= 15", true, false}, Case{"price > 15", false, false},
                                         Case{"price > -3", true, false}, Case{"price in 10..15", true, false},
                                         Case{"price in 15..20", true, false},
                                         Case{"price in 10 .. 14.999", false, false},
                                         Case{"price in -20..-10", false, false},
                                         Case{"price in [1, 15, 3]", true, false}, Case{"price in [1]", false, false},
                                         Case{"price not in [1, 2]", true, true},
                                         Case{"price not in 10..20", false, true}, Case{"not price > 3", false, true}));
INSTANTIATE_TEST_SUITE_P(Bools, EvaluateTest,
                         testing::Values(Case{"available", true, false}, Case{"not available", false, true},
                                         Case{"available == true", true, false},
                                         Case{"available == false", false, false},
                                         Case{"available != true", false, false},
                                         Case{"available != false", true, false}, Case{"true", true, true},
                                         Case{"false", false, false}, Case{"not false", true, true}));
INSTANTIATE_TEST_SUITE_P(
    Strings, EvaluateTest,
    testing::Values(Case{"color == \"dark green\"", true, false}, Case{"color == 'dark green'", true, false},
                    Case{"color == \"green\"", false, false}, Case{"color != \"green\"", true, false},
                    Case{"color contains \"green\"", true, false}, Case{"color contains \"\"", true, false},
                    Case{"not color contains \"k g\"", false, true},
                    Case{"color in [\"red\", \"dark green\"]", true, false}, Case{"color not in [\"red\"]", true, true},
                    Case{"color < \"dark h\"", true, false}, Case{"color >= \"dark green\"", true, false},
                    Case{"color > \"dark green\"", false, false}, Case{"color <= \"d\"", false, false},
                    Case{R"(color == "dark\u0020green")", true, false}));
INSTANTIATE_TEST_SUITE_P(
    Times, EvaluateTest,
    testing::Values(Case{"created > now - 7d", true, false}, Case{"created > now - 1d", false, false},
                    Case{"created > now - 1d - 1d - 1us", true, false}, Case{"created > now - 2d", false, false},
                    Case{"created >= now - 2d", true, false}, Case{"created == now - 48h", true, false},
                    Case{"created != now - 48h", false, false}, Case{"created < now", true, false},
                    Case{"created in now - 7d..now", true, false}, Case{"created in now - 7d..now - 3d", false, false},
                    Case{"created in \"2020-01-01\"..now + 1.5h", true, false},
                    Case{"created > \"2026-01-01T00:00:00+01:00\"", true, false},
                    Case{"created > '2030-01-01'", false, false}, Case{"created not in now - 7d..now", false, true}));
INSTANTIATE_TEST_SUITE_P(
    Sets, EvaluateTest,
    testing::Values(Case{"tags contains \"home\"", true, false}, Case{"tags contains \"hom\"", false, false},
                    Case{"not tags contains \"home\"", false, true},
                    Case{"tags in [\"garden\", \"lamp\"]", true, false}, Case{"tags in [\"garden\"]", false, false},
                    Case{"tags not in [\"garden\"]", true, true}, Case{R"(tags contains "caf\u00e9")", true, false},
                    Case{R"(tags contains "\ud83d\ude00")", true, false}));
INSTANTIATE_TEST_SUITE_P(
    Logic, EvaluateTest,
    testing::Values(Case{"available and price > 3", true, false}, Case{"available and price > 30", false, false},
                    Case{"price > 30 or available", true, false}, Case{"price > 30 or price < 3", false, false},
                    // `and` binds closer than `or`, `not` closer than both.
                    Case{"true or false and false", true, true}, Case{"(true or false) and false", false, false},
                    Case{"not false and false", false, false}, Case{"not (false and false)", true, true},
                    Case{"not not available", true, false}));

TEST(EvaluateTest, NotANumberCountsAsAbsent) {
  std::vector<Value> row(5);
  row[0] = std::numeric_limits<double>::quiet_NaN();
  for (const char* text : {"price == 1", "price != 1", "price < 1", "price >= 1", "price in [1]", "price in 0..9"}) {
    EXPECT_FALSE(Holds(text, row)) << text;
  }
  EXPECT_TRUE(Holds("price not in [1]", row));
}

TEST(EvaluateTest, StrictBoundsAtTheEdgesOfDoubles) {
  std::vector<Value> row(5);
  row[0] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(Holds("price > 1.7976931348623157e308", row));
  row[0] = -0.0;
  EXPECT_TRUE(Holds("price == 0", row));
  EXPECT_FALSE(Holds("price < 0", row));
  EXPECT_FALSE(Holds("price > 0", row));
  row[0] = std::numeric_limits<double>::denorm_min();
  EXPECT_TRUE(Holds("price > 0", row));
}

TEST(EvaluateTest, AValueOfAnotherTypeIsAbsent) {
  std::vector<Value> row(5);
  row[0] = std::string("15");
  row[4] = std::string("home");
  EXPECT_FALSE(Holds("price == 15", row));
  EXPECT_FALSE(Holds("tags contains \"home\"", row));
}

TEST(EvaluateTest, ReadsSetsOfViews) {
  class ViewRow final : public Row {
   public:
    ValueView Get(uint32_t) const override { return std::span<const std::string_view>(views_); }

   private:
    std::vector<std::string_view> views_ = {"lamp", "home"};
  };
  const auto program = Program::Compile("tags contains \"home\" and tags not in [\"a\"]", ItemSchema());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_TRUE((*program)->Evaluate(ViewRow(), kNowUs));
}

// Stored before the attribute was declared, or under another type, or cut short: absent, never read past the end.
class OddColumns final : public Columns {
 public:
  explicit OddColumns(ColumnView view) : view_(view) {}
  ColumnView Column(uint32_t) const override { return view_; }

 private:
  ColumnView view_;
};

TEST(EvaluateTest, ColumnsThatDoNotFitAreAbsent) {
  const std::vector<double> numbers = {1, 2, 3};
  const std::vector<int64_t> times = {1, 2, 3};
  const std::vector<uint32_t> codes = {0, 7, 0}, offsets = {0, 1, 2, 3}, long_offsets = {0, 1, 2, 3, 9};
  TestDictionary dictionary;
  dictionary.Add("a");
  const ColumnView views[] = {
      {},
      {.type = Type::kNumber, .numbers = numbers},
      {.type = Type::kTime, .times = times},
      {.type = Type::kString, .codes = codes, .dictionary = &dictionary},
      {.type = Type::kString, .codes = codes},
      {.type = Type::kStrings, .codes = codes, .offsets = offsets, .dictionary = &dictionary},
      {.type = Type::kStrings, .codes = codes, .offsets = long_offsets, .dictionary = &dictionary}};
  for (const char* text : {"price != 9", "available", "color != \"z\"", "created < now", "tags contains \"a\""}) {
    const auto program = Program::Compile(text, ItemSchema());
    ASSERT_TRUE(program.ok()) << program.status();
    for (const ColumnView& view : views) {
      uint64_t bitmap = ~uint64_t{0};
      (*program)->EvaluateColumns(OddColumns(view), 0, 4, kNowUs, {&bitmap, 1});
      EXPECT_EQ(bitmap, 0u) << text;
    }
  }
}

TEST(EvaluateTest, CodesOutsideTheDictionaryAreAbsent) {
  const std::vector<uint32_t> codes = {0, 7, kNoCode};
  TestDictionary dictionary;
  dictionary.Add("a");
  const OddColumns columns({.type = Type::kString, .codes = codes, .dictionary = &dictionary});
  for (const char* text : {"color == \"a\"", "color != \"z\"", "color contains \"a\"", "color in [\"a\", \"b\"]"}) {
    const auto program = Program::Compile(text, ItemSchema());
    ASSERT_TRUE(program.ok()) << program.status();
    uint64_t bitmap = 0;
    (*program)->EvaluateColumns(columns, 0, 3, kNowUs, {&bitmap, 1});
    EXPECT_EQ(bitmap, 1u) << text;
  }
}

TEST(EvaluateTest, NoRowsIsAnEmptyBitmap) {
  const auto program = Program::Compile("true", ItemSchema());
  ASSERT_TRUE(program.ok());
  (*program)->EvaluateColumns(OddColumns({}), 5, 5, kNowUs, {});
}

}  // namespace
}  // namespace bowerbird::expression
