#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr uint32_t kPartitions = 4, kUsers = 30;

config::Signal Affinity(int64_t half_life_us = kDayUs) {
  config::Signal signal;
  signal.name = "affinity";
  signal.kind = "decayed_sum";
  signal.of = "event.weight";
  signal.by = "item.category";
  signal.on = {"click", "save", "rating"};
  signal.half_life_us = half_life_us;
  signal.top = 4;
  return signal;
}
config::Signal Recent() {
  config::Signal signal;
  signal.name = "recent";
  signal.kind = "last_n";
  signal.of = "item.id";
  signal.on = {"click", "hide"};
  signal.n = 5;
  return signal;
}
config::Signal Clicks() {
  config::Signal signal;
  signal.name = "clicks";
  signal.kind = "count";
  signal.on = {"click"};
  signal.window_us = 10 * kDayUs;
  return signal;
}

std::shared_ptr<const config::Config> ConfigWith(std::vector<config::Signal> signals) {
  auto config = std::make_shared<config::Config>(TestConfig());
  config->signals = std::move(signals);
  return config;
}

class SignalsTest : public testing::Test {
 protected:
  absl::Status Open(std::vector<config::Signal> signals, const std::string& folder = "state",
                    uint64_t cache_bytes = 64 << 20) {
    state_ = nullptr;
    config_ = ConfigWith(std::move(signals));
    if (cache_bytes != config_->state.cache_bytes) {
      auto smaller = std::make_shared<config::Config>(*config_);
      smaller->state.cache_bytes = cache_bytes;
      config_ = smaller;
    }
    State::Options options;
    options.threads = 2;
    auto state = State::Open(folder_ / folder, config_, &log_, &base::SystemClock::Get(), options);
    if (state.ok()) state_ = *std::move(state);
    return state.status();
  }
  std::shared_ptr<const UserState> Get(const std::string& id) const {
    auto user = state_->Get(TestHasher().User(id), id);
    EXPECT_TRUE(user.ok()) << user.status();
    return *user;
  }
  /// Every user's value of a signal.
  std::map<std::string, std::string> Values(const std::string& name) const {
    std::map<std::string, std::string> values;
    for (uint32_t i = 0; i < kUsers; ++i) {
      const std::string id = fmt::format("user{}", i);
      const auto user = Get(id);
      for (size_t slot = 0; user->signals != nullptr && slot < user->signal_set->size(); ++slot) {
        if ((*user->signal_set)[slot].signal().name == name) values[id] = (*user->signals)[slot];
      }
    }
    return values;
  }
  signal::SignalReading Read(const std::string& id, const std::string& name, int64_t as_of_us) const {
    const auto user = Get(id);
    for (size_t slot = 0; slot < user->signal_set->size(); ++slot) {
      const signal::Definition& definition = (*user->signal_set)[slot];
      if (definition.signal().name != name) continue;
      return definition.Read(user->signals == nullptr ? "" : (*user->signals)[slot], as_of_us);
    }
    return {};
  }
  void Append(size_t count) { AppendRandom(&events_, count, &log_); }
  void Append(std::string_view type, std::string_view user, std::string_view item, int64_t time_us,
              std::string_view client_id = "") {
    ASSERT_TRUE(log_.Append({ToRecord(TestEvent(type, user, item, client_id, time_us), kPartitions)}).ok());
  }
  /// Closes the state; what is stored must be what a replay of the log gives.
  void ExpectVerified(const std::string& folder = "state") {
    ASSERT_TRUE(state_->Flush().ok());
    state_ = nullptr;
    const auto report =
        VerifyByReplay(folder_ / folder, folder_ / "scratch", config_, &log_, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->differences, IsEmpty());
  }

  const TempFolder folder_{"signals"};
  MemoryLog log_{kPartitions};
  RandomEvents events_{11, kUsers, 40};
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<State> state_;
};

TEST_F(SignalsTest, AreWhatAReplayGivesHoweverTheyWereFlushedAndEvicted) {
  ASSERT_TRUE(Open({Affinity(), Recent(), Clicks()}, "state", 1 << 20).ok());
  for (int round = 0; round < 6; ++round) {
    Append(400);
    ASSERT_TRUE(state_->CatchUp().ok());
    ASSERT_TRUE(Open({Affinity(), Recent(), Clicks()}, "state", 1 << 20).ok());
  }
  EXPECT_THAT(Values("affinity"), Not(IsEmpty()));
  EXPECT_EQ(state_->counters().dead_letters, 0u);
  ExpectVerified();
}

TEST_F(SignalsTest, AVisitShowsEveryUserAsTheyAre) {
  ASSERT_TRUE(Open({Affinity(), Recent(), Clicks()}).ok());
  Append(600);
  ASSERT_TRUE(state_->CatchUp().ok());
  Append("click", "ann", "a", kStartUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  std::vector<std::pair<catalog::UserKey, std::string>> visited;
  const auto visit_all = [&](const UserState& user) {
    const auto same = Get(user.id);
    EXPECT_EQ(user.events, same->events);
    EXPECT_EQ(user.actions.size(), same->actions.size());
    EXPECT_EQ(user.signals == nullptr, same->signals == nullptr);
    if (user.signals != nullptr) {
      EXPECT_EQ(*user.signals, *same->signals);
    }
    visited.emplace_back(user.key, user.id);
    return true;
  };
  ASSERT_TRUE(state_->VisitUsers(catalog::UserKey(0), visit_all).ok());
  EXPECT_TRUE(std::ranges::is_sorted(visited));
  EXPECT_GT(visited.size(), kUsers / 2);
  const std::vector<std::pair<catalog::UserKey, std::string>> all = std::exchange(visited, {});
  ASSERT_TRUE(state_->VisitUsers(all[3].first, visit_all).ok());
  EXPECT_EQ(visited.size(), all.size() - 3);
  EXPECT_EQ(visited[0], all[3]);
  int seen = 0;
  ASSERT_TRUE(state_->VisitUsers(catalog::UserKey(0), [&](const UserState&) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

TEST_F(SignalsTest, ActionsAreReadBackToTheFirst) {
  ASSERT_TRUE(Open({}, "state", 1 << 20).ok());
  constexpr uint32_t kActions = 1'000;  // far beyond what the record holds
  const auto expect_all = [&](uint32_t count) {
    std::vector<uint32_t> times;
    const auto total =
        state_->VisitActions(TestHasher().User("ann"), "ann", 0, [&](uint64_t ordinal, const Action& action) {
          EXPECT_EQ(action.time_s, kStartUs / kSecondUs + static_cast<int64_t>(ordinal));
          times.push_back(action.time_s);
          return true;
        });
    ASSERT_TRUE(total.ok()) << total.status();
    EXPECT_EQ(*total, count);
    EXPECT_EQ(times.size(), count);
  };
  for (uint32_t i = 0; i < kActions; ++i) {
    Append("click", "ann", fmt::format("item{}", i % 50), kStartUs + i * kSecondUs);
    if (i % 250 != 100) continue;
    ASSERT_TRUE(state_->CatchUp().ok());
    expect_all(i + 1);  // some blocks are in the store, others wait
    if (i > 500) {
      ASSERT_TRUE(Open({}, "state", 1 << 20).ok());
    }
  }
  ASSERT_TRUE(state_->CatchUp().ok());
  expect_all(kActions);
  std::vector<uint64_t> some;
  ASSERT_TRUE(state_
                  ->VisitActions(TestHasher().User("ann"), "ann", 130,
                                 [&](uint64_t ordinal, const Action&) {
                                   some.push_back(ordinal);
                                   return some.size() < 3;
                                 })
                  .ok());
  EXPECT_THAT(some, ElementsAre(129u, 128u, 127u));
  EXPECT_EQ(*state_->VisitActions(TestHasher().User("bob"), "bob", 0, [](uint64_t, const Action&) { return true; }),
            0u);
}

TEST_F(SignalsTest, ARetryCountsOnce) {
  ASSERT_TRUE(Open({Clicks()}).ok());
  for (int i = 0; i < 3; ++i) Append("click", "ann", "a", kStartUs, "the same");
  Append("click", "ann", "a", kStartUs, "another");
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(Read("ann", "clicks", kStartUs).keys.at(0).reading.number, 2);
}

TEST_F(SignalsTest, AClientsClockThatIsAheadCountsWhenItArrives) {
  ASSERT_TRUE(Open({Affinity(), Clicks()}).ok());
  Append("click", "ann", "a", kStartUs);
  v1::Event ahead = TestEvent("click", "ann", "b", "", kStartUs + 3650 * kDayUs);
  ahead.set_receive_time_us(kStartUs + kHourUs);
  ASSERT_TRUE(log_.Append({ToRecord(ahead, kPartitions)}).ok());
  Append("click", "ann", "c", kStartUs + 2 * kHourUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  const signal::SignalReading clicks = Read("ann", "clicks", kStartUs + 2 * kHourUs);
  EXPECT_EQ(clicks.keys.at(0).reading.number, 3);
  EXPECT_EQ(clicks.newest_us, kStartUs + 2 * kHourUs);
}

TEST_F(SignalsTest, AnAddedOneHasTheHistoryThatItWouldHave) {
  ASSERT_TRUE(Open({Affinity()}).ok());
  Append(1500);
  ASSERT_TRUE(state_->CatchUp().ok());
  Append(300);  // in the log, not folded
  ASSERT_TRUE(Open({Clicks(), Affinity(), Recent()}).ok());
  ASSERT_TRUE(state_->CatchUp().ok());
  Append(200);
  ASSERT_TRUE(state_->CatchUp().ok());
  const auto clicks = Values("clicks"), recent = Values("recent"), affinity = Values("affinity");
  EXPECT_THAT(clicks, Not(IsEmpty()));
  ExpectVerified();
  // Beside it, a state that had them from the first event on.
  ASSERT_TRUE(Open({Affinity(), Recent(), Clicks()}, "whole").ok());
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(Values("clicks"), clicks);
  EXPECT_EQ(Values("recent"), recent);
  EXPECT_EQ(Values("affinity"), affinity);
}

TEST_F(SignalsTest, AnInterruptedBackfillGoesOnAndCountsNothingTwice) {
  ASSERT_TRUE(Open({Affinity()}).ok());
  Append(1500);
  ASSERT_TRUE(state_->CatchUp().ok());
  log_.reads_fail = true;
  EXPECT_FALSE(Open({Affinity(), Clicks()}).ok());
  log_.reads_fail = false;
  // Each opening reads one partition, which holds one batch, and keeps it: the last one has one left to read.
  for (uint32_t opening = 1; opening <= kPartitions; ++opening) {
    log_.reads_left = 1;
    EXPECT_EQ(Open({Affinity(), Clicks()}).ok(), opening == kPartitions) << opening;
  }
  ASSERT_NE(state_, nullptr);
  log_.reads_left = ~uint64_t{0};
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Values("clicks"), Not(IsEmpty()));
  ExpectVerified();
}

TEST_F(SignalsTest, WhatIsFoldedAheadIsNotFoldedAtTheOpening) {
  ASSERT_TRUE(Open({Affinity()}).ok());
  Append(1500);
  ASSERT_TRUE(state_->CatchUp().ok());
  const auto affinity = Values("affinity");
  const auto wanted = ConfigWith({Affinity(), Clicks()});
  ASSERT_TRUE(state_->FoldSignalsAhead(*wanted).ok());
  EXPECT_EQ(Values("affinity"), affinity) << "the state goes on as it was";
  Append(300);
  ASSERT_TRUE(state_->CatchUp().ok());
  ASSERT_TRUE(state_->FoldSignalsAhead(*wanted).ok());
  log_.reads_left = 0;
  EXPECT_TRUE(Open({Affinity(), Clicks()}).ok()) << "all of the log was read ahead";
  log_.reads_left = ~uint64_t{0};
  ASSERT_NE(state_, nullptr);
  Append(200);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_THAT(Values("clicks"), Not(IsEmpty()));
  ExpectVerified();
}

TEST_F(SignalsTest, WhatWasFoldedAheadForAnotherConfigIsThrownAway) {
  ASSERT_TRUE(Open({Affinity()}).ok());
  Append(800);
  ASSERT_TRUE(state_->CatchUp().ok());
  ASSERT_TRUE(state_->FoldSignalsAhead(*ConfigWith({Affinity(), Recent()})).ok());
  ASSERT_TRUE(Open({Affinity(), Clicks()}).ok());
  EXPECT_THAT(Values("clicks"), Not(IsEmpty()));
  ExpectVerified();
}

TEST_F(SignalsTest, ARemovedOneIsDroppedAndAChangedOneIsNew) {
  ASSERT_TRUE(Open({Affinity(), Clicks()}).ok());
  Append(800);
  ASSERT_TRUE(state_->CatchUp().ok());
  const auto of_a_day = Values("affinity");
  ASSERT_TRUE(Open({Affinity(2 * kDayUs)}).ok());
  EXPECT_NE(Values("affinity"), of_a_day);
  const auto statistics = state_->CollectSignals(1000);
  ASSERT_TRUE(statistics.ok()) << statistics.status();
  EXPECT_EQ(statistics->users, kUsers);
  EXPECT_EQ(statistics->share, 1);
  ASSERT_EQ(statistics->signals.size(), 1u);
  EXPECT_GT(statistics->signals[0].holders, 0u);
  EXPECT_LE(statistics->signals[0].newest_us, events_.now_us());
  ExpectVerified();
  // Nothing of a former one is met when it comes back.
  ASSERT_TRUE(Open({}).ok());
  ASSERT_TRUE(Open({Affinity(), Clicks()}).ok());
  EXPECT_EQ(Values("affinity"), of_a_day);
  ExpectVerified();
}

TEST_F(SignalsTest, WhatAnIdDidIsTheUsersOnceItIsKnown) {
  ASSERT_TRUE(Open({Recent(), Clicks()}).ok());
  Append("click", "anon", "a", kStartUs);
  Append("click", "anon", "b", kStartUs + kSecondUs);
  Append("click", "ann", "c", kStartUs + 2 * kSecondUs);
  const auto identify = [&] {
    ASSERT_TRUE(log_.Append(IdentifyRecords("anon", "ann", "", kStartUs + kHourUs, kPartitions)).ok());
    ASSERT_TRUE(state_->CatchUp().ok());
  };
  identify();
  EXPECT_EQ(Read("ann", "clicks", kStartUs + kDayUs).keys.at(0).reading.number, 3);
  EXPECT_THAT(Read("anon", "clicks", kStartUs + kDayUs).keys, IsEmpty());
  identify();
  EXPECT_EQ(Read("ann", "clicks", kStartUs + kDayUs).keys.at(0).reading.number, 3) << "said again";
  // What the id does from now on is the user's.
  Append("click", "anon", "d", kStartUs + 2 * kHourUs);
  ASSERT_TRUE(state_->CatchUp().ok());
  EXPECT_EQ(Read("ann", "clicks", kStartUs + kDayUs).keys.at(0).reading.number, 4);
  std::vector<std::string> recent;
  const signal::SignalReading reading = Read("ann", "recent", kStartUs);
  for (const auto& item : reading.keys.at(0).reading.items) recent.push_back(item.value);
  EXPECT_THAT(recent, ElementsAre("d", "c", "b", "a"));
  ExpectVerified();
}

TEST_F(SignalsTest, AnAddedOneKnowsOfAnIdentifiedUserWhatTheyDidThemselves) {
  ASSERT_TRUE(Open({Recent()}).ok());
  Append("click", "anon", "a", kStartUs);
  Append("click", "ann", "c", kStartUs + 2 * kSecondUs);
  ASSERT_TRUE(log_.Append(IdentifyRecords("anon", "ann", "", kStartUs + kHourUs, kPartitions)).ok());
  ASSERT_TRUE(state_->CatchUp().ok());
  ASSERT_TRUE(Open({Recent(), Clicks()}).ok());
  EXPECT_EQ(Read("ann", "clicks", kStartUs + kDayUs).keys.at(0).reading.number, 1);
  EXPECT_THAT(Read("anon", "clicks", kStartUs + kDayUs).keys, IsEmpty());
  ExpectVerified();
}

}  // namespace
}  // namespace bowerbird::state
