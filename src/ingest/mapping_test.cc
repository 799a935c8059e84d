#include "ingest/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/starter.h"

namespace bowerbird::ingest {
namespace {

using testing::HasSubstr;

Row MakeRow(std::vector<std::string> texts) {
  Row row;
  row.line = 7;
  for (std::string& text : texts) {
    Row::Cell cell;
    cell.present = !text.empty();
    cell.text = std::move(text);
    row.cells.push_back(cell);
  }
  return row;
}

TEST(MappingTest, GuessesCommonSpellingsAndWritesAnEvent) {
  const std::vector<std::string> columns{"userId", "movieId", "rating", "timestamp"};
  Mapping mapping = *MakeMapping(Kind::kEvents, columns, "", {}, "rating");
  mapping.client_id_prefix = "f:";
  std::string out;
  ASSERT_TRUE(RowToJson(MakeRow({"1", "31", "2.5", "1260759144"}), columns, mapping, &out).ok());
  EXPECT_EQ(
      out,
      R"({"user":"1","item":"31","value":2.5,"event_time_us":1260759144000000,"type":"rating","client_id":"f:7"})");
}

TEST(MappingTest, AnExplicitMappingWinsAndDeclaredColumnsBecomeAttributes) {
  const std::vector<std::string> columns{"sku", "name", "colour", "stock", "cats", "internal"};
  base::StringMap<expression::Type> types{{"colour", expression::Type::kString}, {"weight", expression::Type::kNumber}};
  const Mapping mapping = *MakeMapping(Kind::kItems, columns, "available=stock,categories=cats", types, "");
  std::string out;
  ASSERT_TRUE(RowToJson(MakeRow({"a", "Desk", "red", "no", "home|desk", "x"}), columns, mapping, &out).ok());
  EXPECT_EQ(
      out, R"({"id":"a","title":"Desk","available":false,"categories":["home","desk"],"attributes":{"colour":"red"}})");
}

TEST(MappingTest, ABadCellNamesColumnValueAndExpectation) {
  const std::vector<std::string> columns{"user", "item", "time"};
  const Mapping mapping = *MakeMapping(Kind::kEvents, columns, "", {}, "click");
  std::string out = "before";
  const absl::Status status = RowToJson(MakeRow({"u", "i", "yesterday"}), columns, mapping, &out);
  EXPECT_THAT(std::string(status.message()), HasSubstr("time: found 'yesterday'; expected seconds"));
  EXPECT_EQ(out, "before");
}

TEST(MappingTest, RefusesUnknownFieldsColumnsAndMissingOnes) {
  const std::vector<std::string> columns{"user", "item"};
  EXPECT_THAT(std::string(MakeMapping(Kind::kEvents, columns, "colour=item", {}, "click").status().message()),
              HasSubstr("found field 'colour'"));
  EXPECT_THAT(std::string(MakeMapping(Kind::kEvents, columns, "item=nope", {}, "click").status().message()),
              HasSubstr("found column 'nope'"));
  EXPECT_THAT(std::string(MakeMapping(Kind::kEvents, columns, "", {}, "").status().message()), HasSubstr("--type"));
  EXPECT_THAT(std::string(MakeMapping(Kind::kItems, {"colour"}, "", {}, "").status().message()),
              HasSubstr("no column for 'id'"));
}

struct TimeCase {
  const char* text;
  int64_t us;
};
class TimeTest : public testing::TestWithParam<TimeCase> {};
TEST_P(TimeTest, TellsUnitsBySize) { EXPECT_EQ(*ReadTimeUs(GetParam().text), GetParam().us); }
INSTANTIATE_TEST_SUITE_P(All, TimeTest,
                         testing::Values(TimeCase{"1260759144", 1260759144'000'000},
                                         TimeCase{"1260759144123", 1260759144'123'000},
                                         TimeCase{"1260759144123456", 1260759144'123'456}, TimeCase{"0", 0},
                                         TimeCase{"1970-01-01 00:00:01", 1'000'000},
                                         TimeCase{"1970-01-02", 86'400'000'000},
                                         TimeCase{"1970-01-01T00:00:00.5+00:00", 500'000}));

TEST(StarterTest, InfersTypesAndAddsWhatTheStarterLacks) {
  Declarations declarations;
  declarations.event_types = {"click", "listen"};
  declarations.item_attributes["colour"] = expression::Type::kString;
  const std::string text = AddDeclarations("[items]\n\n[items.attributes]\nx = \"number\"\n", declarations);
  EXPECT_THAT(text, HasSubstr("[items.attributes]\ncolour = \"string\"\nx = \"number\""));
  EXPECT_THAT(text, HasSubstr("[events.listen]"));
  EXPECT_THAT(text, testing::Not(HasSubstr("[events.click]")));
}

}  // namespace
}  // namespace bowerbird::ingest
