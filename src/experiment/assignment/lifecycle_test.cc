#include "experiment/assignment/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/rng.h"
#include "experiment/assignment/draw.h"
#include "experiment/assignment/experiment_for_test.h"

namespace bowerbird::experiment::assignment {
namespace {

using testing::HasSubstr;

uint32_t Owned(const v1::Experiment& experiment) {
  uint32_t count = 0;
  for (const v1::BucketRange& range : experiment.buckets()) count += range.end() - range.first();
  return count;
}

TEST(LifecycleTest, StartsWithItsShareOfTheLayer) {
  const auto started = Start(Draft("a", "feed", 0.25), {}, 77);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->state(), v1::Experiment::RUNNING);
  EXPECT_EQ(Owned(*started), 2500u);
  EXPECT_EQ(started->started_us(), 77);
  ASSERT_EQ(started->ramp_size(), 1);
  EXPECT_EQ(started->ramp(0).traffic(), 0.25);
  EXPECT_TRUE(absl::IsFailedPrecondition(Start(*started, {}, 78).status()));
}

TEST(LifecycleTest, ALayerThatIsFullSaysWhatIsFreeAndWhoHasTheRest) {
  const std::vector<v1::Experiment> running = {*Start(Draft("a", "feed", 0.7), {}, 1)};
  const auto refused = Start(Draft("b", "feed", 0.5), running, 2);
  ASSERT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_THAT(refused.status().message(),
              HasSubstr("50% more of layer 'feed' is asked for, and 30% is free: 'a' has 70%"));
  EXPECT_TRUE(Start(Draft("b", "feed", 0.3), running, 2).ok());
  EXPECT_TRUE(Start(Draft("b", "other", 1), running, 2).ok());
}

TEST(LifecycleTest, ARampKeepsEveryBucket) {
  std::vector<v1::Experiment> running = {*Start(Draft("a", "feed", 0.1), {}, 1)};
  running.push_back(*Start(Draft("b", "feed", 0.2), running, 2));
  const auto ramped = Ramp(running[0], 0.5, running, 3);
  ASSERT_TRUE(ramped.ok()) << ramped.status();
  EXPECT_EQ(Owned(*ramped), 5000u);
  // A gap where the other one is: what it had it has still.
  ASSERT_EQ(ramped->buckets_size(), 2);
  EXPECT_EQ(ramped->buckets(0).first(), 0u);
  EXPECT_EQ(ramped->buckets(0).end(), 1000u);
  EXPECT_EQ(ramped->buckets(1).first(), 3000u);
  EXPECT_EQ(ramped->ramp_size(), 2);
  for (const double traffic : {0.5, 0.4, 0.0, 1.2}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Ramp(*ramped, traffic, running, 4).status())) << traffic;
  }
}

TEST(LifecycleTest, WhatIsStoppedGivesItsBucketsBack) {
  std::vector<v1::Experiment> running = {*Start(Draft("a", "feed", 1), {}, 1)};
  EXPECT_FALSE(Start(Draft("b", "feed", 0.01), running, 2).ok());
  running[0] = *Stop(running[0], "over", 5);
  EXPECT_EQ(running[0].stop_reason(), "over");
  EXPECT_TRUE(Start(Draft("b", "feed", 1), running, 6).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Ramp(running[0], 1, running, 6).status()));
}

TEST(LifecycleTest, DecidesForAnArmThatIsThere) {
  const v1::Experiment running = *Start(Draft("a"), {}, 1);
  EXPECT_THAT(Decide(running, "green", 2).status().message(), HasSubstr("expected one of 'control', 'treatment'"));
  const auto decided = Decide(running, "treatment", 2);
  ASSERT_TRUE(decided.ok());
  EXPECT_EQ(decided->state(), v1::Experiment::DECIDED);
  EXPECT_EQ(decided->stopped_us(), 2);
  EXPECT_EQ(decided->revision(), running.revision() + 1);
  EXPECT_FALSE(Decide(Draft("b"), "control", 2).ok());
}

TEST(LifecycleTest, OfARunningOneOnlyWhatMovesNobodyChanges) {
  const v1::Experiment running = *Start(Draft("a"), {}, 1);
  v1::Experiment told = running;
  told.set_description("what it is about");
  told.add_forced()->set_unit("tester");
  EXPECT_TRUE(Edit(running, told).ok());
  v1::Experiment moves = running;
  moves.mutable_arms(0)->set_weight(3);
  EXPECT_THAT(Edit(running, moves).status().message(), HasSubstr("users would change arms"));
  moves = running;
  moves.set_targeting("plan == 'pro'");
  EXPECT_FALSE(Edit(running, moves).ok());
  moves = running;
  moves.set_layer("feed");
  EXPECT_FALSE(Edit(running, moves).ok());

  v1::Experiment sticky = Draft("b");
  sticky.set_sticky(true);
  sticky = *Start(sticky, {}, 1);
  moves = sticky;
  moves.mutable_arms(0)->set_weight(3);
  moves.set_targeting("plan == 'pro'");
  const auto edited = Edit(sticky, moves);
  ASSERT_TRUE(edited.ok()) << edited.status();
  EXPECT_EQ(edited->revision(), sticky.revision() + 1);
  EXPECT_EQ(Owned(*edited), Owned(sticky));
}

TEST(LifecycleTest, UnitsOfOneLayerAreOfOneKind) {
  const std::vector<v1::Experiment> running = {*Start(Draft("a", "feed", 0.1), {}, 1)};
  v1::Experiment device = Draft("b", "feed", 0.1);
  device.set_unit("device");
  EXPECT_THAT(Start(device, running, 2).status().message(), HasSubstr("expected 'user', the unit of 'a'"));
}

/// Whatever is started, ramped and stopped in whatever order: no bucket has two owners, and nobody loses one while
/// running.
TEST(LifecycleTest, RandomOperationsNeverShareABucket) {
  base::Rng rng(20261128);
  std::map<std::string, v1::Experiment> all;
  const auto list = [&] {
    std::vector<v1::Experiment> experiments;
    for (const auto& [id, experiment] : all) experiments.push_back(experiment);
    return experiments;
  };
  int started = 0, refused = 0;
  for (int step = 0; step < 2000; ++step) {
    const std::string id = "e" + std::to_string(rng() % 20);
    const std::string layer = rng() % 2 == 0 ? "one" : "two";
    const auto found = all.find(id);
    absl::StatusOr<v1::Experiment> next = absl::UnknownError("");
    if (found == all.end() || found->second.state() != v1::Experiment::RUNNING) {
      next = Start(Draft(id, layer, 0.01 + 0.2 * rng.Uniform()), list(), step);
    } else if (rng() % 3 == 0) {
      next = Stop(found->second, "", step);
    } else {
      next = Ramp(found->second, rng.Uniform(), list(), step);
    }
    if (!next.ok()) {
      ++refused;
      continue;
    }
    ++started;
    if (found != all.end() && found->second.state() == v1::Experiment::RUNNING) {
      std::vector<bool> has(kBuckets);
      for (const auto& range : next->buckets()) std::fill(has.begin() + range.first(), has.begin() + range.end(), true);
      bool kept = true;
      for (const auto& range : found->second.buckets()) {
        for (uint32_t b = range.first(); b < range.end(); ++b) kept = kept && has[b];
      }
      ASSERT_TRUE(kept) << "step " << step;
    }
    all[id] = *std::move(next);
    for (const std::string name : {"one", "two"}) {
      std::vector<bool> owned(kBuckets);
      bool shared = false;
      for (const auto& [other, experiment] : all) {
        if (experiment.state() != v1::Experiment::RUNNING || experiment.layer() != name) continue;
        for (const auto& range : experiment.buckets()) {
          for (uint32_t b = range.first(); b < range.end(); ++b) {
            shared = shared || owned[b];
            owned[b] = true;
          }
        }
      }
      ASSERT_FALSE(shared) << "step " << step;
    }
  }
  EXPECT_GT(started, 300);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace bowerbird::experiment::assignment
