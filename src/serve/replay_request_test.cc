#include "serve/replay_request.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct ReplayTest : testing::Test {
  RequestForTest shop{{.items = 200,
                       .config = "[surfaces.home]\ngenerators = ['for_you', 'because', 'fresh']\nexplore = 0.5\n"
                                 "diversity = 0.3\n[served]\nunion_sample = 0.5\n"}};
  ReplayTest() { shop.user = shop.catalog.User({{"save", 4}, {"click", 15}}); }

  /// The record as it comes back from the log.
  static v1::ServedRecord Stored(const v1::ServedRecord& record) {
    v1::ServedRecord stored;
    EXPECT_TRUE(stored.ParseFromString(record.SerializeAsString()));
    return stored;
  }
  Inputs Rebuilt(const v1::ServedRecord& record) {
    Inputs inputs = shop.Inputs();
    inputs.now_us = 0;
    inputs.seed = 0;
    inputs.request_id.clear();
    inputs.chain = {};
    inputs.overlay_hidden.clear();
    RestoreFromRecord(record, &inputs);
    return inputs;
  }
};

TEST_F(ReplayTest, GivesTheSameAnswerAgain) {
  shop.overlay.push_back({"item-00024", shop.catalog.Key(24)});
  shop.chain = {"first", 1, {shop.catalog.Key(9), shop.catalog.Key(8)}, false};
  for (shop.seed = 1; shop.seed < 30; ++shop.seed) {
    const v1::ServedRecord record =
        Stored(shop.Ask("surface: 'home' n: 12 exclude: 'item-00001' filter: 'price > 3'").record);
    const auto report = ReplayRequest(record, Rebuilt(record));
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->equal);
    EXPECT_THAT(report->differences, IsEmpty());
    EXPECT_EQ(report->candidates, static_cast<uint32_t>(record.candidates_size()));
    EXPECT_EQ(report->again.SerializeAsString(), record.SerializeAsString());
  }
}

TEST_F(ReplayTest, GivesARankingAgain) {
  v1::RankRequest request;
  request.set_surface("home");
  request.set_user("somebody");
  for (uint32_t i = 30; i < 60; ++i) request.add_items(shop.catalog.IdOf(i));
  const auto answer = Rank(shop.Inputs(), request);
  ASSERT_TRUE(answer.ok());
  const v1::ServedRecord record = Stored(answer->record);
  const auto report = ReplayRequest(record, Rebuilt(record));
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->equal) << testing::PrintToString(report->differences);
}

TEST_F(ReplayTest, RemembersThatAChainShowsSeenItems) {
  for (uint32_t i = 0; i < 200; ++i) CatalogForTest::See(shop.catalog.Key(i), 1'760'000'000, &shop.user);
  const Answer first = shop.Ask("surface: 'home' n: 5");
  EXPECT_THAT(first.degraded, Contains("seen_relaxed"));
  shop.chain = {"first", 1, {}, true};
  for (const AnswerItem& item : first.items) shop.chain.shown.push_back(shop.catalog.Key(item.id));
  const v1::ServedRecord record = Stored(shop.Ask("surface: 'home' n: 5").record);
  EXPECT_EQ(record.candidates(0).position(), 6u);
  const auto report = ReplayRequest(record, Rebuilt(record));
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->equal) << testing::PrintToString(report->differences);
}

TEST_F(ReplayTest, SaysWhatDiffers) {
  const v1::ServedRecord record = Stored(shop.Ask("surface: 'home' n: 12").record);
  shop.user = shop.catalog.User({{"save", 4}, {"click", 16}});
  shop.user.offset = 101;
  const auto report = ReplayRequest(record, Rebuilt(record));
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->equal);
  EXPECT_GT(report->difference_count, 1u);
  EXPECT_THAT(report->differences, Contains("user_offset: was 100, is 101"));
  EXPECT_THAT(report->differences, Contains(HasSubstr("candidates")));
}

TEST_F(ReplayTest, RefusesAnUnknownKind) {
  v1::ServedRecord record = shop.Ask("surface: 'home' n: 12").record;
  record.set_kind("search");
  const auto report = ReplayRequest(record, Rebuilt(record));
  EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("'search'"));
}

}  // namespace
}  // namespace bowerbird::serve
