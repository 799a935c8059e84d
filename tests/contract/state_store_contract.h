#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "state/state_store.h"

/// What every StateStore must do, whatever it stands on. Include it in one source of a test program only:
///
///   INSTANTIATE_TEST_SUITE_P(Rocks, StateStoreContract, testing::Values(StateStoreSubject{"rocks", &MakeIt}));
namespace bowerbird::state {

/// Stores, and a folder of theirs for one test. Removes what it made.
class ContractStores {
 public:
  virtual ~ContractStores() = default;
  virtual const StateStores& stores() const = 0;
  virtual std::string dir() const = 0;
};

struct StateStoreSubject {
  std::string name;
  std::function<std::unique_ptr<ContractStores>()> make;
};

inline void PrintTo(const StateStoreSubject& subject, std::ostream* out) { *out << subject.name; }

class StateStoreContract : public testing::TestWithParam<StateStoreSubject> {
 protected:
  using ItemKey = catalog::ItemKey;
  using UserKey = catalog::UserKey;

  void SetUp() override {
    subject_ = GetParam().make();
    options_.user_layout = {.sequence_max = 64, .dedupe_prints = 16, .dedupe_window_us = 0, .affinity_top = 3};
    options_.item_layout.buckets_max = 6;
    Reopen();
  }
  void Reopen() {
    store_.reset();
    auto opened = subject_->stores().Open(subject_->dir(), options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  static std::string Click(uint64_t item, uint64_t n, std::string_view id = "") {
    UserOp op;
    op.kind = UserOp::Kind::kAction;
    op.event_time_us = static_cast<int64_t>(n) * 1'000'000;
    op.print = n + 1;
    op.receive_time_us = op.event_time_us;
    op.item = ItemKey(item);
    op.type = 2;
    op.strength_bf16 = 0x3f80;
    op.categories = {"chairs"};
    op.id = id;
    std::string bytes;
    EncodeUserOp(op, &bytes);
    return bytes;
  }
  static ItemRecord Counted(uint32_t bucket, uint64_t actions) {
    ItemRecord record;
    record.total.actions = actions;
    record.total.weight = actions * 65536;
    record.buckets.push_back({bucket, record.total});
    return record;
  }
  std::map<std::string, std::string> Column(StateStore::Column column) const {
    std::map<std::string, std::string> all;
    const auto at = store_->NewCursor(column);
    std::string last;
    for (; at->valid(); at->Next()) {
      EXPECT_LT(last, at->key()) << "key order";
      last = at->key();
      all.emplace(at->key(), at->value());
    }
    EXPECT_TRUE(at->status().ok()) << at->status();
    return all;
  }

  std::unique_ptr<ContractStores> subject_;
  StateStore::Options options_;
  std::unique_ptr<StateStore> store_;
};

TEST_P(StateStoreContract, IsEmptyAtFirst) {
  EXPECT_FALSE((*store_->LoadUser(UserKey(1))).has_value());
  EXPECT_EQ(*store_->LoadOffsets(3), (std::vector<log::Offset>{0, 0, 0}));
  EXPECT_EQ(*store_->LoadFormat("layout"), "");
  EXPECT_EQ(store_->LoadLifelongBlock(UserKey(1), 0).status().code(), absl::StatusCode::kNotFound);
  for (size_t column = 0; column < StateStore::kColumns; ++column)
    EXPECT_TRUE(Column(static_cast<StateStore::Column>(column)).empty());
}

TEST_P(StateStoreContract, ABatchIsThereAsAWhole) {
  const auto batch = store_->NewBatch();
  EXPECT_EQ(Column(StateStore::kOffsets).size(), 0u);
  batch->MergeUser(UserKey(7), Click(11, 1, "seven") + Click(12, 2));
  batch->MergeItem(ItemKey(11), Counted(5, 2));
  batch->PutOffset(1, 300);
  batch->PutFormat("layout", "a layout");
  EXPECT_FALSE((*store_->LoadUser(UserKey(7))).has_value()) << "before the write";
  EXPECT_GT(batch->bytes(), 30u);
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  const auto user = *store_->LoadUser(UserKey(7));
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->id, "seven");
  EXPECT_EQ(user->events, 2u);
  ASSERT_EQ(user->actions.size(), 2u);
  EXPECT_EQ(user->actions[1].item, ItemKey(12));
  EXPECT_EQ(*store_->LoadOffsets(3), (std::vector<log::Offset>{0, 300, 0}));
  EXPECT_EQ(*store_->LoadFormat("layout"), "a layout");
  int items = 0;
  ASSERT_TRUE(store_
                  ->ScanItems([&](ItemKey item, const ItemRecord& record) {
                    ++items;
                    EXPECT_EQ(item, ItemKey(11));
                    EXPECT_EQ(record.total.actions, 2u);
                  })
                  .ok());
  EXPECT_EQ(items, 1);
}

TEST_P(StateStoreContract, MovesAddUpAndTheNewestStay) {
  const auto write = [&](ItemKey from, uint32_t first_s, uint32_t count) {
    NextRecord record;
    for (uint32_t i = count; i-- > 0;) record.moves.push_back({ItemKey(5), first_s + i});
    const auto batch = store_->NewBatch();
    batch->MergeNext(from, record);
    ASSERT_TRUE(store_->Write(batch.get()).ok());
  };
  write(ItemKey(3), 1000, 200);
  write(ItemKey(3), 1100, 200);
  write(kAnywhere, 1000, 400);
  ASSERT_TRUE(store_->Flush().ok());
  Reopen();
  std::map<uint64_t, NextRecord> all;
  ASSERT_TRUE(store_->ScanNext([&](ItemKey from, NextRecord record) { all[from.value] = std::move(record); }).ok());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].moves.size(), 400u);
  ASSERT_EQ(all[3].moves.size(), kMovesMax);
  EXPECT_EQ(all[3].moves.front().time_s, 1299u);
  EXPECT_EQ(all[3].moves.back().time_s, 1122u) << "the newest 256 of the 400";
}

TEST_P(StateStoreContract, WhatWasFlushedIsThereAfterReopening) {
  for (uint64_t round = 0; round < 4; ++round) {
    const auto batch = store_->NewBatch();
    batch->MergeUser(UserKey(7), Click(round, round, round == 0 ? "seven" : ""));
    batch->MergeItem(ItemKey(3), Counted(static_cast<uint32_t>(round), 1));
    batch->PutOffset(0, round + 1);
    ASSERT_TRUE(store_->Write(batch.get()).ok());
    ASSERT_TRUE(store_->Flush().ok());
    const auto users = Column(StateStore::kUsers), items = Column(StateStore::kItems);
    Reopen();
    EXPECT_EQ(Column(StateStore::kUsers), users);
    EXPECT_EQ(Column(StateStore::kItems), items);
    EXPECT_EQ((*store_->LoadOffsets(1))[0], round + 1);
    EXPECT_EQ((*store_->LoadUser(UserKey(7)))->events, round + 1);
  }
}

TEST_P(StateStoreContract, LoadUsersAnswersInOrderWithGaps) {
  const auto batch = store_->NewBatch();
  batch->MergeUser(UserKey(2), Click(1, 1, "two"));
  batch->MergeUser(UserKey(9), Click(1, 1, "nine"));
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  const std::vector<UserKey> keys = {UserKey(1), UserKey(2), UserKey(5), UserKey(9)};
  const auto users = *store_->LoadUsers(keys);
  ASSERT_EQ(users.size(), 4u);
  EXPECT_FALSE(users[0].has_value());
  EXPECT_EQ(users[1]->id, "two");
  EXPECT_FALSE(users[2].has_value());
  EXPECT_EQ(users[3]->id, "nine");
  EXPECT_TRUE((*store_->LoadUsers({})).empty());
}

TEST_P(StateStoreContract, LifelongBlocksLieBesideTheirUser) {
  SpilledBlock block;
  block.ordinal = 3;
  for (uint32_t i = 0; i < kLifelongBlock; ++i) block.actions.push_back({ItemKey(i + 1), i, 2, 0, 0});
  const auto batch = store_->NewBatch();
  batch->MergeUser(UserKey(2), Click(1, 1, "two"));
  batch->PutLifelongBlock(UserKey(2), block);
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  const auto actions = store_->LoadLifelongBlock(UserKey(2), 3);
  ASSERT_TRUE(actions.ok()) << actions.status();
  EXPECT_EQ((*actions)[63].item, ItemKey(64));
  EXPECT_EQ(store_->LoadLifelongBlock(UserKey(2), 2).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Column(StateStore::kUsers).size(), 2u);
}

TEST_P(StateStoreContract, OfAForgottenUserNothingIsInAnyFile) {
  SpilledBlock block;
  for (uint32_t i = 0; i < kLifelongBlock; ++i) block.actions.push_back({ItemKey(i + 1), i, 2, 0, 0});
  auto batch = store_->NewBatch();
  batch->MergeUser(UserKey(2), Click(1, 1, "somebody"));
  batch->PutLifelongBlock(UserKey(2), block);
  batch->PutSignal(UserKey(2), 7, "a value of somebody");
  batch->MergeUser(UserKey(3), Click(1, 1, "three"));
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  ASSERT_TRUE(store_->Flush().ok());
  UserOp op;
  op.kind = UserOp::Kind::kForget;
  op.event_time_us = 5'000'000;
  std::string forget;
  EncodeUserOp(op, &forget);
  batch = store_->NewBatch();
  batch->MergeUser(UserKey(2), forget);
  batch->DropLifelongBlock(UserKey(2), 0);
  batch->DropLifelongBlock(UserKey(2), 1);  // that was never there
  batch->PutSignal(UserKey(2), 7, "");
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  ASSERT_TRUE(store_->Erase(std::vector{UserKey(2)}).ok());
  for (const StateStore::Column column : {StateStore::kUsers, StateStore::kSignals}) {
    ASSERT_TRUE(store_
                    ->VisitVersions(column,
                                    [](std::string_view, std::string_view value) {
                                      EXPECT_EQ(value.find("somebody"), std::string_view::npos);
                                    })
                    .ok());
  }
  EXPECT_FALSE(store_->LoadLifelongBlock(UserKey(2), 0).ok());
  const auto user = store_->LoadUser(UserKey(2));
  ASSERT_TRUE(user.ok() && user->has_value());
  EXPECT_EQ((*user)->events, 0u);
  EXPECT_TRUE((*user)->prints.MayHaveDropped(4'000'000));
  EXPECT_FALSE((*user)->prints.MayHaveDropped(5'000'000));
  EXPECT_EQ((*store_->LoadUser(UserKey(3)))->id, "three");
}

TEST_P(StateStoreContract, OneItemsSignalsLieTogetherBesideThoseOfUsers) {
  const auto put = [&](uint64_t item, uint64_t signal, uint32_t partition, std::string_view value) {
    const auto batch = store_->NewBatch();
    batch->PutItemSignal(ItemKey(item), signal, partition, value);
    batch->PutSignal(UserKey(item), signal, "of a user");
    ASSERT_TRUE(store_->Write(batch.get()).ok());
  };
  put(~uint64_t{0}, 7, 1, "the last item");
  put(2, 9, 0, "two, nine");
  put(2, 7, 300, "two, seven, 300");
  put(2, 7, 2, "two, seven, 2");
  put(3, 7, 2, "three");
  ASSERT_TRUE(store_->Flush().ok());
  put(3, 7, 2, "");
  ASSERT_TRUE(store_->Flush().ok());
  Reopen();
  const auto of_two = store_->LoadItemSignals(ItemKey(2));
  ASSERT_TRUE(of_two.ok()) << of_two.status();
  ASSERT_EQ(of_two->size(), 3u);
  EXPECT_EQ((*of_two)[0].partition, 2u);
  EXPECT_EQ((*of_two)[1].value, "two, seven, 300");
  EXPECT_EQ((*of_two)[2].id, 9u);
  EXPECT_TRUE(store_->LoadItemSignals(ItemKey(3))->empty());
  EXPECT_TRUE(store_->LoadItemSignals(ItemKey(1))->empty());
  std::vector<uint64_t> items;
  const auto scanned = store_->ScanItemSignals([&](ItemKey item, std::vector<StoredItemSignal> signals) {
    items.push_back(item.value);
    EXPECT_EQ(signals.size(), item == ItemKey(2) ? 3u : 1u);
    return absl::OkStatus();
  });
  ASSERT_TRUE(scanned.ok()) << scanned;
  EXPECT_EQ(items, (std::vector<uint64_t>{2, ~uint64_t{0}}));
  EXPECT_EQ((*store_->LoadSignals(std::vector{UserKey(2)}))[0].size(), 2u);
}

TEST_P(StateStoreContract, OneUsersSignalsLieTogetherAndAnEmptyOneIsGone) {
  const auto put = [&](uint64_t user, uint64_t signal, std::string_view value) {
    const auto batch = store_->NewBatch();
    batch->PutSignal(UserKey(user), signal, value);
    ASSERT_TRUE(store_->Write(batch.get()).ok());
  };
  put(2, 7, "two, seven");
  put(2, ~uint64_t{0}, "two, last");
  put(9, 7, "nine");
  put(9, 7, "nine again");
  put(5, 7, "five");
  ASSERT_TRUE(store_->Flush().ok());
  put(5, 7, "");
  Reopen();
  const std::vector<UserKey> keys = {UserKey(1), UserKey(2), UserKey(5), UserKey(9)};
  const auto signals = store_->LoadSignals(keys);
  ASSERT_TRUE(signals.ok()) << signals.status();
  ASSERT_EQ(signals->size(), 4u);
  EXPECT_TRUE((*signals)[0].empty());
  ASSERT_EQ((*signals)[1].size(), 2u);
  EXPECT_EQ((*signals)[1][0].id, 7u);
  EXPECT_EQ((*signals)[1][0].value, "two, seven");
  EXPECT_EQ((*signals)[1][1].value, "two, last");
  ASSERT_EQ((*signals)[3].size(), 1u);
  EXPECT_EQ((*signals)[3][0].value, "nine again");
  const auto all = Column(StateStore::kSignals);
  UserKey user;
  uint64_t id = 0;
  EXPECT_TRUE(ParseSignalKey(all.begin()->first, &user, &id));
  EXPECT_EQ(user, UserKey(2));
  EXPECT_EQ(id, 7u);
}

TEST_P(StateStoreContract, ACursorSeesTheMomentItWasMade) {
  const auto first = store_->NewBatch(), second = store_->NewBatch();
  first->PutOffset(0, 1);
  second->PutOffset(0, 2);
  second->PutOffset(1, 2);
  ASSERT_TRUE(store_->Write(first.get()).ok());
  const auto at = store_->NewCursor(StateStore::kOffsets);
  ASSERT_TRUE(store_->Write(second.get()).ok());
  ASSERT_TRUE(at->valid());
  EXPECT_EQ(at->key(), OffsetKey(0));
  EXPECT_EQ(at->value(), OffsetValue(1));
  at->Next();
  EXPECT_FALSE(at->valid());
  EXPECT_TRUE(at->status().ok());
}

TEST_P(StateStoreContract, ACursorBeginsWhereItIsTold) {
  const auto batch = store_->NewBatch();
  for (const uint32_t partition : {1u, 3u, 5u}) batch->PutOffset(partition, partition);
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  for (const auto& [from, first] : {std::pair(0u, 1u), std::pair(3u, 3u), std::pair(4u, 5u)}) {
    const auto at = store_->NewCursor(StateStore::kOffsets, OffsetKey(from));
    ASSERT_TRUE(at->valid());
    EXPECT_EQ(at->key(), OffsetKey(first));
  }
  EXPECT_FALSE(store_->NewCursor(StateStore::kOffsets, OffsetKey(6))->valid());
}

TEST_P(StateStoreContract, ADestroyedOrDamagedStoreBeginsAnew) {
  const auto batch = store_->NewBatch();
  batch->PutOffset(0, 5);
  ASSERT_TRUE(store_->Write(batch.get()).ok());
  ASSERT_TRUE(store_->Flush().ok());
  store_.reset();
  const StateStores& stores = subject_->stores();
  EXPECT_TRUE(stores.Exists(subject_->dir()));
  EXPECT_FALSE(stores.MarkedDamaged(subject_->dir()));
  stores.MarkDamaged(subject_->dir());
  EXPECT_TRUE(stores.MarkedDamaged(subject_->dir()));
  ASSERT_TRUE(stores.Destroy(subject_->dir()).ok());
  EXPECT_FALSE(stores.Exists(subject_->dir()));
  EXPECT_FALSE(stores.MarkedDamaged(subject_->dir()));
  EXPECT_TRUE(stores.Destroy(subject_->dir()).ok()) << "nothing there";
  Reopen();
  EXPECT_EQ((*store_->LoadOffsets(1))[0], 0u);
}

/// Random batches, flushes and openings, beside records that are folded in memory: the bytes are equal however they
/// were cut.
TEST_P(StateStoreContract, GivesTheBytesOfAPlainFold) {
  constexpr uint64_t kSeed = 20261126;
  base::Rng rng(kSeed);
  std::map<std::string, UserRecord> users;
  std::map<std::string, ItemRecord> items;
  uint64_t n = 0;
  for (int round = 0; round < 120; ++round) {
    const auto batch = store_->NewBatch();
    for (uint64_t i = 0, count = 1 + rng.Below(8); i < count; ++i, ++n) {
      const UserKey user(1 + rng.Below(5));
      UserRecord& record = users[UserKeyBytes(user)];
      const std::string op = Click(1 + rng.Below(30), n, record.events == 0 ? "someone" : "");
      ASSERT_TRUE(ApplyUserOps(options_.user_layout, op, &record).ok());
      batch->MergeUser(user, op);
      const ItemKey item(1 + rng.Below(6));
      const ItemRecord added = Counted(static_cast<uint32_t>(rng.Below(20)), 1 + rng.Below(3));
      items[ItemKeyBytes(item)].Add(added, options_.item_layout);
      batch->MergeItem(item, added);
    }
    ASSERT_TRUE(store_->Write(batch.get()).ok());
    if (rng.Bernoulli(0.1)) {
      ASSERT_TRUE(store_->Flush().ok());
      if (rng.Bernoulli(0.3)) Reopen();
    }
  }
  const auto stored_users = Column(StateStore::kUsers), stored_items = Column(StateStore::kItems);
  ASSERT_EQ(stored_users.size(), users.size());
  for (const auto& [key, record] : users) EXPECT_EQ(stored_users.at(key), EncodeUserRecord(record)) << "seed " << kSeed;
  ASSERT_EQ(stored_items.size(), items.size());
  for (const auto& [key, record] : items) EXPECT_EQ(stored_items.at(key), EncodeItemRecord(record)) << "seed " << kSeed;
}

}  // namespace bowerbird::state
