#include "serve/engine.h"

#include <mutex>
#include <set>
#include <thread>

#include "catalog/problem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/replay_request.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

struct ManualClock final : base::Clock {
  std::atomic<int64_t> now_us = CatalogForTest::kNowUs;
  int64_t NowUs() const override { return now_us; }
};

struct EngineTest : testing::Test {
  RequestForTest shop{{.items = 120}};
  ManualClock clock;
  std::mutex mutex;
  std::vector<v1::ServedRecord> served;
  std::vector<OverlayHide> hides;
  std::function<void()> before_view;  ///< runs at each look at the catalog

  Engine::Sources Sources() {
    Engine::Sources sources;
    sources.config = [this] { return shop.catalog.config; };
    sources.view = [this] {
      if (before_view) before_view();
      return shop.catalog.View();
    };
    sources.user = [this](catalog::UserKey key,
                          std::string_view id) -> absl::StatusOr<std::shared_ptr<const state::UserState>> {
      if (id == "broken") return absl::FailedPreconditionError("another id has this key");
      auto user = std::make_shared<state::UserState>(shop.user);
      user->key = key;
      user->id = id;
      return user;
    };
    sources.item_table = [this] { return shop.catalog.table; };
    sources.unfolded_hides = [this](catalog::UserKey, uint64_t folded_offset) {
      EXPECT_EQ(folded_offset, shop.user.offset);
      return hides;
    };
    sources.served = [this](v1::ServedRecord record) {
      const std::lock_guard lock(mutex);
      served.push_back(std::move(record));
    };
    return sources;
  }
  Engine Make(Engine::Options options) { return Engine(Sources(), &clock, options); }
  Engine::Options Options() {
    Engine::Options options{.hasher = shop.catalog.hasher};
    options.cursor_key = {5};
    options.seed = 11;
    return options;
  }
  Engine engine{Sources(), &clock, Options()};

  static v1::RecommendRequest Home(uint32_t n, const std::string& cursor = "") {
    v1::RecommendRequest request;
    request.set_surface("home");
    request.set_user("somebody");
    request.set_n(n);
    request.set_cursor(cursor);
    return request;
  }
  static std::string CodeOf(const absl::Status& status) { return catalog::FromStatus(status).code; }
};

TEST_F(EngineTest, PagesUntilNothingIsLeftWithoutRepeats) {
  std::set<std::string> shown, request_ids;
  std::string cursor;
  uint32_t position = 0, page = 0;
  std::string chain;
  do {
    const auto answer = engine.Recommend(Home(7 + page % 5, cursor));
    ASSERT_TRUE(answer.ok()) << answer.status();
    ASSERT_FALSE(answer->items.empty());
    EXPECT_TRUE(request_ids.insert(answer->request_id).second);
    for (const AnswerItem& item : answer->items) {
      EXPECT_TRUE(shown.insert(item.id).second) << item.id;
      EXPECT_EQ(item.position, ++position);
    }
    if (page == 0) chain = answer->request_id;
    EXPECT_EQ(served.back().chain(), chain);
    EXPECT_EQ(served.back().page(), page);
    cursor = answer->next_cursor;
    ++page;
  } while (!cursor.empty());
  EXPECT_EQ(shown.size(), 120u);
  EXPECT_EQ(engine.counters().answers, page);
}

TEST_F(EngineTest, APageAskedForAgainKeepsBothBranchesWithoutRepeats) {
  const auto first = engine.Recommend(Home(10));
  ASSERT_TRUE(first.ok());
  for (int branch = 0; branch < 2; ++branch) {
    std::set<std::string> shown;
    for (const AnswerItem& item : first->items) shown.insert(item.id);
    std::string cursor = first->next_cursor;
    for (int page = 0; page < 3; ++page) {
      const auto answer = engine.Recommend(Home(10, cursor));
      ASSERT_TRUE(answer.ok());
      for (const AnswerItem& item : answer->items) EXPECT_TRUE(shown.insert(item.id).second);
      cursor = answer->next_cursor;
    }
  }
}

TEST_F(EngineTest, RefusesForeignTamperedAndOldCursors) {
  const auto first = engine.Recommend(Home(5));
  ASSERT_TRUE(first.ok());
  std::string tampered = first->next_cursor;
  tampered[tampered.size() / 2] = tampered[tampered.size() / 2] == 'x' ? 'y' : 'x';
  EXPECT_EQ(CodeOf(engine.Recommend(Home(5, tampered)).status()), "invalid_cursor");
  v1::RecommendRequest other_user = Home(5, first->next_cursor);
  other_user.set_user("somebody else");
  EXPECT_EQ(CodeOf(engine.Recommend(other_user).status()), "invalid_cursor");
  v1::RecommendRequest other_surface = Home(5, first->next_cursor);
  other_surface.set_surface("related");
  other_surface.set_item("item-00001");
  EXPECT_EQ(CodeOf(engine.Recommend(other_surface).status()), "invalid_cursor");
  Engine::Options options = Options();
  options.cursor_key = {6};
  EXPECT_EQ(CodeOf(Make(options).Recommend(Home(5, first->next_cursor)).status()), "invalid_cursor");
  // The same app after a restart: the cursor is ours, what was shown is forgotten.
  EXPECT_EQ(CodeOf(Make(Options()).Recommend(Home(5, first->next_cursor)).status()), "cursor_expired");
  clock.now_us += Options().cursor_lifetime_us;
  EXPECT_EQ(CodeOf(engine.Recommend(Home(5, first->next_cursor)).status()), "cursor_expired");
}

TEST_F(EngineTest, RunsAgainWhenAShownItemWasWithdrawnMeanwhile) {
  int looks = 0;
  before_view = [&] {
    if (++looks != 2) return;
    // Between the run and the look afterwards.
    for (uint32_t i = 0; i < 60; ++i) shop.catalog.Withdraw(i);
  };
  const auto answer = engine.Recommend(Home(100));
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(answer->items, SizeIs(60));
  for (const AnswerItem& item : answer->items) EXPECT_GE(item.id, "item-00060");
  EXPECT_EQ(engine.counters().runs_again, 1u);
  EXPECT_THAT(served, SizeIs(1));
  EXPECT_EQ(served[0].catalog_offset(), shop.catalog.View()->catalog_offset());
}

TEST_F(EngineTest, GivesUpWhenTheCatalogNeverRests) {
  uint32_t next = 0;
  before_view = [&] {
    for (uint32_t i = 0; i < 5; ++i) shop.catalog.Withdraw(next++);
  };
  EXPECT_EQ(engine.Recommend(Home(120)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(served, IsEmpty());
}

TEST_F(EngineTest, ItemsThatChangeButStayEligibleDoNotRunAgain) {
  before_view = [&] {
    shop.catalog.items[3].set_price(1);
    shop.catalog.Apply(shop.catalog.items[3]);
  };
  EXPECT_TRUE(engine.Recommend(Home(100)).ok());
  EXPECT_EQ(engine.counters().runs_again, 0u);
}

TEST_F(EngineTest, UnfoldedHidesCountAtOnce) {
  hides.push_back({"item-00003", shop.catalog.Key(3)});
  const auto answer = engine.Recommend(Home(200));
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(RequestForTest::Ids(*answer), Not(Contains("item-00003")));
  EXPECT_THAT(served[0].overlay_hidden(), testing::ElementsAre("item-00003"));
}

TEST_F(EngineTest, AnUnknownVisitorNeedsNoState) {
  v1::RecommendRequest request;
  request.set_surface("home");
  const auto answer = engine.Recommend(request);
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(answer->items, SizeIs(25));
  EXPECT_EQ(served[0].user_key(), 0u);
  ASSERT_FALSE(answer->next_cursor.empty());
  request.set_cursor(answer->next_cursor);
  EXPECT_TRUE(engine.Recommend(request).ok());
}

TEST_F(EngineTest, PassesOnWhatASourceReturns) {
  v1::RecommendRequest request = Home(5);
  request.set_user("broken");
  EXPECT_EQ(engine.Recommend(request).status().code(), absl::StatusCode::kFailedPrecondition);
  request.set_user(std::string(257, 'u'));
  EXPECT_EQ(CodeOf(engine.Recommend(request).status()), "too_long");
}

TEST_F(EngineTest, WhatItServedCanBeRunAgain) {
  const auto first = engine.Recommend(Home(9));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(engine.Recommend(Home(9, first->next_cursor)).ok());
  for (const v1::ServedRecord& record : served) {
    Inputs inputs = shop.Inputs();
    inputs.user = *Sources().user(shop.catalog.hasher.User("somebody"), "somebody");
    RestoreFromRecord(record, &inputs);
    const auto report = ReplayRequest(record, inputs);
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->equal) << testing::PrintToString(report->differences);
  }
}

TEST_F(EngineTest, RanksAndProfiles) {
  v1::RankRequest rank;
  rank.set_surface("home");
  rank.set_user("somebody");
  rank.add_items("item-00001");
  rank.add_items("nobody");
  const auto ranked = engine.Rank(rank);
  ASSERT_TRUE(ranked.ok());
  EXPECT_THAT(ranked->items, SizeIs(1));
  EXPECT_THAT(ranked->left_out, testing::ElementsAre("nobody"));
  EXPECT_EQ(served[0].kind(), "rank");
  v1::ProfileRequest asked;
  v1::ProfileResponse profile;
  EXPECT_EQ(CodeOf(engine.Profile(asked, &profile)), "missing_field");
  asked.set_id("newcomer");
  ASSERT_TRUE(engine.Profile(asked, &profile).ok());
  EXPECT_EQ(profile.id(), "newcomer");
}

TEST_F(EngineTest, ServesManyThreadsWhileTheCatalogChanges) {
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (uint32_t i = 0; !stop; i = (i + 1) % 100) {
      shop.catalog.items[i].set_price(i);
      shop.catalog.Apply(shop.catalog.items[i]);
    }
  });
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      std::string cursor;
      for (int i = 0; i < 40; ++i) {
        const auto answer = engine.Recommend(Home(10, cursor));
        ASSERT_TRUE(answer.ok()) << answer.status();
        ASSERT_THAT(answer->items, Not(IsEmpty()));
        cursor = answer->next_cursor;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  stop = true;
  writer.join();
  std::set<std::string> ids;
  for (const v1::ServedRecord& record : served) ids.insert(record.request_id());
  EXPECT_EQ(ids.size(), 120u);
}

}  // namespace
}  // namespace bowerbird::serve
