#include "bench/pipeline/events.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/catalog.h"
#include "config/problem_list.h"
#include "fmt/format.h"
#include "store/rocks.h"

namespace bowerbird::bench {
namespace {

constexpr size_t kBatch = 20'000;

double CpuSeconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void Die(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::_Exit(1);
}

Timed Time(const std::function<void()>& work) {
  const int64_t from_us = base::MonotonicUs();
  const double cpu_s = CpuSeconds(RUSAGE_SELF), children_cpu_s = CpuSeconds(RUSAGE_CHILDREN);
  work();
  return {static_cast<double>(base::MonotonicUs() - from_us) * 1e-6, CpuSeconds(RUSAGE_SELF) - cpu_s,
          CpuSeconds(RUSAGE_CHILDREN) - children_cpu_s};
}

log::AppendRecord EventMaker::Next() {
  if (signals_ && !last_.value.empty() && rng_.Bernoulli(0.02)) return last_;
  time_us_ += static_cast<int64_t>(rng_.Below(20'000));
  const double popularity = rng_.Uniform(), activity = rng_.Uniform();
  const auto item = static_cast<uint64_t>(popularity * popularity * popularity * kItems);
  const uint64_t user =
      signals_ ? static_cast<uint64_t>(activity * activity * activity * activity * kUsers) : rng_.Below(kUsers);
  const double kind = rng_.Uniform();
  v1::Event event;
  event.set_schema(1);
  event.set_type(kind < 0.5 ? "impression" : signals_ && kind < 0.6 ? "save" : "click");
  event.set_user(fmt::format("user-{}", user));
  event.set_item(fmt::format("item-{}", item));
  event.set_client_id(fmt::format("0190a1b2-c3d4-{:x}", rng_()));
  event.set_event_time_us(time_us_);
  event.set_receive_time_us(time_us_);
  event.set_surface("home");
  event.set_request_id(fmt::format("{:016x}", rng_()));
  event.set_position(static_cast<uint32_t>(1 + rng_.Below(25)));
  event.set_config_version("3f8a9c0d12345678");
  event.add_item_categories(fmt::format("category-{}", item % 50));
  const catalog::UserKey key = hasher_->User(event.user());
  event.set_user_key(key.value);
  event.set_item_key(hasher_->Item(event.item()).value);
  event.set_dedupe_print(hasher_->DedupePrint(key, event.client_id()));
  last_ = {log::Topic::kEvents, catalog::PartitionOf(key, kPartitions), event.user(), event.SerializeAsString()};
  return last_;
}

std::unique_ptr<log::RocksLog> FillLog(const std::string& dir, uint64_t count, EventMaker* maker) {
  log::RocksLogOptions options;
  options.user_partitions = kPartitions;
  options.memory = store::MakeRocksMemory(32u << 20, 256u << 20);
  auto log = OrDie(log::RocksLog::Open(dir, options));
  for (uint64_t n = 0; n < count;) {
    std::vector<log::AppendRecord> batch;
    for (; n < count && batch.size() < kBatch; ++n) batch.push_back(maker->Next());
    OrDie(log->Append(std::move(batch)));
  }
  return log;
}

std::shared_ptr<const config::Config> ConfigWith(const std::string& signals) {
  const config::ParseResult parsed = config::Parse(
      fmt::format("[app]\npartitions = {}\n[state]\ncache_bytes = {}\n{}", kPartitions, 1u << 30, signals), "bench");
  if (parsed.config == nullptr) Die(absl::InvalidArgumentError(config::ProblemList(parsed.problems)));
  return parsed.config;
}

Folded Fold(const std::string& dir, std::shared_ptr<const config::Config> config, log::EventLog* log, uint32_t threads,
            uint64_t count) {
  state::State::Options options;
  options.publish = false;
  options.threads = threads;
  Folded folded;
  folded.state = OrDie(state::State::Open(dir, std::move(config), log, &base::SystemClock::Get(), options));
  folded.timed = Time([&] {
    if (const absl::Status caught_up = folded.state->CatchUp(); !caught_up.ok()) Die(caught_up);
  });
  const state::State::Counters counted = folded.state->counters();
  if (counted.folded + counted.duplicates != count) Die(absl::DataLossError("not every event was folded"));
  return folded;
}

}  // namespace bowerbird::bench
