// A log from which users were taken says the same of items as before.
#include "forget/redacted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "state/fold.h"
#include "state/item_signals_for_test.h"
#include "state/memory_log_for_test.h"
#include "state/state.h"

namespace bowerbird::forget {
namespace {

constexpr uint32_t kPartitions = 4, kItems = 20;

std::map<std::string, std::string> ItemsOf(const std::string& folder, std::shared_ptr<const config::Config> config,
                                           log::EventLog* log) {
  state::State::Options options;
  options.publish = false;
  const auto state = state::State::Open(folder, std::move(config), log, &base::SystemClock::Get(), options);
  EXPECT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE((*state)->CatchUp().ok());
  const auto table = (*state)->PublishItemTable(state::kStartUs, 1);
  std::map<std::string, std::string> items;
  for (uint32_t i = 0; i < kItems; ++i) {
    const std::string id = fmt::format("item{}", i);
    const catalog::ItemKey key = state::TestHasher().Item(id);
    if (table->Find(key) != nullptr)
      items[id] = fmt::format("{} {}", table->Find(key)->actions, table->Find(key)->weight);
    for (size_t slot = 0; table->Signals(key) != nullptr && slot < table->signal_set()->size(); ++slot) {
      items[fmt::format("{} {}", id, slot)] = table->Signals(key)->At(slot);
    }
  }
  return items;
}

TEST(RedactedTest, SignalsPerItemOfAllKindsCountAsBefore) {
  const auto config = state::ConfigWithSignals(state::ItemSignalsOfAllKinds());
  const signal::Set item_signals(*config, signal::Per::kItem);
  const state::FoldPolicy policy(*config);
  state::RandomEvents events(7, 20, kItems);
  state::MemoryLog whole(kPartitions), redacted(kPartitions);
  std::map<uint64_t, state::UserRecord> users;
  state::Change change;
  uint32_t redacted_events = 0, prints = 0;
  for (int i = 0; i < 3000; ++i) {
    v1::Event event = events.Next();
    event.set_query("what " + event.user() + " looks for");
    // Now and then a clock that is ahead: the time of arrival counts.
    if (i % 50 == 0) event.set_receive_time_us(event.event_time_us() - state::kHourUs);
    log::AppendRecord record = state::ToRecord(event, kPartitions);
    ASSERT_TRUE(whole.Append({record}).ok());
    state::UserRecord& user = users[event.user_key()];
    const bool counted = policy.Judge(event, user, &change) == state::Verdict::kCounted;
    if (event.user_key() % 3 == 0) {
      const v1::Event left =
          RedactedEvent(*config, item_signals, event, counted, counted && change.has_item ? &change.item : nullptr);
      EXPECT_EQ(left.SerializeAsString().find(event.user()), std::string::npos);
      EXPECT_EQ(left.user_key(), 0u);
      ++redacted_events;
      prints += left.redacted().user_print() != 0;
      record.key = {};
      record.value = left.SerializeAsString();
    }
    ASSERT_TRUE(redacted.Append({std::move(record)}).ok());
    if (counted) state::ApplyUserOp(policy.user_layout(), change.user, &user, nullptr);
  }
  EXPECT_GT(redacted_events, 300u);
  EXPECT_GT(prints, 100u);
  EXPECT_LT(prints, redacted_events) << "only where users are counted";
  const state::TempFolder folder("redacted_test");
  const auto before = ItemsOf(folder / "whole", config, &whole);
  EXPECT_GT(before.size(), kItems * 5u);
  EXPECT_EQ(ItemsOf(folder / "redacted", config, &redacted), before);
}

}  // namespace
}  // namespace bowerbird::forget
