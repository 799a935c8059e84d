#include "state/state.h"

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <deque>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "base/vector_math.h"
#include "bowerbird/v1/served.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "state/events_for_test.h"
#include "state/fold.h"
#include "state/memory_log_for_test.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

using catalog::ItemKey;
using catalog::UserKey;
using log::Offset;
using log::Topic;

constexpr uint32_t kPartitions = 4;

/// What one user's state must be, in the simplest code that could say so.
struct OracleUser {
  struct Print {
    uint64_t print;
    int64_t event_s, receive_h;
  };
  std::deque<Print> prints;
  int64_t dropped_s = -1;
  uint64_t events = 0;
  int64_t first_us = 0, last_us = 0;
  std::vector<Action> actions;
  std::map<uint64_t, std::pair<int64_t, uint32_t>> seen;
  std::set<uint64_t> hidden;
  std::map<std::string, std::vector<uint64_t>> collections;
};
struct Oracle {
  explicit Oracle(const config::Config& config) : config(config) {}

  void Fold(const v1::Event& event) {
    OracleUser& user = users[event.user()];
    const int64_t time_us = event.event_time_us();
    const config::EventType* type = nullptr;
    for (const auto& candidate : config.event_types) {
      if (candidate.name == event.type()) type = &candidate;
    }
    if (event.dedupe_print() != 0) {
      for (const auto& print : user.prints) {
        if (print.print == event.dedupe_print()) {
          ++duplicates;
          return;
        }
      }
      if (time_us / kSecondUs <= user.dropped_s) {
        ++too_late;
        return;
      }
      user.prints.push_back({event.dedupe_print(), time_us / kSecondUs, event.receive_time_us() / kHourUs});
      while (user.prints.size() > config.state.dedupe_prints ||
             user.prints.front().receive_h + config.state.dedupe_window_us / kHourUs < user.prints.back().receive_h) {
        user.dropped_s = std::max(user.dropped_s, user.prints.front().event_s);
        user.prints.pop_front();
      }
    }
    ++counted;
    user.first_us = user.events == 0 ? time_us : std::min(user.first_us, time_us);
    user.last_us = std::max(user.last_us, time_us);
    ++user.events;
    if (event.item().empty()) return;
    const uint64_t item = event.item_key();
    if (event.type() == "unhide") {
      unhidden += user.hidden.erase(item);
      return;
    }
    ItemCounts& counts = items[item];
    const double strength = EventStrength(*type, event);
    if (event.type() == "impression") {
      ++counts.impressions;
      auto& seen = user.seen[item];
      seen = {std::max(seen.first, time_us / kSecondUs), seen.second + 1};
      return;
    }
    if (type->polarity == config::Polarity::kPositive) {
      ++counts.actions;
      counts.weight += strength;
    } else {
      ++counts.negatives;
    }
    if (event.type() == "hide") {
      user.hidden.insert(item);
      return;
    }
    auto& seen = user.seen[item];
    seen.first = std::max(seen.first, time_us / kSecondUs);
    Action action{ItemKey(item), static_cast<uint32_t>(time_us / kSecondUs), type->code};
    action.surface = event.surface() == "home" ? 1 : 0;
    action.strength_bf16 = base::ToBf16(static_cast<float>(strength));
    user.actions.push_back(action);
    if (!event.collection().empty()) {
      auto& collection = user.collections[event.collection()];
      if (std::find(collection.begin(), collection.end(), item) == collection.end()) collection.push_back(item);
    }
  }

  void ExpectEqual(const UserState& state, const std::string& id) const {
    const auto found = users.find(id);
    if (found == users.end()) {
      EXPECT_EQ(state.events, 0u);
      return;
    }
    const OracleUser& user = found->second;
    EXPECT_EQ(state.id, id);
    EXPECT_EQ(state.events, user.events);
    EXPECT_EQ(state.first_time_us, user.first_us);
    EXPECT_EQ(state.last_time_us, user.last_us);
    std::vector<Action> actions;
    const size_t kept = std::min<size_t>(config.state.sequence_max, user.actions.size());
    for (size_t i = user.actions.size() - kept; i < user.actions.size(); ++i) {
      if (!user.hidden.contains(user.actions[i].item.value)) actions.push_back(user.actions[i]);
    }
    ASSERT_EQ(state.actions.size(), actions.size()) << id;
    for (size_t i = 0; i < actions.size(); ++i) {
      EXPECT_EQ(state.actions[i].item, actions[i].item);
      EXPECT_EQ(state.actions[i].time_s, actions[i].time_s);
      EXPECT_EQ(state.actions[i].type, actions[i].type);
      EXPECT_EQ(state.actions[i].surface, actions[i].surface);
      EXPECT_EQ(state.actions[i].strength_bf16, actions[i].strength_bf16);
    }
    ASSERT_EQ(state.seen.size(), user.seen.size());
    for (const auto& [item, seen] : user.seen) {
      const SeenItem* entry = state.FindSeen(ItemKey(item));
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(entry->time_s, seen.first);
      EXPECT_EQ(entry->count, seen.second);
    }
    EXPECT_EQ(state.hidden.size(), user.hidden.size());
    for (const uint64_t item : user.hidden) EXPECT_TRUE(state.IsHidden(ItemKey(item)));
    ASSERT_EQ(state.collections.size(), user.collections.size());
    for (const CollectionState& collection : state.collections) {
      std::vector<uint64_t> items;
      for (const ItemKey item : collection.items) items.push_back(item.value);
      EXPECT_EQ(items, user.collections.at(collection.name));
    }
  }

  config::Config config;
  std::map<std::string, OracleUser> users;
  std::map<uint64_t, ItemCounts> items;
  uint64_t counted = 0, duplicates = 0, too_late = 0, unhidden = 0;
};

class StateTest : public testing::Test {
 protected:
  std::unique_ptr<State> OpenState(uint32_t threads = 1, bool publish = false, std::vector<Offset> end_offsets = {},
                                   const std::string& name = "state") {
    State::Options options;
    options.threads = threads;
    options.publish = publish;
    options.end_offsets = std::move(end_offsets);
    auto state = State::Open(folder_ / name, config(), &log_, &base::SystemClock::Get(), options);
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? *std::move(state) : nullptr;
  }
  std::shared_ptr<const config::Config> config() const { return std::make_shared<config::Config>(config_); }
  std::shared_ptr<const UserState> Get(const State& state, const std::string& id) {
    auto user = state.Get(TestHasher().User(id), id);
    EXPECT_TRUE(user.ok()) << user.status();
    return *user;
  }
  void AppendRandomEvents(RandomEvents* events, size_t count, Oracle* oracle) {
    std::vector<log::AppendRecord> batch;
    for (size_t i = 0; i < count; ++i) {
      const v1::Event event = events->Next();
      if (oracle != nullptr) oracle->Fold(event);
      batch.push_back(ToRecord(event, kPartitions));
    }
    ASSERT_TRUE(log_.Append(std::move(batch)).ok());
  }
  std::vector<log::Record> ReadAll(Topic topic, uint32_t partition) const {
    return log_.Read(topic, partition, 0, 1 << 20, 1 << 30)->records;
  }
  /// No state may be open.
  void ExpectVerified() {
    const auto report =
        VerifyByReplay(folder_ / "state", folder_ / "scratch", config(), &log_, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u);
    EXPECT_THAT(report->differences, testing::IsEmpty());
  }

  TempFolder folder_{"state_test"};
  MemoryLog log_{kPartitions};
  config::Config config_ = TestConfig();
};

TEST_F(StateTest, EqualsTheOracleAndAReplayAcrossFlushesAndRestarts) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const TempFolder folder("state_test_model");
    MemoryLog log(kPartitions);
    base::Rng rng(seed * 1000);
    RandomEvents events(seed, 30, 200);
    Oracle oracle(config_);
    std::unique_ptr<State> state;
    const auto open = [&] {
      State::Options options;
      options.threads = static_cast<uint32_t>(1 + rng.Below(3));
      options.publish = false;
      state = *State::Open(folder / "state", config(), &log, &base::SystemClock::Get(), options);
    };
    open();
    for (int round = 0; round < 30; ++round) {
      std::vector<log::AppendRecord> batch;
      for (uint64_t i = 1 + rng.Below(300); i > 0; --i) {
        const v1::Event event = events.Next();
        oracle.Fold(event);
        batch.push_back(ToRecord(event, kPartitions));
      }
      ASSERT_TRUE(log.Append(std::move(batch)).ok());
      ASSERT_TRUE(state->CatchUp().ok());
      if (rng.Bernoulli(0.3)) {
        ASSERT_TRUE(state->Flush().ok());
      }
      if (rng.Bernoulli(0.2)) {
        state = nullptr;
        open();
      }
    }
    for (int user = 0; user < 31; ++user) {
      const std::string id = fmt::format("user{}", user);
      oracle.ExpectEqual(**state->Get(TestHasher().User(id), id), id);
    }
    const auto table = state->PublishItemTable(events.now_us(), 0);
    for (const auto& [item, expected] : oracle.items) {
      const ItemCounts* counts = table->Find(ItemKey(item));
      ASSERT_NE(counts, nullptr);
      EXPECT_EQ(counts->impressions, expected.impressions);
      EXPECT_EQ(counts->actions, expected.actions);
      EXPECT_EQ(counts->negatives, expected.negatives);
      EXPECT_NEAR(counts->weight, expected.weight, 1e-9);
    }
    ASSERT_TRUE(state->Flush().ok());
    state = nullptr;
    const auto report = VerifyByReplay(folder / "state", folder / "scratch", config(), &log, &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
    EXPECT_EQ(report->events, oracle.counted);
    EXPECT_EQ(report->items, oracle.items.size());
    EXPECT_EQ(report->users, oracle.users.size());
    EXPECT_GT(oracle.duplicates, 50u);
    EXPECT_GT(oracle.too_late, 10u);
    EXPECT_GT(oracle.unhidden, 10u);
  }
}

TEST_F(StateTest, VerifyFindsADifference) {
  RandomEvents events(1, 5, 20);
  AppendRandomEvents(&events, 500, nullptr);
  auto state = OpenState();
  ASSERT_TRUE(state->CatchUp().ok());
  ASSERT_TRUE(state->Flush().ok());
  state = nullptr;
  ExpectVerified();
  // Another log with the same offsets: the state is not what its replay gives.
  MemoryLog other(kPartitions);
  for (uint32_t p = 0; p < kPartitions; ++p) {
    const auto records = ReadAll(Topic::kEvents, p);
    for (size_t i = 0; i < records.size(); ++i) {
      v1::Event event;
      event.ParseFromString(records[i].value);
      if (i == 3) event.set_event_time_us(event.event_time_us() + 5 * kHourUs);
      ASSERT_TRUE(other.Append({{Topic::kEvents, p, records[i].key, event.SerializeAsString()}}).ok());
    }
  }
  const auto report =
      VerifyByReplay(folder_ / "state", folder_ / "scratch", config(), &other, &base::SystemClock::Get());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->difference_count, 0u);
  EXPECT_FALSE(report->differences.empty());
}

TEST_F(StateTest, ReadersSeeTheUserAsOfTheirOffset) {
  config_.state.cache_bytes = 256 << 10;  // evictions all the time
  auto state = OpenState(2, true);
  state->Start();
  struct Sample {
    uint32_t user;
    std::shared_ptr<const UserState> state;
  };
  std::atomic<bool> stop = false;
  std::vector<std::vector<Sample>> samples(2);
  std::vector<std::thread> readers;
  for (size_t reader = 0; reader < samples.size(); ++reader) {
    readers.emplace_back([&, reader] {
      base::Rng rng(reader + 1);
      while (!stop && samples[reader].size() < 3000) {
        const auto user = static_cast<uint32_t>(rng.Below(200));
        const std::string id = fmt::format("user{}", user);
        auto got = state->Get(TestHasher().User(id), id);
        if (got.ok()) samples[reader].push_back({user, *got});
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
  }
  RandomEvents events(7, 200, 500);
  for (int i = 0; i < 40; ++i) {
    AppendRandomEvents(&events, 300, nullptr);
    SleepMs(5);
  }
  ASSERT_TRUE(state->CatchUp().ok());
  stop = true;
  for (std::thread& reader : readers) reader.join();
  state->Stop();

  // Fold the log once more, user by user, stopping at every sample.
  const FoldPolicy policy(config_);
  std::vector<std::multimap<Offset, Sample>> by_partition(kPartitions);
  for (const auto& reader : samples) {
    for (const Sample& sample : reader) {
      by_partition[catalog::PartitionOf(sample.state->key, kPartitions)].emplace(sample.state->offset, sample);
    }
  }
  size_t compared = 0;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    std::map<uint64_t, UserRecord> records;
    Change change;
    Offset at = 0;
    const auto log_records = ReadAll(Topic::kEvents, p);
    for (const auto& [offset, sample] : by_partition[p]) {
      for (; at < offset; ++at) {
        v1::Event event;
        ASSERT_TRUE(event.ParseFromString(log_records[at].value));
        UserRecord& record = records[event.user_key()];
        if (policy.Judge(event, record, &change) != Verdict::kCounted) continue;
        ApplyUserOp(policy.user_layout(), change.user, &record, nullptr);
      }
      const auto expected =
          MakeUserState(sample.state->key, records[sample.state->key.value], config_.state.sequence_max);
      EXPECT_EQ(sample.state->events, expected->events);
      EXPECT_EQ(sample.state->seen.size(), expected->seen.size());
      EXPECT_EQ(sample.state->hidden, expected->hidden);
      ASSERT_EQ(sample.state->actions.size(), expected->actions.size());
      for (size_t i = 0; i < expected->actions.size(); ++i) {
        ASSERT_EQ(sample.state->actions[i].item, expected->actions[i].item);
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 200u);
  state = nullptr;
  ExpectVerified();
}

TEST_F(StateTest, MemoryStaysWithinItsBound) {
  config_.state.cache_bytes = 8 << 20;
  config_.state.flush_interval_us = 3600 * kSecondUs;  // only memory calls for writes
  auto state = OpenState();
  std::atomic<bool> stop = false;
  uint64_t highest = 0;
  std::thread watcher([&] {
    while (!stop) {
      highest = std::max(highest, state->counters().cache_bytes);
      SleepMs(1);
    }
  });
  for (int round = 0; round < 10; ++round) {
    std::vector<log::AppendRecord> batch;
    for (int i = 0; i < 6000; ++i) {
      const std::string user = fmt::format("user{}", i + round * 3000);
      batch.push_back(
          ToRecord(TestEvent("click", user, "item", fmt::format("c{}", round), kStartUs + round), kPartitions));
    }
    ASSERT_TRUE(log_.Append(std::move(batch)).ok());
    ASSERT_TRUE(state->CatchUp().ok());
    for (int i = 0; i < 1000; ++i) (void)Get(*state, fmt::format("user{}", i * 7));
  }
  stop = true;
  watcher.join();
  EXPECT_LE(highest, config_.state.cache_bytes + (2 << 20));
  EXPECT_LT(state->counters().users_cached, 33'000u);
  EXPECT_EQ(state->counters().folded, 60'000u);
  EXPECT_EQ(Get(*state, "user4000")->events, 2u);
  state = nullptr;
  ExpectVerified();
}

TEST_F(StateTest, ATableCanBeMadeAgainFromItsOffsets) {
  config_.state.item_table_interval_us = 3'000;
  RandomEvents events(3, 100, 300);
  std::vector<std::shared_ptr<const ItemTable>> tables;
  {
    auto state = OpenState(2, true);
    state->Start();
    EXPECT_EQ(state->item_table()->version(), 1u);
    for (int i = 0; i < 30; ++i) {
      AppendRandomEvents(&events, 200, nullptr);
      SleepMs(2);
      if (i % 6 == 0) tables.push_back(state->item_table());
    }
    tables.push_back(state->PublishItemTable(base::SystemClock::Get().NowUs(), 0));
  }
  std::map<uint64_t, v1::ItemTableRecord> versions;
  for (const log::Record& record : ReadAll(Topic::kItemTables, 0)) {
    v1::ItemTableRecord version;
    ASSERT_TRUE(version.ParseFromString(record.value));
    EXPECT_TRUE(versions.emplace(version.version(), version).second) << "version " << version.version() << " twice";
  }
  for (size_t i = 0; i < tables.size(); ++i) {
    const ItemTable& table = *tables[i];
    const v1::ItemTableRecord& record = versions.at(table.version());
    std::vector<Offset> ends(record.offsets().begin(), record.offsets().end());
    auto replayed = OpenState(1, false, ends, fmt::format("replayed{}", i));
    ASSERT_TRUE(replayed->CatchUp().ok());
    const auto again = replayed->PublishItemTable(record.time_us(), record.version());
    EXPECT_EQ(again->version(), table.version());
    EXPECT_EQ(again->time_us(), table.time_us());
    EXPECT_THAT(again->offsets(), testing::ElementsAreArray(table.offsets()));
    for (int item = 0; item < 300; ++item) {
      const ItemKey key = TestHasher().Item(fmt::format("item{}", item));
      ASSERT_EQ(again->Find(key) == nullptr, table.Find(key) == nullptr);
      if (table.Find(key) == nullptr) continue;
      EXPECT_EQ(again->Find(key)->weight, table.Find(key)->weight);
      EXPECT_EQ(again->Find(key)->impressions, table.Find(key)->impressions);
    }
    for (const char* list : {"trending", "popular"}) {
      ASSERT_EQ(again->Top(list).size(), table.Top(list).size());
      for (size_t rank = 0; rank < table.Top(list).size(); ++rank) {
        EXPECT_EQ(again->Top(list)[rank].item, table.Top(list)[rank].item);
        EXPECT_EQ(again->Top(list)[rank].score, table.Top(list)[rank].score);
      }
    }
  }
  // Versions go on after a restart.
  auto state = OpenState(1, true);
  state->Start();
  EXPECT_GT(state->item_table()->version(), tables.back()->version());
}

TEST_F(StateTest, WaitersLearnOfTheFold) {
  auto state = OpenState(1, true);
  state->Start();
  const v1::Event event = TestEvent("click", "ann", "item1", "a", kStartUs);
  const uint32_t partition = catalog::PartitionOf(UserKey(event.user_key()), kPartitions);
  for (int i = 0; i < 20; ++i) {
    Signal done;
    bool folded = false;
    const auto offsets = log_.Append({ToRecord(event, kPartitions)});
    const int64_t start_us = base::MonotonicUs();
    state->WhenFolded(partition, offsets->at(0), 5'000'000, [&](bool answer) {
      folded = answer;
      done.Notify();
    });
    done.Wait();
    EXPECT_TRUE(folded);
    EXPECT_LT(base::MonotonicUs() - start_us, 1'000'000);
    EXPECT_GT(Get(*state, "ann")->offset, offsets->at(0));
  }
  Signal timed_out;
  state->WhenFolded(partition, 1'000, 10'000, [&](bool folded) {
    EXPECT_FALSE(folded);
    timed_out.Notify();
  });
  timed_out.Wait();
  state->Stop();
}

TEST_F(StateTest, WhatCannotBeFoldedGoesToDeadLetters) {
  const uint32_t partition = catalog::PartitionOf(TestHasher().User("ann"), kPartitions);
  v1::Event impostor = TestEvent("click", "bob", "item1", "b", kStartUs);
  impostor.set_user_key(TestHasher().User("ann").value);
  v1::Event newer = TestEvent("click", "ann", "item1", "c", kStartUs);
  newer.set_schema(99);
  ASSERT_TRUE(log_.Append({ToRecord(TestEvent("click", "ann", "item1", "a", kStartUs), kPartitions),
                           {Topic::kEvents, partition, "ann", "\xff not an event"},
                           ToRecord(impostor, kPartitions),
                           ToRecord(newer, kPartitions),
                           ToRecord(TestEvent("click", "ann", "item2", "d", kStartUs), kPartitions)})
                  .ok());
  auto state = OpenState(1, true);
  ASSERT_TRUE(state->CatchUp().ok());
  EXPECT_EQ(Get(*state, "ann")->events, 2u);
  EXPECT_EQ(state->counters().dead_letters, 3u);
  std::vector<std::string> reasons;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    for (const log::Record& record : ReadAll(Topic::kDeadLetters, p)) {
      v1::DeadLetter letter;
      ASSERT_TRUE(letter.ParseFromString(record.value));
      EXPECT_EQ(letter.topic(), "events");
      EXPECT_EQ(letter.partition(), partition);
      EXPECT_EQ(record.key, fmt::format("events/{}/{}", partition, letter.offset()));
      reasons.push_back(letter.reason());
    }
  }
  EXPECT_THAT(reasons, testing::ElementsAre(testing::HasSubstr("not a bowerbird.v1.Event"),
                                            testing::HasSubstr("belongs to"), testing::HasSubstr("schema: found 99")));
  const auto collision = state->Get(TestHasher().User("ann"), "bob");
  EXPECT_EQ(collision.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Get(*state, "carol")->events, 0u);
  state = nullptr;
  ExpectVerified();
}

TEST_F(StateTest, ALogThatCannotBeReadShowsInHealthAndIsTriedAgain) {
  auto state = OpenState(1, true);
  state->Start();
  EXPECT_TRUE(state->Health().ok());
  log_.reads_fail = true;
  const auto offsets = log_.Append({ToRecord(TestEvent("click", "ann", "item1", "a", kStartUs), kPartitions)});
  for (int i = 0; i < 2000 && state->Health().ok(); ++i) SleepMs(1);
  EXPECT_EQ(state->Health().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(state->counters().lag_records, 1u);
  log_.reads_fail = false;
  for (int i = 0; i < 3000 && !state->Health().ok(); ++i) SleepMs(1);
  EXPECT_TRUE(state->Health().ok());
  ASSERT_TRUE(state->CatchUp().ok());
  EXPECT_EQ(Get(*state, "ann")->events, 1u);
  EXPECT_EQ(state->counters().lag_records, 0u);
}

TEST_F(StateTest, AnotherConfigMakesTheStateAgain) {
  RandomEvents events(5, 10, 50);
  AppendRandomEvents(&events, 1000, nullptr);
  auto state = OpenState();
  ASSERT_TRUE(state->CatchUp().ok());
  state = nullptr;
  EXPECT_GT(OpenState()->FoldedOffset(0), 0u);
  config_.event_types[1].weight = 3;
  const auto report =
      VerifyByReplay(folder_ / "state", folder_ / "scratch", config(), &log_, &base::SystemClock::Get());
  EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
  state = OpenState();
  EXPECT_EQ(state->FoldedOffset(0), 0u);
  ASSERT_TRUE(state->CatchUp().ok());
  state = nullptr;
  ExpectVerified();
  // Without the log's beginning it cannot be made again: other weights count from here on, other shapes are refused.
  ASSERT_TRUE(log_.Truncate(Topic::kEvents, 0, 5).ok());
  config_.event_types[1].weight = 2;
  const Offset folded = log_.EndOffset(Topic::kEvents, 1).value();
  EXPECT_EQ(OpenState()->FoldedOffset(1), folded);
  config_.state.sequence_max = 41;
  const auto refused = State::Open(folder_ / "state", config(), &log_, &base::SystemClock::Get(), {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StateTest, ADamagedStoreIsMadeAgain) {
  config_.state.cache_bytes = 64 << 10;  // users are read from the store
  RandomEvents events(5, 200, 50);
  AppendRandomEvents(&events, 4000, nullptr);
  for (const bool remove : {false, true}) {
    auto state = OpenState();
    ASSERT_TRUE(state->CatchUp().ok());
    ASSERT_TRUE(state->Flush().ok());
    state = nullptr;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "state")) {
      if (entry.path().extension() != ".sst") continue;
      if (remove) {
        std::filesystem::remove(entry.path());
        continue;
      }
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      for (std::streamoff at = 20; at < 600; at += 40) {
        file.seekp(at);
        file.write("\x55\x55\x55", 3);
      }
    }
    state = OpenState();
    if (state->FoldedOffset(0) > 0) {  // the damage lies where only the read of a user meets it
      bool met = false;
      for (int u = 0; u < 200 && !met; ++u) {
        const std::string id = fmt::format("user{}", u);
        met = absl::IsDataLoss(state->Get(TestHasher().User(id), id).status());
      }
      EXPECT_TRUE(met);
      state = nullptr;
      state = OpenState();
    }
    EXPECT_EQ(state->FoldedOffset(0), 0u);
    ASSERT_TRUE(state->CatchUp().ok());
    state = nullptr;
    ExpectVerified();
  }
  // Without the log's beginning it cannot be made again.
  ASSERT_TRUE(log_.Truncate(Topic::kEvents, 0, 5).ok());
  RocksStateStores().MarkDamaged(folder_ / "state");
  const auto refused = State::Open(folder_ / "state", config(), &log_, &base::SystemClock::Get(), {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.status().message()), testing::HasSubstr("restore a backup"));
}

TEST_F(StateTest, AnEmptyLogGivesAnEmptyState) {
  auto state = OpenState(1, true);
  ASSERT_TRUE(state->CatchUp().ok());
  EXPECT_EQ(Get(*state, "ann")->events, 0u);
  EXPECT_EQ(Get(*state, "ann")->offset, 0u);
  ASSERT_NE(state->item_table(), nullptr);
  EXPECT_TRUE(state->item_table()->Top("trending").empty());
  state->Stop();
  state = nullptr;
  ExpectVerified();
}

}  // namespace
}  // namespace bowerbird::state
