#include <algorithm>
#include <map>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/fold.h"
#include "state/next_record.h"
#include "state/next_table.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

constexpr uint32_t kStartS = kStartUs / kSecondUs;
constexpr uint32_t kDayS = 86'400;

ItemEvent Move(uint64_t from, uint64_t to, uint32_t time_s) {
  ItemEvent event;
  event.item = ItemKey(to << 50);
  event.after = ItemKey(from << 50);
  event.moved_s = time_s;
  return event;
}

/// Bytes of each record after the events have been added in the given groups.
std::map<ItemKey, std::string> Sum(const std::vector<ItemEvent>& events, size_t group) {
  std::map<ItemKey, NextRecord> sums;
  for (size_t begin = 0; begin < events.size(); begin += group) {
    const size_t count = std::min(group, events.size() - begin);
    for (const auto& [from, record] : SumMoves(std::span(events).subspan(begin, count))) {
      sums[from].Add(record, MovesMax(from));
    }
  }
  std::map<ItemKey, std::string> bytes;
  for (const auto& [from, record] : sums) bytes[from] = EncodeNextRecord(record);
  return bytes;
}

TEST(NextRecordTest, AnyOrderAndGroupingGivesTheSameBytes) {
  base::Rng rng(5);
  std::vector<ItemEvent> events;
  for (int i = 0; i < 20'000; ++i) {
    events.push_back(Move(rng.Below(20), 1 + rng.Below(30), kStartS + static_cast<uint32_t>(rng.Below(6 * kDayS))));
    if (rng.Bernoulli(.05)) events.push_back(events.back());
  }
  const auto expected = Sum(events, events.size());
  EXPECT_EQ(expected.size(), 20u) << "one of each item, and that of anywhere";
  EXPECT_EQ(Sum(events, 7), expected);
  std::reverse(events.begin(), events.end());
  EXPECT_EQ(Sum(events, 113), expected);
}

TEST(NextRecordTest, KeepsTheNewestWithinTheSpan) {
  std::vector<ItemEvent> events;
  for (uint32_t i = 0; i < 1000; ++i) events.push_back(Move(1, 2, kStartS + i));
  NextRecord record = SumMoves(events).back().second;
  ASSERT_EQ(record.moves.size(), kMovesMax);
  EXPECT_EQ(record.moves.front().time_s, kStartS + 999);
  record.Add(SumMoves(std::vector{Move(1, 3, kStartS + 999 + kMovesSpanS)}).back().second, kMovesMax);
  EXPECT_EQ(record.moves.size(), 2u) << "the new one, and the one that is just within the span";
}

TEST(NextRecordTest, CodecGivesBackTheRecordAndRefusesDamage) {
  const NextRecord record =
      SumMoves(std::vector{Move(1, 2, kStartS), Move(1, 3, kStartS + 5), Move(1, 2, kStartS)}).back().second;
  const std::string bytes = EncodeNextRecord(record);
  EXPECT_EQ(DecodeNextRecord(bytes).value().moves, record.moves);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeNextRecord(bytes.substr(0, size)).ok());
  EXPECT_FALSE(DecodeNextRecord(bytes + "x").ok());
}

class NextTableTest : public testing::Test {
 protected:
  static const NextItems* Find(const NextTable& table, uint64_t from) { return table.Find(ItemKey(from << 50)); }
  NextTableBuilder builder_;
};

TEST_F(NextTableTest, NewerMovesCountMore) {
  std::vector<ItemEvent> events;
  for (uint32_t i = 0; i < 60; ++i) events.push_back(Move(1, 2, kStartS + i));
  for (uint32_t i = 60; i < 120; ++i) events.push_back(Move(1, 3, kStartS + i));
  builder_.Absorb(events);
  const auto table = builder_.Build(kStartUs + kHourUs);
  const NextItems* next = Find(*table, 1);
  ASSERT_NE(next, nullptr);
  ASSERT_EQ(next->items.size(), 2u);
  EXPECT_EQ(next->items[0].item, ItemKey(uint64_t{3} << 50));
  EXPECT_NEAR(next->items[0].score + next->items[1].score, next->total, 1e-4);
  EXPECT_EQ(next->newest_us, kStartUs + 119 * kSecondUs);
  ASSERT_NE(table->Find(kAnywhere), nullptr);
  EXPECT_EQ(table->Find(kAnywhere)->items.size(), 2u);
  EXPECT_EQ(Find(*table, 2), nullptr);
}

TEST_F(NextTableTest, ForgetsWhatHasNotHappenedForASpan) {
  builder_.Absorb(std::vector{Move(1, 2, kStartS)});
  EXPECT_NE(Find(*builder_.Build(kStartUs + 3 * kDayUs), 1), nullptr);
  EXPECT_EQ(Find(*builder_.Build(kStartUs + 3 * kDayUs + kSecondUs), 1), nullptr);
}

TEST_F(NextTableTest, SaysHowMuchMemoryItsMovesTake) {
  constexpr uint64_t kItems = 500;
  builder_.Absorb(std::vector{Move(1, 2, kStartS)});
  builder_.Build(kStartUs);
  const uint64_t before = builder_.memory_bytes();
  std::vector<ItemEvent> events;
  for (uint64_t from = 1; from <= kItems; ++from) {
    for (uint32_t i = 0; i < kMovesMax; ++i) events.push_back(Move(from, 1 + i % 80, kStartS + i));
  }
  builder_.Absorb(events);
  builder_.Build(kStartUs);
  EXPECT_GT(builder_.memory_bytes(), before + kItems * kMovesMax * sizeof(NextRecord::Move));
  builder_.Build(kStartUs + 8 * kDayUs);
  EXPECT_LT(builder_.memory_bytes(), before) << "twice the span later nothing is held";
}

TEST_F(NextTableTest, TablesOnTheWayChangeNothing) {
  // Late moves, lists that are forgotten and come back, and a table after every day in one builder but not in the
  // other.
  base::Rng rng(9);
  NextTableBuilder replayed;
  std::shared_ptr<const NextTable> table, again;
  for (uint32_t day = 0; day < 20; ++day) {
    std::vector<ItemEvent> events;
    for (int i = 0; i < 30; ++i) {
      const auto late_s = static_cast<uint32_t>(rng.Bernoulli(.3) ? rng.Below(7 * kDayS) : rng.Below(kDayS));
      events.push_back(Move(1 + rng.Below(40), 1 + rng.Below(40), kStartS + (day + 1) * kDayS - late_s));
    }
    builder_.Absorb(events);
    replayed.Absorb(events);
    table = builder_.Build(kStartUs + (day + 1) * kDayUs);
    if (day == 19) again = replayed.Build(kStartUs + (day + 1) * kDayUs);
  }
  for (uint64_t from = 0; from <= 40; ++from) {
    const NextItems *a = Find(*table, from), *b = Find(*again, from);
    ASSERT_EQ(a == nullptr, b == nullptr) << from;
    if (a == nullptr) continue;
    EXPECT_EQ(a->total, b->total);
    EXPECT_EQ(a->newest_us, b->newest_us);
    ASSERT_EQ(a->items.size(), b->items.size());
    for (size_t i = 0; i < a->items.size(); ++i) {
      EXPECT_EQ(a->items[i].item, b->items[i].item);
      EXPECT_EQ(a->items[i].score, b->items[i].score);
    }
  }
}

class FoldMovesTest : public testing::Test {
 protected:
  /// What the event says of a move.
  ItemEvent Fold(std::string_view type, std::string_view item, int64_t time_us) {
    const v1::Event event = TestEvent(type, "ann", item, "", time_us);  // what the change points into
    EXPECT_EQ(policy_.Judge(event, record_, &change_), Verdict::kCounted);
    ApplyUserOp(policy_.user_layout(), change_.user, &record_, nullptr);
    return change_.item;
  }
  const FoldPolicy policy_{TestConfig()};
  UserRecord record_;
  Change change_;
};

TEST_F(FoldMovesTest, AnActionOnAnotherItemIsAMove) {
  const ItemKey first = TestHasher().Item("a");
  ItemEvent event = Fold("click", "a", kStartUs);
  EXPECT_EQ(event.moved_s, kStartS);
  EXPECT_EQ(event.after, kAnywhere) << "the user's first action";
  EXPECT_EQ(Fold("save", "a", kStartUs + kSecondUs).moved_s, 0u) << "the same item";
  EXPECT_EQ(Fold("impression", "b", kStartUs + 2 * kSecondUs).moved_s, 0u);
  event = Fold("click", "b", kStartUs + kHourUs);
  EXPECT_EQ(event.moved_s, kStartS + 3600);
  EXPECT_EQ(event.after, first);
  event = Fold("click", "c", kStartUs + 4 * kHourUs);
  EXPECT_NE(event.moved_s, 0u);
  EXPECT_EQ(event.after, kAnywhere) << "too long after";
  EXPECT_EQ(Fold("click", "d", kStartUs + 2 * kHourUs).after, kAnywhere) << "happened before the last one";
  EXPECT_EQ(Fold("dislike", "e", kStartUs + 4 * kHourUs).moved_s, 0u);
  EXPECT_EQ(Fold("click", "f", kStartUs + 4 * kHourUs).after, kAnywhere) << "nobody goes on from what they dislike";
}

}  // namespace
}  // namespace bowerbird::state
