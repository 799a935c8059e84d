#include "experiment/assignment/assigner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "experiment/assignment/experiment_for_test.h"
#include "experiment/assignment/lifecycle.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::assignment {
namespace {

constexpr int kUsers = 40'000;

std::string User(int i) { return "user-" + std::to_string(i); }

/// Arm of each running experiment by id; none of those that the user is in no arm of.
std::map<std::string, std::string> ArmsOf(const Assigner& assigner, std::string_view user,
                                          std::span<const Kept> kept = {}, const expression::Row& row = NobodyRow()) {
  const Unit units[] = {{"user", user}};
  std::vector<Assignment> hits;
  assigner.Assign(units, kept, row, 0, &hits);
  std::map<std::string, std::string> arms;
  for (const Assignment& hit : hits) {
    const Running& running = assigner.running()[hit.experiment];
    arms[running.definition.id()] = running.arm(hit.arm).name();
  }
  return arms;
}

std::shared_ptr<const Assigner> MakeAssigner(const std::vector<v1::Experiment>& experiments, double holdout = 0) {
  auto assigner = Assigner::Make(experiments, TargetingSchema(ConfigForTest()), {holdout, "app"});
  EXPECT_TRUE(assigner.ok()) << assigner.status();
  return *assigner;
}

class AttributeRow final : public expression::Row {
 public:
  AttributeRow(std::string plan, double age) : plan_(std::move(plan)), age_(age) {}
  expression::ValueView Get(uint32_t attribute) const override {
    ++reads;
    const auto first = static_cast<uint32_t>(Field::kFirstAttribute);
    if (attribute == first) return std::string_view(plan_);
    if (attribute == first + 1) return age_;
    return {};
  }
  mutable int reads = 0;

 private:
  std::string plan_;
  double age_;
};

TEST(AssignerTest, DrawsArmsByTheirWeights) {
  v1::Experiment experiment = Draft("a");
  experiment.mutable_arms(0)->set_weight(3);
  const auto assigner = MakeAssigner({*Start(experiment, {}, 1)});
  int control = 0;
  for (int i = 0; i < kUsers; ++i) control += ArmsOf(*assigner, User(i)).at("a") == "control";
  // Within five standard deviations.
  EXPECT_NEAR(control, 0.75 * kUsers, 5 * std::sqrt(kUsers * 0.75 * 0.25));
}

TEST(AssignerTest, InsideALayerNobodyIsInTwo) {
  std::vector<v1::Experiment> running;
  for (const char* id : {"a", "b", "c"}) running.push_back(*Start(Draft(id, "feed", 0.3), running, 1));
  const auto assigner = MakeAssigner(running);
  std::map<std::string, int> counts;
  for (int i = 0; i < kUsers; ++i) {
    const auto arms = ArmsOf(*assigner, User(i));
    ASSERT_LE(arms.size(), 1u);
    ++counts[arms.empty() ? "none" : arms.begin()->first];
  }
  const double slack = 5 * std::sqrt(kUsers * 0.3 * 0.7);
  for (const char* id : {"a", "b", "c"}) EXPECT_NEAR(counts[id], 0.3 * kUsers, slack);
  EXPECT_NEAR(counts["none"], 0.1 * kUsers, slack);
}

TEST(AssignerTest, LayersAreIndependentOfEachOther) {
  std::vector<v1::Experiment> running;
  for (const char* layer : {"one", "two", "three"})
    running.push_back(*Start(Draft(std::string("in-") + layer, layer, 0.5), {}, 1));
  const auto assigner = MakeAssigner(running);
  // Of two layers: in or out of each, and which arm: a table of 3 x 3 whose cells are the products of their margins.
  for (const auto& [first, second] : {std::pair{"in-one", "in-two"}, {"in-one", "in-three"}, {"in-two", "in-three"}}) {
    std::array<std::array<double, 3>, 3> cells = {};
    for (int i = 0; i < kUsers; ++i) {
      const auto arms = ArmsOf(*assigner, User(i));
      const auto index = [&](const char* id) {
        const auto found = arms.find(id);
        return found == arms.end() ? 0u : found->second == "control" ? 1u : 2u;
      };
      ++cells[index(first)][index(second)];
    }
    double chi2 = 0;
    const double shares[] = {0.5, 0.25, 0.25};
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 3; ++c) {
        const double expected = kUsers * shares[r] * shares[c];
        chi2 += (cells[r][c] - expected) * (cells[r][c] - expected) / expected;
      }
    }
    // 8 degrees of freedom: 26.1 is the 0.1% point.
    EXPECT_LT(chi2, 26.1) << first << " " << second;
  }
}

TEST(AssignerTest, ARampMovesNobodyBetweenArmsAndNobodyOut) {
  v1::Experiment experiment = *Start(Draft("a", "feed", 0.05), {}, 1);
  std::map<std::string, std::string> before;
  for (const double traffic : {0.05, 0.2, 0.6, 1.0}) {
    if (traffic > 0.05) experiment = *Ramp(experiment, traffic, {}, 2);
    const auto assigner = MakeAssigner({experiment});
    std::map<std::string, std::string> now;
    for (int i = 0; i < kUsers; ++i) {
      const auto arms = ArmsOf(*assigner, User(i));
      if (!arms.empty()) now[User(i)] = arms.at("a");
    }
    EXPECT_NEAR(static_cast<double>(now.size()), traffic * kUsers, 5 * std::sqrt(kUsers * 0.25));
    for (const auto& [user, arm] : before) ASSERT_EQ(now[user], arm) << user << " at " << traffic;
    before = std::move(now);
  }
}

TEST(AssignerTest, ArmsAreAnotherDrawThanBuckets) {
  // Whoever comes in at 10% is split as evenly as whoever comes in later.
  const auto assigner = MakeAssigner({*Start(Draft("a", "feed", 0.1), {}, 1)});
  int in = 0, control = 0;
  for (int i = 0; i < kUsers; ++i) {
    const auto arms = ArmsOf(*assigner, User(i));
    in += !arms.empty();
    control += !arms.empty() && arms.at("a") == "control";
  }
  EXPECT_NEAR(control, 0.5 * in, 5 * std::sqrt(in * 0.25));
}

TEST(AssignerTest, TheHeldOutAreInNoExperimentOfAnyLayer) {
  std::vector<v1::Experiment> running = {*Start(Draft("a"), {}, 1), *Start(Draft("b"), {}, 1)};
  const auto assigner = MakeAssigner(running, 0.1);
  int held = 0;
  for (int i = 0; i < kUsers; ++i) {
    const std::string user = User(i);
    const Unit units[] = {{"user", user}};
    const bool out = assigner->HeldOut(units);
    held += out;
    EXPECT_EQ(ArmsOf(*assigner, user).size(), out ? 0u : 2u);
    if (out) {
      for (const Assignment& one : assigner->Explain(units, {}, NobodyRow(), 0)) EXPECT_EQ(one.why, Why::kHoldout);
    }
  }
  EXPECT_NEAR(held, 0.1 * kUsers, 5 * std::sqrt(kUsers * 0.09));
}

TEST(AssignerTest, ForcedArmsCountBeforeEverything) {
  v1::Experiment forced = Draft("a", "feed", 0.0001);
  forced.set_targeting("plan == 'nobody has it'");
  for (const auto& [unit, arm] : {std::pair{"ann", "treatment"}, {"ben", "control"}}) {
    v1::ForcedArm* one = forced.add_forced();
    one->set_unit(unit);
    one->set_arm(arm);
  }
  std::vector<v1::Experiment> running = {*Start(forced, {}, 1)};
  running.push_back(*Start(Draft("b", "feed", 0.9), running, 1));
  const auto assigner = MakeAssigner(running, 0.5);
  EXPECT_EQ(ArmsOf(*assigner, "ann"), (std::map<std::string, std::string>{{"a", "treatment"}}));
  EXPECT_EQ(ArmsOf(*assigner, "ben"), (std::map<std::string, std::string>{{"a", "control"}}));
  // A kept arm gives way, too.
  const Kept kept[] = {{"a", "control"}, {"b", "control"}};
  EXPECT_EQ(ArmsOf(*assigner, "ann", kept), (std::map<std::string, std::string>{{"a", "treatment"}}));
}

TEST(AssignerTest, WhoeverWasExposedKeepsTheArm) {
  v1::Experiment sticky = Draft("sticky", "one", 0.0001), loose = Draft("loose", "two", 0.0001);
  sticky.set_sticky(true);
  sticky.set_targeting("plan == 'pro'");
  loose.set_targeting("plan == 'pro'");
  const auto assigner = MakeAssigner({*Start(loose, {}, 1), *Start(sticky, {}, 1)});
  const Kept kept[] = {{"sticky", "treatment"}, {"loose", "treatment"}, {"gone", "x"}, {"sticky", "control"}};
  for (int i = 0; i < 100; ++i) {
    // Out of the buckets and, for the sticky one alone, out of the targeting: the earliest counts.
    EXPECT_EQ(ArmsOf(*assigner, User(i), kept, AttributeRow("pro", 30)),
              (std::map<std::string, std::string>{{"loose", "treatment"}, {"sticky", "treatment"}}));
    EXPECT_EQ(ArmsOf(*assigner, User(i), kept, AttributeRow("free", 30)),
              (std::map<std::string, std::string>{{"sticky", "treatment"}}));
  }
}

TEST(AssignerTest, TargetingIsAskedOnlyOfThoseWhomABucketHits) {
  v1::Experiment experiment = Draft("a", "feed", 0.5);
  experiment.set_targeting("age >= 18");
  const auto assigner = MakeAssigner({*Start(experiment, {}, 1)});
  int in = 0, out = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string user = User(i);
    const Unit units[] = {{"user", user}};
    const AttributeRow adult("pro", 30), child("pro", 12);
    const Assignment grown = assigner->Explain(units, {}, adult, 0).front();
    const Assignment small = assigner->Explain(units, {}, child, 0).front();
    EXPECT_EQ(small.arm, -1);
    if (grown.arm >= 0) {
      ++in;
      EXPECT_EQ(small.why, Why::kNotEligible);
    } else {
      ++out;
      EXPECT_EQ(grown.why, Why::kNotInBuckets);
      EXPECT_EQ(adult.reads, 0);
    }
  }
  EXPECT_GT(in, 400);
  EXPECT_GT(out, 400);
}

TEST(AssignerTest, AnExperimentOverDevicesNeedsADevice) {
  v1::Experiment experiment = Draft("a");
  experiment.set_unit("device");
  const auto assigner = MakeAssigner({*Start(experiment, {}, 1)});
  const Unit user[] = {{"user", "ann"}};
  EXPECT_EQ(assigner->Explain(user, {}, NobodyRow(), 0).front().why, Why::kNoUnit);
  const Unit both[] = {{"user", "ann"}, {"device", "d1"}}, other[] = {{"user", "ben"}, {"device", "d1"}};
  const Assignment first = assigner->Explain(both, {}, NobodyRow(), 0).front();
  EXPECT_EQ(first.why, Why::kDrawn);
  EXPECT_EQ(assigner->Explain(other, {}, NobodyRow(), 0).front().arm, first.arm);
}

TEST(AssignerTest, RefusesABucketWithTwoOwners) {
  const std::vector<v1::Experiment> running = {*Start(Draft("a", "feed", 0.5), {}, 1),
                                               *Start(Draft("b", "feed", 0.5), {}, 1)};
  const auto made = Assigner::Make(running, TargetingSchema(ConfigForTest()), {});
  EXPECT_TRUE(absl::IsInvalidArgument(made.status()));
  EXPECT_THAT(made.status().message(), testing::HasSubstr("'a' and 'b'"));
}

TEST(AssignerTest, WhatDoesNotRunTakesNobody) {
  const v1::Experiment running = *Start(Draft("a"), {}, 1);
  const auto assigner = MakeAssigner({Draft("draft"), *Stop(running, "", 2), *Decide(running, "control", 2)});
  EXPECT_TRUE(assigner->running().empty());
  EXPECT_TRUE(ArmsOf(*assigner, "ann").empty());
}

}  // namespace
}  // namespace bowerbird::experiment::assignment
