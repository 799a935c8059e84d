#include "state/fold.h"

#include <string>

#include "base/vector_math.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"

namespace bowerbird::state {
namespace {

class FoldTest : public testing::Test {
 protected:
  Verdict Fold(const v1::Event& event) {
    const Verdict verdict = policy_.Judge(event, record_, &change_);
    if (verdict == Verdict::kCounted) ApplyUserOp(policy_.user_layout(), change_.user, &record_, nullptr);
    return verdict;
  }
  Verdict Click(const std::string& client_id, int64_t time_us) {
    return Fold(TestEvent("click", "ann", "item1", client_id, time_us));
  }
  const config::Config config_ = TestConfig();
  const FoldPolicy policy_{config_};
  UserRecord record_;
  Change change_;
};

TEST_F(FoldTest, CountsAClientIdOnce) {
  EXPECT_EQ(Click("a", kStartUs), Verdict::kCounted);
  EXPECT_EQ(Click("a", kStartUs), Verdict::kDuplicate);
  EXPECT_EQ(Click("", kStartUs), Verdict::kCounted);
  EXPECT_EQ(Click("", kStartUs), Verdict::kCounted);
  EXPECT_EQ(record_.events, 3u);
}

TEST_F(FoldTest, KnowsExactlyTheLastPrintsAndRefusesWhatMayBeOlder) {
  EXPECT_EQ(Click("first", kStartUs), Verdict::kCounted);
  for (uint32_t i = 1; i < config_.state.dedupe_prints; ++i) {
    EXPECT_EQ(Click(fmt::format("c{}", i), kStartUs + i * kSecondUs), Verdict::kCounted);
  }
  EXPECT_EQ(Click("first", kStartUs), Verdict::kDuplicate) << "the oldest of the full window";
  EXPECT_EQ(Click("one more", kStartUs + 100 * kSecondUs), Verdict::kCounted);
  EXPECT_EQ(Click("first", kStartUs), Verdict::kTooLate) << "its print has left the window";
  EXPECT_EQ(Click("unknown", kStartUs), Verdict::kTooLate) << "as old as a print that has left";
  EXPECT_EQ(Click("newer", kStartUs + kSecondUs), Verdict::kCounted) << "newer than all prints that left";
  EXPECT_EQ(Click("", kStartUs), Verdict::kCounted) << "without a client id there is nothing to compare";
}

TEST_F(FoldTest, ForgetsPrintsAfterTheWindowOfTime) {
  EXPECT_EQ(Click("first", kStartUs), Verdict::kCounted);
  EXPECT_EQ(Click("second", kStartUs + 7 * kDayUs - kHourUs), Verdict::kCounted);
  EXPECT_EQ(Click("first", kStartUs), Verdict::kDuplicate);
  EXPECT_EQ(Click("third", kStartUs + 8 * kDayUs), Verdict::kCounted);
  EXPECT_EQ(Click("first", kStartUs), Verdict::kTooLate);
  EXPECT_EQ(Click("second", kStartUs + 7 * kDayUs - kHourUs), Verdict::kDuplicate);
}

TEST_F(FoldTest, ImportedHistoryMayComeInAnyOrder) {
  for (int i = 0; i < 100; ++i) {
    v1::Event event = TestEvent("click", "ann", "item1", fmt::format("c{}", i), kStartUs - i * kDayUs);
    event.set_receive_time_us(kStartUs + 400 * kDayUs);
    EXPECT_EQ(Fold(event), Verdict::kCounted);
    EXPECT_EQ(Fold(event), Verdict::kDuplicate);
  }
  v1::Event live = TestEvent("click", "ann", "item1", "late", kStartUs - 50 * kDayUs);
  live.set_receive_time_us(kStartUs + 400 * kDayUs);
  live.set_late(true);
  EXPECT_EQ(Fold(live), Verdict::kTooLate);
}

TEST_F(FoldTest, StrengthIsWeightTimesTheShareOfTheValue) {
  v1::Event event = TestEvent("rating", "ann", "item1", "", kStartUs);
  for (const auto& [value, strength] : {std::pair(1.0, 0.0), {3.0, 2.0}, {5.0, 4.0}, {9.0, 4.0}, {-2.0, 0.0}}) {
    event.set_value(value);
    EXPECT_EQ(Fold(event), Verdict::kCounted);
    EXPECT_EQ(base::FromBf16(record_.actions.back().strength_bf16), strength);
    EXPECT_EQ(change_.item.weight, ToItemWeight(strength));
  }
  EXPECT_EQ(Fold(TestEvent("dislike", "ann", "item1", "", kStartUs)), Verdict::kCounted);
  EXPECT_EQ(record_.actions.back().strength_bf16, 0);
  EXPECT_EQ(change_.item.kind, ItemEvent::Kind::kNegative);
}

TEST_F(FoldTest, EachTypeGoesWhereItBelongs) {
  Fold(TestEvent("impression", "ann", "a", "", kStartUs));
  EXPECT_TRUE(record_.actions.empty());
  EXPECT_EQ(record_.seen.size(), 1u);
  EXPECT_EQ(change_.item.kind, ItemEvent::Kind::kImpression);

  Fold(TestEvent("hide", "ann", "b", "", kStartUs));
  EXPECT_TRUE(record_.actions.empty());
  EXPECT_EQ(record_.hidden.size(), 1u);
  EXPECT_EQ(change_.item.kind, ItemEvent::Kind::kNegative);

  Fold(TestEvent("unhide", "ann", "b", "", kStartUs));
  EXPECT_TRUE(record_.hidden.empty());
  EXPECT_FALSE(change_.has_item) << "that it was hidden stays counted";
  Fold(TestEvent("unhide", "ann", "never hidden", "", kStartUs));
  EXPECT_TRUE(record_.hidden.empty());

  v1::Event save = TestEvent("save", "ann", "c", "", kStartUs);
  save.set_collection("desks");
  save.set_surface("related");
  Fold(save);
  Fold(save);
  ASSERT_EQ(record_.actions.size(), 2u);
  EXPECT_EQ(record_.actions[0].surface, 2);
  EXPECT_EQ(record_.actions[0].type, 3);
  ASSERT_EQ(record_.collections.size(), 1u);
  EXPECT_EQ(record_.collections[0].items.size(), 1u);
  EXPECT_EQ(change_.item.kind, ItemEvent::Kind::kAction);

  Fold(TestEvent("search", "ann", "", "", kStartUs));
  EXPECT_FALSE(change_.has_item);
  EXPECT_EQ(record_.events, 7u);
  EXPECT_EQ(record_.id, "ann");
}

TEST_F(FoldTest, AffinitiesDecayAndTheWeakestGivesWay) {
  const auto act = [&](std::string_view category, int64_t time_us) {
    v1::Event event = TestEvent("click", "ann", "item1", "", time_us);
    event.add_item_categories(std::string(category));
    Fold(event);
  };
  act("desks", kStartUs);
  act("desks", kStartUs + kDayUs);
  ASSERT_EQ(record_.affinities.size(), 1u);
  EXPECT_FLOAT_EQ(record_.affinities[0].weight, 1.5f);
  act("desks", kStartUs);  // late: counts half by now
  EXPECT_FLOAT_EQ(record_.affinities[0].weight, 2.0f);
  EXPECT_EQ(record_.affinities[0].time_us, kStartUs + kDayUs);
  EXPECT_NEAR(record_.affinities[0].At(kStartUs + 2 * kDayUs, config_.state.affinity_half_life_us), 1.0, 1e-6);
  for (int i = 0; i < 4; ++i) act(fmt::format("c{}", i), kStartUs + kDayUs + i);
  act("new", kStartUs + 2 * kDayUs);
  ASSERT_EQ(record_.affinities.size(), 5u);
  EXPECT_EQ(record_.affinities[0].category, "desks");
  EXPECT_EQ(record_.affinities[1].category, "new");
}

TEST_F(FoldTest, ExtremeTimesDoNoHarm) {
  for (const int64_t time_us : {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), int64_t{0}}) {
    v1::Event event = TestEvent("click", "ann", "item1", "", 0);
    event.set_event_time_us(time_us);
    event.set_receive_time_us(std::numeric_limits<int64_t>::min());
    event.add_item_categories("desks");
    EXPECT_EQ(Fold(event), Verdict::kCounted);
    EXPECT_TRUE(DecodeUserRecord(EncodeUserRecord(record_)).ok());
  }
}

TEST_F(FoldTest, ChecksWhatCannotBeFolded) {
  const uint32_t partition = catalog::PartitionOf(TestHasher().User("ann"), 4);
  v1::Event event = TestEvent("click", "ann", "item1", "", kStartUs);
  EXPECT_TRUE(policy_.Check(event, partition, 4).ok());
  EXPECT_FALSE(policy_.Check(event, (partition + 1) % 4, 4).ok());
  event.set_schema(FoldPolicy::kSchema + 1);
  EXPECT_FALSE(policy_.Check(event, partition, 4).ok());
  event = TestEvent("unheard_of", "ann", "item1", "", kStartUs);
  EXPECT_FALSE(policy_.Check(event, partition, 4).ok());
  event = TestEvent("click", "", "item1", "", kStartUs);
  EXPECT_FALSE(policy_.Check(event, partition, 4).ok());
}

}  // namespace
}  // namespace bowerbird::state
