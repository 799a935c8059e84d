#include "evaluate/cold.h"

#include <sstream>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::evaluate {
namespace {

constexpr uint32_t kGenres = 6, kItems = 300;

// Users like one genre; an item's genre is its number modulo kGenres.
ColdOptions GenreWorld() {
  ColdOptions options;
  base::Rng rng(3);
  for (uint32_t user = 0; user < 400; ++user) {
    for (int k = 0; k < 15; ++k) {
      const uint32_t genre = rng.Bernoulli(0.9) ? user % kGenres : static_cast<uint32_t>(rng.Below(kGenres));
      options.interactions.push_back({user, static_cast<uint32_t>(rng.Below(kItems / kGenres)) * kGenres + genre});
    }
  }
  options.column_count = kGenres;
  options.features = [](uint32_t item) { return ItemFeatures{{item % kGenres}, {}}; };
  options.factors = 8;
  options.k = 10;
  options.threads = 2;
  return options;
}

TEST(ColdTest, GenresFindItemsThatHaveNoEvents) {
  std::ostringstream log;
  auto report = RunCold(GenreWorld(), log);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->held_out_items, kItems / 5);
  EXPECT_GT(report->recall, 3 * report->random_recall) << log.str();
  EXPECT_THAT(ToJson(*report),
              testing::MatchesRegex(R"(\{"protocol":"cold",.*"recall@10":.*"random":\{"recall@10":.*)"));
}

TEST(ColdTest, FeaturesThatSayNothingAreNoBetterThanRandom) {
  ColdOptions options = GenreWorld();
  base::Rng rng(9);
  std::vector<uint32_t> noise(kItems);
  for (uint32_t& column : noise) column = static_cast<uint32_t>(rng.Below(kGenres));
  options.features = [&](uint32_t item) { return ItemFeatures{{noise[item]}, {}}; };
  std::ostringstream log;
  auto report = RunCold(options, log);
  ASSERT_TRUE(report.ok());
  EXPECT_LT(report->recall, 1.5 * report->random_recall);
}

TEST(ColdTest, EmbeddingsWorkAsAttributesDo) {
  ColdOptions options = GenreWorld();
  options.column_count = 0;
  options.dense_dim = kGenres;
  options.features = [](uint32_t item) {
    ItemFeatures features{{}, std::vector<float>(kGenres, 0.0f)};
    features.dense[item % kGenres] = 1;
    return features;
  };
  std::ostringstream log;
  auto report = RunCold(options, log);
  ASSERT_TRUE(report.ok());
  EXPECT_GT(report->recall, 3 * report->random_recall);
}

TEST(ColdTest, RefusesImpossibleOptions) {
  std::ostringstream log;
  const auto refused = [&](auto change) {
    ColdOptions options = GenreWorld();
    change(options);
    return RunCold(options, log).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](ColdOptions& o) { o.held_out_share = 0.9; }));
  EXPECT_TRUE(refused([](ColdOptions& o) { o.k = 0; }));
  EXPECT_TRUE(refused([](ColdOptions& o) { o.features = nullptr; }));
  EXPECT_TRUE(refused([](ColdOptions& o) { o.column_count = 2; }));
  EXPECT_TRUE(refused([](ColdOptions& o) { o.interactions.resize(1); }));
  EXPECT_TRUE(refused([](ColdOptions& o) {
    o.dense_dim = 3;
    o.features = [](uint32_t) { return ItemFeatures{{}, {1.0f}}; };
  }));
}

}  // namespace
}  // namespace bowerbird::evaluate
