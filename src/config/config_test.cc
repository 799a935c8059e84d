#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/objectives.h"

namespace bowerbird::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kDayUs = 86'400'000'000;

std::string Join(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) text += problem.ToString() + "\n";
  return text;
}

std::shared_ptr<const Config> Read(std::string_view text) {
  ParseResult result = Parse(text, "bowerbird.toml");
  EXPECT_THAT(result.problems, IsEmpty()) << Join(result.problems);
  return result.config;
}

TEST(ParseTest, ReportsAllProblemsOfOneFileWithTheirLines) {
  const ParseResult result = Parse(R"([app]
name = "shop"
colour = "red"

[state]
affinity_half_life = -1

[collect]
batch_events_max = "many"

[events.view]
weight = 0.5

[objectives.opens]
event = "viewed"

[surfaces.home]
generators = ["for_you", "neural"]

[events.view]
weight = 2.0
)",
                                   "shop.toml");
  EXPECT_EQ(result.config, nullptr);
  const auto problem = [](uint32_t line, const char* key, const char* found, const char* expected) {
    return AllOf(Field(&Problem::file, "shop.toml"), Field(&Problem::line, line), Field(&Problem::key, key),
                 Field(&Problem::found, HasSubstr(found)), Field(&Problem::expected, HasSubstr(expected)));
  };
  EXPECT_THAT(result.problems,
              ElementsAre(problem(3, "app.colour", "unknown key \"colour\"", "a key of [app]: name, partitions"),
                          problem(6, "state.affinity_half_life", "integer -1", "a duration in quotes such as \"7d\""),
                          problem(9, "collect.batch_events_max", "string \"many\"", "an integer from 1 to 100000"),
                          problem(15, "objectives.opens.event", "\"viewed\"", "(did you mean \"view\"?)"),
                          problem(18, "surfaces.home.generators[1]", "\"neural\"", "for_you, because, trending"),
                          problem(20, "events.view", "a second \"events.view\" (the first is on line 11)", "once")));
  EXPECT_THAT(Join(result.problems), HasSubstr("shop.toml:3: app.colour: found the unknown key \"colour\"; expected "));
}

TEST(ParseTest, FindsFurtherProblemsBehindEveryDuplicate) {
  const ParseResult result = Parse(R"([app]
name = "a"
name = "b"
[events.view]
attributes = { a = "number", a = "string" }
[state]
sequence_max = 1
sequence_max = [
  1,
]
[app]
partitions = 3
[log]
retention = "soon"
[events]
view.weight = 3
)",
                                   "x");
  const auto problem = [](uint32_t line, const char* found) {
    return AllOf(Field(&Problem::line, line), Field(&Problem::found, HasSubstr(found)));
  };
  // What a second table holds is not looked at: it is not clear where it belongs.
  EXPECT_THAT(result.problems,
              ElementsAre(problem(3, "a second \"app.name\" (the first is on line 2)"), problem(5, "a second"),
                          problem(8, "a second \"state.sequence_max\" (the first is on line 7)"),
                          problem(11, "a second \"app\" (the first is on line 1)"), problem(14, "string \"soon\""),
                          problem(16, "a second")))
      << Join(result.problems);
}

TEST(ParseTest, ASecondTableOfAFileWithoutOtherSyntaxErrorsHidesNothing) {
  const ParseResult result =
      Parse("[log]\nretention = 3\n[state]\n[log]\nretention = \"1d\"\n[state]\n[served]\nl2_sample = 2\n", "x");
  EXPECT_THAT(result.problems, ElementsAre(Field(&Problem::line, 2), Field(&Problem::line, 4), Field(&Problem::line, 6),
                                           Field(&Problem::line, 8)))
      << Join(result.problems);
}

TEST(ParseTest, ReadsALogInKafka) {
  const auto config = Read(R"([app]
name = "shop"
[log]
kind = "kafka"
brokers = ["kafka-1.internal:9094", "[::1]:9092"]
replication = 3
events_in = false
password_file = "/run/secrets/kafka"
[log.client]
"security.protocol" = "sasl_ssl"
"sasl.username" = "bowerbird"
)");
  EXPECT_EQ(config->log.kind, Log::Kind::kKafka);
  EXPECT_THAT(config->log.brokers, ElementsAre("kafka-1.internal:9094", "[::1]:9092"));
  EXPECT_EQ(config->log.topic_prefix, "shop.");
  EXPECT_EQ(config->log.replication, 3u);
  EXPECT_FALSE(config->log.events_in);
  EXPECT_EQ(config->log.password_file, "/run/secrets/kafka");
  EXPECT_THAT(config->log.client,
              ElementsAre(testing::Pair("security.protocol", "sasl_ssl"), testing::Pair("sasl.username", "bowerbird")));
}

TEST(ParseTest, TellsASyntaxErrorWithItsLine) {
  const ParseResult result = Parse("[app]\nname = \n", "x");
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_EQ(result.problems[0].line, 2u);
  EXPECT_THAT(result.problems[0].found, HasSubstr("not TOML"));
}

TEST(ParseTest, VersionFollowsTheText) {
  EXPECT_EQ(Read("")->version, "e3b0c44298fc1c14");
  EXPECT_EQ(Read("")->version, Read("")->version);
  EXPECT_NE(Read("")->version, Read("\n")->version);
}

TEST(ParseTest, ReadsEventTypes) {
  const auto config = Read(R"(
[events.view]
weight = 0.5
attributes = { dwell_ms = "number", source = { type = "string" } }
[events.click]
weight = 2
[events.report]
polarity = "negative"
item = "optional"
code = 17
[events.rating]
value_zero = 2
value_one = 5
[events.note]
polarity = "neutral"
item = "none"
)");
  ASSERT_NE(config, nullptr);
  const EventType* view = config->FindEventType("view");
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->code, 16);
  EXPECT_EQ(view->ordinal, 10u);
  EXPECT_EQ(view->weight, 0.5);
  ASSERT_EQ(view->attributes.size(), 2u);
  EXPECT_EQ(view->attributes[0].name, "dwell_ms");
  EXPECT_EQ(view->attributes[0].type, expression::Type::kNumber);
  EXPECT_EQ(view->attributes[1].type, expression::Type::kString);
  EXPECT_EQ(config->FindEventType("click")->weight, 2);
  EXPECT_EQ(config->FindEventType("click")->code, 2);
  EXPECT_EQ(config->FindEventType("report")->code, 17);
  EXPECT_EQ(config->FindEventType("report")->polarity, Polarity::kNegative);
  EXPECT_EQ(config->FindEventType("report")->item, ItemUse::kOptional);
  EXPECT_EQ(config->FindEventType("rating")->code, 18);
  EXPECT_EQ(config->FindEventType("rating")->value_one, 5);
  EXPECT_EQ(config->FindEventType("note")->weight, 0);
  EXPECT_EQ(config->FindEventTypeByCode(17)->name, "report");
  EXPECT_EQ(config->FindEventTypeByCode(99), nullptr);
  EXPECT_EQ(config->FindEventType("views"), nullptr);
}

TEST(ParseTest, ReadsAttributesAndMakesTheirSchema) {
  const auto config = Read(R"(
[items]
domains = ["product", "ad"]
category = "section"
[items.attributes]
section = { type = "string", stamp = true }
brand = "string"
image = { embedding = 64 }
[users.attributes]
country = "string"
)");
  ASSERT_NE(config, nullptr);
  EXPECT_THAT(config->domains, ElementsAre("product", "ad"));
  EXPECT_EQ(config->state.category_attribute, "section");
  EXPECT_TRUE(config->FindItemAttribute("section")->stamp);
  EXPECT_FALSE(config->FindItemAttribute("brand")->stamp);
  EXPECT_TRUE(config->FindItemAttribute("image")->embedding);
  EXPECT_EQ(config->FindItemAttribute("image")->dim, 64u);
  EXPECT_EQ(config->user_attributes[0].name, "country");
  const expression::Schema schema = config->ItemSchema();
  EXPECT_EQ(schema.size(), 10u);
  EXPECT_EQ(schema.Find("id"), 0u);
  EXPECT_EQ(schema.type(*schema.Find("price")), expression::Type::kNumber);
  EXPECT_EQ(schema.type(*schema.Find("categories")), expression::Type::kStrings);
  EXPECT_EQ(schema.type(*schema.Find("brand")), expression::Type::kString);
  EXPECT_EQ(schema.Find("image"), std::nullopt);
}

TEST(ParseTest, ReadsGeneratorsOverTheirDefaults) {
  const auto config = Read(R"(
[generators.trending]
half_life = "6h"
[generators.popular]
kind = "fresh"
window = "2d"
[generators.recent]
kind = "co_occurrence"
seeds = 5
count = 7
)");
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->generators.size(), 8u);
  EXPECT_EQ(config->FindGenerator("trending")->half_life_us, kDayUs / 4);
  EXPECT_EQ(config->FindGenerator("trending")->window_us, 7 * kDayUs);
  EXPECT_EQ(config->FindGenerator("popular")->kind, GeneratorKind::kFresh);
  EXPECT_EQ(config->FindGenerator("popular")->window_us, 2 * kDayUs);
  EXPECT_EQ(config->FindGenerator("recent")->half_life_us, 30 * kDayUs);
  EXPECT_EQ(config->FindGenerator("recent")->seeds, 5u);
  EXPECT_EQ(config->FindGenerator("recent")->count, 7u);
}

TEST(ParseTest, ReadsASurfaceWithItsRules) {
  const auto config = Read(R"(
[items.attributes]
brand = "string"
[surfaces.email]
generators = ["for_you", "popular"]
weights = { popular = 0.25 }
seen = "demote"
seen_window = "30d"
seen_factor = 0.1
explore = 0
category_cap = 3
filter = "available and price in 1..100"
[[surfaces.email.rules]]
kind = "boost"
name = "house"
when = "brand == 'ours'"
factor = 2
[[surfaces.email.rules]]
kind = "bury"
name = "old"
when = "created < now - 1000d"
factor = 0
[[surfaces.email.rules]]
kind = "pin"
name = "sale"
item = "item-1"
position = 1
)");
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->surfaces.size(), 4u);
  const Surface* email = config->FindSurface("email");
  ASSERT_NE(email, nullptr);
  EXPECT_THAT(email->generators, ElementsAre("for_you", "popular"));
  EXPECT_EQ(email->weights.at("popular"), 0.25);
  EXPECT_EQ(email->seen, SeenPolicy::kDemote);
  EXPECT_EQ(email->seen_window_us, 30 * kDayUs);
  EXPECT_EQ(email->seen_factor, 0.1);
  EXPECT_EQ(email->explore, 0);
  EXPECT_EQ(email->category_cap, 3u);
  ASSERT_NE(email->filter, nullptr);
  EXPECT_EQ(email->filter->text(), "available and price in 1..100");
  ASSERT_EQ(email->rules.size(), 3u);
  EXPECT_EQ(email->rules[0].kind, Rule::Kind::kBoost);
  EXPECT_NE(email->rules[0].when, nullptr);
  EXPECT_EQ(email->rules[1].factor, 0);
  EXPECT_EQ(email->rules[2].item, "item-1");
  EXPECT_EQ(email->rules[2].position, 1u);
}

TEST(ParseTest, ReadsSignalsAndStampsWhatTheyNeed) {
  const auto config = Read(R"(
[items.attributes]
creator = "string"
shop = "string"
color = "string"
[signals.topic_affinity]
kind = "decayed_sum"
of = "event.weight"
by = "item.category"
on = ["save", "click", "closeup"]
half_life = "7d"
top = 32
[signals.recent]
kind = "last_n"
on = ["click"]
[signals.creators]
kind = "top_k"
of = "item.creator"
on = ["save"]
[signals.save_rate]
kind = "ratio"
of = ["save", "purchase"]
on = ["impression"]
window = "30d"
prior = 0.02
prior_weight = 50
owner = "growth"
description = "How often what is seen is wanted."
where = "event.surface == 'home' and item.shop != 'ours'"
[signals.clicks]
kind = "decayed_sum"
of = "1"
on = ["click"]
half_life = "1d"
)");
  ASSERT_NE(config, nullptr);
  ASSERT_EQ(config->signals.size(), 5u);
  EXPECT_EQ(config->signals[0].half_life_us, 7 * kDayUs);
  EXPECT_EQ(config->signals[0].by, "item.category");
  EXPECT_THAT(config->signals[0].on, ElementsAre("save", "click", "closeup"));
  EXPECT_EQ(config->signals[1].of, "item.id");
  EXPECT_EQ(config->signals[1].n, 50u);
  EXPECT_EQ(config->signals[2].n, 10u);
  EXPECT_TRUE(config->FindItemAttribute("creator")->stamp);
  EXPECT_FALSE(config->FindItemAttribute("color")->stamp);
  const Signal& save_rate = config->signals[3];
  EXPECT_THAT(save_rate.of_types, ElementsAre("save", "purchase"));
  EXPECT_EQ(save_rate.prior * save_rate.prior_weight, 1);
  EXPECT_EQ(save_rate.owner, "growth");
  ASSERT_NE(save_rate.where, nullptr);
  EXPECT_EQ(save_rate.where_fields.at(save_rate.where->attributes().front()), "event.surface");
  EXPECT_TRUE(config->FindItemAttribute("shop")->stamp) << "because `where` reads it";
}

TEST(SegmentTest, NamesBecomeDeclaredAndBuiltInTypesOrNothing) {
  const auto config = Read(
      "[events.share]\n[segment]\n\"Article Shared\" = \"share\"\n\"Product Added\" = \"save\"\n\"Cart Viewed\" = "
      "\"\"\n");
  ASSERT_NE(config, nullptr);
  ASSERT_EQ(config->segment.size(), 3u);
  EXPECT_EQ(config->segment[0].event, "Article Shared");
  EXPECT_EQ(config->segment[0].type, "share");
  EXPECT_EQ(config->segment[2].type, "");
}

TEST(StarterTest, IsReadAndShort) {
  const std::string text = StarterText();
  EXPECT_LT(std::ranges::count(text, '\n'), 60);
  const auto config = Read(text);
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->FindSurface("home")->rules.size(), 1u);
  const ServerParseResult server = ParseServer(StarterServerText(), "server.toml");
  EXPECT_THAT(server.problems, IsEmpty()) << Join(server.problems);
}

TEST(PresetTest, AreReadShortAndCommented) {
  EXPECT_THAT(PresetNames(), ElementsAre("shop", "articles", "pins"));
  for (const std::string& name : PresetNames()) {
    const auto text = PresetText(name);
    ASSERT_TRUE(text.ok()) << name;
    EXPECT_LT(std::ranges::count(*text, '\n'), 40) << name;
    EXPECT_GE(std::ranges::count(*text, '#'), 4) << name;
    const ParseResult parsed = Parse(*text, name);
    ASSERT_NE(parsed.config, nullptr) << name << ": " << Join(parsed.problems);
    // What it says is more than the default: a recipe, attributes, and what people do there.
    EXPECT_GE(parsed.config->item_attributes.size(), 3u) << name;
    EXPECT_GT(parsed.config->event_types.size(), Read("")->event_types.size()) << name;
  }
  EXPECT_EQ(PresetText("bakery").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(PresetText("bakery").status().message()), HasSubstr("shop, articles, pins"));
}

TEST(LoadTest, NamesTheFileThatIsNotThere) {
  const auto config = Load("/nowhere/bowerbird.toml");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("/nowhere/bowerbird.toml"));
}

TEST(LoadTest, ListsEveryProblemOnItsOwnLine) {
  const std::string path = testing::TempDir() + "/load_test.toml";
  std::ofstream(path) << "[app]\nx = 1\n[log]\nretention = -1\n";
  const auto config = Load(path);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()),
              AllOf(HasSubstr(path + ":2: app.x: "), HasSubstr("\n" + path + ":4: log.retention: ")));
  std::ofstream(path) << StarterText();
  EXPECT_TRUE(Load(path).ok());
  std::filesystem::remove(path);
}

TEST(ObjectivesTest, AreReadInFull) {
  constexpr char kText[] = R"(
[items.attributes]
brand = "string"
[objectives.click]
event = "click"
[objectives.look]
on = ["impression", "closeup"]
where = "event.dwell_ms >= 10000 and item.brand == 'acme'"
window = "10m"
weight = 0.5
)";
  const auto objectives = ParseObjectives(kText, "test.toml");
  ASSERT_TRUE(objectives.ok()) << objectives.status();
  ASSERT_EQ(objectives->size(), 2u);
  EXPECT_THAT((*objectives)[0].on, testing::ElementsAre("click"));
  EXPECT_EQ((*objectives)[0].where, nullptr);
  EXPECT_EQ((*objectives)[0].window_us, int64_t{86'400} * 1'000'000);
  EXPECT_THAT((*objectives)[1].on, testing::ElementsAre("impression", "closeup"));
  ASSERT_NE((*objectives)[1].where, nullptr);
  EXPECT_EQ((*objectives)[1].weight, 0.5);
  // What a predicate reads of the item is in every event from now on.
  const ParseResult parsed = Parse(kText, "test.toml");
  ASSERT_NE(parsed.config, nullptr);
  EXPECT_TRUE(parsed.config->FindItemAttribute("brand")->stamp);
  EXPECT_EQ(parsed.config->objectives[1].event, "impression");
  EXPECT_TRUE(absl::IsInvalidArgument(ParseObjectives("[objectives.a]", "test.toml").status()));
}

TEST(FeaturesTest, TheRankerTakesNumbersOfTablesThatNobodyLoadedYet) {
  const auto config = Read(R"toml(
[surfaces.home]
generators = ["fresh"]
filter = "item.features.quality.score > 0.2 and not (user.features.taste.churn > 0.9)"
[surfaces.home.features]
"dot(user.features.taste.v, item.features.quality.v)" = 0.5
"item.features.quality.score" = 0
[[surfaces.home.rules]]
name = "liked"
kind = "boost"
when = "dot(user.features.taste.v, item.features.quality.v) > 0.7"
factor = 2
[segments.leaving]
where = "user.features.taste.churn > 0.5"
)toml");
  ASSERT_NE(config, nullptr);
  const Surface& home = *config->FindSurface("home");
  ASSERT_EQ(home.features.size(), 2u);
  EXPECT_EQ(home.features[0].name, "dot(user.features.taste.v,item.features.quality.v)");
  EXPECT_EQ(home.features[0].number.name, "user.features.taste.v");
  EXPECT_EQ(home.features[0].weight, 0.5);
  EXPECT_EQ(home.features[1].name, "item.features.quality.score");
  EXPECT_EQ(home.filter->open().size(), 2u);
  EXPECT_EQ(config->user_segments[0].where->open().size(), 1u);
  EXPECT_TRUE(config->FindSurface("related")->features.empty());
}

}  // namespace
}  // namespace bowerbird::config
