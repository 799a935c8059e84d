// Signals per item: what a table says depends on the offsets that it was folded to, and on nothing else.
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/item_signals_for_test.h"
#include "state/memory_log_for_test.h"
#include "state/past_fold.h"
#include "state/state.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

using testing::IsEmpty;
using testing::Not;

constexpr uint32_t kPartitions = 8, kUsers = 30, kItems = 40;

/// Every item's values, by slot.
using Values = std::map<std::string, std::vector<std::string>>;

Values ValuesOf(const ItemTable& table, uint32_t items = kItems) {
  Values values;
  for (uint32_t i = 0; i < items; ++i) {
    const std::string id = fmt::format("item{}", i);
    const ItemSignalValues* found = table.Signals(TestHasher().Item(id));
    if (found == nullptr) continue;
    for (size_t slot = 0; slot < table.signal_set()->size(); ++slot) values[id].emplace_back(found->At(slot));
  }
  return values;
}

class ItemSignalsTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<State>> Make(const std::string& folder, std::shared_ptr<const config::Config> config,
                                              State::Options options = {}) {
    options.publish = false;
    return State::Open(folder_ / folder, std::move(config), &log_, &base::SystemClock::Get(), options);
  }
  void Open(std::vector<config::Signal> signals, uint64_t cache_bytes = 64 << 20, uint32_t threads = 2) {
    state_ = nullptr;
    config_ = ConfigWithSignals(std::move(signals), cache_bytes);
    State::Options options;
    options.threads = threads;
    auto state = Make("state", config_, options);
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }
  void Append(size_t count) { AppendRandom(&events_, count, &log_); }
  void CatchUp() { ASSERT_TRUE(state_->CatchUp().ok()); }
  Values Published() { return ValuesOf(*state_->PublishItemTable(events_.now_us(), 0)); }
  /// What a fold of its own that goes no further says.
  Values Again(std::span<const uint64_t> offsets) {
    State::Options options;
    options.end_offsets.assign(offsets.begin(), offsets.end());
    const std::string folder = fmt::format("again{}", again_++);
    auto state = Make(folder, config_, options);
    EXPECT_TRUE(state.ok()) << state.status();
    EXPECT_TRUE((*state)->CatchUp().ok());
    return ValuesOf(*(*state)->PublishItemTable(events_.now_us(), 1));
  }
  void ExpectVerified() {
    ASSERT_TRUE(state_->Flush().ok());
    state_ = nullptr;
    const auto report =
        VerifyByReplay(folder_ / "state", folder_ / "scratch", config_, &log_, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->differences, IsEmpty());
  }

  const TempFolder folder_{"item_signals"};
  MemoryLog log_{kPartitions};
  RandomEvents events_{23, kUsers, kItems};
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<State> state_;
  int again_ = 0;
};

TEST_F(ItemSignalsTest, AreOneWhateverTheInterleavingOfPartitions) {
  // Little memory: items leave it and come back.
  Open(ItemSignalsOfAllKinds(), 1 << 20);
  for (int round = 0; round < 6; ++round) {
    Append(400);
    CatchUp();
    const std::shared_ptr<const ItemTable> table = state_->PublishItemTable(events_.now_us(), 0);
    const Values values = ValuesOf(*table);
    EXPECT_GT(values.size(), kItems / 2);
    ASSERT_EQ(values, Again(table->offsets()));
    if (round % 2 == 1) Open(ItemSignalsOfAllKinds(), 1 << 20, round % 3 + 1);
    ASSERT_EQ(values, Published()) << "as it was read from the store";
  }
  EXPECT_EQ(state_->counters().dead_letters, 0u);
  ExpectVerified();
}

TEST_F(ItemSignalsTest, EveryKindHasSomethingToSay) {
  Open(ItemSignalsOfAllKinds());
  Append(3000);
  CatchUp();
  const Values values = Published();
  for (size_t slot = 0; slot < config_->signals.size(); ++slot) {
    const signal::Definition& definition = (*state_->item_signals())[slot];
    bool any = false;
    for (const auto& [item, of_item] : values) {
      EXPECT_TRUE(definition.Check(of_item[slot]).ok());
      any = any || !of_item[slot].empty();
    }
    EXPECT_TRUE(any) << definition.signal().name;
  }
}

TEST_F(ItemSignalsTest, ATableIsOfItsOffsetsWhileTheFoldGoesOn) {
  config_ = ConfigWithSignals(ItemSignalsOfAllKinds(), 1 << 20);
  State::Options options;
  options.threads = 3;
  auto state = State::Open(folder_ / "state", config_, &log_, &base::SystemClock::Get(), options);
  ASSERT_TRUE(state.ok()) << state.status();
  (*state)->Start();
  std::vector<std::pair<std::vector<uint64_t>, Values>> tables;
  for (int round = 0; round < 400; ++round) {
    Append(20);
    if (round % 40 != 17) continue;
    const std::shared_ptr<const ItemTable> table = (*state)->PublishItemTable(events_.now_us(), 0);
    tables.emplace_back(std::vector<uint64_t>(table->offsets().begin(), table->offsets().end()), ValuesOf(*table));
  }
  ASSERT_TRUE((*state)->CatchUp().ok());
  (*state)->Stop();
  for (const auto& [offsets, values] : tables) ASSERT_EQ(values, Again(offsets));
}

TEST_F(ItemSignalsTest, AnAddedOneHasTheHistoryThatItWouldHave) {
  std::vector<config::Signal> all = ItemSignalsOfAllKinds();
  std::vector<config::Signal> some(all.begin(), all.begin() + 2);
  config::Signal per_user = PerItem("of_users", "count", {"click"});
  per_user.per_item = false;
  per_user.window_us = kDayUs;
  Open(some);
  Append(1500);
  CatchUp();
  all.push_back(per_user);
  ASSERT_TRUE(state_->FoldSignalsAhead(*ConfigWithSignals(all)).ok());
  Append(300);
  CatchUp();
  Append(300);  // in the log, not folded
  Open(all);
  CatchUp();
  Append(200);
  CatchUp();
  const std::shared_ptr<const ItemTable> table = state_->PublishItemTable(events_.now_us(), 0);
  ASSERT_EQ(ValuesOf(*table), Again(table->offsets()));
  ExpectVerified();
  // One that is taken out leaves nothing that a later one could meet.
  Open(some);
  const auto statistics = state_->CollectSignals(1000);
  ASSERT_TRUE(statistics.ok()) << statistics.status();
  EXPECT_EQ(statistics->item_signals.size(), 2u);
  EXPECT_GT(statistics->item_signals[0].holders, 0u);
  EXPECT_LE(statistics->items, kItems);
  ExpectVerified();
}

TEST_F(ItemSignalsTest, AnInterruptedBackfillGoesOnAndCountsNothingTwice) {
  Open({ItemSignalsOfAllKinds()[0]});
  Append(1500);
  CatchUp();
  state_ = nullptr;
  const auto wanted = ConfigWithSignals({ItemSignalsOfAllKinds()[0], ItemSignalsOfAllKinds()[2]});
  for (uint32_t opening = 1; opening < kPartitions; ++opening) {
    log_.reads_left = 1;
    EXPECT_FALSE(Make("state", wanted).ok()) << opening;
  }
  log_.reads_left = ~uint64_t{0};
  Open(wanted->signals);
  CatchUp();
  const std::shared_ptr<const ItemTable> table = state_->PublishItemTable(events_.now_us(), 0);
  ASSERT_EQ(ValuesOf(*table), Again(table->offsets()));
  ExpectVerified();
}

TEST_F(ItemSignalsTest, APastFoldHasWhatTheTableHad) {
  Open(ItemSignalsOfAllKinds());
  Append(1200);
  CatchUp();
  const std::shared_ptr<const ItemTable> first = state_->PublishItemTable(events_.now_us(), 0);
  Append(800);
  CatchUp();
  const std::shared_ptr<const ItemTable> second = state_->PublishItemTable(events_.now_us(), 0);
  const auto past = PastFold::Open(RocksStateStores(), folder_ / "past", *config_,
                                   std::make_shared<const signal::Set>(*config_), &log_, second->offsets());
  ASSERT_TRUE(past.ok()) << past.status();
  for (const auto& table : {first, second}) {
    ASSERT_TRUE((*past)->FoldUntil(table->offsets()).ok());
    for (const auto& [item, values] : ValuesOf(*table)) {
      const auto again = (*past)->ItemSignals(TestHasher().Item(item));
      ASSERT_TRUE(again.ok()) << again.status();
      ASSERT_EQ(*again, values) << item;
    }
  }
  EXPECT_THAT((*past)->ItemSignals(TestHasher().Item("nothing"))->front(), IsEmpty());
}

TEST_F(ItemSignalsTest, ARetryCountsOnceAndADeadLetterNever) {
  Open({ItemSignalsOfAllKinds()[0]});
  const auto append = [&](std::string_view client_id, bool wrong_partition = false) {
    log::AppendRecord record = ToRecord(TestEvent("click", "ann", "item0", client_id, kStartUs), kPartitions);
    if (wrong_partition) record.partition = (record.partition + 1) % kPartitions;
    ASSERT_TRUE(log_.Append({std::move(record)}).ok());
  };
  append("the same");
  append("the same");
  append("another");
  append("a third", true);
  CatchUp();
  EXPECT_EQ(state_->counters().dead_letters, 1u);
  const std::string value = Published()["item0"][0];
  EXPECT_EQ((*state_->item_signals())[0].Read(value, kStartUs).keys.at(0).reading.number, 2);
}

TEST_F(ItemSignalsTest, UsersAreToldApartAndNotNamed) {
  Open({ItemSignalsOfAllKinds()[6]});
  for (int i = 0; i < 50; ++i) {
    const std::string user = fmt::format("user{}", i % 10);
    ASSERT_TRUE(log_.Append({ToRecord(TestEvent("click", user, "item0", "", kStartUs + i), kPartitions)}).ok());
    ASSERT_TRUE(log_.Append({ToRecord(TestEvent("click", user, "item1", "", kStartUs + i), kPartitions)}).ok());
  }
  // What an id hands over was counted where it was done.
  ASSERT_TRUE(log_.Append(IdentifyRecords("user1", "user2", "", kStartUs + kHourUs, kPartitions)).ok());
  CatchUp();
  const Values values = Published();
  for (const char* item : {"item0", "item1"}) {
    const signal::SignalReading reading = (*state_->item_signals())[0].Read(values.at(item)[0], kStartUs);
    EXPECT_EQ(reading.keys.at(0).reading.number, 10) << item;
  }
  EXPECT_NE(values.at("item0")[0], values.at("item1")[0]) << "a print tells the users of one item apart";
}

TEST_F(ItemSignalsTest, WithoutAnyThereIsNothing) {
  Open({});
  Append(500);
  CatchUp();
  EXPECT_THAT(Published(), IsEmpty());
  ASSERT_NE(state_->item_table()->signal_set(), nullptr);
  EXPECT_TRUE(state_->item_table()->signal_set()->empty());
  ExpectVerified();
}

TEST_F(ItemSignalsTest, CountInWhatMemoryMayHold) {
  Open(ItemSignalsOfAllKinds());
  CatchUp();
  const uint64_t before = state_->counters().cache_bytes;
  Append(3000);
  CatchUp();
  Published();
  state_->counters();
  EXPECT_GT(state_->counters().cache_bytes, before + kItems * 100);
}

/// Three nodes that own uneven parts of the partitions.
TEST_F(ItemSignalsTest, TheNodesTablesAreTheTableOfEverything) {
  constexpr PartitionRange kOwned[] = {{0, 3}, {3, 6}, {6, 8}};
  constexpr uint32_t kNodes = 3;
  Open(ItemSignalsOfAllKinds());
  std::unique_ptr<State> nodes[kNodes];
  struct Known {
    uint64_t epoch = 0, change = 0;
  } known[kNodes][kNodes];
  const auto open = [&](uint32_t node) {
    nodes[node] = nullptr;
    State::Options options;
    options.owned = kOwned[node];
    auto state = Make(fmt::format("node{}", node), config_, options);
    ASSERT_TRUE(state.ok()) << state.status();
    nodes[node] = *std::move(state);
    for (uint32_t other = 0; other < kNodes; ++other) known[node][other] = {};  // what it was told is gone
  };
  for (uint32_t node = 0; node < kNodes; ++node) open(node);
  base::Rng rng(5);
  for (int round = 0; round < 12; ++round) {
    Append(100 + rng.Below(200));
    CatchUp();
    for (uint32_t node = 0; node < kNodes; ++node) {
      if (rng.Below(5) == 0) open(node);
      ASSERT_TRUE(nodes[node]->CatchUp().ok());
    }
    for (uint32_t to = 0; to < kNodes; ++to) {
      for (uint32_t from = 0; from < kNodes; ++from) {
        if (from == to) continue;
        const ItemCountsDelta delta = nodes[from]->ItemCountsSince(known[to][from].epoch, known[to][from].change);
        ASSERT_TRUE(nodes[to]->TakeItemCounts(from, delta).ok());
        // What comes twice changes nothing.
        if (rng.Below(3) == 0) {
          ASSERT_TRUE(nodes[to]->TakeItemCounts(from, delta).ok());
        }
        known[to][from] = {delta.epoch, delta.change};
      }
    }
    const Values whole = Published();
    for (uint32_t node = 0; node < kNodes; ++node) {
      ASSERT_EQ(ValuesOf(*nodes[node]->PublishItemTable(events_.now_us(), 1)), whole) << "node " << node;
    }
  }
}

TEST_F(ItemSignalsTest, WhatAnotherNodeCannotHaveCountedIsRefused) {
  config_ = ConfigWithSignals(ItemSignalsOfAllKinds());
  State::Options options;
  options.owned = {0, 4};
  auto state = Make("node", config_, options);
  ASSERT_TRUE(state.ok()) << state.status();
  const uint64_t id = (*(*state)->item_signals())[0].id();
  const auto take = [&](const ItemSignalBlock& block) {
    ItemCountsDelta delta;
    delta.offsets.assign(kPartitions, 0);
    delta.items.push_back({TestHasher().Item("item0"), "", "", {block}});
    return (*state)->TakeItemCounts(1, delta);
  };
  const std::string value("\x05\x01\x01", 3);
  ASSERT_TRUE((*(*state)->item_signals())[0].Check(value).ok());
  EXPECT_TRUE(absl::IsDataLoss(take({id, {4, 8}, "\xff damaged"})));
  EXPECT_TRUE(absl::IsDataLoss(take({id, {2, 4}, value}))) << "its own";
  EXPECT_TRUE(absl::IsDataLoss(take({id, {5, 7}, value}))) << "no node of the tree";
  EXPECT_TRUE(absl::IsDataLoss(take({id, {8, 16}, value})));
  EXPECT_THAT(ValuesOf(*(*state)->PublishItemTable(kStartUs, 1)), IsEmpty());
  EXPECT_TRUE(take({id + 1, {4, 8}, "a signal that this node does not have"}).ok());
  EXPECT_THAT(ValuesOf(*(*state)->PublishItemTable(kStartUs, 1)), IsEmpty());
  EXPECT_TRUE(take({id, {4, 8}, value}).ok());
  EXPECT_THAT(ValuesOf(*(*state)->PublishItemTable(kStartUs, 1)), Not(IsEmpty()));
}

}  // namespace
}  // namespace bowerbird::state
