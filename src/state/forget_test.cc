// A user is forgotten by a record of the log: what the fold does with it, and with records that were redacted.
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

using log::Topic;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint32_t kPartitions = 4;

v1::Event ForgetEvent(std::string_view user, int64_t time_us) {
  v1::Event event = TestEvent("", user, "", "", time_us);
  event.mutable_forget();
  return event;
}

class ForgetTest : public testing::Test {
 protected:
  ForgetTest() { Open(); }
  void Open() {
    state_ = nullptr;
    State::Options options;
    options.threads = 2;
    auto state = State::Open(folder_ / "state", Config(), &log_, &base::SystemClock::Get(), options);
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }
  static std::shared_ptr<const config::Config> Config() {
    static const auto config = [] {
      auto made = std::make_shared<config::Config>(TestConfig());
      config::Signal clicks;
      clicks.name = "clicks";
      clicks.kind = "count";
      clicks.window_us = 10 * kDayUs;
      clicks.on = {"click", "save"};
      made->signals.push_back(clicks);
      return made;
    }();
    return config;
  }
  void Append(const v1::Event& event) { ASSERT_TRUE(log_.Append({ToRecord(event, kPartitions)}).ok()); }
  void Fold() { ASSERT_TRUE(state_->CatchUp().ok()); }
  std::shared_ptr<const UserState> Get(const std::string& id) const {
    auto user = state_->Get(TestHasher().User(id), id);
    EXPECT_TRUE(user.ok()) << user.status();
    return *user;
  }
  uint64_t StoredOf(const std::string& id) {
    uint64_t found = 0;
    const std::string user = UserKeyBytes(TestHasher().User(id)), signals = SignalPrefix(TestHasher().User(id));
    EXPECT_TRUE(state_
                    ->VisitStored([&](std::string_view column, std::string_view key, std::string_view value) {
                      if (value.empty()) return;
                      found += value.find(id) != std::string_view::npos;
                      found += column == "signals" && key.starts_with(signals);
                      found += column == "users" && key.starts_with(user) && key.size() > user.size();
                    })
                    .ok());
    return found;
  }
  void ExpectVerified() {
    ASSERT_TRUE(state_->Flush().ok());
    state_ = nullptr;
    const auto report =
        VerifyByReplay(folder_ / "state", folder_ / "scratch", Config(), &log_, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
  }

  TempFolder folder_{"forget_test"};
  MemoryLog log_{kPartitions};
  std::unique_ptr<State> state_;
};

TEST_F(ForgetTest, IsUnknownAtOnceAndAfterARestartAndInAReplay) {
  // So many that lifelong blocks are made.
  for (int i = 0; i < 300; ++i) {
    v1::Event event = TestEvent(i % 3 == 0 ? "save" : "click", "somebody", fmt::format("item{}", i),
                                fmt::format("c{}", i), kStartUs + i * kSecondUs);
    event.set_collection("board");
    Append(event);
  }
  Fold();
  ASSERT_EQ(Get("somebody")->events, 300u);
  ASSERT_TRUE(state_->Flush().ok());
  EXPECT_GT(StoredOf("somebody"), 3u);
  Append(ForgetEvent("somebody", kStartUs + kHourUs));
  Fold();
  const auto check = [&] {
    const auto user = Get("somebody");
    EXPECT_EQ(user->events, 0u);
    EXPECT_EQ(user->id, "");
    EXPECT_THAT(user->actions, IsEmpty());
    EXPECT_THAT(user->seen, IsEmpty());
    EXPECT_THAT(user->collections, IsEmpty());
    if (user->signals != nullptr) {
      EXPECT_THAT(*user->signals, testing::Each(IsEmpty()));
    }
  };
  check();
  ASSERT_TRUE(state_->Flush().ok());
  ASSERT_TRUE(state_->Erase(std::vector{TestHasher().User("somebody")}).ok());
  EXPECT_EQ(StoredOf("somebody"), 0u);
  Open();
  check();
  ExpectVerified();
}

TEST_F(ForgetTest, ALaterEventBeginsANewUserAndARetryOfAnEarlierOneIsTooLate) {
  const v1::Event before = TestEvent("click", "somebody", "a", "c1", kStartUs);
  Append(before);
  Append(ForgetEvent("somebody", kStartUs + 10 * kSecondUs));
  Append(before);  // the client tries again
  Append(TestEvent("click", "somebody", "b", "c2", kStartUs + 20 * kSecondUs));
  Append(TestEvent("click", "somebody", "b", "c2", kStartUs + 20 * kSecondUs));
  Fold();
  const auto user = Get("somebody");
  EXPECT_EQ(user->events, 1u);
  ASSERT_THAT(user->actions, SizeIs(1));
  EXPECT_EQ(user->actions[0].item, TestHasher().Item("b"));
  EXPECT_EQ(state_->counters().too_late, 1u);
  EXPECT_EQ(state_->counters().duplicates, 1u);
  ExpectVerified();
}

TEST_F(ForgetTest, TheRecordNeedsNoIdAndANamedRecordOfAnotherIdChangesNothing) {
  Append(TestEvent("click", "somebody", "a", "c1", kStartUs));
  v1::Event other = ForgetEvent("somebody", kStartUs + kSecondUs);
  other.set_user("somebody else");  // the same key: a collision
  Append(other);
  Fold();
  EXPECT_EQ(Get("somebody")->events, 1u);
  v1::Event nameless = ForgetEvent("somebody", kStartUs + kSecondUs);
  nameless.clear_user();
  Append(nameless);
  Fold();
  EXPECT_EQ(Get("somebody")->events, 0u);
}

TEST_F(ForgetTest, APersonIsTheUserAndAllThatHaveBecomeIt) {
  Append(TestEvent("click", "phone", "a", "", kStartUs));
  Append(TestEvent("click", "tablet", "b", "", kStartUs));
  Append(TestEvent("click", "shared", "c", "", kStartUs));
  for (const char* device : {"phone", "tablet", "shared"})
    ASSERT_TRUE(log_.Append(IdentifyRecords(device, "ann", "", kStartUs + kSecondUs, kPartitions)).ok());
  Fold();
  // What is shared is somebody else's now.
  ASSERT_TRUE(log_.Append(IdentifyRecords("shared", "ben", "", kStartUs + 2 * kSecondUs, kPartitions)).ok());
  Fold();
  for (const char* asked : {"ann", "phone", "tablet"}) {
    const auto people = state_->Identities(TestHasher().User(asked), asked);
    ASSERT_TRUE(people.ok());
    std::vector<std::string> ids;
    for (const State::Person& person : *people) ids.push_back(person.id);
    EXPECT_THAT(ids, testing::UnorderedElementsAre("ann", "phone", "tablet")) << asked;
    EXPECT_EQ(ids.front(), "ann");
  }
}

TEST_F(ForgetTest, WhatAnIdHandedOverBeforeItsUserWasForgottenIsNotHandedOverAgainByARebuild) {
  Append(TestEvent("click", "phone", "a", "", kStartUs));
  ASSERT_TRUE(log_.Append(IdentifyRecords("phone", "ann", "", kStartUs + kSecondUs, kPartitions)).ok());
  Fold();
  ASSERT_EQ(Get("ann")->events, 2u);
  Append(ForgetEvent("ann", kStartUs + kHourUs));
  Fold();
  // A state that is made again from a log of which the record that was handed over has been redacted already.
  state_ = nullptr;
  std::filesystem::remove_all(folder_ / "state");
  MemoryLog partly{kPartitions};
  for (uint32_t p = 0; p < kPartitions; ++p) {
    const log::ReadResult read = *log_.Read(Topic::kEvents, p, 0, 1000, 1 << 30);
    for (const log::Record& record : read.records) {
      v1::Event event;
      ASSERT_TRUE(event.ParseFromString(record.value));
      if (event.has_merge()) {
        event.Clear();
        event.mutable_redacted();
      }
      ASSERT_TRUE(partly.Append({{Topic::kEvents, p, event.user(), event.SerializeAsString()}}).ok());
    }
  }
  const auto again = State::Open(folder_ / "state", Config(), &partly, &base::SystemClock::Get(), {});
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE((*again)->CatchUp().ok());
  EXPECT_EQ((*(*again)->Get(TestHasher().User("ann"), "ann"))->events, 0u);
}

TEST_F(ForgetTest, ARedactedRecordCountsForItsItemAndForNobody) {
  v1::Event event = TestEvent("rating", "somebody", "a", "", kStartUs);
  event.set_value(5);
  event.clear_user();
  event.clear_user_key();
  event.mutable_redacted()->set_moved(true);
  event.mutable_redacted()->set_after(TestHasher().Item("b").value);
  // Whose it was is not known any more: any partition may hold it.
  ASSERT_TRUE(log_.Append({{Topic::kEvents, 3, "", event.SerializeAsString()}}).ok());
  event.clear_type();  // one that did not count
  ASSERT_TRUE(log_.Append({{Topic::kEvents, 2, "", event.SerializeAsString()}}).ok());
  Fold();
  EXPECT_EQ(state_->counters().dead_letters, 0u);
  const auto table = state_->item_table();
  const ItemCounts* counters = table->Find(TestHasher().Item("a"));
  ASSERT_NE(counters, nullptr);
  EXPECT_EQ(counters->actions, 1u);
  ExpectVerified();
}

// Any mixture of users who come, merge, leave and come back: stored state is what a replay gives.
TEST_F(ForgetTest, RandomForgettingIsWhatAReplayGives) {
  const uint64_t seed = base::MonotonicUs() % 1000;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  base::Rng rng(seed);
  RandomEvents events(seed, 12, 40);
  for (int turn = 0; turn < 60; ++turn) {
    AppendRandom(&events, rng.Below(80), &log_);
    const std::string user = fmt::format("user{}", rng.Below(12));
    if (rng.Bernoulli(0.4)) Append(ForgetEvent(user, events.now_us()));
    if (rng.Bernoulli(0.3)) {
      ASSERT_TRUE(
          log_.Append(IdentifyRecords(user, fmt::format("account{}", rng.Below(4)), "", events.now_us(), kPartitions))
              .ok());
    }
    if (rng.Bernoulli(0.3)) Append(ForgetEvent(fmt::format("account{}", rng.Below(4)), events.now_us()));
    if (rng.Bernoulli(0.5)) Fold();
    if (rng.Bernoulli(0.1)) Open();
  }
  Fold();
  ExpectVerified();
}

}  // namespace
}  // namespace bowerbird::state
