// Does memory stay within its bound with far more users than fit into it? Intake, log and fold of one process, every
// user in turn, so that each event meets one who is not in memory.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "base/hash.h"
#include "bench/pipeline/events.h"
#include "fmt/format.h"
#include "jemalloc/jemalloc.h"
#include "server/server.h"

namespace bowerbird::bench {
namespace {

constexpr uint32_t kEventsABatch = 2'000, kCatalogItems = 41'000;
constexpr uint64_t kLagRecordsMax = 200'000;
constexpr uint64_t kResidentMax = uint64_t{1} << 30, kStateCache = uint64_t{384} << 20;
constexpr int64_t kSecondUs = 1'000'000;

/// What the process has in memory and not from a file.
uint64_t ResidentBytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  uint64_t kilobytes = 0;
  while (status >> word) {
    if (word == "RssAnon:") status >> kilobytes;
  }
  return kilobytes << 10;
}

/// What jemalloc says: bytes that the program holds ("allocated"), pages that have any of them ("active").
uint64_t AllocatorBytes(const char* name) {
  uint64_t epoch = 1;
  size_t bytes = 0, size = sizeof(bytes);
  if (mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch)) != 0 ||
      mallctl(fmt::format("stats.{}", name).c_str(), &bytes, &size, nullptr, 0) != 0) {
    return 0;
  }
  return bytes;
}

/// One event of every user, one after the other, in an order that does not repeat: the round's own step through them.
class Round {
 public:
  Round(uint64_t users, uint64_t round) : users_(users), step_(base::CombineHash(7, round) % users | 1) {
    while (std::gcd(step_, users_) != 1) step_ += 2;
  }
  uint64_t UserAt(uint64_t i) const { return static_cast<uint64_t>(static_cast<__uint128_t>(i) * step_ % users_); }

 private:
  uint64_t users_, step_;
};

void Collect(app::App& app, std::vector<v1::Event> events) {
  absl::Notification done;
  absl::Status status;
  app.collector().CollectEvents(std::move(events), collect::Collector::Source::kHistory,
                                [&](const absl::StatusOr<collect::CollectResult>& result) {
                                  status = result.status();
                                  if (result.ok() && result->rejected > 0) {
                                    status = absl::InternalError("an event was rejected");
                                  }
                                  done.Notify();
                                });
  done.WaitForNotification();
  if (!status.ok()) Die(status);
}

}  // namespace

void SoakRow(uint64_t users, uint64_t actions, uint64_t seconds, const std::string& dir, base::JsonWriter* json) {
  OrDie(app::App::InitFolder(dir + "/soak", "default", fmt::format("[state]\ncache_bytes = {}\n", kStateCache)));
  server::Server::Options options;
  options.dir = dir + "/soak";
  options.config.port = 0;
  options.config.log_level = "error";
  const auto server = OrDie(server::Server::Start(options));
  app::App& app = server->app();
  uint64_t resident_max = 0, allocated = 0, active = 0, cache_max = 0, events = 0;
  base::Rng rng(1);
  const int64_t from_us = base::MonotonicUs();
  const auto elapsed_us = [&] { return base::MonotonicUs() - from_us; };
  int64_t watched_us = 0;
  const auto watch = [&] {
    if (elapsed_us() - watched_us < kSecondUs / 4) return;
    watched_us = elapsed_us();
    if (const uint64_t resident = ResidentBytes(); resident > resident_max) {
      resident_max = resident;
      allocated = AllocatorBytes("allocated");
      active = AllocatorBytes("active");
    }
    cache_max = std::max(cache_max, app.state().counters().cache_bytes);
  };
  for (uint64_t round = 0; round < actions || elapsed_us() < static_cast<int64_t>(seconds) * kSecondUs; ++round) {
    const Round order(users, round);
    for (uint64_t i = 0; i < users;) {
      std::vector<v1::Event> batch;
      for (; i < users && batch.size() < kEventsABatch; ++i) {
        v1::Event& event = batch.emplace_back();
        event.set_type("click");
        event.set_user(fmt::format("user-{:08}", order.UserAt(i)));
        event.set_item(fmt::format("item-{}", rng.Below(kCatalogItems)));
        event.set_client_id(fmt::format("{:x}-{:x}", round, i));
        event.set_surface("home");
        event.set_event_time_us(app.clock().NowUs());
      }
      events += batch.size();
      Collect(app, std::move(batch));
      while (app.state().counters().lag_records > kLagRecordsMax) {
        watch();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      watch();
    }
  }
  if (const absl::Status status = app.state().CatchUp(); !status.ok()) Die(status);
  watch();
  const state::State::Counters counters = app.state().counters();
  if (counters.folded != events) Die(absl::DataLossError("not every event was folded"));
  const double elapsed_s = static_cast<double>(elapsed_us()) * 1e-6;
  server->Drain();
  json->Key("soak").BeginObject().Key("users").Uint(users).Key("events").Uint(events).Key("seconds").Double(elapsed_s);
  json->Key("events_per_second").Double(static_cast<double>(events) / elapsed_s);
  json->Key("state_cache_bytes").Uint(kStateCache).Key("state_bytes_max").Uint(cache_max);
  json->Key("users_in_memory").Uint(counters.users_cached);
  json->Key("resident_bytes_max")
      .Uint(resident_max)
      .Key("allocated_bytes")
      .Uint(allocated)
      .Key("active_bytes")
      .Uint(active);
  json->Key("resident_bytes_wanted").Uint(kResidentMax).EndObject();
}

}  // namespace bowerbird::bench
