#include "state/user_record.h"

#include <algorithm>
#include <string>

#include "base/decay.h"
#include "base/rng.h"
#include "base/vector_math.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/fold.h"
#include "state/user_op.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;

TEST(DecayTest, HalvesEachHalfLifeAndAgreesWithTheLibrary) {
  EXPECT_EQ(base::DecayFactor(0, kHourUs), 1.0);
  EXPECT_EQ(base::DecayFactor(-5, kHourUs), 1.0);
  EXPECT_EQ(base::DecayFactor(kHourUs, 0), 1.0);
  EXPECT_EQ(base::DecayFactor(3 * kHourUs, kHourUs), 0.125);
  EXPECT_EQ(base::DecayFactor(5000 * kHourUs, kHourUs), 0.0);
  base::Rng rng(1);
  for (int i = 0; i < 10'000; ++i) {
    const auto age_us = static_cast<int64_t>(rng.Below(50 * kHourUs));
    const double expected = std::exp2(-static_cast<double>(age_us) / static_cast<double>(kHourUs));
    EXPECT_NEAR(base::DecayFactor(age_us, kHourUs), expected, 1e-14 * expected);
  }
}

/// Operations of one user, from the fold of random events.
struct Folded {
  UserRecord record;
  std::vector<std::string> ops;
  std::vector<SpilledBlock> blocks;
};
Folded FoldRandom(const FoldPolicy& policy, uint64_t seed, int events) {
  RandomEvents source(seed, 1, 300);
  Folded folded;
  Change change;
  for (int i = 0; i < events; ++i) {
    const v1::Event event = source.Next();
    if (policy.Judge(event, folded.record, &change) != Verdict::kCounted) continue;
    EncodeUserOp(change.user, &folded.ops.emplace_back());
    ApplyUserOp(policy.user_layout(), change.user, &folded.record, &folded.blocks);
  }
  return folded;
}

TEST(UserRecordTest, AnyCutOfTheOperationsGivesTheSameBytes) {
  const FoldPolicy policy(TestConfig());
  base::Rng rng(9);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Folded folded = FoldRandom(policy, seed, 500);
    UserRecord replayed;
    std::string pending;
    for (const std::string& op : folded.ops) {
      pending += op;
      if (!rng.Bernoulli(0.1)) continue;
      ASSERT_TRUE(ApplyUserOps(policy.user_layout(), pending, &replayed).ok());
      pending.clear();
      if (rng.Bernoulli(0.5)) replayed = *DecodeUserRecord(EncodeUserRecord(replayed));
    }
    ASSERT_TRUE(ApplyUserOps(policy.user_layout(), pending, &replayed).ok());
    EXPECT_EQ(EncodeUserRecord(replayed), EncodeUserRecord(folded.record)) << "seed " << seed;
  }
}

TEST(UserRecordTest, AMarkIsKeptAndARecordWithoutOneIsStoredAsBefore) {
  const FoldPolicy policy(TestConfig());
  UserRecord record = FoldRandom(policy, 3, 100).record;
  const std::string unmarked = EncodeUserRecord(record);
  EXPECT_EQ(unmarked.front(), 1);
  const auto apply = [&](const UserMark& mark) {
    UserOp op;
    op.kind = UserOp::Kind::kMark;
    op.event_time_us = kStartUs;
    op.mark = mark;
    std::string bytes;
    EncodeUserOp(op, &bytes);
    ASSERT_TRUE(ApplyUserOps(policy.user_layout(), bytes, &record).ok());
    const auto read = DecodeUserRecord(EncodeUserRecord(record));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(EncodeUserRecord(*read), EncodeUserRecord(record));
    EXPECT_EQ(read->mark.reason, record.mark.reason);
    EXPECT_EQ(read->mark.from_us, record.mark.from_us);
    EXPECT_EQ(read->mark.until_us, record.mark.until_us);
    EXPECT_EQ(read->mark.source_offset, record.mark.source_offset);
  };
  apply({MarkReason::kRate, kStartUs, kStartUs + kHourUs, 70'000});
  EXPECT_EQ(EncodeUserRecord(record).front(), 3);
  apply({MarkReason::kEntropy, kStartUs + kSecondUs, kStartUs + 2 * kHourUs, 70'001});
  EXPECT_EQ(record.mark.from_us, kStartUs);
  EXPECT_EQ(record.mark.reason, MarkReason::kEntropy);
  const std::string marked = EncodeUserRecord(record);
  for (size_t size = 0; size < marked.size(); ++size) EXPECT_FALSE(DecodeUserRecord(marked.substr(0, size)).ok());
  apply({MarkReason::kByHand});
  apply({MarkReason::kRate, kStartUs, kStartUs + kHourUs, 70'002});
  EXPECT_EQ(record.mark.reason, MarkReason::kByHand);
  apply({MarkReason::kUnmarked});
  EXPECT_FALSE(record.mark.Covers(kStartUs));
  apply({MarkReason::kRules});
  EXPECT_EQ(EncodeUserRecord(record), unmarked);
}

TEST(UserRecordTest, LifelongBlocksHoldEveryActionThatLeft) {
  const FoldPolicy policy(TestConfig());
  const Folded folded = FoldRandom(policy, 4, 2000);
  ASSERT_GT(folded.blocks.size(), 5u);
  for (size_t i = 0; i < folded.blocks.size(); ++i) {
    EXPECT_EQ(folded.blocks[i].ordinal, i);
    const std::string bytes = EncodeLifelongBlock(folded.blocks[i].actions.data());
    const auto decoded = DecodeLifelongBlock(bytes);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(EncodeLifelongBlock(decoded->data()), bytes);
    EXPECT_FALSE(DecodeLifelongBlock(std::string_view(bytes).substr(1)).ok());
  }
  EXPECT_EQ(folded.record.actions_total, folded.blocks.size() * kLifelongBlock + folded.record.actions.size());
}

TEST(UserRecordTest, DamagedBytesAreRefused) {
  const FoldPolicy policy(TestConfig());
  const Folded folded = FoldRandom(policy, 5, 200);
  const std::string bytes = EncodeUserRecord(folded.record);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(DecodeUserRecord(bytes.substr(0, size)).ok());
  EXPECT_FALSE(DecodeUserRecord(bytes + "x").ok());
  base::Rng rng(2);
  for (int i = 0; i < 20'000; ++i) {  // any answer, no crash
    std::string damaged = bytes;
    for (int flips = 0; flips < 3; ++flips) damaged[rng.Below(damaged.size())] = static_cast<char>(rng());
    (void)DecodeUserRecord(damaged);
    std::string ops = folded.ops[rng.Below(folded.ops.size())];
    ops[rng.Below(ops.size())] = static_cast<char>(rng());
    UserRecord record;
    (void)ApplyUserOps(policy.user_layout(), ops, &record);
  }
}

TEST(UserRecordTest, CollectionsAndHiddenAreBounded) {
  UserLayout layout;
  UserRecord record;
  UserOp op;
  for (uint64_t i = 0; i < kCollectionItemsMax + 100; ++i) {
    op.kind = UserOp::Kind::kAction;
    op.item = ItemKey(i);
    const std::string board = "board" + std::to_string(i % 300);
    op.collection = board;
    ApplyUserOp(layout, op, &record, nullptr);
  }
  size_t items = 0;
  for (const CollectionState& collection : record.collections) items += collection.items.size();
  EXPECT_LE(items, kCollectionItemsMax);
  EXPECT_LE(record.collections.size(), kCollectionsMax);

  op.kind = UserOp::Kind::kHide;
  for (uint64_t i = 0; i < kHiddenMax + 10; ++i) {
    op.item = ItemKey(i);
    ApplyUserOp(layout, op, &record, nullptr);
  }
  ASSERT_EQ(record.hidden.size(), kHiddenMax);
  EXPECT_EQ(record.hidden.front(), ItemKey(10));
}

TEST(UserRecordTest, ViewLeavesOutActionsOnHiddenItems) {
  UserLayout layout;
  UserRecord record;
  UserOp op;
  op.kind = UserOp::Kind::kAction;
  op.event_time_us = 10 * kSecondUs;
  op.strength_bf16 = base::ToBf16(1);
  for (uint64_t item : {5, 3, 9}) {
    op.item = ItemKey(item);
    ApplyUserOp(layout, op, &record, nullptr);
  }
  op.kind = UserOp::Kind::kHide;
  op.item = ItemKey(3);
  ApplyUserOp(layout, op, &record, nullptr);
  op.kind = UserOp::Kind::kImpression;
  op.event_time_us = 20 * kSecondUs;
  op.item = ItemKey(9);
  ApplyUserOp(layout, op, &record, nullptr);
  const auto view = MakeUserState(catalog::UserKey(1), record, 512);
  ASSERT_EQ(view->actions.size(), 2u);
  EXPECT_EQ(view->actions[0].item, ItemKey(5));
  EXPECT_EQ(view->actions[1].item, ItemKey(9));
  EXPECT_TRUE(view->IsHidden(ItemKey(3)));
  EXPECT_FALSE(view->IsHidden(ItemKey(9)));
  ASSERT_NE(view->FindSeen(ItemKey(9)), nullptr);
  EXPECT_EQ(view->FindSeen(ItemKey(9))->count, 1u);
  EXPECT_EQ(view->FindSeen(ItemKey(9))->time_s, 20u);
  ASSERT_NE(view->FindSeen(ItemKey(5)), nullptr);
  EXPECT_EQ(view->FindSeen(ItemKey(5))->count, 0u);
  EXPECT_EQ(view->FindSeen(ItemKey(4)), nullptr);
}

}  // namespace
}  // namespace bowerbird::state
