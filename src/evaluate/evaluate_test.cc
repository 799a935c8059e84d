#include "evaluate/evaluate.h"

#include <sstream>

#include "base/rng.h"
#include "evaluate/data_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::evaluate {
namespace {

using testing::HasSubstr;

// Users of six tastes, each with items of their own; later items are drawn as the earlier ones.
std::vector<Interaction> Tastes(uint32_t users, uint32_t actions, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<Interaction> result;
  for (uint32_t u = 0; u < users; ++u) {
    for (uint32_t k = 0; k < actions; ++k) {
      const double x = rng.Uniform();
      const uint32_t within = static_cast<uint32_t>(50 * x * x);  // some items are popular
      const uint32_t taste = rng.Bernoulli(0.85) ? u % 6 : static_cast<uint32_t>(rng.Below(6));
      result.push_back({u, taste * 50 + within, static_cast<int64_t>(k * 1000 + rng.Below(1000))});
    }
  }
  return result;
}

TEST(EvaluateTest, EveryModelBeatsPopularityWhereTastesDiffer) {
  std::ostringstream log;
  for (Protocol protocol : {Protocol::kSplit, Protocol::kLastOut, Protocol::kTemporal}) {
    for (ModelKind model : {ModelKind::kIals, ModelKind::kCoOccurrence}) {
      Options options{.protocol = protocol,
                      .model = model,
                      .interactions = Tastes(300, 15, 1),
                      .factors = 8,
                      .cutoffs = {5, 20},
                      .threads = 2};
      if (protocol == Protocol::kSplit) options.test = Tastes(300, 4, 2);
      auto report = evaluate::Run(options, log);
      ASSERT_TRUE(report.ok()) << report.status().message();
      ASSERT_EQ(report->metrics.size(), 2u);
      EXPECT_EQ(report->metrics[1].k, 20u);
      EXPECT_GT(report->metrics[1].recall, 1.5 * report->popularity[1].recall)
          << report->protocol << " " << report->model;
      EXPECT_GT(report->popularity[1].recall, report->random[1].recall);
      EXPECT_GT(report->random[1].coverage, report->popularity[1].coverage);
      EXPECT_GT(report->random[1].novelty, report->popularity[1].novelty);
      EXPECT_GT(report->validation_ndcg, 0);
    }
  }
  EXPECT_THAT(log.str(), HasSubstr("validation ndcg@20"));
}

TEST(EvaluateTest, TheSameSeedGivesTheSameReportAtAnyThreadCount) {
  std::ostringstream log;
  Options options{
      .protocol = Protocol::kSplit, .interactions = Tastes(200, 12, 3), .test = Tastes(200, 4, 4), .factors = 8};
  options.threads = 1;
  auto one = evaluate::Run(options, log);
  options.threads = 4;
  auto four = evaluate::Run(options, log);
  ASSERT_TRUE(one.ok() && four.ok());
  for (Report* report : {&*one, &*four}) report->epoch_s = report->tune_s = report->train_s = report->evaluate_s = 0;
  EXPECT_EQ(ToJson(*one), ToJson(*four));
}

TEST(EvaluateTest, TheTestPartChangesNoChoice) {
  std::ostringstream log;
  Options options{.protocol = Protocol::kSplit,
                  .interactions = Tastes(200, 12, 5),
                  .test = Tastes(200, 4, 6),
                  .factors = 8,
                  .threads = 2};
  auto one = evaluate::Run(options, log);
  // Other test items, none of which the train part has: settings and validation figure stay as they were.
  for (Interaction& it : options.test) it.item = 299 - it.item;
  auto other = evaluate::Run(options, log);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(one->split_hash, other->split_hash);
  EXPECT_EQ(one->tuned, other->tuned);
  EXPECT_EQ(one->validation_ndcg, other->validation_ndcg);
}

TEST(EvaluateTest, TheJsonHasTheModelOnTopAndBaselinesNested) {
  std::ostringstream log;
  auto report = evaluate::Run({.protocol = Protocol::kLastOut,
                               .model = ModelKind::kPopularity,
                               .interactions = Tastes(50, 8, 7),
                               .cutoffs = {20}},
                              log);
  ASSERT_TRUE(report.ok());
  const std::string json = ToJson(*report);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_THAT(
      json,
      testing::MatchesRegex(
          R"(\{"protocol":"loo","model":"popularity","split_hash":"[0-9a-f]+",.*"recall@20":[0-9.e-]+,"ndcg@20":.*)"
          R"("epoch_s":0.*,"tuned":\{.*\},"popularity":\{"recall@20":.*\},"random":\{"recall@20":.*\}\})"));
}

TEST(EvaluateTest, RefusesWhatItCannotMeasure) {
  std::ostringstream log;
  EXPECT_FALSE(evaluate::Run({.interactions = Tastes(10, 5, 1), .test = Tastes(10, 2, 2), .cutoffs = {}}, log).ok());
  EXPECT_FALSE(evaluate::Run({.interactions = Tastes(10, 5, 1), .test = Tastes(10, 2, 2), .cutoffs = {0}}, log).ok());
  EXPECT_FALSE(evaluate::Run({.interactions = {}, .test = {}}, log).ok());
  std::vector<Interaction> negative = Tastes(10, 5, 1);
  negative[0].weight = -1;
  EXPECT_FALSE(evaluate::Run({.interactions = negative, .test = Tastes(10, 2, 2)}, log).ok());
  EXPECT_THAT(std::string(ParseModelKind("als").status().message()), HasSubstr("model is 'als'; expected ials"));
  EXPECT_EQ(ParseModelKind("co_occurrence").value(), ModelKind::kCoOccurrence);
}

// Published on this data and protocol (last item out, all items ranked): SASRec HR@10 .0688, BSARec .0807.
TEST(EvaluateTest, FactorsAreCompetitiveOnLastFm) {
  auto interactions = ReadSequences(BOWERBIRD_SOURCE_DIR "/../shared/data/lastfm/LastFM.txt.zst");
  if (!interactions.ok()) GTEST_SKIP() << "needs ../shared/data/lastfm: " << interactions.status().message();
  std::ostringstream log;
  auto report = evaluate::Run(
      {.protocol = Protocol::kLastOut, .interactions = *interactions, .factors = 64, .cutoffs = {10}}, log);
  ASSERT_TRUE(report.ok());
  EXPECT_GT(report->metrics[0].hit_rate, 0.08) << log.str();
}

}  // namespace
}  // namespace bowerbird::evaluate
