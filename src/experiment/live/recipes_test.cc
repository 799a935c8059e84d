#include "experiment/live/recipes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "catalog/problem.h"
#include "experiment/assignment/experiment_for_test.h"
#include "experiment/assignment/lifecycle.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::live {
namespace {

using assignment::Assigner;
using assignment::Assignment;
using assignment::Draft;
using assignment::Start;
using assignment::Why;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kText[] = R"(
[surfaces.home]
generators = ["trending", "fresh"]
diversity = 0.2
)";

class RecipesTest : public testing::Test {
 protected:
  RecipeSource Source() {
    RecipeSource source;
    source.text = kText;
    source.config = config::Parse(kText, "").config;
    source.ranker = [](std::string_view, std::string_view version) -> absl::StatusOr<serve::RankerChoice> {
      if (version != "000001") return absl::NotFoundError("no such version");
      return serve::RankerChoice{nullptr, true};
    };
    source.publish = [this](const std::string& text, const std::string& version) {
      published_[version] = text;
      return publishing_;
    };
    source.on_warning = [this](const std::string& warning) { warnings_.push_back(warning); };
    return source;
  }
  static v1::Experiment Changing(const std::string& id, const std::string& path, const std::string& value,
                                 const std::string& layer = "") {
    v1::Experiment experiment = Draft(id, layer);
    v1::ConfigChange* change = experiment.mutable_arms(1)->add_changes();
    change->set_path(path);
    change->set_value(value);
    return experiment;
  }
  std::unique_ptr<Recipes> Make(std::vector<v1::Experiment> drafts) {
    std::vector<v1::Experiment> running;
    for (v1::Experiment& draft : drafts) {
      auto started = Start(std::move(draft), running, 1);
      EXPECT_TRUE(started.ok()) << started.status();
      running.push_back(*std::move(started));
    }
    assigner_ = *Assigner::Make(running, assignment::TargetingSchema(*Source().config), {});
    return std::make_unique<Recipes>(assigner_, Source());
  }

  std::shared_ptr<const Assigner> assigner_;
  std::map<std::string, std::string> published_;
  std::vector<std::string> warnings_;
  absl::Status publishing_;
};

TEST_F(RecipesTest, AnArmThatDoesNotFitTheConfigIsRefusedWithTheConfigsOwnText) {
  struct Refused {
    const char *path, *value, *says;
  };
  for (const Refused& refused :
       {Refused{"surfaces.home.diversity", "2", "surfaces.home.diversity: found"},
        {"surfaces.home.diversty", "0.2", "did you mean \"diversity\"?"},
        {"surfaces.home.generators", "[\"nobody\"]", "surfaces.home.generators[0]"},
        {"surfaces.elsewhere.generators", "[\"fresh\"]", "found a surface that the config has not"},
        {"app.partitions", "8", "expected a key below surfaces or generators"},
        {"rankers.home", "\"000009\"", "rankers.home: no such version"},
        {"rankers.nowhere", "\"000001\"", "expected the name of a surface"},
        {"rankers.home", "7", "expected a version"}}) {
    const auto effects = EffectsOf(Changing("a", refused.path, refused.value), Source());
    ASSERT_TRUE(absl::IsInvalidArgument(effects.status())) << refused.path;
    const catalog::Problem problem = catalog::FromStatus(effects.status());
    EXPECT_EQ(problem.field, "arms[1].changes");
    EXPECT_THAT(problem.detail, HasSubstr(refused.says)) << refused.path;
  }
}

TEST_F(RecipesTest, ChangedSurfacesAreThoseThatAnswerOtherwiseInSomeArm) {
  const auto changed = [&](const v1::Experiment& experiment) {
    const RecipeSource source = Source();
    return ChangedSurfaces(*EffectsOf(experiment, source), source);
  };
  EXPECT_THAT(changed(Changing("a", "surfaces.home.diversity", "0.4")), ElementsAre("home"));
  EXPECT_THAT(changed(Changing("a", "surfaces.home.diversity", "0.2")), IsEmpty());
  EXPECT_THAT(changed(Changing("a", "rankers.home", "\"000001\"")), ElementsAre("home"));
  EXPECT_THAT(changed(Draft("a")), IsEmpty());
  // A generator changes every surface that has it.
  const RecipeSource source = Source();
  std::vector<std::string> with_trending;
  for (const config::Surface& surface : source.config->surfaces) {
    if (std::ranges::find(surface.generators, "trending") != surface.generators.end())
      with_trending.push_back(surface.name);
  }
  EXPECT_EQ(changed(Changing("a", "generators.trending.half_life", "\"1h\"")), with_trending);
  // All arms alike change the answers, and expose nobody.
  v1::Experiment alike = Changing("a", "surfaces.home.diversity", "0.4");
  *alike.mutable_arms(0)->mutable_changes() = alike.arms(1).changes();
  EXPECT_THAT(changed(alike), IsEmpty());
  EXPECT_THAT((*EffectsOf(alike, source))[0].surfaces, ElementsAre("home"));
}

TEST_F(RecipesTest, TwoLayersMayNotChangeOneKey) {
  const std::vector<v1::Experiment> running = {*Start(Changing("a", "surfaces.home.weights.fresh", "2", "one"), {}, 1)};
  const auto check = [&](const std::string& path, const std::string& layer) {
    return CheckConflicts(Changing("b", path, "1", layer), running, Source());
  };
  EXPECT_THAT(check("surfaces.home.weights.fresh", "two").message(), HasSubstr("changed by experiment 'a', too"));
  EXPECT_FALSE(check("surfaces.home.weights", "two").ok());
  EXPECT_FALSE(check("surfaces.home.weights.fresh.x", "two").ok());
  EXPECT_TRUE(check("surfaces.home.weights.fresh", "one").ok());
  EXPECT_TRUE(check("surfaces.home.weights.freshest", "two").ok());
  EXPECT_TRUE(check("surfaces.home.diversity", "two").ok());
}

TEST_F(RecipesTest, ARequestIsAnsweredByItsArmsTogether) {
  const auto recipes = Make({Changing("a", "surfaces.home.diversity", "0.4", "one"),
                             Changing("b", "surfaces.home.explore", "0.5", "two"),
                             Changing("c", "surfaces.related.explore", "0.5", "three")});
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_TRUE(recipes->Touches("home"));
  EXPECT_FALSE(recipes->Touches("next"));
  const Assignment both[] = {{0, 1, Why::kDrawn}, {1, 1, Why::kForced}, {2, 1, Why::kDrawn}};
  const serve::Arms arms = recipes->Choose("home", both);
  ASSERT_NE(arms.recipe.config, nullptr);
  const config::Surface* home = arms.recipe.config->FindSurface("home");
  EXPECT_EQ(home->diversity, 0.4);
  EXPECT_EQ(home->explore, 0.5);
  ASSERT_EQ(arms.served.size(), 2u);
  EXPECT_EQ(arms.served[0].experiment(), "a");
  EXPECT_EQ(arms.served[0].arm(), "treatment");
  EXPECT_TRUE(arms.served[0].exposed());
  EXPECT_FALSE(arms.served[0].forced());
  EXPECT_TRUE(arms.served[1].forced());
  EXPECT_THAT(arms.others, IsEmpty());
  // Whatever is served from can be found by its version.
  ASSERT_TRUE(published_.contains(arms.recipe.config->version));
  EXPECT_EQ(config::Parse(published_[arms.recipe.config->version], "").config->version, arms.recipe.config->version);
  // All combinations were made before anybody asked: this is the same object.
  EXPECT_EQ(recipes->Choose("home", both).recipe.config, arms.recipe.config);
  // Both controls: the config in force, and exposed all the same.
  const Assignment controls[] = {{0, 0, Why::kDrawn}, {1, 0, Why::kDrawn}};
  const serve::Arms plain = recipes->Choose("home", controls);
  EXPECT_EQ(plain.recipe.config, nullptr);
  EXPECT_TRUE(plain.served[0].exposed() && plain.served[1].exposed());
}

TEST_F(RecipesTest, ByTheAnswerTheOtherArmsAreAnsweredToo) {
  v1::Experiment experiment = Changing("a", "surfaces.home.diversity", "0.4");
  experiment.set_trigger("answer");
  v1::ExperimentArm* third = experiment.add_arms();
  *third = experiment.arms(1);
  third->set_name("third");
  third->mutable_changes(0)->set_value("0.9");
  const auto recipes = Make({experiment});
  const auto others = [&](int arm) {
    const Assignment hit[] = {{0, arm, Why::kDrawn}};
    const serve::Arms arms = recipes->Choose("home", hit);
    EXPECT_FALSE(arms.served[0].exposed());
    std::vector<double> diversities;
    for (const auto& other : arms.others) {
      diversities.push_back(other.recipe.config == nullptr ? 0.2 : other.recipe.config->FindSurface("home")->diversity);
    }
    return diversities;
  };
  EXPECT_THAT(others(0), ElementsAre(0.4, 0.9));
  EXPECT_THAT(others(1), ElementsAre(0.2, 0.9));
  EXPECT_THAT(others(2), ElementsAre(0.2, 0.4));
}

TEST_F(RecipesTest, AnInterleavedExperimentIsAnsweredOutOfAllArms) {
  v1::Experiment experiment = Changing("a", "surfaces.home.diversity", "0.4", "one");
  experiment.set_design("interleaved");
  const auto recipes = Make({experiment, Changing("b", "surfaces.home.explore", "0.5", "two")});
  const auto diversity = [](const serve::Recipe& recipe) {
    return recipe.config == nullptr ? 0.2 : recipe.config->FindSurface("home")->diversity;
  };
  const auto explore = [](const serve::Recipe& recipe) {
    return recipe.config == nullptr ? 0 : recipe.config->FindSurface("home")->explore;
  };
  // Whichever arm was drawn: everybody has all of them, each with what other experiments change.
  for (const int drawn : {0, 1}) {
    const Assignment hits[] = {{0, drawn, Why::kDrawn}, {1, 1, Why::kDrawn}};
    const serve::Arms arms = recipes->Choose("home", hits);
    EXPECT_EQ(diversity(arms.recipe), 0.2);
    EXPECT_EQ(explore(arms.recipe), 0.5);
    EXPECT_EQ(arms.served[0].arm(), "interleaved");
    EXPECT_FALSE(arms.served[0].exposed()) << "the answer decides";
    EXPECT_TRUE(arms.served[1].exposed());
    ASSERT_TRUE(arms.interleaved.has_value());
    EXPECT_EQ(arms.interleaved->arm, 0u);
    ASSERT_EQ(arms.interleaved->rankings.size(), 2u);
    EXPECT_EQ(arms.interleaved->rankings[0].arm, "control");
    EXPECT_EQ(diversity(arms.interleaved->rankings[0].recipe), 0.2);
    EXPECT_EQ(arms.interleaved->rankings[1].arm, "treatment");
    EXPECT_EQ(diversity(arms.interleaved->rankings[1].recipe), 0.4);
    EXPECT_EQ(explore(arms.interleaved->rankings[1].recipe), 0.5);
  }
  // A surface that every arm changes alike is nobody's to draft, and takes nothing from who does.
  v1::Experiment alike = Changing("c", "surfaces.home.explore", "0.3", "three");
  *alike.mutable_arms(0)->mutable_changes() = alike.arms(1).changes();
  alike.set_design("interleaved");
  const auto with_alike = Make({experiment, alike});
  const Assignment two[] = {{0, 1, Why::kDrawn}, {1, 1, Why::kDrawn}};
  const serve::Arms shared = with_alike->Choose("home", two);
  ASSERT_TRUE(shared.interleaved.has_value());
  EXPECT_EQ(shared.interleaved->arm, 0u);
  EXPECT_EQ(shared.served[1].arm(), "interleaved");
  EXPECT_FALSE(shared.served[1].exposed());
  EXPECT_EQ(explore(shared.recipe), 0.3);
  // A tester sees one arm alone.
  const Assignment forced[] = {{0, 1, Why::kForced}};
  const serve::Arms tested = recipes->Choose("home", forced);
  EXPECT_FALSE(tested.interleaved.has_value());
  EXPECT_EQ(tested.served[0].arm(), "treatment");
  EXPECT_EQ(diversity(tested.recipe), 0.4);
}

TEST_F(RecipesTest, OnePageIsDraftedByOneExperiment) {
  v1::Experiment first = Changing("a", "surfaces.home.diversity", "0.4", "one");
  first.set_design("interleaved");
  const std::vector<v1::Experiment> running = {*Start(first, {}, 1)};
  const auto check = [&](const std::string& path, const std::string& layer, const std::string& design) {
    v1::Experiment second = Changing("b", path, "0.5", layer);
    second.set_design(design);
    return CheckConflicts(second, running, Source());
  };
  const absl::Status refused = check("surfaces.home.explore", "two", "interleaved");
  EXPECT_EQ(catalog::FromStatus(refused).field, "design");
  EXPECT_THAT(refused.message(), HasSubstr("surface 'home' are interleaved by experiment 'a'"));
  EXPECT_TRUE(check("surfaces.home.explore", "one", "interleaved").ok());
  EXPECT_TRUE(check("surfaces.home.explore", "two", "split").ok());
  EXPECT_TRUE(check("surfaces.related.explore", "two", "interleaved").ok());
}

TEST_F(RecipesTest, AnExperimentThatFitsNoMoreChangesNothingAndIsTold) {
  // As after a reload that took the generator out.
  const auto recipes =
      Make({Changing("a", "surfaces.home.generators", "[\"gone\"]"), Changing("b", "surfaces.home.diversity", "0.4")});
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], HasSubstr("experiment 'a' changes nothing"));
  const Assignment both[] = {{0, 1, Why::kDrawn}, {1, 1, Why::kDrawn}};
  const serve::Arms arms = recipes->Choose("home", both);
  ASSERT_EQ(arms.served.size(), 1u);
  EXPECT_EQ(arms.served[0].experiment(), "b");
}

TEST_F(RecipesTest, WhatCannotBeKeptForReplayIsNotServed) {
  publishing_ = absl::UnavailableError("the disk is full");
  const auto recipes = Make({Changing("a", "surfaces.home.diversity", "0.4")});
  EXPECT_THAT(warnings_, testing::Not(IsEmpty()));
  const Assignment hit[] = {{0, 1, Why::kDrawn}};
  EXPECT_THAT(recipes->Choose("home", hit).served, IsEmpty());
  EXPECT_EQ(recipes->failed(), 1u);
  // Later it can be.
  publishing_ = absl::OkStatus();
  EXPECT_EQ(recipes->Choose("home", hit).served.size(), 1u);
}

}  // namespace
}  // namespace bowerbird::experiment::live
