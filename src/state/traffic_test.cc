// Users who are marked: what rules and operators say, where it is said, and what is left out from then on.
#include <algorithm>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/fold.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"

namespace bowerbird::state {
namespace {

using log::Topic;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint32_t kPartitions = 4;

config::Config TrafficConfig() {
  config::Config config = TestConfig();
  config::Signal clicks;
  clicks.name = "clicks";
  clicks.kind = "count";
  clicks.window_us = 10 * kDayUs;
  clicks.on = {"click", "save"};
  config.signals.push_back(clicks);
  config.traffic.enabled = true;
  config.traffic.rate = 5;
  config.traffic.rate_window_us = 60 * kSecondUs;
  config.traffic.entropy = 0;
  config.traffic.mark_us = kHourUs;
  return config;
}

class TrafficTest : public testing::Test {
 protected:
  TrafficTest() { Open(); }
  void Open() {
    state_ = nullptr;
    State::Options options;
    options.threads = 2;
    const auto config = std::make_shared<const config::Config>(config_);
    auto state = State::Open(folder_ / "state", config, &log_, &base::SystemClock::Get(), options);
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }
  void MakeAgain() {
    state_ = nullptr;
    std::filesystem::remove_all(folder_ / "state");
    Open();
    Fold();
  }
  void Append(const v1::Event& event) { ASSERT_TRUE(log_.Append({ToRecord(event, kPartitions)}).ok()); }
  void Click(std::string_view user, std::string_view item, int64_t time_us) {
    v1::Event event = TestEvent("click", user, item, fmt::format("c{}", ++client_id_), time_us);
    event.add_item_categories("lamps");
    Append(event);
  }
  /// Ten clicks within ten seconds.
  void Hammer(std::string_view user, int64_t time_us) {
    for (int i = 0; i < 10; ++i) Click(user, fmt::format("item{}", i), time_us + i * kSecondUs);
  }
  void Say(const std::string& user, MarkReason word) {
    Append(MarkEvent(user, TestHasher().User(user), {word}, kStartUs));
  }
  void Identify(std::string_view anonymous, std::string_view user, int64_t time_us) {
    ASSERT_TRUE(log_.Append(IdentifyRecords(anonymous, user, "", time_us, kPartitions)).ok());
  }
  void Fold() { ASSERT_TRUE(state_->CatchUp().ok()); }
  std::shared_ptr<const UserState> Get(const std::string& id) const {
    auto user = state_->Get(TestHasher().User(id), id);
    EXPECT_TRUE(user.ok()) << user.status();
    return *user;
  }
  std::vector<v1::Event> Marks() const {
    std::vector<v1::Event> marks;
    for (uint32_t p = 0; p < kPartitions; ++p) {
      const log::ReadResult read = *log_.Read(Topic::kEvents, p, 0, 1 << 20, 1 << 30);
      for (const log::Record& record : read.records) {
        v1::Event event;
        if (event.ParseFromString(record.value) && event.has_mark()) marks.push_back(std::move(event));
      }
    }
    return marks;
  }
  uint64_t ActionsOn(std::string_view item) const {
    const auto table = state_->PublishItemTable(kStartUs + kDayUs, 0);
    const ItemCounts* counts = table->Find(TestHasher().Item(item));
    return counts == nullptr ? 0 : counts->actions;
  }
  double Clicks(const std::string& user) const {
    const auto state = Get(user);
    if (state->signals == nullptr || state->signals->front().empty()) return 0;
    return (*state->signal_set)[0]
        .Read(state->signals->front(), kStartUs + kHourUs)
        .keys.front()
        .reading.number.value_or(0);
  }
  void ExpectVerified() {
    ASSERT_TRUE(state_->Flush().ok());
    state_ = nullptr;
    const auto report =
        VerifyByReplay(folder_ / "state", folder_ / "scratch", std::make_shared<const config::Config>(config_), &log_,
                       &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
  }

  config::Config config_ = TrafficConfig();
  TempFolder folder_{"traffic_test"};
  MemoryLog log_{kPartitions};
  std::unique_ptr<State> state_;
  uint64_t client_id_ = 0;
};

TEST_F(TrafficTest, AMarkIsSaidOnceInTheLogAndHoldsFromThereOn) {
  Hammer("bot", kStartUs);
  Click("ann", "item0", kStartUs);
  Fold();
  const std::vector<v1::Event> marks = Marks();
  ASSERT_THAT(marks, SizeIs(1));
  EXPECT_EQ(marks[0].user(), "bot");
  EXPECT_EQ(marks[0].type(), "");
  EXPECT_EQ(marks[0].mark().reason(), "rate");
  EXPECT_EQ(marks[0].mark().from_us(), kStartUs);
  EXPECT_EQ(marks[0].mark().until_us(), kStartUs + 5 * kSecondUs + kHourUs);
  EXPECT_TRUE(Get("bot")->mark.Covers(kStartUs + kHourUs));
  EXPECT_FALSE(Get("bot")->mark.Covers(kStartUs + 2 * kHourUs));
  EXPECT_EQ(Get("ann")->mark.reason, MarkReason::kRules);

  const uint64_t before = ActionsOn("item0");
  Click("bot", "item0", kStartUs + 10 * 60 * kSecondUs);
  Click("ann", "item0", kStartUs + 10 * 60 * kSecondUs);
  Fold();
  EXPECT_EQ(ActionsOn("item0"), before + 1) << "ann's alone";
  EXPECT_EQ(Get("bot")->actions.size(), 11u) << "what the bot does is kept";
  EXPECT_EQ(Get("bot")->events, 11u);
  EXPECT_EQ(Clicks("bot"), 10) << "what was counted before the mark stays";
  EXPECT_EQ(Clicks("ann"), 2);
  EXPECT_EQ(state_->counters().left_out[static_cast<size_t>(MarkReason::kRate)], 1u);
  EXPECT_EQ(state_->counters().marks[static_cast<size_t>(MarkReason::kRate)], 1u);
  // A retry is one still.
  const uint64_t duplicates = state_->counters().duplicates;
  --client_id_;
  Click("ann", "item0", kStartUs + 10 * 60 * kSecondUs);
  Fold();
  EXPECT_EQ(state_->counters().duplicates, duplicates + 1);
  ExpectVerified();
}

TEST_F(TrafficTest, AfterItsTimeTheUserCountsAgain) {
  Hammer("bot", kStartUs);
  Fold();
  const uint64_t before = ActionsOn("item0");
  Click("bot", "item0", kStartUs + 2 * kHourUs);
  Fold();
  EXPECT_EQ(ActionsOn("item0"), before + 1);
  EXPECT_EQ(Clicks("bot"), 11);
  EXPECT_THAT(Marks(), SizeIs(1));
  ExpectVerified();
}

TEST_F(TrafficTest, NoInterestsFollowFromMarkedTraffic) {
  Say("bot", MarkReason::kByHand);
  Click("bot", "item0", kStartUs);
  Click("ann", "item0", kStartUs);
  Fold();
  EXPECT_THAT(Get("bot")->affinities, IsEmpty());
  EXPECT_THAT(Get("ann")->affinities, SizeIs(1));
  EXPECT_THAT(Get("bot")->actions, SizeIs(1));
  ExpectVerified();
}

TEST_F(TrafficTest, AnEventOfADeclaredAgentIsLeftOutItself) {
  v1::Event event = TestEvent("click", "crawler", "item0", "c1", kStartUs);
  event.set_agent("bot/");
  Append(event);
  Fold();
  EXPECT_EQ(ActionsOn("item0"), 0u);
  EXPECT_EQ(Clicks("crawler"), 0);
  ASSERT_THAT(Marks(), SizeIs(1));
  EXPECT_EQ(Marks()[0].mark().reason(), "agent");
  EXPECT_EQ(state_->counters().left_out[static_cast<size_t>(MarkReason::kAgent)], 1u);
  ExpectVerified();
}

TEST_F(TrafficTest, NothingIsSaidWhereTheRulesAreOff) {
  config_.traffic.enabled = false;
  Open();
  Hammer("bot", kStartUs);
  Fold();
  EXPECT_THAT(Marks(), IsEmpty());
  EXPECT_EQ(Clicks("bot"), 10);
  ExpectVerified();
}

TEST_F(TrafficTest, StateThatIsMadeAgainFindsItsMarksInTheLog) {
  for (int round = 0; round < 5; ++round) {
    for (int user = 0; user < 20; ++user) Hammer(fmt::format("bot{}", user), kStartUs + round * 20 * 60 * kSecondUs);
    Fold();
  }
  const size_t marks = Marks().size();
  EXPECT_GT(marks, 20u) << "some were said again";
  MakeAgain();
  EXPECT_THAT(Marks(), SizeIs(marks));
  ExpectVerified();
}

TEST_F(TrafficTest, NothingIsCommittedBeforeTheMarkIsSaid) {
  Hammer("bot", kStartUs);
  log_.appends_fail = true;
  EXPECT_FALSE(state_->CatchUp().ok());
  ASSERT_TRUE(state_->Flush().ok());
  state_ = nullptr;
  log_.appends_fail = false;
  Open();
  Fold();
  EXPECT_THAT(Marks(), SizeIs(1));
  ExpectVerified();
}

TEST_F(TrafficTest, OtherRulesSayNothingOfWhatWasFoldedBefore) {
  config_.traffic.rate = 15;
  Open();
  Hammer("fast", kStartUs);
  Fold();
  EXPECT_THAT(Marks(), IsEmpty());
  config_.traffic.rate = 5;
  Open();
  Fold();
  EXPECT_THAT(Marks(), IsEmpty());
  // The next event is judged by them.
  Click("fast", "item0", kStartUs + 11 * kSecondUs);
  Fold();
  EXPECT_THAT(Marks(), SizeIs(1));
  // Fewer rules: what was said stays said.
  config_.traffic.enabled = false;
  Open();
  EXPECT_TRUE(Get("fast")->mark.Covers(kStartUs + 20 * kSecondUs));
  ExpectVerified();
}

TEST_F(TrafficTest, AnOperatorsWordOutlastsTheRules) {
  Hammer("qa", kStartUs);
  Fold();
  EXPECT_TRUE(Get("qa")->mark.Covers(kStartUs + 60 * kSecondUs));
  Say("qa", MarkReason::kUnmarked);
  Fold();
  EXPECT_FALSE(Get("qa")->mark.Covers(kStartUs + 60 * kSecondUs));
  const uint64_t before = ActionsOn("item3");
  Hammer("qa", kStartUs + 10 * 60 * kSecondUs);
  v1::Event event = TestEvent("click", "qa", "item3", "x", kStartUs + 11 * 60 * kSecondUs);
  event.set_agent("headless");
  Append(event);
  Fold();
  EXPECT_THAT(Marks(), SizeIs(2));
  EXPECT_EQ(ActionsOn("item3"), before + 2) << "also with a declared agent";
  Say("qa", MarkReason::kByHand);
  Click("qa", "item3", kStartUs + kDayUs);
  Fold();
  EXPECT_EQ(ActionsOn("item3"), before + 2);
  EXPECT_TRUE(Get("qa")->mark.Covers(kStartUs + 1000 * kDayUs));
  // The rules again.
  Say("qa", MarkReason::kRules);
  Click("qa", "item3", kStartUs + kDayUs + kHourUs);
  Fold();
  EXPECT_EQ(ActionsOn("item3"), before + 3);
  Hammer("qa", kStartUs + 2 * kDayUs);
  Fold();
  EXPECT_TRUE(Get("qa")->mark.Covers(kStartUs + 2 * kDayUs + 60 * kSecondUs));
  ExpectVerified();
}

TEST_F(TrafficTest, AnIdTakesItsMarkToTheUserThatItBecomes) {
  Hammer("anon", kStartUs);
  Fold();
  Identify("anon", "user", kStartUs + 60 * kSecondUs);
  Fold();
  EXPECT_TRUE(Get("user")->mark.Covers(kStartUs + 10 * 60 * kSecondUs));
  EXPECT_EQ(Get("user")->mark.reason, MarkReason::kRate);
  EXPECT_THAT(Get("user")->actions, SizeIs(10)) << "what it did is kept";
  EXPECT_EQ(Clicks("user"), 0) << "and counted for no signal of the user";
  std::multiset<std::string> marked;
  for (const v1::Event& mark : Marks()) marked.insert(mark.user());
  EXPECT_EQ(marked, (std::multiset<std::string>{"anon", "user"})) << "who reads the log finds the user's own";
  const uint64_t before = ActionsOn("item0");
  Click("user", "item0", kStartUs + 2 * 60 * kSecondUs);
  Click("anon", "item0", kStartUs + 3 * 60 * kSecondUs);
  Fold();
  EXPECT_EQ(ActionsOn("item0"), before);
  EXPECT_THAT(Get("user")->actions, SizeIs(12));
  EXPECT_EQ(Clicks("user"), 0);
  ExpectVerified();
  Open();
  const size_t marks = Marks().size();
  MakeAgain();
  EXPECT_THAT(Marks(), SizeIs(marks));
}

TEST_F(TrafficTest, WhatAMarkedUserDoesUnderAFormerIdIsLeftOutOfTheUsersSignals) {
  Identify("anon", "user", kStartUs);
  Say("user", MarkReason::kByHand);
  Fold();
  Click("anon", "item0", kStartUs + kSecondUs);
  Fold();
  EXPECT_THAT(Get("user")->actions, SizeIs(1));
  EXPECT_THAT(Get("user")->affinities, IsEmpty());
  EXPECT_EQ(Clicks("user"), 0);
  // With a declared agent, it marks the user.
  Say("user", MarkReason::kRules);
  v1::Event event = TestEvent("click", "anon", "item1", "x", kStartUs + 2 * kSecondUs);
  event.set_agent("bot/");
  Append(event);
  Fold();
  EXPECT_EQ(Get("user")->mark.reason, MarkReason::kAgent);
  EXPECT_EQ(ActionsOn("item1"), 0u);
  ExpectVerified();
}

TEST_F(TrafficTest, WhoWasForgottenIsNotMarked) {
  Hammer("bot", kStartUs);
  v1::Event forget = TestEvent("", "bot", "", "", kStartUs + 20 * kSecondUs);
  forget.mutable_forget();
  Append(forget);
  Click("bot", "item0", kStartUs + 30 * kSecondUs);
  Fold();
  // The mark came to the log behind the forgetting, about whoever was forgotten.
  ASSERT_THAT(Marks(), SizeIs(1));
  EXPECT_EQ(Get("bot")->mark.reason, MarkReason::kRules);
  EXPECT_EQ(Get("bot")->events, 1u);
  ExpectVerified();
}

TEST_F(TrafficTest, AMarkThatNobodyUnderstandsGoesToDeadLetters) {
  v1::Event mark = MarkEvent("ann", TestHasher().User("ann"), {MarkReason::kByHand}, kStartUs);
  mark.mutable_mark()->set_reason("of a newer program");
  Append(mark);
  Fold();
  EXPECT_EQ(state_->counters().dead_letters, 1u);
  EXPECT_EQ(Get("ann")->mark.reason, MarkReason::kRules);
}

/// Random traffic under restarts, rebuilds and appends that fail: each mark is in the log once, and a replay of the log
/// gives what is stored.
TEST_F(TrafficTest, MarksAreInTheLogOnceAcrossRestartsAndRebuilds) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    const TempFolder folder("traffic_test_model");
    MemoryLog log(kPartitions);
    base::Rng rng(seed);
    config::Config made = TrafficConfig();
    made.traffic.entropy = 3;
    made.traffic.entropy_actions = 16;
    const auto shared = std::make_shared<const config::Config>(made);
    std::unique_ptr<State> state;
    const auto open = [&] {
      state = nullptr;
      State::Options options;
      options.threads = static_cast<uint32_t>(1 + rng.Below(3));
      state = *State::Open(folder / "state", shared, &log, &base::SystemClock::Get(), options);
    };
    open();
    RandomEvents events(seed, 40, 60);
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 30; ++i) {
        v1::Event event = events.Next();
        if (rng.Bernoulli(0.01)) event.set_agent("bot/");
        ASSERT_TRUE(log.Append({ToRecord(event, kPartitions)}).ok());
        // A burst of one of them, now and then.
        if (!rng.Bernoulli(0.02)) continue;
        const std::string user = fmt::format("user{}", rng.Below(40));
        for (int n = 0; n < 8; ++n) {
          const v1::Event click = TestEvent("click", user, fmt::format("item{}", n),
                                            fmt::format("b{}-{}-{}", round, i, n), events.now_us() + n);
          ASSERT_TRUE(log.Append({ToRecord(click, kPartitions)}).ok());
        }
      }
      const std::string judged = fmt::format("user{}", rng.Below(10));
      static constexpr MarkReason kWords[] = {MarkReason::kByHand, MarkReason::kUnmarked, MarkReason::kRules};
      if (rng.Bernoulli(0.3)) {
        ASSERT_TRUE(
            log.Append({ToRecord(MarkEvent(judged, TestHasher().User(judged), {kWords[rng.Below(3)]}, events.now_us()),
                                 kPartitions)})
                .ok());
      }
      if (rng.Bernoulli(0.3)) {
        const std::string user = fmt::format("account{}", rng.Below(5));
        ASSERT_TRUE(log.Append(IdentifyRecords(judged, user, "", events.now_us(), kPartitions)).ok());
      }
      if (rng.Bernoulli(0.2)) {
        log.appends_fail = true;
        (void)state->CatchUp();
        ASSERT_TRUE(state->Flush().ok());
        log.appends_fail = false;
        open();
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
    std::map<std::string, std::set<uint64_t>> sources;
    size_t marks = 0;
    for (uint32_t p = 0; p < kPartitions; ++p) {
      const log::ReadResult read = *log.Read(Topic::kEvents, p, 0, 1 << 20, 1 << 30);
      for (const log::Record& record : read.records) {
        v1::Event event;
        if (!event.ParseFromString(record.value) || !event.has_mark()) continue;
        if (!IsByRule(MarkReasonOf(event.mark().reason()))) continue;
        ++marks;
        EXPECT_TRUE(sources[event.user()].insert(event.mark().source_offset()).second) << event.user();
      }
    }
    EXPECT_GT(marks, 10u);
    ASSERT_TRUE(state->Flush().ok());
    state = nullptr;
    const auto report = VerifyByReplay(folder / "state", folder / "scratch", shared, &log, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
  }
}

}  // namespace
}  // namespace bowerbird::state
