// How many events a second are taken in over HTTP, durable when answered? Batches of 100, fsynced, validated and
// stamped, the load generator on the same cores, the fold into state running beside; then at half that rate, beside
// what an fsync of the disk takes. With --rate N events a second, an open loop instead, and the greatest lag of the
// fold. usage: bench_collect [--seconds N] [--connections N] [--batch N] [--rate N]
// [--format json|protobuf] [--json]
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "bench/load.h"
#include "bowerbird/v1/service.pb.h"
#include "server/http_client.h"
#include "server/server.h"
#include "server/structured_log.h"

namespace {

using namespace bowerbird;

constexpr uint32_t kUsers = 100'000;
constexpr uint32_t kItems = 41'000;

/// About 250 bytes an event, as a web client would send it.
std::string Batch(uint32_t connection, uint64_t i, uint32_t events, int64_t now_us, base::Rng* rng) {
  std::string body = "{\"events\":[";
  for (uint32_t e = 0; e < events; ++e) {
    const uint64_t user = rng->Below(kUsers), item = rng->Below(kItems);
    fmt::format_to(
        std::back_inserter(body),
        R"({}{{"type":"{}","user":"user-{:08}","item":"item-{:06}","client_id":"c{:02}-{:010}-{:03}-5f1c","event_time_us":{},)"
        R"("surface":"home","request_id":"r-{:016x}{:016x}","position":{},"dwell_ms":{}}})",
        e == 0 ? "" : ",", e % 4 == 0 ? "click" : "impression", user, item, connection, i, e, now_us + e, user * 7919,
        item * 104729, e % 25 + 1, 500 + e);
  }
  return body + "]}";
}

/// 99th percentile of the disk alone: `bytes` appended to a file and synced, `rate` times a second for five seconds.
double FsyncP99Ms(const std::string& dir, size_t bytes, double rate) {
  const std::string path = dir + "/fsync_probe";
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  if (file < 0) return 0;
  const std::string data(bytes, 'x');
  bench::LoadReport report;
  const int64_t begin_us = base::MonotonicUs();
  for (int i = 0; i < static_cast<int>(5 * rate); ++i) {
    const int64_t due_us = begin_us + static_cast<int64_t>(i / rate * 1e6);
    const int64_t wait_us = due_us - base::MonotonicUs();
    if (wait_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(wait_us));
    const int64_t start_us = base::MonotonicUs();
    if (write(file, data.data(), data.size()) < 0 || fdatasync(file) != 0) break;
    report.latencies_us.push_back(base::MonotonicUs() - start_us);
  }
  close(file);
  std::filesystem::remove(path);
  std::sort(report.latencies_us.begin(), report.latencies_us.end());
  return report.PercentileMs(0.99);
}

/// Watches how old the oldest event is that the fold has not taken, until it goes.
class LagWatch {
 public:
  explicit LagWatch(const state::State& state)
      : thread_([this, &state] {
          while (!done_.WaitForNotificationWithTimeout(absl::Milliseconds(200))) {
            greatest_us_ = std::max(greatest_us_, state.counters().lag_us);
          }
        }) {}
  double StopAndGetS() {
    done_.Notify();
    thread_.join();
    return static_cast<double>(greatest_us_) * 1e-6;
  }

 private:
  absl::Notification done_;
  int64_t greatest_us_ = 0;
  std::thread thread_;
};
/// The same events in protobuf.
std::string ProtobufBatch(uint32_t connection, uint64_t i, uint32_t events, int64_t now_us, base::Rng* rng) {
  v1::CollectRequest request;
  for (uint32_t e = 0; e < events; ++e) {
    const uint64_t user = rng->Below(kUsers), item = rng->Below(kItems);
    v1::Event* event = request.add_events();
    event->set_type(e % 4 == 0 ? "click" : "impression");
    event->set_user(fmt::format("user-{:08}", user));
    event->set_item(fmt::format("item-{:06}", item));
    event->set_client_id(fmt::format("c{:02}-{:010}-{:03}-5f1c", connection, i, e));
    event->set_event_time_us(now_us + e);
    event->set_surface("home");
    event->set_request_id(fmt::format("r-{:016x}{:016x}", user * 7919, item * 104729));
    event->set_position(e % 25 + 1);
    event->set_dwell_ms(500 + e);
  }
  return request.SerializeAsString();
}

std::string_view Text(int argc, char** argv, std::string_view name, std::string_view fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return argv[i + 1];
  }
  return fallback;
}

int Number(int argc, char** argv, std::string_view name, int fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return std::atoi(argv[i + 1]);
  }
  return fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const int seconds = Number(argc, argv, "--seconds", 10);
  const auto connections = static_cast<uint32_t>(Number(argc, argv, "--connections", 64));
  const auto batch = static_cast<uint32_t>(Number(argc, argv, "--batch", 100));
  const auto cache_mb = static_cast<uint32_t>(Number(argc, argv, "--cache-mb", 2048));
  const double request_rate = Number(argc, argv, "--rate", 0) / static_cast<double>(batch);
  const std::string format(Text(argc, argv, "--format", "json"));
  if (format != "json" && format != "protobuf") {
    std::fprintf(stderr, "--format: found %s; expected json or protobuf\n", format.c_str());
    return 2;
  }
  const bool protobuf = format == "protobuf";
  std::string dir = (std::filesystem::temp_directory_path() / "bowerbird-bench-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return 1;
  server::SetLogLevel("error");
  server::Server::Options options;
  options.dir = dir;
  options.config.port = 0;
  options.config.log_level = "error";
  std::string body;
  {
    // The users that act are held in memory, as one would have it at such a rate.
    const std::string config = fmt::format("[state]\ncache_bytes = {}\n", int64_t{cache_mb} << 20);
    if (const auto made = app::App::InitFolder(dir, "default", config); !made.ok()) return 1;
    auto started = server::Server::Start(options);
    if (!started.ok()) {
      std::fprintf(stderr, "%s\n", std::string(started.status().message()).c_str());
      return 1;
    }
    server::Server& server = **started;
    // The catalog first, so that stamping looks items up as it would in life.
    for (uint32_t i = 0; i < kItems;) {
      std::string items = "{\"upsert\":[";
      for (uint32_t k = 0; k < 1000 && i < kItems; ++k, ++i) {
        fmt::format_to(std::back_inserter(items), R"({}{{"id":"item-{:06}","title":"Item {}","categories":["c{}"]}})",
                       k == 0 ? "" : ",", i, i, i % 50);
      }
      auto client = server::HttpClient::Connect(fmt::format("127.0.0.1:{}", server.port()), 30'000'000);
      if (!client.ok() || client->Call("POST", "/v1/items:batch", items + "]}")->status != 200) return 1;
    }
    // Bodies are made before the clock runs: the generator shares the cores.
    constexpr uint32_t kBodies = 64;
    const int64_t now_us = base::SystemClock::Get().NowUs();
    std::vector<std::vector<std::string>> bodies(connections);
    base::Rng rng(1);
    for (uint32_t c = 0; c < connections; ++c) {
      for (uint32_t i = 0; i < kBodies; ++i) {
        bodies[c].push_back(protobuf ? ProtobufBatch(c, i, batch, now_us, &rng) : Batch(c, i, batch, now_us, &rng));
      }
    }
    // A body that is sent again gets new client ids in place: "c00-0000000000-" holds the round.
    const auto body_of = [&](uint32_t c, uint64_t i) {
      std::string& text = bodies[c][i % kBodies];
      const std::string round = fmt::format("{:010}", i);
      const std::string client = fmt::format("c{:02}-", c);
      for (size_t at = text.find(client); at != std::string::npos; at = text.find(client, at + 1)) {
        text.replace(at + client.size(), round.size(), round);
      }
      return text;
    };
    uint64_t base_round = 0;
    const auto load = [&](double run_seconds, double rate) {
      const uint64_t first = base_round;
      base_round += 100'000'000;  // no client id twice
      bench::Load run;
      run.port = server.port();
      run.target = "/v1/events";
      run.connections = connections;
      run.seconds = run_seconds;
      run.body_of = [&body_of, first](uint32_t c, uint64_t i) { return body_of(c, first + i); };
      run.rate = rate;
      if (protobuf) run.headers = "Content-Type: application/x-protobuf\r\n";
      return bench::RunLoad(run);
    };
    load(1.0, request_rate);
    LagWatch watch(server.app().state());
    const bench::LoadReport report = load(seconds, request_rate);
    const state::State::Counters state = server.app().state().counters();
    const double lag_s_max = watch.StopAndGetS();
    const log::ManagedLog::Counters log = server.app().log().counters();
    const double rate = report.PerSecond();
    bench::LoadReport half;
    double fsync_p99_ms = 0;
    if (request_rate == 0) {
      if (!server.app().state().CatchUp().ok()) return 1;
      const log::ManagedLog::Counters before = server.app().log().counters();
      half = load(5.0, rate / 2);
      const log::ManagedLog::Counters after = server.app().log().counters();
      const auto syncs = static_cast<double>(std::max<uint64_t>(1, after.groups - before.groups));
      const double written = static_cast<double>(half.requests * bodies[0][0].size());
      fsync_p99_ms = FsyncP99Ms(dir, static_cast<size_t>(written / syncs), syncs / half.seconds);
    }
    base::JsonWriter json(&body);
    json.BeginObject().Key("events_per_second").Double(rate * batch);
    json.Key("format")
        .String(format)
        .Key("batch")
        .Uint(batch)
        .Key("connections")
        .Uint(connections)
        .Key("seconds")
        .Double(report.seconds)
        .Key("errors")
        .Uint(report.errors);
    json.Key("bytes_per_event").Uint(bodies[0][0].size() / batch);
    json.Key("p50_ms").Double(report.PercentileMs(0.5)).Key("p99_ms").Double(report.PercentileMs(0.99));
    json.Key("events_per_fsync")
        .Double(log.groups == 0 ? 0 : static_cast<double>(log.records) / static_cast<double>(log.groups));
    json.Key("folded")
        .Uint(state.folded)
        .Key("lag_records_at_end")
        .Uint(state.lag_records)
        .Key("lag_s_at_end")
        .Double(static_cast<double>(state.lag_us) * 1e-6)
        .Key("lag_s_max")
        .Double(lag_s_max)
        .Key("users_cached")
        .Uint(state.users_cached)
        .Key("cache_bytes")
        .Uint(state.cache_bytes);
    if (request_rate == 0) {
      json.Key("half_rate_p50_ms")
          .Double(half.PercentileMs(0.5))
          .Key("half_rate_p99_ms")
          .Double(half.PercentileMs(0.99));
      json.Key("fsync_p99_ms").Double(fsync_p99_ms);
    }
    json.EndObject();
    server.Drain();
  }
  std::filesystem::remove_all(dir);
  std::printf("%s\n", body.c_str());
  return 0;
}
