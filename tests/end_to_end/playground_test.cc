#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

/// A shop's table: each visitor is fond of one of five categories.
std::string ShopTable() {
  std::string text = "visitorid;timestamp;event;itemid;name;category\n";
  for (int row = 0; row < 3000; ++row) {
    const int visitor = row % 60, category = visitor % 5;
    const int item = category * 20 + (row / 60 * 7 + visitor) % 20;
    text += fmt::format("v{};{};{};p{};Article number {};Category {}\n", visitor, 1'700'000'000 + row,
                        row % 9 == 0 ? "AddToCart" : "view", item, item, category);
  }
  return text;
}

/// The last line of the output that begins with a brace: the JSON object.
std::string JsonOf(const std::string& output) {
  const size_t begin = output.rfind("\n{") == std::string::npos ? output.find('{') : output.rfind("\n{") + 1;
  return output.substr(begin, output.find('\n', begin) - begin);
}

TEST(PlaygroundTest, AnUnknownTableBecomesAPageThatIsKept) {
  const TemporaryFolder folder;
  const std::string table = WriteFile(folder.path(), "shop.csv", ShopTable());
  const std::string dir = folder.path() + "/kept";
  Outcome outcome = RunProgram({"playground", "--csv", table, "--dir", dir, "--headless", "--json"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  const std::string json = JsonOf(outcome.output);
  EXPECT_EQ(At(json, "/columns/0/field"), "user") << json;
  EXPECT_EQ(At(json, "/columns/4/field"), "item.title");
  EXPECT_EQ(At(json, "/columns/5/field"), "item.categories");
  EXPECT_EQ(At(json, "/events"), "3000");
  EXPECT_EQ(At(json, "/rejected"), "0");
  EXPECT_EQ(At(json, "/users"), "60");
  EXPECT_EQ(At(json, "/items"), "100");
  EXPECT_THAT(At(json, "/page/9/title"), HasSubstr("Article number"));
  EXPECT_NE(At(json, "/page/0/reason"), "");
  EXPECT_THAT(At(json, "/url"), HasSubstr("/demo/?user=" + At(json, "/user")));

  // What it made is an ordinary folder.
  EXPECT_EQ(RunProgram({"config", "check", "--dir", dir}).exit_status, 0);
  EXPECT_EQ(RunProgram({"recommend", "--dir", dir, "--user", "v1"}).exit_status, 0);
  outcome = RunProgram({"playground", "--csv", table, "--dir", dir, "--headless"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("empty folder"));
}

TEST(PlaygroundTest, SaysWhatItCannotReadAndHowToHelp) {
  const TemporaryFolder folder;
  const std::string table = WriteFile(folder.path(), "prices.csv", "price,when\n1.5,2020-01-01\n2.5,2020-01-02\n");
  const Outcome outcome = RunProgram({"playground", "--csv", table, "--headless"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("no column can be the user"));
  EXPECT_THAT(outcome.output, HasSubstr("--map"));
}

TEST(PlaygroundTest, HelpNamesWhatACommandTakes) {
  const Outcome outcome = RunProgram({"help", "playground"});
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("--movielens"));
  EXPECT_EQ(RunProgram({"help", "nonsense"}).exit_status, 1);
}

}  // namespace
}  // namespace bowerbird::end_to_end
