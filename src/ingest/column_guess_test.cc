#include "ingest/column_guess.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>

#include "ingest/csv_form.h"

namespace bowerbird::ingest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class ColumnGuessTest : public testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const std::string path = testing::TempDir() + "/column_guess.csv";
    std::ofstream(path) << text;
    return path;
  }
  /// Opens `text` as the form says, and guesses.
  absl::StatusOr<TableGuess> Guess(const std::string& text, std::string_view map = "") {
    const std::string path = Write(text);
    const auto form = TellCsvForm(path);
    if (!form.ok()) return form.status();
    auto source = OpenCsv(path, form->separator, form->header ? std::vector<std::string>() : form->columns);
    if (!source.ok()) return source.status();
    return GuessColumns(**source, map, 1000);
  }
  std::map<std::string, std::string> Fields(const std::string& text, std::string_view map = "") {
    const auto guess = Guess(text, map);
    EXPECT_TRUE(guess.ok()) << guess.status();
    std::map<std::string, std::string> fields;
    if (guess.ok()) {
      for (const TableGuess::Column& column : guess->columns) fields[column.name] = column.field;
    }
    return fields;
  }
};

using Expected = std::map<std::string, std::string>;

/// A shop's table: one row an action, what is known of the product beside it.
std::string ShopTable(const std::string& header) {
  std::string text = header + "\n";
  const char* const actions[] = {"view", "view", "AddToCart", "transaction", "wish"};
  for (int row = 0; row < 200; ++row) {
    const int item = row * 7 % 23;
    text +=
        fmt::format("{},c{},p{},{},Lamp number {},{},{},{}\n", 1'700'000'000 + row * 60, row % 17, item,
                    actions[row % 5], item, item % 3 == 0 ? "Lamps" : "Desks", 10 + item, row % 2 ? "phone" : "web");
  }
  return text;
}

TEST_F(ColumnGuessTest, KnowsTheNamesThatAShopUses) {
  EXPECT_EQ(Fields(ShopTable("timestamp,visitorid,productId,event,name,category,price,device")),
            (Expected{{"timestamp", "time"},
                      {"visitorid", "user"},
                      {"productId", "item"},
                      {"event", "type"},
                      {"name", "item.title"},
                      {"category", "item.categories"},
                      {"price", "item.price"},
                      {"device", ""}}));
}

TEST_F(ColumnGuessTest, ReadsValuesWhereNamesSayNothing) {
  const auto guess = Guess(ShopTable("t,who,what,did,a,b,c,d"));
  ASSERT_TRUE(guess.ok()) << guess.status();
  Expected fields;
  for (const auto& column : guess->columns) fields[column.name] = column.field;
  EXPECT_EQ(fields, (Expected{{"t", "time"},
                              {"who", "user"},
                              {"what", "item"},
                              {"did", "type"},
                              {"a", "item.title"},
                              {"b", "item.categories"},
                              {"c", "item.attributes.c"},
                              {"d", ""}}));
  EXPECT_EQ(guess->columns[6].type, expression::Type::kNumber);
  EXPECT_THAT(guess->columns[7].why, HasSubstr("differs"));
}

TEST_F(ColumnGuessTest, SaysWhatEachActionMeans) {
  const auto guess = Guess(ShopTable("timestamp,visitorid,productId,event,name,category,price,device"));
  ASSERT_TRUE(guess.ok()) << guess.status();
  ASSERT_EQ(guess->actions.size(), 4u);
  EXPECT_EQ(guess->actions[0].type, "view");
  EXPECT_EQ(guess->actions[1].type, "addtocart");
  EXPECT_GT(guess->actions[2].weight, guess->actions[1].weight);
  EXPECT_FALSE(guess->actions[3].known);  // "wish"
  EXPECT_EQ(guess->event_type, "");

  EXPECT_EQ(MeaningOf("Not interested").type, "hide");
  EXPECT_EQ(MeaningOf("Not interested").polarity, "negative");
  EXPECT_EQ(MeaningOf("Quick-View!").type, "quick_view");
  EXPECT_EQ(MeaningOf("impression").weight, 0);
}

TEST_F(ColumnGuessTest, ATableWithoutAHeaderIsReadByItsValues) {
  std::string text;
  for (int row = 0; row < 100; ++row)
    text += fmt::format("{}\t{}\t{}\t{}\n", row % 9, row * 5 % 31, 1 + row % 5, 881'250'949 + row);
  const auto form = TellCsvForm(Write(text));
  ASSERT_TRUE(form.ok()) << form.status();
  EXPECT_EQ(form->separator, "\t");
  EXPECT_FALSE(form->header);
  const auto guess = Guess(text);
  ASSERT_TRUE(guess.ok()) << guess.status();
  std::vector<std::string> fields;
  for (const auto& column : guess->columns) fields.push_back(column.field);
  EXPECT_THAT(fields, ElementsAre("user", "item", "value", "time"));
  EXPECT_EQ(guess->event_type, "rating");
  EXPECT_EQ(guess->value_scale, std::pair(2.0, 5.0));
}

TEST_F(ColumnGuessTest, TwoColumnsAreEnough) {
  const auto guess = Guess("user,item\n0,5\n0,7\n1,5\n");
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->event_type, "click");
  EXPECT_FALSE(guess->value_scale.has_value());
  EXPECT_EQ(guess->ItemMapping().columns[1].field, "id");
  EXPECT_EQ(guess->EventMapping().columns[0].field, "user");
}

TEST_F(ColumnGuessTest, AMapWinsAndOfTwoOpinionsTheOneThatIsOne) {
  const std::string text = "a,b,amount,score\nx,y,100000,1\nx,z,30,5\ny,z,9,3\n";
  EXPECT_EQ(Fields(text, "user=b,item=a"),
            (Expected{{"a", "item"}, {"b", "user"}, {"amount", ""}, {"score", "value"}}));
}

TEST_F(ColumnGuessTest, WhatCannotBeIsRefusedWithTheWayOut) {
  EXPECT_THAT(std::string(Guess("price,when\n1.5,2020-01-01\n2.5,2020-01-02\n").status().message()),
              AllOf(HasSubstr("no column can be the user"), HasSubstr("--map user=COLUMN")));
  EXPECT_THAT(std::string(Guess("a,b\n1,2\n", "user=c").status().message()), HasSubstr("found column 'c'"));
  EXPECT_THAT(std::string(Guess("a,b\n1,2\n", "owner=a").status().message()), HasSubstr("found field 'owner'"));
  EXPECT_THAT(std::string(Guess("one word\nand another\n").status().message()), HasSubstr("at least two columns"));
  EXPECT_THAT(std::string(Guess("user,item\n").status().message()), HasSubstr("expected rows"));
}

TEST_F(ColumnGuessTest, ATimeThatIsNoneIsSaid) {
  const auto guess = Guess("user,item,date\na,p,31/12/2020\na,q,30/12/2020\nb,p,29/12/2020\n");
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->columns[2].field, "");
  EXPECT_THAT(guess->columns[2].why, HasSubstr("'31/12/2020'"));
}

TEST_F(ColumnGuessTest, SeparatorsAreToldFromQuotedText) {
  const auto form = TellCsvForm(Write("user;item;title\n1;2;\"a, b; c, d\"\n1;3;\"e, f, g\"\n"));
  ASSERT_TRUE(form.ok()) << form.status();
  EXPECT_EQ(form->separator, ";");
  EXPECT_TRUE(form->header);
  EXPECT_THAT(form->columns, ElementsAre("user", "item", "title"));
}

TEST_F(ColumnGuessTest, ActionsAreRenamedRowByRow) {
  const std::string path = Write("user,item,event\n1,2,Add to cart\n1,3,Purchase\n");
  const auto source = *OpenCsv(path, ",");
  const TableGuess guess = *GuessColumns(*source, "", 10);
  ASSERT_TRUE(source->Rewind().ok());
  NamedActions named(source.get(), &guess);
  Row row;
  ASSERT_TRUE(*named.Next(&row));
  EXPECT_EQ(row.cells[2].text, "add_to_cart");
  ASSERT_TRUE(*named.Next(&row));
  EXPECT_EQ(row.cells[2].text, "purchase");
  EXPECT_FALSE(*named.Next(&row));
}

}  // namespace
}  // namespace bowerbird::ingest
