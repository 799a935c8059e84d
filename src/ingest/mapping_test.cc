#include "ingest/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

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
  mapping.client_id_seed = "f";
  std::string out;
  const Row row = MakeRow({"1", "31", "2.5", "1260759144"});
  ASSERT_TRUE(RowToJson(row, columns, mapping, &out).ok());
  EXPECT_EQ(out,
            R"({"user":"1","item":"31","value":2.5,"event_time_us":1260759144000000,"type":"rating","client_id":")" +
                MadeClientId(mapping, row) + "\"}");
}

TEST(MappingTest, AMadeClientIdFollowsInputLineAndText) {
  Mapping mapping;
  mapping.client_id_seed = "a";
  Row row;
  row.line = 7;
  row.raw = "u,i";
  const std::string id = MadeClientId(mapping, row);
  EXPECT_EQ(MadeClientId(mapping, row), id);
  Row other = row;
  other.line = 8;
  EXPECT_NE(MadeClientId(mapping, other), id);
  other = row;
  other.raw = "u,j";
  EXPECT_NE(MadeClientId(mapping, other), id);
  mapping.client_id_seed = "b";
  EXPECT_NE(MadeClientId(mapping, row), id);
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

TEST(StarterTest, DeclaresOnlyWhatAConfigTakes) {
  const std::string path = testing::TempDir() + "/starter_columns.csv";
  std::ofstream(path) << "id,updated,now,2nd,a b,colour,year\n1,2026-01-01,x,x,x,red,1999\n";
  const auto items = Infer(Kind::kItems, **OpenCsv(path, ","), "", "", 10);
  ASSERT_TRUE(items.ok()) << items.status();
  EXPECT_EQ(items->item_attributes.size(), 2u);
  EXPECT_EQ(items->item_attributes.at("colour"), expression::Type::kString);
  EXPECT_EQ(items->item_attributes.at("year"), expression::Type::kNumber);
  {
    std::ofstream out(path);
    out << "user,item,type\nu,i,add-to-cart\nu,i,with space\n";
    for (int i = 0; i < 1000; ++i) out << "u,i,t" << i << "\n";
  }
  const auto events = Infer(Kind::kEvents, **OpenCsv(path, ","), "", "", 10'000);
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_TRUE(events->event_types.contains("add-to-cart"));
  EXPECT_FALSE(events->event_types.contains("with space"));
  EXPECT_EQ(events->event_types.size(), 200u);  // a config takes 240
}

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
