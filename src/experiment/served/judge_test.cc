#include "experiment/served/judge.h"

#include <utility>

#include "config/objectives.h"
#include "contract/manual_clock.h"
#include "experiment/served/shop_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "simulation/memory_log.h"

namespace bowerbird::experiment::served {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr int64_t kSecondUs = 1'000'000, kHourUs = 3'600 * kSecondUs;

std::shared_ptr<const config::Config> Parse(std::string_view patch) {
  return config::Parse(Patched(patch), "test").config;
}

/// A log of a shop's drawn answers to some users, and of what they clicked.
struct JudgeTest : testing::Test {
  Shop shop{kLogged};
  log::ManualClock clock;
  simulation::LogDisk disk;
  uint32_t partitions = shop.catalog.config->partitions;
  simulation::MemoryLog log{&disk, &clock, partitions};
  rows::Objectives objectives{*shop.catalog.config, *config::ParseObjectives(kLogged, "test")};
  std::map<std::string, std::shared_ptr<const config::Config>> configs = {
      {shop.catalog.config->version, shop.catalog.config}};
  uint64_t clicks = 0;

  JudgeTest() { clock.Set(shop.now_us); }

  void Append(log::Topic topic, uint64_t user, const std::string& value) {
    std::vector<log::AppendRecord> batch;
    batch.push_back({topic, catalog::PartitionOf(catalog::UserKey(user), partitions), "", value});
    ASSERT_TRUE(log.Append(std::move(batch)).ok());
  }
  v1::ServedRecord Serve(Shop& by, uint64_t seed, const std::string& user) {
    by.seed = seed;
    by.now_us = clock.NowUs();
    by.user.key = by.catalog.hasher.User(user);
    by.user.id = user;
    by.user.offset = 0;
    v1::ServedRecord record = by.Ask("surface: 'home' n: 5 user: '" + user + "'").record;
    Append(log::Topic::kServed, record.user_key(), record.SerializeAsString());
    return record;
  }
  void Act(const v1::ServedRecord& record, int place, const std::string& type) {
    v1::Event event;
    event.set_schema(1);
    event.set_type(type);
    event.set_user(record.request().user());
    event.set_user_key(record.user_key());
    event.set_item(record.candidates(place).item());
    event.set_item_key(record.candidates(place).item_key());
    event.set_request_id(record.request_id());
    event.set_position(static_cast<uint32_t>(place + 1));
    event.set_event_time_us(clock.NowUs());
    event.set_receive_time_us(clock.NowUs());
    Append(log::Topic::kEvents, record.user_key(), event.SerializeAsString());
  }
  /// Users like items of an odd topic, the more so the higher they stand.
  void Simulate(uint32_t answers) {
    base::Rng rng(7);
    for (uint32_t i = 0; i < answers; ++i) {
      const v1::ServedRecord record = Serve(shop, 1 + i, fmt::format("user-{}", i % 97));
      clock.Set(clock.NowUs() + kSecondUs);
      for (int place = 0; place < 5; ++place) {
        const bool odd = (record.candidates(place).item().back() - '0') % 2 == 1;
        if (!rng.Bernoulli((odd ? 0.5 : 0.1) / (1 + 0.2 * place))) continue;
        Act(record, place, "click");
        ++clicks;
      }
    }
    Close();
  }
  void Close() {
    clock.Set(clock.NowUs() + 2 * kHourUs);
    v1::ServedRecord other;
    other.set_kind("rank");
    Append(log::Topic::kServed, 1, other.SerializeAsString());
  }
  absl::StatusOr<Judgement> Judge(std::vector<std::pair<std::string, std::string>> patches,
                                  ope::Estimator estimator = ope::Estimator::kCascadeDr) {
    std::vector<Recipe> recipes;
    for (const auto& [name, patch] : patches) recipes.push_back({name, Parse(patch)});
    Sources sources;
    sources.config = shop.catalog.config.get();
    sources.objectives = &objectives;
    sources.log = &log;
    sources.config_of = [this](const std::string& version) -> absl::StatusOr<std::shared_ptr<const config::Config>> {
      const auto found = configs.find(version);
      if (found == configs.end()) return absl::NotFoundError("gone");
      return found->second;
    };
    sources.categories = shop.Categories();
    JudgeOptions options;
    options.to_us = clock.NowUs() + kHourUs;
    options.estimator = estimator;
    options.resamples = 400;
    return JudgeRecipes(sources, recipes, options);
  }
};

TEST_F(JudgeTest, TheLoggingRecipeIsWorthWhatItEarned) {
  Simulate(800);
  const auto judged = Judge({{"same", ""}}, ope::Estimator::kRips);
  ASSERT_TRUE(judged.ok()) << judged.status();
  EXPECT_EQ(judged->answers, 800u);
  EXPECT_THAT(judged->left_out, IsEmpty());
  EXPECT_DOUBLE_EQ(judged->earned, static_cast<double>(clicks) / 800);
  const JudgedRecipe& same = judged->recipes[0];
  EXPECT_EQ(same.refused, "");
  EXPECT_NEAR(same.estimate.value, judged->earned, 1e-4) << "float32 is what the record has of scores";
  EXPECT_NEAR(same.estimate.diagnostics.all.effective, 5 * 800, 0.1);
  EXPECT_NEAR(same.estimate.diagnostics.all.mean_weight, 1, 1e-5);
  EXPECT_NEAR(same.estimate.diagnostics.all.target_share, 1, 1e-9);
  EXPECT_NEAR(same.difference, 0, 1e-4);
  EXPECT_LT(same.difference_interval.high - same.difference_interval.low, 1e-4) << "the same users are drawn for both";
  const auto modelled = Judge({{"same", ""}});
  ASSERT_TRUE(modelled.ok()) << modelled.status();
  EXPECT_GT(modelled->recipes[0].estimate.bootstrap.high, judged->earned);
  EXPECT_LT(modelled->recipes[0].estimate.bootstrap.low, judged->earned);
}

/// The other recipe's own answers, to the same users, say what it earns.
TEST_F(JudgeTest, AnotherRecipeIsWorthWhatItWouldHaveEarned) {
  Simulate(4000);
  constexpr char kOther[] = "[surfaces.home]\ntemperature = 0.11\ndiversity = 0.1\nweights = { interest = 0.9 }\n";
  const auto judged = Judge({{"other", kOther}, {"same", ""}});
  ASSERT_TRUE(judged.ok()) << judged.status();
  ASSERT_EQ(judged->recipes[0].refused, "");
  const ope::Interval& interval = judged->recipes[0].estimate.bootstrap;
  Shop other(Patched(kOther));
  double expected = 0;
  constexpr uint64_t kAnswers = 2000;
  for (other.seed = 1; other.seed <= kAnswers; ++other.seed) {
    const v1::ServedRecord record = other.Ask("surface: 'home' n: 5").record;
    for (int place = 0; place < 5; ++place) {
      const bool odd = (record.candidates(place).item().back() - '0') % 2 == 1;
      expected += (odd ? 0.5 : 0.1) / (1 + 0.2 * place) / kAnswers;
    }
  }
  const double width = interval.high - interval.low;
  EXPECT_LT(std::abs(judged->recipes[0].estimate.value - expected), width) << expected;
  EXPECT_GT(std::abs(judged->earned - expected), 0) << "they are not worth the same";
  EXPECT_LT(judged->recipes[0].estimate.diagnostics.all.effective, 0.99 * 5 * 4000);
}

TEST_F(JudgeTest, ObjectivesWeighAndLateOnesDoNotCount) {
  const v1::ServedRecord first = Serve(shop, 1, "ann"), second = Serve(shop, 2, "bob");
  clock.Set(clock.NowUs() + kSecondUs);
  Act(first, 0, "click");
  Act(first, 0, "click");
  Act(first, 2, "purchase");
  clock.Set(clock.NowUs() + kHourUs / 2);
  Act(second, 1, "click");
  Act(second, 1, "purchase");
  Close();
  const auto judged = Judge({});
  ASSERT_TRUE(judged.ok()) << judged.status();
  EXPECT_EQ(judged->answers, 2u);
  EXPECT_DOUBLE_EQ(judged->earned, (1 + 3 + 3) / 2.0) << "half an hour later a click is too late, a purchase is not";
}

TEST_F(JudgeTest, WhatTakesNoPartIsCountedByWhy) {
  Serve(shop, 1, "ann");
  Shop sorted(Patched("[surfaces.home]\nexplore = 0\n")), gone(Patched("[surfaces.home]\ndiversity = 0.9\n"));
  configs[sorted.catalog.config->version] = sorted.catalog.config;
  Serve(sorted, 2, "ann");
  Serve(gone, 3, "ann");
  v1::ServedRecord damaged = Serve(shop, 4, "bob");
  damaged.mutable_candidates(0)->set_propensity(0.5);
  damaged.set_request_id("damaged");
  Append(log::Topic::kServed, damaged.user_key(), damaged.SerializeAsString());
  v1::Event mark;
  mark.set_schema(1);
  mark.set_user("bot");
  mark.set_user_key(shop.catalog.hasher.User("bot").value);
  mark.mutable_mark()->set_reason("by_hand");
  Append(log::Topic::kEvents, mark.user_key(), mark.SerializeAsString());
  Serve(shop, 5, "bot");
  Close();
  Serve(shop, 6, "ann");
  const auto judged = Judge({});
  ASSERT_TRUE(judged.ok()) << judged.status();
  EXPECT_EQ(judged->answers, 2u);
  EXPECT_THAT(judged->left_out,
              UnorderedElementsAre(Pair("not_drawn", 1), Pair("config_gone", 1), Pair("not_reproduced", 1),
                                   Pair("marked_user", 1), Pair("open_window", 1)));
}

TEST_F(JudgeTest, WhatTheLogCannotSayIsRefused) {
  Simulate(300);
  const auto judged = Judge({{"other_generators", "[surfaces.home]\ngenerators = ['fresh']\n"},
                             {"sorted", "[surfaces.home]\ntemperature = 0.0005\n"},
                             {"same", ""}});
  ASSERT_TRUE(judged.ok()) << judged.status();
  EXPECT_THAT(judged->recipes[0].refused, HasSubstr("surfaces.home.generators"));
  EXPECT_THAT(judged->recipes[0].left_out, ElementsAre(Pair("other_candidates", 300)));
  EXPECT_THAT(judged->recipes[1].refused, testing::AnyOf(HasSubstr("effective"), HasSubstr("mean weight")));
  EXPECT_EQ(judged->recipes[2].refused, "");
}

TEST_F(JudgeTest, WithoutTheSampleWeightsAreRefusedAndTemperatureIsNot) {
  Shop unsampled(Patched("[served]\nl2_sample = 0\nunion_sample = 0\n"));
  configs[unsampled.catalog.config->version] = unsampled.catalog.config;
  for (uint64_t i = 1; i <= 300; ++i) Act(Serve(unsampled, i, fmt::format("user-{}", i)), 0, "click");
  Close();
  const auto judged = Judge({{"weights", "[surfaces.home]\nweights = { interest = 0 }\n"},
                             {"temperature", "[surfaces.home]\ntemperature = 0.11\n"}});
  ASSERT_TRUE(judged.ok()) << judged.status();
  EXPECT_THAT(judged->recipes[0].refused, HasSubstr("served.l2_sample"));
  EXPECT_THAT(judged->recipes[0].left_out, ElementsAre(Pair("not_all_logged", 300)));
  EXPECT_EQ(judged->recipes[1].refused, "");
}

TEST_F(JudgeTest, AnEmptyLogIsNoVerdict) {
  const auto judged = Judge({{"same", ""}});
  ASSERT_TRUE(judged.ok()) << judged.status();
  EXPECT_EQ(judged->answers, 0u);
  EXPECT_THAT(judged->recipes[0].refused, HasSubstr("surfaces.home.explore"));
}

TEST_F(JudgeTest, MarginalEstimatorsAndUnknownSurfacesAreRefusedByName) {
  EXPECT_THAT(Judge({}, ope::Estimator::kSnips).status().message(), HasSubstr("found snips"));
}

}  // namespace
}  // namespace bowerbird::experiment::served
