// What holds without a line of config: docs/config.md states the same values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace bowerbird::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kDayUs = 86'400 * kSecondUs;

const Config& Defaults() {
  static const std::shared_ptr<const Config> config = Parse("", "bowerbird.toml").config;
  return *config;
}

TEST(DefaultsTest, App) {
  EXPECT_EQ(Defaults().app, "default");
  EXPECT_EQ(Defaults().partitions, 64u);
  EXPECT_THAT(Defaults().domains, ElementsAre("organic"));
  EXPECT_THAT(Defaults().item_attributes, IsEmpty());
  EXPECT_THAT(Defaults().user_attributes, IsEmpty());
  EXPECT_THAT(Defaults().signals, IsEmpty());
  EXPECT_THAT(Defaults().objectives, IsEmpty());
}

TEST(DefaultsTest, EventTypes) {
  struct Expected {
    const char* name;
    double weight;
    Polarity polarity;
    ItemUse item;
  };
  constexpr Expected kExpected[] = {
      {"impression", 0, Polarity::kNeutral, ItemUse::kRequired},
      {"click", 1, Polarity::kPositive, ItemUse::kRequired},
      {"closeup", 1, Polarity::kPositive, ItemUse::kRequired},
      {"save", 3, Polarity::kPositive, ItemUse::kRequired},
      {"hide", 1, Polarity::kNegative, ItemUse::kRequired},
      {"purchase", 5, Polarity::kPositive, ItemUse::kRequired},
      {"search", 0, Polarity::kNeutral, ItemUse::kNone},
      {"notification_open", 0.5, Polarity::kPositive, ItemUse::kOptional},
      {"identify", 0, Polarity::kNeutral, ItemUse::kNone},
      {"unhide", 0, Polarity::kNeutral, ItemUse::kRequired},
  };
  const auto& types = Defaults().event_types;
  ASSERT_EQ(types.size(), std::size(kExpected));
  for (size_t i = 0; i < types.size(); ++i) {
    EXPECT_EQ(types[i].name, kExpected[i].name);
    EXPECT_EQ(types[i].weight, kExpected[i].weight) << types[i].name;
    EXPECT_EQ(types[i].polarity, kExpected[i].polarity) << types[i].name;
    EXPECT_EQ(types[i].item, kExpected[i].item) << types[i].name;
    EXPECT_EQ(types[i].ordinal, i);
    EXPECT_EQ(types[i].code, i + 1);
    EXPECT_EQ(types[i].value_zero, 0);
    EXPECT_EQ(types[i].value_one, 0);
    EXPECT_THAT(types[i].attributes, IsEmpty());
  }
}

TEST(DefaultsTest, Collect) {
  const Collect& collect = Defaults().collect;
  EXPECT_EQ(collect.age_us_max, 7 * kDayUs);
  EXPECT_FALSE(collect.late_rejected);
  EXPECT_EQ(collect.future_us_max, 300 * kSecondUs);
  EXPECT_FALSE(collect.future_rejected);
  EXPECT_EQ(collect.batch_events_max, 1000u);
  EXPECT_EQ(collect.body_bytes_max, 8u << 20);
  EXPECT_EQ(collect.id_bytes_max, 256u);
  EXPECT_EQ(collect.attributes_max, 64u);
  EXPECT_EQ(collect.attribute_bytes_max, 4096u);
  EXPECT_EQ(collect.text_bytes_max, 65536u);
}

TEST(DefaultsTest, LogAndState) {
  EXPECT_EQ(Defaults().log.retention_us, 0);
  EXPECT_EQ(Defaults().log.kind, Log::Kind::kEmbedded);
  const State& state = Defaults().state;
  EXPECT_EQ(state.sequence_max, 512u);
  EXPECT_EQ(state.dedupe_prints, 512u);
  EXPECT_EQ(state.dedupe_window_us, 7 * kDayUs);
  EXPECT_EQ(state.read_your_writes_us, 50'000);
  EXPECT_EQ(state.cache_bytes, 256u << 20);
  EXPECT_EQ(state.flush_interval_us, kSecondUs);
  EXPECT_EQ(state.item_bucket_us, 3600 * kSecondUs);
  EXPECT_EQ(state.item_buckets_max, 336u);
  EXPECT_EQ(state.item_table_interval_us, 2 * kSecondUs);
  EXPECT_EQ(state.affinity_half_life_us, 14 * kDayUs);
  EXPECT_EQ(state.affinity_top, 32u);
  EXPECT_EQ(state.category_attribute, "categories");
}

TEST(DefaultsTest, Generators) {
  struct Expected {
    const char* name;
    GeneratorKind kind;
    uint32_t count;
    int64_t half_life_us, window_us;
    uint32_t seeds = 50;
  };
  constexpr Expected kExpected[] = {
      {"for_you", GeneratorKind::kIals, 300, 0, 0},
      {"because", GeneratorKind::kCoOccurrence, 300, 30 * kDayUs, 0},
      {"trending", GeneratorKind::kTrending, 200, kDayUs, 7 * kDayUs},
      {"fresh", GeneratorKind::kFresh, 200, 0, 30 * kDayUs},
      {"popular", GeneratorKind::kPopular, 200, 0, 0},
      {"similar", GeneratorKind::kSimilar, 300, 0, 0},
      {"next", GeneratorKind::kNext, 200, 30 * 60 * kSecondUs, 0, 4},
  };
  const auto& generators = Defaults().generators;
  ASSERT_EQ(generators.size(), std::size(kExpected));
  for (size_t i = 0; i < generators.size(); ++i) {
    EXPECT_EQ(generators[i].name, kExpected[i].name);
    EXPECT_EQ(generators[i].kind, kExpected[i].kind) << generators[i].name;
    EXPECT_EQ(generators[i].count, kExpected[i].count) << generators[i].name;
    EXPECT_EQ(generators[i].half_life_us, kExpected[i].half_life_us) << generators[i].name;
    EXPECT_EQ(generators[i].window_us, kExpected[i].window_us) << generators[i].name;
    EXPECT_EQ(generators[i].seeds, kExpected[i].seeds) << generators[i].name;
  }
}

TEST(DefaultsTest, Surfaces) {
  ASSERT_EQ(Defaults().surfaces.size(), 3u);
  const Surface& home = Defaults().surfaces[0];
  EXPECT_EQ(home.name, "home");
  EXPECT_FALSE(home.needs_item);
  EXPECT_THAT(home.generators, ElementsAre("for_you", "because", "trending", "fresh"));
  EXPECT_EQ(home.seen, SeenPolicy::kExclude);
  const Surface& related = Defaults().surfaces[1];
  EXPECT_EQ(related.name, "related");
  EXPECT_TRUE(related.needs_item);
  EXPECT_THAT(related.generators, ElementsAre("similar", "because"));
  EXPECT_EQ(related.seen, SeenPolicy::kAllow);
  const Surface& next = Defaults().surfaces[2];
  EXPECT_EQ(next.name, "next");
  EXPECT_FALSE(next.needs_item);
  EXPECT_THAT(next.generators, ElementsAre("next"));
  EXPECT_EQ(next.seen, SeenPolicy::kExclude);
  for (const Surface& surface : Defaults().surfaces) {
    EXPECT_THAT(surface.weights, IsEmpty());
    EXPECT_EQ(surface.candidates_max, 2000u);
    EXPECT_EQ(surface.ranked_max, 300u);
    EXPECT_EQ(surface.seen_window_us, surface.name == "next" ? 30 * 60 * kSecondUs : 0);
    EXPECT_EQ(surface.seen_factor, 0.5);
    EXPECT_EQ(surface.explore, 0.01);
    EXPECT_EQ(surface.temperature, 0.1);
    EXPECT_EQ(surface.diversity, 0);
    EXPECT_EQ(surface.category_cap, 0u);
    EXPECT_EQ(surface.filter, nullptr);
    EXPECT_THAT(surface.rules, IsEmpty());
  }
}

TEST(DefaultsTest, DeclaredThings) {
  const auto config =
      Parse("[events.view]\n[objectives.view]\nevent = \"view\"\n[surfaces.mail]\ngenerators = [\"fresh\"]\n", "x")
          .config;
  ASSERT_NE(config, nullptr);
  const EventType& view = config->event_types.back();
  EXPECT_EQ(view.weight, 1);
  EXPECT_EQ(view.polarity, Polarity::kPositive);
  EXPECT_EQ(view.item, ItemUse::kRequired);
  EXPECT_EQ(view.code, 16);
  EXPECT_EQ(config->objectives[0].window_us, kDayUs);
  EXPECT_EQ(config->objectives[0].weight, 1);
  EXPECT_FALSE(config->surfaces.back().needs_item);
  EXPECT_EQ(config->surfaces.back().seen, SeenPolicy::kExclude);
}

TEST(DefaultsTest, PipelineAndServed) {
  const Pipeline& pipeline = Defaults().pipeline;
  EXPECT_EQ(pipeline.interval_us, 0);
  EXPECT_EQ(pipeline.factors, 64u);
  EXPECT_EQ(pipeline.epochs, 8u);
  EXPECT_EQ(pipeline.regularization, 0.005);
  EXPECT_EQ(pipeline.unobserved_weight, 0.01);
  EXPECT_EQ(pipeline.co_occurrence_half_life_us, 30 * kDayUs);
  EXPECT_EQ(pipeline.snapshots_kept, 5u);
  EXPECT_EQ(Defaults().served.l2_sample, 0.01);
  EXPECT_EQ(Defaults().served.union_sample, 0.001);
}

TEST(DefaultsTest, Server) {
  const auto server = ParseServer("", "server.toml").config;
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(server->listen, "127.0.0.1");
  EXPECT_EQ(server->port, 8080);
  EXPECT_EQ(server->threads, 2u);
  EXPECT_TRUE(server->open_on_loopback);
  EXPECT_EQ(server->drain_us, 10 * kSecondUs);
  EXPECT_EQ(server->request_us_max, 30 * kSecondUs);
  EXPECT_EQ(server->connections_max, 4096u);
  EXPECT_EQ(server->log_level, "info");
}

}  // namespace
}  // namespace bowerbird::config
