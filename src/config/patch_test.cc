#include "config/patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace bowerbird::config {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr char kText[] = R"(
[app]
partitions = 4
[events.view]
weight = 0.5
[generators.trending]
half_life = "3d"
[surfaces.home]
generators = ["trending", "fresh"]
diversity = 0.2
[surfaces.home.weights]
trending = 2
[[surfaces.home.rules]]
name = "cheap"
kind = "boost"
when = "price < 20"
factor = 1.5
[[surfaces.home.rules]]
name = "dear"
kind = "bury"
when = "price > 90 and title == \"a \\\"b\\\"\""
factor = 0.5
)";

std::shared_ptr<const Config> ParsePatched(const std::vector<Change>& changes, std::string_view text = kText) {
  const auto patched = Patched(text, changes);
  EXPECT_TRUE(patched.ok()) << patched.status();
  const ParseResult parsed = Parse(*patched, "patched");
  for (const Problem& problem : parsed.problems) ADD_FAILURE() << problem.ToString() << "\n" << *patched;
  return parsed.config;
}

TEST(PatchTest, ATextWithoutChangesMeansTheSame) {
  const auto same = ParsePatched({});
  const auto was = Parse(kText, "").config;
  for (const Surface& surface : was->surfaces)
    EXPECT_EQ(RecipeLines(*same, surface.name), RecipeLines(*was, surface.name));
  EXPECT_EQ(same->partitions, 4u);
  EXPECT_EQ(same->FindEventType("view")->weight, 0.5);
}

TEST(PatchTest, EveryPresetMeansTheSame) {
  std::vector<std::string> texts = {StarterText()};
  for (const std::string& name : PresetNames()) texts.push_back(*PresetText(name));
  for (const std::string& text : texts) {
    const auto same = ParsePatched({}, text), was = Parse(text, "").config;
    ASSERT_EQ(same->surfaces.size(), was->surfaces.size());
    for (const Surface& surface : was->surfaces)
      EXPECT_EQ(RecipeLines(*same, surface.name), RecipeLines(*was, surface.name));
    // Written again it is the same text: an arm's version is that of its meaning.
    EXPECT_EQ(*Patched(*Patched(text, {}), {}), *Patched(text, {}));
  }
}

TEST(PatchTest, WeightsOfGeneratorsThatAreGoneGoWithThem) {
  const auto config = ParsePatched({{"surfaces.home.generators", "[\"fresh\"]"}});
  EXPECT_FALSE(config->FindSurface("home")->weights.contains("trending"));
  const auto said = Patched(
      kText, std::vector<Change>{{"surfaces.home.generators", "[\"fresh\"]"}, {"surfaces.home.weights.trending", "3"}});
  EXPECT_EQ(Parse(*said, "").config, nullptr) << "what the change itself says is not passed over";
}

TEST(PatchTest, WeightsOfFeaturesAreOfTheRecipe) {
  const auto was = ParsePatched({}), changed = ParsePatched({{"surfaces.home.weights.popularity", "0.5"}});
  EXPECT_NE(RecipeLines(*was, "home"), RecipeLines(*changed, "home"));
}

TEST(PatchTest, ReplacesValuesAndMergesTables) {
  const auto config = ParsePatched({{"surfaces.home.diversity", "0.4"},
                                    {"surfaces.home.generators", "[\"fresh\", \"popular\", \"trending\"]"},
                                    {"surfaces.home.weights", "{ fresh = 3 }"},
                                    {"generators.trending.half_life", "\"1d\""}});
  const Surface* home = config->FindSurface("home");
  EXPECT_EQ(home->diversity, 0.4);
  EXPECT_EQ(home->generators, (std::vector<std::string>{"fresh", "popular", "trending"}));
  EXPECT_EQ(home->weights.at("fresh"), 3);
  EXPECT_EQ(home->weights.at("trending"), 2);
  EXPECT_EQ(config->FindGenerator("trending")->half_life_us, 86'400'000'000);
}

TEST(PatchTest, WhatTheTextLeavesToTheDefaultsCanBeChanged) {
  const auto config = ParsePatched({{"surfaces.related.seen", "\"allow\""}}, "");
  EXPECT_EQ(config->FindSurface("related")->seen, SeenPolicy::kAllow);
}

TEST(PatchTest, ATableOfAListIsFoundByItsName) {
  const auto config = ParsePatched({{"surfaces.home.rules.cheap.factor", "3"},
                                    {"surfaces.home.rules.top", "{ kind = \"pin\", item = \"i1\", position = 1 }"}});
  const Surface* home = config->FindSurface("home");
  ASSERT_EQ(home->rules.size(), 3u);
  EXPECT_EQ(home->rules[0].factor, 3);
  EXPECT_EQ(home->rules[1].factor, 0.5);
  EXPECT_EQ(home->rules[2].name, "top");
  EXPECT_EQ(home->rules[2].item, "i1");
}

TEST(PatchTest, RefusesWhatIsNoChangeOfARecipe) {
  struct Refused {
    Change change;
    const char* says;
  };
  for (const Refused& refused : {Refused{{"state.sequence_max", "3"}, "below surfaces or generators"},
                                 {{"surfaces", "3"}, "below surfaces or generators"},
                                 {{"", "3"}, "keys joined by dots"},
                                 {{"surfaces..home", "3"}, "keys joined by dots"},
                                 {{"surfaces.home.diversity", "0.4 0.5"}, "one value as TOML writes it"},
                                 {{"surfaces.home.diversity", ""}, "one value as TOML writes it"},
                                 {{"surfaces.home.diversity", "0.4\n[app]\npartitions = 8"}, "one value"},
                                 {{"surfaces.home.diversity", "0.4\napp.partitions = 8"}, "one value"},
                                 {{"app.partitions = 8\nsurfaces.home.diversity", "1"}, "a line's end"},
                                 {{"surfaces.home.x = 1 # ", "1"}, "a line's end"}}) {
    const auto patched = Patched(kText, {&refused.change, 1});
    EXPECT_TRUE(absl::IsInvalidArgument(patched.status())) << refused.change.path;
    EXPECT_THAT(patched.status().message(), HasSubstr(refused.says)) << refused.change.path;
    EXPECT_THAT(patched.status().message(), HasSubstr("changes[0]"));
  }
}

TEST(RecipeLinesTest, TellWhatASurfaceAnswersFromAndNothingElse) {
  const auto was = Parse(kText, "").config;
  const auto changed = ParsePatched({{"generators.trending.half_life", "\"1d\""}});
  EXPECT_NE(RecipeLines(*was, "home"), RecipeLines(*changed, "home"));
  EXPECT_THAT(RecipeLines(*was, "home"), Contains("surfaces.home.diversity = 0.2"));
  EXPECT_THAT(RecipeLines(*was, "home"), Contains(HasSubstr("rules.cheap = boost 1.5 when price < 20")));
  // A surface without that generator is left as it was.
  const auto lines = RecipeLines(*was, "related");
  if (std::ranges::none_of(lines, [](const std::string& line) { return line.starts_with("generators.trending."); })) {
    EXPECT_EQ(lines, RecipeLines(*changed, "related"));
  }
  EXPECT_TRUE(RecipeLines(*was, "nowhere").empty());
}

/// Every single change of a surface's fields is told.
TEST(RecipeLinesTest, EveryFieldCounts) {
  const auto was = Parse(kText, "").config;
  for (const Change& change : std::vector<Change>{{"surfaces.home.candidates_max", "7"},
                                                  {"surfaces.home.ranked_max", "7"},
                                                  {"surfaces.home.seen", "\"demote\""},
                                                  {"surfaces.home.seen_window", "\"1h\""},
                                                  {"surfaces.home.seen_factor", "0.25"},
                                                  {"surfaces.home.explore", "0.5"},
                                                  {"surfaces.home.temperature", "0.7"},
                                                  {"surfaces.home.diversity", "0.7"},
                                                  {"surfaces.home.category_cap", "3"},
                                                  {"surfaces.home.filter", "\"price < 50\""},
                                                  {"surfaces.home.weights.fresh", "0"},
                                                  {"surfaces.home.features.\"item.features.a.b\"", "0.5"},
                                                  {"surfaces.home.rules.cheap.when", "\"price < 21\""},
                                                  {"generators.fresh.count", "3"},
                                                  {"generators.fresh.window", "\"1h\""}}) {
    EXPECT_NE(RecipeLines(*ParsePatched({change}), "home"), RecipeLines(*was, "home")) << change.path;
  }
}

}  // namespace
}  // namespace bowerbird::config
