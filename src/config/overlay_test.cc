#include "config/overlay.h"

#include <gmock/gmock.h>

#include "config/config.h"

namespace bowerbird::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kText = R"(
[app]
name = "default"
[items.attributes]
topic = "string"
[surfaces.home]
generators = ["for_you", "popular"]
diversity = 0.2
weights = { popular = 2, interest = 0.5 }
filter = "topic != 'a \"quoted\" one'"
[[surfaces.home.rules]]
kind = "bury"
name = "old"
when = "price >= 50"
factor = 0.5
)";

TEST(OverlayTest, LaysTablesOverEachOtherAndNamesWhatIsOtherwise) {
  const auto patched =
      Overlay(kText, "[surfaces.home]\ndiversity = 0.2\ntemperature = 1\nweights = { popular = 3 }\n", "p");
  ASSERT_TRUE(patched.ok()) << patched.status();
  EXPECT_THAT(patched->changed, ElementsAre("surfaces.home.temperature", "surfaces.home.weights.popular"));
  const ParseResult parsed = Parse(patched->text, "patched");
  ASSERT_NE(parsed.config, nullptr) << parsed.problems.front().ToString();
  const Surface& home = *parsed.config->FindSurface("home");
  EXPECT_EQ(home.temperature, 1);
  EXPECT_EQ(home.diversity, 0.2);
  EXPECT_EQ(home.weights.at("popular"), 3);
  EXPECT_EQ(home.weights.at("interest"), 0.5);
  EXPECT_EQ(home.rules.size(), 1u);
}

TEST(OverlayTest, AnEmptyPatchChangesNothing) {
  const auto patched = Overlay(kText, "", "p");
  ASSERT_TRUE(patched.ok()) << patched.status();
  EXPECT_THAT(patched->changed, IsEmpty());
  const auto again = Overlay(patched->text, kText, "p");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->changed, IsEmpty()) << "what was written says what was read";
  EXPECT_EQ(again->text, patched->text);
}

TEST(OverlayTest, ListsAreReplaced) {
  const auto patched = Overlay(kText, "[surfaces.home]\ngenerators = ['fresh', 'popular']\nrules = []\n", "p");
  ASSERT_TRUE(patched.ok()) << patched.status();
  EXPECT_THAT(patched->changed, ElementsAre("surfaces.home.generators", "surfaces.home.rules"));
  const ParseResult parsed = Parse(patched->text, "patched");
  ASSERT_NE(parsed.config, nullptr) << parsed.problems.front().ToString();
  EXPECT_THAT(parsed.config->FindSurface("home")->generators, ElementsAre("fresh", "popular"));
  EXPECT_THAT(parsed.config->FindSurface("home")->rules, IsEmpty());
}

TEST(OverlayTest, StarterAndPresetsAreWrittenAsTheyAreRead) {
  std::vector<std::string> texts = {StarterText()};
  for (const std::string& name : PresetNames()) texts.push_back(*PresetText(name));
  for (const std::string& text : texts) {
    const auto patched = Overlay("", text, "p");
    ASSERT_TRUE(patched.ok()) << patched.status();
    EXPECT_NE(Parse(patched->text, "patched").config, nullptr) << patched->text;
    EXPECT_THAT(Overlay(patched->text, text, "p")->changed, IsEmpty());
  }
}

TEST(OverlayTest, KeysAndStringsNeedNotBePlain) {
  const auto patched = Overlay("", "[\"a.b\"]\n\"\" = \"line\\nquote\\\" slash\\\\ bell\\u0007\"\n", "p");
  ASSERT_TRUE(patched.ok()) << patched.status();
  EXPECT_THAT(Overlay(patched->text, patched->text, "p")->changed, IsEmpty());
  EXPECT_THAT(patched->changed, ElementsAre("\"a.b\".\"\""));
}

TEST(OverlayTest, WhatIsNoTomlIsNamed) {
  const auto no_toml = Overlay(kText, "[surfaces", "recipe.toml");
  EXPECT_TRUE(absl::IsInvalidArgument(no_toml.status()));
  EXPECT_THAT(no_toml.status().message(), HasSubstr("recipe.toml:1"));
  EXPECT_THAT(Overlay(kText, "a = 2026-01-01", "p").status().message(), HasSubstr("found a date"));
}

}  // namespace
}  // namespace bowerbird::config
