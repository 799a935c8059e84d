#include "state/traffic_rules.h"

#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "state/events_for_test.h"

namespace bowerbird::state {
namespace {

constexpr int64_t kAgeUs = 7 * kDayUs;

config::Traffic Enabled() {
  config::Traffic traffic;
  traffic.enabled = true;
  return traffic;
}

/// A user who does one thing after the other, each judged as the fold judges it.
class Actor {
 public:
  explicit Actor(const config::Traffic& traffic = Enabled()) : rules_(traffic, kAgeUs) {}

  /// The mark that follows, which the record has from then on.
  std::optional<UserMark> Do(UserOp::Kind kind, std::string_view item, int64_t time_us, bool print,
                             const v1::Event& event) {
    UserOp op;
    op.kind = kind;
    op.event_time_us = time_us;
    op.receive_time_us = std::max(event.receive_time_us(), time_us);
    if (HasItem(kind)) op.item = TestHasher().Item(item);
    op.type = 2;
    op.print = print ? ++print_ : 0;
    ApplyUserOp(layout_, op, &record_, nullptr);
    const std::optional<UserMark> mark = rules_.Judge(event, op, record_);
    if (mark.has_value()) {
      ++marks_;
      UserOp marked;
      marked.kind = UserOp::Kind::kMark;
      marked.mark = *mark;
      marked.mark.source_offset = print_ + 1;
      ApplyUserOp(layout_, marked, &record_, nullptr);
    }
    return mark;
  }
  std::optional<UserMark> Click(std::string_view item, int64_t time_us, bool print = true) {
    return Do(UserOp::Kind::kAction, item, time_us, print, v1::Event());
  }
  /// Each `gap_s()` a click on another item; the first mark.
  std::optional<UserMark> ClickAll(int count, auto gap_s) {
    for (int i = 0; i < count; ++i) {
      now_us_ += static_cast<int64_t>(gap_s() * kSecondUs);
      if (auto mark = Click(fmt::format("item{}", i), now_us_)) return mark;
    }
    return std::nullopt;
  }
  int marks() const { return marks_; }
  const UserRecord& record() const { return record_; }

 private:
  const UserLayout layout_{512, 512, 7 * kDayUs, 32, kDayUs};
  const TrafficRules rules_;
  UserRecord record_;
  uint64_t print_ = 0;
  int64_t now_us_ = kStartUs;
  int marks_ = 0;
};

TEST(TrafficRulesTest, MoreEventsThanTheRateAreNoPersons) {
  for (const UserOp::Kind kind : {UserOp::Kind::kAction, UserOp::Kind::kImpression, UserOp::Kind::kCount}) {
    Actor actor;
    std::optional<UserMark> mark;
    int events = 0;
    for (; events < 1000 && !mark.has_value(); ++events) {
      mark = actor.Do(kind, fmt::format("item{}", events), kStartUs + events * kSecondUs / 10, true, v1::Event());
    }
    ASSERT_TRUE(mark.has_value()) << static_cast<int>(kind);
    EXPECT_EQ(events, 301);
    EXPECT_EQ(mark->reason, MarkReason::kRate);
    EXPECT_EQ(mark->from_us, kStartUs) << "the first of the events that are too many";
    EXPECT_EQ(mark->until_us, kStartUs + 30 * kSecondUs + kDayUs);
  }
}

TEST(TrafficRulesTest, ActionsCountWithoutClientIdsToo) {
  Actor actor;
  std::optional<UserMark> mark;
  for (int i = 0; i < 301; ++i) mark = actor.Click(fmt::format("item{}", i), kStartUs + i * kSecondUs / 10, false);
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->reason, MarkReason::kRate);
}

TEST(TrafficRulesTest, AsManyAsTheRateInALongerTimeAreFine) {
  Actor actor;
  for (int i = 0; i < 3000; ++i) {
    // 300 in the first second of each minute.
    const int64_t time_us = kStartUs + (i / 300) * 60 * kSecondUs;
    EXPECT_FALSE(actor.Click(fmt::format("item{}", i), time_us).has_value()) << i;
  }
}

TEST(TrafficRulesTest, EventsInAnyOrderAreCountedByTheirTimes) {
  // A phone that was offline sends what it kept, the newest first: an hour of it.
  Actor actor;
  for (int i = 0; i < 400; ++i) {
    EXPECT_FALSE(actor.Click(fmt::format("item{}", i), kStartUs - (i * i % 400) * 9 * kSecondUs).has_value());
  }
}

TEST(TrafficRulesTest, ATimerIsNoPerson) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> latency(0, 0.4);
  for (const double pause_s : {3.0, 5.0, 10.0, 30.0, 60.0, 600.0}) {
    Actor actor;
    const auto mark = actor.ClickAll(100, [&] { return pause_s + latency(random); });
    ASSERT_TRUE(mark.has_value()) << pause_s;
    EXPECT_EQ(mark->reason, MarkReason::kEntropy) << pause_s;
  }
}

TEST(TrafficRulesTest, PeopleAreNotMarked) {
  std::mt19937_64 random(2);
  // Seconds between actions of people: heavy-tailed, with pauses.
  const auto person = [&](double median_s, double sigma, double pause) {
    return [&random, gap = std::lognormal_distribution<double>(std::log(median_s), sigma),
            pauses = std::bernoulli_distribution(pause),
            long_gap = std::lognormal_distribution<double>(std::log(3600.0), 1.0)]() mutable {
      return pauses(random) ? long_gap(random) : gap(random);
    };
  };
  for (int seed = 0; seed < 20; ++seed) {
    Actor browsing, hasty, listening, swiping;
    EXPECT_FALSE(browsing.ClickAll(2000, person(12, 1.0, 0.05)).has_value());
    EXPECT_FALSE(hasty.ClickAll(2000, person(2.5, 0.7, 0.02)).has_value());
    // Songs of 2 to 5 minutes, one after the other for hours.
    EXPECT_FALSE(listening.ClickAll(300, person(200, 0.25, 0.02)).has_value());
    // A card a second.
    EXPECT_FALSE(swiping.ClickAll(2000, person(1.1, 0.3, 0.01)).has_value());
  }
}

TEST(TrafficRulesTest, APlayerThatSaysThatItPlaysIsNoMachine) {
  Actor actor;
  for (int i = 0; i < 2000; ++i) {
    EXPECT_FALSE(actor.Click("film", kStartUs + i * 10 * kSecondUs).has_value());
  }
}

TEST(TrafficRulesTest, WhoComesAtTheSameHourEachDayIsAPerson) {
  Actor actor;
  EXPECT_FALSE(actor.ClickAll(300, [] { return 86'400.0; }).has_value());
}

TEST(TrafficRulesTest, HistoryIsNotJudged) {
  Actor actor;
  v1::Event imported;
  imported.set_receive_time_us(kStartUs + 30 * kDayUs);
  for (int i = 0; i < 1000; ++i) {
    // Ratings of an old data set, all of one second.
    EXPECT_FALSE(actor.Do(UserOp::Kind::kAction, fmt::format("item{}", i), kStartUs, true, imported).has_value());
  }
  // A late event is somebody's who acts.
  v1::Event late = imported;
  late.set_late(true);
  EXPECT_TRUE(actor.Do(UserOp::Kind::kAction, "item", kStartUs, true, late).has_value());
}

TEST(TrafficRulesTest, ADeclaredAgentIsNoPerson) {
  Actor actor;
  v1::Event event;
  event.set_agent("bot/");
  const auto mark = actor.Do(UserOp::Kind::kCount, "", kStartUs, false, event);
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->reason, MarkReason::kAgent);
  EXPECT_EQ(mark->from_us, kStartUs);
}

TEST(TrafficRulesTest, AMarkIsSaidAgainWhenAnEighthOfItsTimeHasPassed) {
  Actor actor;
  v1::Event event;
  event.set_agent("bot/");
  // Half a day of a crawler: its mark lasts a day from the first event, and is said again every three hours.
  for (int minute = 0; minute < 12 * 60; ++minute) {
    actor.Do(UserOp::Kind::kCount, "", kStartUs + minute * 60 * kSecondUs, true, event);
  }
  EXPECT_EQ(actor.marks(), 4);
  EXPECT_EQ(actor.record().mark.from_us, kStartUs) << "marks that overlap are one";
  EXPECT_GE(actor.record().mark.until_us, kStartUs + 12 * kHourUs + kDayUs - 3 * kHourUs - 60 * kSecondUs);
}

TEST(TrafficRulesTest, NothingIsSaidWhereTheRulesAreOffOrAnOperatorHasDecided) {
  Actor off{config::Traffic()};
  v1::Event event;
  event.set_agent("bot/");
  EXPECT_FALSE(off.Do(UserOp::Kind::kCount, "", kStartUs, true, event).has_value());
  const TrafficRules rules(Enabled(), kAgeUs);
  for (const MarkReason word : {MarkReason::kByHand, MarkReason::kUnmarked}) {
    UserRecord record;
    record.mark.reason = word;
    EXPECT_FALSE(rules.Judge(event, UserOp(), record).has_value());
  }
}

TEST(TrafficRulesTest, EachRuleCanBeOff) {
  config::Traffic no_rate = Enabled();
  no_rate.rate = 0;
  Actor fast(no_rate);
  EXPECT_FALSE(fast.ClickAll(600, [] { return 0.05; }).has_value());
  config::Traffic no_entropy = Enabled();
  no_entropy.entropy = 0;
  Actor timer(no_entropy);
  EXPECT_FALSE(timer.ClickAll(600, [] { return 10.0; }).has_value());
}

TEST(GapEntropyTest, IsOfTheGapsBetweenItems) {
  const auto actions = [](const std::vector<uint32_t>& times) {
    std::vector<Action> all;
    for (const uint32_t time_s : times) all.push_back({catalog::ItemKey(all.size() + 1), time_s});
    return all;
  };
  EXPECT_DOUBLE_EQ(*GapEntropy(actions({100, 110, 120, 130, 140})), 0);
  EXPECT_DOUBLE_EQ(*GapEntropy(actions({100, 110, 210, 220, 320})), 1);
  EXPECT_DOUBLE_EQ(*GapEntropy(actions({320, 220, 210, 110, 100})), 1) << "in any order";
  EXPECT_FALSE(GapEntropy(actions({100, 100, 101, 102, 102})).has_value()) << "whole seconds tell nothing of these";
  EXPECT_FALSE(GapEntropy(actions({0, 40'000, 80'000, 120'000})).has_value()) << "more than a day";
  EXPECT_FALSE(GapEntropy({}).has_value());
}

TEST(MarkedTimesTest, AnOperatorsLastWordOutlastsTheRules) {
  MarkedTimes times;
  EXPECT_FALSE(times.Covers(15));
  times.Add({MarkReason::kRate, 10, 20});
  times.Add({MarkReason::kRate, 18, 30});
  times.Add({MarkReason::kEntropy, 50, 60});
  EXPECT_FALSE(times.Covers(9));
  EXPECT_TRUE(times.Covers(10));
  EXPECT_TRUE(times.Covers(29));
  EXPECT_FALSE(times.Covers(30));
  EXPECT_TRUE(times.Covers(55));
  EXPECT_TRUE(times.Meets(30, 51));
  EXPECT_FALSE(times.Meets(30, 50));
  times.Add({MarkReason::kUnmarked});
  times.Add({MarkReason::kRate, 10, 20});
  EXPECT_FALSE(times.Covers(15));
  times.Add({MarkReason::kByHand});
  EXPECT_TRUE(times.Covers(1000));
  times.Add({MarkReason::kRules});
  EXPECT_TRUE(times.Covers(15));
  EXPECT_FALSE(times.Covers(1000));
}

TEST(UserMarkTest, EveryReasonHasItsName) {
  for (size_t i = 0; i < kMarkReasons; ++i) {
    const auto reason = static_cast<MarkReason>(i);
    EXPECT_EQ(MarkReasonOf(MarkReasonName(reason)), reason);
  }
  EXPECT_EQ(MarkReasonOf("of a newer program"), MarkReason::kRules);
}

}  // namespace
}  // namespace bowerbird::state
