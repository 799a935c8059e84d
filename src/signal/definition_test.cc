#include "signal/definition.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "signal/signals_for_test.h"

namespace bowerbird::signal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Keys(const SignalReading& reading) {
  std::vector<std::string> keys;
  keys.reserve(reading.keys.size());
  for (const KeyReading& key : reading.keys) keys.push_back(key.key);
  return keys;
}

std::vector<std::string> Values(const SignalReading& reading) {
  std::vector<std::string> values;
  for (const Reading::Item& item : reading.keys.at(0).reading.items) values.push_back(item.value);
  return values;
}

TEST(DefinitionTest, TheSameMeaningHasTheSameIdWhateverItIsCalled) {
  const auto id = [](std::string_view body) { return Only(body)[0].id(); };
  const std::string body = "kind = \"count\"\non = [\"click\", \"save\"]\nwindow = \"1d\"";
  // Values on disk are found by it: it must not change from build to build.
  EXPECT_EQ(Only(body)[0].meaning(), "1 count user on=click,save of= by= window_us=86400000000");
  EXPECT_EQ(id(body),
            id("owner = \"growth\"\ndescription = \"x\"\nwindow = \"24h\"\non = [\"save\", \"click\"]\nkind = "
               "\"count\""));
  EXPECT_NE(id(body), id(body + "\nby = \"item.category\""));
  EXPECT_NE(id(body), id(body + "\nwhere = \"event.surface == 'home'\""));
  EXPECT_NE(id(body), id("kind = \"count\"\non = [\"click\", \"save\"]\nwindow = \"25h\""));
}

TEST(DefinitionTest, BeyondTopTheWeakestKeyGoesAndTheNewestStays) {
  const Set set =
      Only("kind = \"decayed_sum\"\nof = \"1\"\non = [\"click\"]\nhalf_life = \"1d\"\nby = \"item.category\"\ntop = 3");
  std::string value;
  const auto click = [&](const char* category, int64_t time_us) {
    const v1::Event event = MakeEvent("click", "i", {category});
    set[0].Fold({&event, time_us, 1}, &value);
  };
  click("old", kStartUs);
  for (int i = 0; i < 3; ++i) click("chairs", kStartUs + kDayUs);
  for (int i = 0; i < 2; ++i) click("lamps", kStartUs + kDayUs);
  click("desks", kStartUs + 2 * kDayUs);
  EXPECT_THAT(Keys(set[0].Read(value, kStartUs + 2 * kDayUs)), ElementsAre("chairs", "desks", "lamps"));
  // A late one that would be the weakest does not push out another.
  click("late", kStartUs - 5 * kDayUs);
  EXPECT_THAT(Keys(set[0].Read(value, kStartUs + 2 * kDayUs)), ElementsAre("chairs", "desks", "lamps"));
}

TEST(DefinitionTest, WhereLeavesEventsOut) {
  const Set set = Only(
      "kind = \"count\"\non = [\"click\", \"view\"]\nwindow = \"1d\"\n"
      "where = \"event.surface == 'home' and item.creator != 'bot' and not (event.mood == 'bored')\"");
  std::string value;
  v1::Event event = MakeEvent("view", "i");
  (*event.mutable_item_attributes())["creator"].set_string_value("ann");
  EXPECT_FALSE(set[0].Fold({&event, kStartUs, 1}, &value)) << "no surface";
  EXPECT_THAT(value, IsEmpty());
  event.set_surface("home");
  EXPECT_TRUE(set[0].Fold({&event, kStartUs, 1}, &value));
  (*event.mutable_attributes())["mood"].set_string_value("bored");
  EXPECT_FALSE(set[0].Fold({&event, kStartUs, 1}, &value));
  event.clear_attributes();
  (*event.mutable_item_attributes())["creator"].set_string_value("bot");
  EXPECT_FALSE(set[0].Fold({&event, kStartUs, 1}, &value));
  EXPECT_EQ(set[0].Read(value, kStartUs).keys[0].reading.number, 1);
}

TEST(DefinitionTest, ReadsDeclaredAttributesOfEventsAndItems) {
  v1::Event event = MakeEvent("view", "i");
  (*event.mutable_attributes())["seconds"].set_number_value(2.5);
  (*event.mutable_attributes())["mood"].set_string_value("curious");
  std::string sum, moods, seconds;
  const Set summed =
      Only("kind = \"decayed_sum\"\nof = \"event.seconds\"\non = [\"view\"]\nhalf_life = \"1d\"\nby = \"event.mood\"");
  EXPECT_TRUE(summed[0].Fold({&event, kStartUs, 1}, &sum));
  EXPECT_EQ(summed[0].Read(sum, kStartUs).keys.at(0), (KeyReading{"curious", {2.5, {}}}));
  const Set last = Only("kind = \"last_n\"\nof = \"event.seconds\"\non = [\"view\"]");
  EXPECT_TRUE(last[0].Fold({&event, kStartUs, 1}, &seconds));
  EXPECT_THAT(Values(last[0].Read(seconds, kStartUs)), ElementsAre("2.5"));
  event.clear_attributes();
  EXPECT_FALSE(summed[0].Fold({&event, kStartUs, 1}, &sum)) << "nothing to add, no key";
}

TEST(DefinitionTest, LongTextsAreCutAndStayDifferent) {
  const Set set = Only("kind = \"last_n\"\nof = \"event.query\"\non = [\"search\"]");
  std::string value;
  for (const char* end : {"a", "b"}) {
    v1::Event event = MakeEvent("search", "");
    event.set_query(std::string(60'000, 'q') + end);
    EXPECT_TRUE(set[0].Fold({&event, kStartUs, 0}, &value));
  }
  const std::vector<std::string> values = Values(set[0].Read(value, kStartUs));
  ASSERT_EQ(values.size(), 2u);
  EXPECT_NE(values[0], values[1]);
  EXPECT_EQ(values[0].size(), Definition::kTextBytesMax);
}

TEST(DefinitionTest, LastNForgetsWhatIsOlderThanItsWindow) {
  const Set set = Only("kind = \"last_n\"\non = [\"click\"]\nwindow = \"1d\"");
  std::string value;
  const v1::Event first = MakeEvent("click", "first"), second = MakeEvent("click", "second");
  set[0].Fold({&first, kStartUs, 1}, &value);
  set[0].Fold({&second, kStartUs + kHourUs, 1}, &value);
  EXPECT_THAT(Values(set[0].Read(value, kStartUs + kDayUs)), ElementsAre("second", "first"));
  EXPECT_THAT(Values(set[0].Read(value, kStartUs + kDayUs + kHourUs)), ElementsAre("second"));
  EXPECT_EQ(set[0].Read(value, kStartUs + 5 * kDayUs).newest_us, kStartUs + kHourUs);
}

TEST(DefinitionTest, DamagedBytesAreRefused) {
  for (const char* body :
       {"kind = \"count\"\non = [\"click\"]\nwindow = \"1d\"",
        "kind = \"decayed_sum\"\non = [\"click\"]\nhalf_life = \"1d\"", "kind = \"last_n\"\non = [\"click\"]",
        "kind = \"ratio\"\nof = \"save\"\non = [\"click\"]\nwindow = \"1d\"",
        "kind = \"top_k\"\nof = \"item.id\"\non = [\"click\"]\nby = \"item.category\"",
        "kind = \"distinct\"\nof = \"item.id\"\non = [\"click\"]", "kind = \"time_since\"\non = [\"click\"]"}) {
    const Set set = Only(body);
    const std::string value = FoldAll(set, RandomActs(3, 60, 9));
    EXPECT_TRUE(set[0].Check(value).ok());
    EXPECT_TRUE(absl::IsDataLoss(set[0].Check(value.substr(0, value.size() - 1)))) << body;
    EXPECT_TRUE(absl::IsDataLoss(set[0].Check(std::string(40, '\xff')))) << body;
  }
}

}  // namespace
}  // namespace bowerbird::signal
