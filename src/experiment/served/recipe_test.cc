#include "experiment/served/recipe.h"

#include "config/overlay.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::experiment::served {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::shared_ptr<const config::Config> Parse(std::string_view patch) {
  const auto patched = config::Overlay(
      "[surfaces.home]\ngenerators = ['for_you', 'because', 'fresh']\nweights = { because = 0 }\n"
      "[surfaces.two]\ngenerators = ['trending', 'lately']\n[generators.lately]\nkind = 'trending'\n",
      patch, "recipe");
  EXPECT_TRUE(patched.ok()) << patched.status();
  const config::ParseResult parsed = config::Parse(patched->text, "recipe");
  EXPECT_NE(parsed.config, nullptr) << parsed.problems.front().ToString();
  return parsed.config;
}

TEST(RecipeTest, WhatAPageIsMadeOfIsWithinReach) {
  EXPECT_THAT(
      WhyOutOfReach("home", std::vector<std::string>{"surfaces.home.diversity", "surfaces.home.weights.fresh",
                                                     "surfaces.home.features.\"item.features.a.b\"",
                                                     "surfaces.home.temperature", "surfaces.home.category_cap"}),
      IsEmpty());
  for (const std::string key : {"surfaces.home.generators", "surfaces.related.diversity", "surfaces.home.explore",
                                "generators.fresh.window", "surfaces.home.diversity_of"}) {
    EXPECT_THAT(WhyOutOfReach("home", std::vector<std::string>{"surfaces.home.diversity", key}), HasSubstr(key));
  }
}

TEST(RecipeTest, OtherCandidatesAreNamed) {
  const auto logged = Parse("");
  EXPECT_THAT(WhyOtherCandidates(*logged, *Parse("[surfaces.home]\ndiversity = 0.5\nweights = { fresh = 4 }"), "home"),
              IsEmpty());
  for (const auto& [patch, key] :
       {std::pair("[surfaces.home]\ngenerators = ['because', 'for_you', 'fresh']", "surfaces.home.generators"),
        std::pair("[generators.fresh]\nwindow = '2d'", "generators.fresh"),
        std::pair("[surfaces.home]\ncandidates_max = 77", "surfaces.home.candidates_max"),
        std::pair("[surfaces.home]\nranked_max = 77", "surfaces.home.ranked_max"),
        std::pair("[surfaces.home]\nseen = 'allow'", "surfaces.home.seen"),
        std::pair("[surfaces.home]\nfilter = 'price > 3'", "surfaces.home.filter"),
        std::pair("[[surfaces.home.rules]]\nkind = 'bury'\nname = 'x'\nwhen = 'price > 3'\nfactor = 0",
                  "surfaces.home.rules")}) {
    EXPECT_THAT(WhyOtherCandidates(*logged, *Parse(patch), "home"), HasSubstr(key)) << patch;
  }
  EXPECT_THAT(WhyOtherCandidates(*logged, *logged, "nowhere"), Not(IsEmpty()));
}

TEST(RecipeTest, AScoreThatTheLogDoesNotHaveIsNoScore) {
  const auto logged = Parse("");
  // The log was written with a weight of 0: its feature is 0 whatever the generator said.
  EXPECT_THAT(WhyOtherCandidates(*logged, *Parse("[surfaces.home]\nweights = { because = 1 }"), "home"),
              HasSubstr("weights.because"));
  EXPECT_THAT(WhyOtherCandidates(*Parse("[surfaces.home]\nweights = { because = 1 }"), *logged, "home"), IsEmpty());
  // The best of two generators of a kind, each by its share.
  EXPECT_THAT(WhyOtherCandidates(*logged, *Parse("[surfaces.two]\nweights = { lately = 0.5 }"), "two"),
              HasSubstr("weights.lately"));
  EXPECT_THAT(WhyOtherCandidates(*logged, *Parse("[surfaces.two]\nweights = { lately = 3, trending = 3 }"), "two"),
              IsEmpty());
}

}  // namespace
}  // namespace bowerbird::experiment::served
