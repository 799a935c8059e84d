#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/demo_page.h"
#include "cli/playground_source.h"
#include "config/config.h"

namespace bowerbird::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ingest::TableGuess Shop() {
  ingest::TableGuess guess;
  guess.columns = {{.name = "u", .field = "user"},
                   {.name = "i", .field = "item"},
                   {.name = "e", .field = "type"},
                   {.name = "w", .field = "item.attributes.weight_kg", .type = expression::Type::kNumber}};
  for (const char* word : {"view", "Add to cart", "click", "Dislike", "refund", "view"})
    guess.actions.push_back(ingest::MeaningOf(word));
  return guess;
}

TEST(TableConfigTest, DeclaresWhatTheTableHasAndNothingTwice) {
  const std::string text = TableConfigText(Shop());
  const config::ParseResult parsed = config::Parse(text, "playground");
  ASSERT_NE(parsed.config, nullptr) << text;
  const config::Config& config = *parsed.config;
  const auto type = [&](std::string_view name) {
    return *std::find_if(config.event_types.begin(), config.event_types.end(),
                         [&](const config::EventType& known) { return known.name == name; });
  };
  EXPECT_EQ(type("add_to_cart").weight, 3);
  EXPECT_EQ(type("dislike").polarity, config::Polarity::kNegative);
  EXPECT_EQ(type("refund").polarity, config::Polarity::kNeutral);
  ASSERT_EQ(config.item_attributes.size(), 1u);
  EXPECT_EQ(config.item_attributes[0].name, "weight_kg");
  // Items without a date of their own would all be new.
  EXPECT_THAT(config.FindSurface("home")->generators, ElementsAre("for_you", "because", "trending", "popular"));
  EXPECT_NE(config.FindSurface("popular"), nullptr);
}

TEST(TableConfigTest, ARatingCountsByItsScaleAndDatedItemsCanBeFresh) {
  ingest::TableGuess guess;
  guess.columns = {{.name = "d", .field = "item.created_time"}};
  guess.event_type = "rating";
  guess.value_scale = {4, 10};
  const config::ParseResult parsed = config::Parse(TableConfigText(guess), "playground");
  ASSERT_NE(parsed.config, nullptr);
  const config::EventType& rating = parsed.config->event_types.back();
  EXPECT_EQ(rating.name, "rating");
  EXPECT_EQ(rating.value_zero, 4);
  EXPECT_EQ(rating.value_one, 10);
  EXPECT_THAT(parsed.config->FindSurface("home")->generators, testing::Contains("fresh"));
}

class Accepting final : public ingest::Sink {
 public:
  absl::StatusOr<Result> Send(ingest::Kind, const std::vector<std::string>& objects) override {
    Result result;
    for (size_t i = 0; i < objects.size(); ++i) {
      if (objects[i].find("bad") == std::string::npos) {
        ++result.accepted;
      } else {
        result.rejected.push_back({i, "it says bad"});
      }
    }
    return result;
  }
};

TEST(TallyTest, NamesThePeopleWhoseHistoryTellsMost) {
  Accepting sink;
  Gallery gallery;
  Tally tally(&sink, &gallery);
  const auto act = [&](const std::string& user, int times) {
    std::vector<std::string> events(static_cast<size_t>(times), "{\"user\":\"" + user + "\",\"item\":\"1\"}");
    ASSERT_TRUE(tally.Send(ingest::Kind::kEvents, events).ok());
  };
  act("one", 1);
  act("crawler", 5000);
  act("fond", 45);
  act("bad", 50);
  act("keen", 120);
  EXPECT_EQ(tally.users(), 4u);
  std::vector<std::string> ids;
  for (const Person& person : tally.People(3)) ids.push_back(person.id);
  EXPECT_THAT(ids, ElementsAre("fond", "keen", "one"));
  ASSERT_TRUE(tally
                  .Send(ingest::Kind::kItems, {R"({"id":"1","title":"A lamp","categories":["Lamps","Desk lamps"]})",
                                               R"({"id":"2"})", R"({"id":"bad","title":"x"})"})
                  .ok());
  EXPECT_EQ(gallery.Title("1"), "A lamp");
  EXPECT_EQ(gallery.Title("2"), "2");
  EXPECT_EQ(gallery.size(), 2u);
  EXPECT_EQ(gallery.FindJson("LAMP desk"), R"([{"id":"1","title":"A lamp","topic":"Lamps"}])");
}

TEST(CoverTest, WrapsLongTitlesAndEscapesThem) {
  const std::string svg =
      CoverSvg("1", "Tom & Jerry <the> very long story of a cat, a mouse and all that came of it", "Drama");
  EXPECT_THAT(svg, HasSubstr("Tom &amp; Jerry"));
  EXPECT_THAT(svg, HasSubstr("&lt;the&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<the>")));
  EXPECT_THAT(svg, HasSubstr("Drama"));
  // A word longer than a line is cut between characters, and the whole stays within the picture.
  const std::string umlauts = CoverSvg("2", "ÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜÄÖÜ", "");
  EXPECT_THAT(umlauts, HasSubstr("…</text>"));
  EXPECT_THAT(umlauts, Not(HasSubstr("\xC3<")));
}

}  // namespace
}  // namespace bowerbird::cli
