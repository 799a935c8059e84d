#pragma once

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "fmt/format.h"
#include "log/event_log.h"
#include "log/event_schema.h"

namespace bowerbird::state {

inline constexpr int64_t kSecondUs = 1'000'000, kHourUs = 3600 * kSecondUs, kDayUs = 24 * kHourUs;
inline constexpr int64_t kStartUs = 1'700'000'000 * kSecondUs;

inline catalog::KeyHasher TestHasher() { return catalog::KeyHasher(base::HashSeed{7}); }

/// A small config, whose bounds are reached by small tests.
inline config::Config TestConfig() {
  using config::Polarity;
  config::Config config;
  config.version = "test";
  const auto type = [&](const char* name, double weight, Polarity polarity) -> config::EventType& {
    config::EventType& added = config.event_types.emplace_back();
    added.name = name;
    added.ordinal = static_cast<uint32_t>(config.event_types.size() - 1);
    added.code = static_cast<uint8_t>(config.event_types.size());
    added.weight = weight;
    added.polarity = polarity;
    return added;
  };
  type("impression", 0, Polarity::kNeutral);
  type("click", 1, Polarity::kPositive);
  type("save", 5, Polarity::kPositive);
  type("hide", 1, Polarity::kNegative);
  type("dislike", 2, Polarity::kNegative);
  type("search", 0, Polarity::kNeutral);
  type("unhide", 0, Polarity::kNeutral);
  config::EventType& rating = type("rating", 4, Polarity::kPositive);
  rating.value_zero = 1;
  rating.value_one = 5;
  type("identify", 0, Polarity::kNeutral);
  config.surfaces.emplace_back().name = "home";
  config.surfaces.emplace_back().name = "related";
  config.collect.age_us_max = 30 * kDayUs;
  config.state.sequence_max = 40;
  config.state.dedupe_prints = 20;
  config.state.dedupe_window_us = 7 * kDayUs;
  config.state.cache_bytes = 64 << 20;
  config.state.flush_interval_us = 20'000;
  config.state.item_bucket_us = kHourUs;
  config.state.item_buckets_max = 48;
  config.state.item_table_interval_us = 20'000;
  config.state.affinity_half_life_us = kDayUs;
  config.state.affinity_top = 5;
  config::Generator& trending = config.generators.emplace_back();
  trending.name = "trending";
  trending.kind = config::GeneratorKind::kTrending;
  trending.count = 10;
  trending.half_life_us = 6 * kHourUs;
  trending.window_us = kDayUs;
  config::Generator& popular = config.generators.emplace_back();
  popular.name = "popular";
  popular.kind = config::GeneratorKind::kPopular;
  popular.count = 10;
  return config;
}

/// An event as intake stamps it. `client_id` empty: without a print.
inline v1::Event TestEvent(std::string_view type, std::string_view user, std::string_view item,
                           std::string_view client_id, int64_t time_us) {
  const catalog::KeyHasher hasher = TestHasher();
  v1::Event event;
  event.set_type(std::string(type));
  event.set_user(std::string(user));
  event.set_item(std::string(item));
  event.set_client_id(std::string(client_id));
  event.set_event_time_us(time_us);
  event.set_receive_time_us(time_us + kSecondUs);
  event.set_schema(1);
  event.set_user_key(hasher.User(user).value);
  if (!item.empty()) event.set_item_key(hasher.Item(item).value);
  if (!client_id.empty()) event.set_dedupe_print(hasher.DedupePrint(hasher.User(user), client_id));
  return event;
}

inline log::AppendRecord ToRecord(const v1::Event& event, uint32_t partitions) {
  return {log::Topic::kEvents, catalog::PartitionOf(catalog::UserKey(event.user_key()), partitions), event.user(),
          event.SerializeAsString()};
}

/// The two records of an identify, as intake appends them: the user's event, and the anonymous id's.
inline std::vector<log::AppendRecord> IdentifyRecords(std::string_view anonymous, std::string_view user,
                                                      std::string_view client_id, int64_t time_us, uint32_t partitions,
                                                      uint32_t schema = log::kEventSchemaMovesBlocks) {
  v1::Event event = TestEvent("identify", user, "", client_id, time_us);
  event.set_anonymous(std::string(anonymous));
  v1::Event becoming = TestEvent("identify", anonymous, "", client_id, time_us);
  becoming.set_becomes(std::string(user));
  becoming.set_becomes_key(event.user_key());
  becoming.set_schema(schema);
  return {ToRecord(event, partitions), ToRecord(becoming, partitions)};
}

/// Events of all kinds by a few users on a few items, with duplicates, late ones, and users that come back after days.
class RandomEvents {
 public:
  RandomEvents(uint64_t seed, uint32_t users, uint32_t items) : rng_(seed), users_(users), items_(items) {}

  v1::Event Next() {
    if (!recent_.empty() && rng_.Bernoulli(0.05)) {  // a retry
      v1::Event event = recent_[rng_.Below(recent_.size())];
      event.set_receive_time_us(now_us_ + kSecondUs);
      return event;
    }
    now_us_ += static_cast<int64_t>(rng_.Below(rng_.Bernoulli(0.01) ? 2 * kHourUs : 20 * kSecondUs));
    static constexpr const char* kTypes[] = {"impression", "impression", "click",  "click",   "click",  "save",
                                             "hide",       "hide",       "unhide", "dislike", "search", "rating"};
    const std::string type = kTypes[rng_.Below(std::size(kTypes))];
    const uint64_t user = rng_.Bernoulli(0.3) ? 0 : rng_.Below(users_);
    const std::string item = type == "search" ? "" : fmt::format("item{}", rng_.Below(items_));
    const bool late = rng_.Bernoulli(0.05);
    const int64_t time_us = late ? now_us_ - static_cast<int64_t>(rng_.Below(10 * kDayUs)) : now_us_;
    v1::Event event = TestEvent(type, fmt::format("user{}", user), item,
                                rng_.Bernoulli(0.2) ? "" : fmt::format("c{}", ++client_id_), time_us);
    event.set_receive_time_us(now_us_ + kSecondUs);
    event.set_surface(rng_.Bernoulli(0.5) ? "home" : "elsewhere");
    event.set_value(static_cast<double>(rng_.Below(6)));
    if (type == "save" && rng_.Bernoulli(0.7)) event.set_collection(fmt::format("board{}", rng_.Below(3)));
    for (uint64_t i = rng_.Below(3); i > 0; --i) event.add_item_categories(fmt::format("category{}", rng_.Below(9)));
    recent_.push_back(event);
    if (recent_.size() > 300) recent_.erase(recent_.begin());
    return event;
  }
  int64_t now_us() const { return now_us_; }

 private:
  base::Rng rng_;
  const uint32_t users_, items_;
  int64_t now_us_ = kStartUs;
  uint64_t client_id_ = 0;
  std::vector<v1::Event> recent_;
};

inline void AppendRandom(RandomEvents* events, size_t count, log::EventLog* log) {
  std::vector<log::AppendRecord> batch;
  for (size_t i = 0; i < count; ++i) {
    batch.push_back(ToRecord(events->Next(), log->PartitionCount(log::Topic::kEvents)));
  }
  if (!batch.empty()) (void)log->Append(std::move(batch));
}

inline void SleepMs(uint64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

/// Lets one thread wait for another, once.
class Signal {
 public:
  void Notify() {
    const std::lock_guard lock(mutex_);
    notified_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return notified_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool notified_ = false;
};

/// A folder of this test process, removed at the end.
class TempFolder {
 public:
  explicit TempFolder(const std::string& name)
      : path_((std::filesystem::temp_directory_path() / fmt::format("bowerbird_{}_{}", name, getpid())).string()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  const std::string path_;
};

}  // namespace bowerbird::state
