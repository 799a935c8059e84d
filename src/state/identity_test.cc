#include <algorithm>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;
using testing::ElementsAre;

constexpr uint32_t kPartitions = 4;

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() { Open(); }

  void Open() {
    state_ = nullptr;
    State::Options options;
    options.threads = 2;
    auto state = State::Open(folder_ / "state", Config(), &log_, &base::SystemClock::Get(), options);
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }
  static std::shared_ptr<const config::Config> Config() {
    static const auto config = std::make_shared<config::Config>(TestConfig());
    return config;
  }
  void Append(std::string_view type, std::string_view user, std::string_view item, int64_t time_us,
              std::string_view client_id = "", std::string_view collection = "") {
    v1::Event event = TestEvent(type, user, item, client_id, time_us);
    event.set_collection(std::string(collection));
    if (type == "save") event.add_item_categories("lamps");
    ASSERT_TRUE(log_.Append({ToRecord(event, kPartitions)}).ok());
  }
  void Identify(std::string_view anonymous, std::string_view user, int64_t time_us, std::string_view client_id = "") {
    ASSERT_TRUE(log_.Append(IdentifyRecords(anonymous, user, client_id, time_us, kPartitions)).ok());
  }
  std::shared_ptr<const UserState> Get(const std::string& id) const {
    auto user = state_->Get(TestHasher().User(id), id);
    EXPECT_TRUE(user.ok()) << user.status();
    return *user;
  }
  /// Items of the user's actions, oldest first, by the names that the test gave them.
  std::vector<std::string> Items(const std::string& id) const {
    std::vector<std::string> items;
    for (const Action& action : Get(id)->actions) {
      std::string name = "?";
      for (const char* known : {"a", "b", "c", "d", "e", "f"}) {
        if (TestHasher().Item(known) == action.item) name = known;
      }
      items.push_back(name);
    }
    return items;
  }
  size_t MergeRecords() const {
    size_t count = 0;
    for (uint32_t p = 0; p < kPartitions; ++p) {
      const log::ReadResult read = *log_.Read(Topic::kEvents, p, 0, 1 << 20, 1 << 30);
      for (const log::Record& record : read.records) {
        v1::Event event;
        count += event.ParseFromString(record.value) && event.has_merge();
      }
    }
    return count;
  }
  /// Closes the state; what is stored must be what a replay of the log gives.
  void ExpectVerified() {
    ASSERT_TRUE(state_->Flush().ok());
    state_ = nullptr;
    const auto report =
        VerifyByReplay(folder_ / "state", folder_ / "scratch", Config(), &log_, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
  }

  TempFolder folder_{"identity_test"};
  MemoryLog log_{kPartitions};
  std::unique_ptr<State> state_;
};

TEST_F(IdentityTest, WhatTheAnonymousIdDidIsTheUsersInTheOrderOfTime) {
  Append("click", "anon", "a", kStartUs);
  Append("click", "user", "b", kStartUs + 10 * kSecondUs);
  Append("save", "anon", "c", kStartUs + 20 * kSecondUs, "", "board");
  Append("impression", "anon", "d", kStartUs + 21 * kSecondUs);
  Append("hide", "anon", "e", kStartUs + 22 * kSecondUs);
  Identify("anon", "user", kStartUs + 30 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  const auto user = Get("user");
  EXPECT_THAT(Items("user"), ElementsAre("a", "b", "c"));
  EXPECT_EQ(user->events, 6u);  // two clicks, a save, an impression, a hide, and the identify itself
  EXPECT_EQ(user->first_time_us, kStartUs);
  EXPECT_EQ(user->last_time_us, kStartUs + 30 * kSecondUs);
  EXPECT_TRUE(user->IsHidden(TestHasher().Item("e")));
  ASSERT_EQ(user->collections.size(), 1u);
  EXPECT_EQ(user->collections[0].name, "board");
  ASSERT_EQ(user->affinities.size(), 1u);
  ASSERT_NE(user->FindSeen(TestHasher().Item("d")), nullptr);
  EXPECT_EQ(user->FindSeen(TestHasher().Item("d"))->count, 1u);
  const auto anonymous = Get("anon");
  EXPECT_EQ(anonymous->becomes, "user");
  EXPECT_TRUE(anonymous->actions.empty());
  EXPECT_EQ(MergeRecords(), 1u);
  ExpectVerified();
}

TEST_F(IdentityTest, AnUnhideUnderTheFormerIdCounts) {
  Append("hide", "anon", "e", kStartUs);
  Append("hide", "anon", "f", kStartUs + kSecondUs);
  Identify("anon", "user", kStartUs + 2 * kSecondUs);
  Append("unhide", "anon", "e", kStartUs + 3 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_FALSE(Get("user")->IsHidden(TestHasher().Item("e")));
  EXPECT_TRUE(Get("user")->IsHidden(TestHasher().Item("f")));
  ExpectVerified();
}

TEST_F(IdentityTest, WhatTheAnonymousIdDoesAfterwardsGoesToTheUserOnce) {
  Append("click", "anon", "a", kStartUs, "c1");
  Identify("anon", "user", kStartUs + kSecondUs, "c2");
  Append("click", "anon", "b", kStartUs + 2 * kSecondUs, "c3");
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Items("user"), ElementsAre("a", "b"));
  // Retries of all three.
  Append("click", "anon", "a", kStartUs, "c1");
  Identify("anon", "user", kStartUs + kSecondUs, "c2");
  Append("click", "anon", "b", kStartUs + 2 * kSecondUs, "c3");
  // Said once more, with nothing done since.
  Identify("anon", "user", kStartUs + 3 * kSecondUs, "c4");
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Items("user"), ElementsAre("a", "b"));
  EXPECT_EQ(Get("user")->events, 4u);
  EXPECT_EQ(MergeRecords(), 2u);
  ExpectVerified();
}

TEST_F(IdentityTest, AnIdThatDidNothingYetAnswersAsTheUserToo) {
  Identify("anon", "user", kStartUs);
  Append("click", "anon", "a", kStartUs + kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(Get("anon")->becomes, "user");
  EXPECT_THAT(Items("user"), ElementsAre("a"));
}

TEST_F(IdentityTest, WhatLeftTheRecordForLifelongBlocksMovesToo) {
  const auto count = [&](const std::string& id) {
    std::multiset<uint32_t> times;
    const auto total = state_->VisitActions(TestHasher().User(id), id, 0, [&](uint64_t, const Action& action) {
      times.insert(action.time_s);
      return true;
    });
    EXPECT_TRUE(total.ok()) << total.status();
    EXPECT_EQ(*total, times.size());
    return std::set<uint32_t>(times.begin(), times.end()).size();
  };
  const auto act = [&](std::string_view user, int actions, int64_t from_s) {
    for (int i = 0; i < actions; ++i) Append("click", user, "a", kStartUs + (from_s + i) * kSecondUs);
  };
  act("anon", 1500, 0);
  ASSERT_TRUE(state_->CatchUp().ok());
  ASSERT_TRUE(state_->Flush().ok());
  act("anon", 500, 1500);
  act("user", 900, 2000);
  Identify("anon", "user", kStartUs + 3000 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(count("user"), 2900u);
  EXPECT_EQ(count("anon"), 0u);
  // On by a chain, and back where it began.
  Identify("user", "third", kStartUs + 3001 * kSecondUs);
  act("anon", 100, 3100);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(count("third"), 3000u);
  EXPECT_EQ(count("user"), 0u);
  Identify("third", "user", kStartUs + 3300 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(count("user"), 3000u);
  state_ = nullptr;
  Open();
  EXPECT_EQ(count("user"), 3000u);
  ExpectVerified();
}

TEST_F(IdentityTest, RecordsOfFormerReleasesLeaveLifelongBlocksWithTheId) {
  for (int i = 0; i < 1000; ++i) Append("click", "anon", "a", kStartUs + i * kSecondUs);
  ASSERT_TRUE(
      log_.Append(IdentifyRecords("anon", "user", "", kStartUs + 1000 * kSecondUs, kPartitions, log::kEventSchema))
          .ok());
  Identify("anon", "user", kStartUs + 1001 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  const auto total = [&](const std::string& id) {
    return *state_->VisitActions(TestHasher().User(id), id, 0, [](uint64_t, const Action&) { return true; });
  };
  EXPECT_GT(total("anon"), 0u);
  EXPECT_EQ(total("anon") + total("user"), 1000u);
  ExpectVerified();
}

TEST_F(IdentityTest, StateMadeAgainFindsInTheLogWhatWasHandedOver) {
  for (int i = 0; i < 20; ++i) {
    const std::string anonymous = fmt::format("anon{}", i), user = fmt::format("user{}", i % 7);
    Append("click", anonymous, "a", kStartUs + i * kSecondUs);
    Identify(anonymous, user, kStartUs + i * kSecondUs);
    Append("click", anonymous, "b", kStartUs + i * kSecondUs);
  }
  ASSERT_TRUE(state_->CatchUp().ok());
  const size_t merges = MergeRecords();
  EXPECT_EQ(merges, 40u);
  const auto before = Get("user3");
  state_ = nullptr;
  std::filesystem::remove_all(folder_ / "state");
  Open();
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(MergeRecords(), merges);
  EXPECT_EQ(Get("user3")->events, before->events);
  EXPECT_EQ(Get("user3")->actions.size(), before->actions.size());
  ExpectVerified();
}

TEST_F(IdentityTest, NothingIsCommittedBeforeItIsHandedOver) {
  Append("click", "anon", "a", kStartUs);
  Identify("anon", "user", kStartUs + kSecondUs);
  log_.appends_fail = true;
  EXPECT_FALSE(state_->CatchUp().ok());
  ASSERT_TRUE(state_->Flush().ok());
  state_ = nullptr;
  log_.appends_fail = false;
  Open();
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Items("user"), ElementsAre("a"));
  EXPECT_EQ(MergeRecords(), 1u);
  ExpectVerified();
}

TEST_F(IdentityTest, AnIdThatBecomesAnotherUserGoesOnThere) {
  Append("click", "anon", "a", kStartUs);
  Identify("anon", "first", kStartUs + kSecondUs);
  Append("click", "anon", "b", kStartUs + 2 * kSecondUs);
  Identify("anon", "second", kStartUs + 3 * kSecondUs);
  Append("click", "anon", "c", kStartUs + 4 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Items("first"), ElementsAre("a", "b"));
  EXPECT_THAT(Items("second"), ElementsAre("c"));
  EXPECT_EQ(Get("anon")->becomes, "second");
  ExpectVerified();
}

TEST_F(IdentityTest, ChainsEndAtTheLastUserAndCirclesEnd) {
  Append("click", "one", "a", kStartUs);
  Identify("one", "two", kStartUs + kSecondUs);
  Identify("two", "three", kStartUs + 2 * kSecondUs);
  Append("click", "one", "b", kStartUs + 3 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Items("three"), ElementsAre("a", "b"));
  // Who had become two is who two becomes.
  Append("click", "left", "c", kStartUs);
  Identify("left", "right", kStartUs + kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  Identify("right", "left", kStartUs + 2 * kSecondUs);
  Append("click", "right", "d", kStartUs + 3 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Items("left"), ElementsAre("c", "d"));
  EXPECT_EQ(Get("left")->becomes, "");
  EXPECT_EQ(Get("right")->becomes, "left");
  // A circle of three, which nobody means: every fold of it ends.
  Identify("three", "one", kStartUs + 4 * kSecondUs);
  Append("click", "two", "e", kStartUs + 5 * kSecondUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  ExpectVerified();
}

/// Random histories in which each anonymous id becomes one user at some time; whatever restarts and rebuilds there are,
/// each action is with its user once.
TEST_F(IdentityTest, EachActionIsWithItsUserOnceAcrossRestartsAndRebuilds) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    const TempFolder folder("identity_test_model");
    MemoryLog log(kPartitions);
    base::Rng rng(seed);
    config::Config config = TestConfig();
    config.state.sequence_max = seed % 2 == 0 ? 500 : 16;
    const auto shared = std::make_shared<const config::Config>(config);
    std::unique_ptr<State> state;
    const auto open = [&] {
      state = nullptr;
      State::Options options;
      options.threads = static_cast<uint32_t>(1 + rng.Below(3));
      state = *State::Open(folder / "state", shared, &log, &base::SystemClock::Get(), options);
    };
    open();
    std::map<std::string, std::string> becomes;
    std::map<std::string, std::multiset<uint64_t>> items_of;
    int64_t now_us = kStartUs;
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 40; ++i) {
        now_us += kSecondUs;
        const std::string id =
            rng.Bernoulli(0.7) ? fmt::format("anon{}", rng.Below(30)) : fmt::format("u{}", rng.Below(6));
        const auto user = becomes.find(id);
        if (id[0] == 'a' && user == becomes.end() && rng.Bernoulli(0.1)) {
          becomes[id] = fmt::format("u{}", rng.Below(6));
          ASSERT_TRUE(log.Append(IdentifyRecords(id, becomes[id], "", now_us, kPartitions)).ok());
          continue;
        }
        const v1::Event event = TestEvent("click", id, fmt::format("item{}", rng.Below(100)), "", now_us);
        items_of[id].insert(event.item_key());
        ASSERT_TRUE(log.Append({ToRecord(event, kPartitions)}).ok());
      }
      ASSERT_TRUE(state->CatchUp().ok());
      if (rng.Bernoulli(0.3)) {
        ASSERT_TRUE(state->Flush().ok());
      }
      if (rng.Bernoulli(0.3)) open();
      if (rng.Bernoulli(0.1)) {
        state = nullptr;
        std::filesystem::remove_all(folder / "state");
        open();
      }
      ASSERT_TRUE(state->CatchUp().ok());
    }
    std::map<std::string, std::multiset<uint64_t>> expected;
    for (const auto& [id, items] : items_of) {
      const auto user = becomes.find(id);
      expected[user == becomes.end() ? id : user->second].insert(items.begin(), items.end());
    }
    for (const auto& [id, items] : expected) {
      const auto user = state->Get(TestHasher().User(id), id);
      ASSERT_TRUE(user.ok());
      std::multiset<uint64_t> found;
      const auto total = state->VisitActions(TestHasher().User(id), id, 0, [&](uint64_t, const Action& action) {
        found.insert(action.item.value);
        return true;
      });
      ASSERT_TRUE(total.ok()) << total.status();
      EXPECT_EQ(*total, items.size()) << id;
      EXPECT_EQ(found, items) << id;
      EXPECT_TRUE(std::is_sorted((*user)->actions.begin(), (*user)->actions.end(),
                                 [](const Action& a, const Action& b) { return a.time_s < b.time_s; }));
    }
    for (const auto& [id, user] : becomes) {
      EXPECT_EQ((*state->Get(TestHasher().User(id), id))->becomes, user);
    }
    ASSERT_TRUE(state->Flush().ok());
    state = nullptr;
    const auto report = VerifyByReplay(folder / "state", folder / "scratch", shared, &log, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
  }
}

}  // namespace
}  // namespace bowerbird::state
