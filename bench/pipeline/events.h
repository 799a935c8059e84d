#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "log/event_log.h"
#include "log/rocks_log.h"
#include "state/state.h"

namespace bowerbird::bench {

inline constexpr uint32_t kPartitions = 64;
inline constexpr uint32_t kUsers = 100'000;
inline constexpr uint32_t kItems = 41'000;

[[noreturn]] void Die(const absl::Status& status);
template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) Die(value.status());
  return *std::move(value);
}

struct Timed {
  double wall_s = 0;
  double cpu_s = 0;           ///< of this process
  double children_cpu_s = 0;  ///< of processes that it started and that have ended
  double PerSecond(uint64_t events) const { return static_cast<double>(events) / wall_s; }
  double PerCpuSecond(uint64_t events) const { return static_cast<double>(events) / cpu_s; }
};
Timed Time(const std::function<void()>& work);

/// A stream of events as intake stamps them, about 230 bytes each, the same in every run: half clicks, half
/// impressions, of users and items of which some are far more active than others. With `signals` a tenth are saves, and
/// one in fifty is a client's retry of the one before it.
class EventMaker {
 public:
  EventMaker(const catalog::KeyHasher* hasher, bool signals) : hasher_(hasher), signals_(signals) {}
  log::AppendRecord Next();
  int64_t now_us() const { return time_us_; }

 private:
  const catalog::KeyHasher* const hasher_;
  const bool signals_;
  base::Rng rng_{42};
  int64_t time_us_ = 1'800'000'000'000'000;
  log::AppendRecord last_;
};

/// `count` events in an embedded log in the new folder `dir`.
std::unique_ptr<log::RocksLog> FillLog(const std::string& dir, uint64_t count, EventMaker* maker);

std::shared_ptr<const config::Config> ConfigWith(const std::string& signals);

/// State in the new folder `dir`, folded from the log on `threads` threads. Dies when not every event was folded.
struct Folded {
  std::unique_ptr<state::State> state;
  Timed timed;
};
Folded Fold(const std::string& dir, std::shared_ptr<const config::Config> config, log::EventLog* log, uint32_t threads,
            uint64_t count);

/// Each writes what it found as one member of the object that `json` is in.
void KafkaRows(const std::string& brokers, uint64_t count, uint64_t rounds, const std::string& dir,
               base::JsonWriter* json);
void RebuildRow(uint64_t count, const std::string& dir, base::JsonWriter* json);
void PeerRow(uint64_t count, const std::string& dir, base::JsonWriter* json);
/// Runs until every user has had `actions` events, and for `seconds`.
void SoakRow(uint64_t users, uint64_t actions, uint64_t seconds, const std::string& dir, base::JsonWriter* json);
void ProfileRow(uint64_t users, double per_second, double seconds, const std::string& dir, base::JsonWriter* json);
/// The same profiles by gRPC, `seconds` for each way of asking, from a server on `port`.
void GrpcProfileRow(uint16_t port, uint64_t users, double seconds, base::JsonWriter* json);

}  // namespace bowerbird::bench
