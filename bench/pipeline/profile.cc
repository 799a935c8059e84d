// GET /v1/users/{id}/profile at a given rate, over HTTP, the load generator on the same cores; then the same by gRPC.
#include "absl/synchronization/notification.h"
#include "base/hash.h"
#include "bench/load.h"
#include "bench/pipeline/events.h"
#include "fmt/format.h"
#include "server/server.h"
#include "signal/six_and_twenty_for_test.h"

namespace bowerbird::bench {
namespace {

constexpr uint32_t kEventsAUser = 20, kEventsABatch = 1000, kCatalogItems = 2000, kConnections = 32;
constexpr double kP99MsMax = 2;

void Check(const absl::Status& status) {
  if (!status.ok()) Die(status);
}

void Fill(app::App& app, uint64_t users) {
  for (uint32_t i = 0; i < kCatalogItems;) {
    collect::ItemsBatch batch;
    for (uint32_t k = 0; k < kEventsABatch && i < kCatalogItems; ++k, ++i) {
      v1::Item* item = batch.request.add_upsert();
      item->set_id(fmt::format("item-{}", i));
      item->add_categories(fmt::format("category-{}", i % 50));
      (*item->mutable_attributes())["creator"].set_string_value(fmt::format("creator-{}", i % 300));
    }
    Check(app.catalog_intake().Batch(batch).status());
  }
  base::Rng rng(1);
  const int64_t now_us = app.clock().NowUs(), span_us = int64_t{6} * 86'400'000'000;
  const uint64_t count = users * kEventsAUser;
  for (uint64_t n = 0; n < count;) {
    std::vector<v1::Event> events;
    for (uint32_t k = 0; k < kEventsABatch && n < count; ++k, ++n) {
      static constexpr const char* kTypes[] = {"impression", "click", "click", "save"};
      v1::Event& event = events.emplace_back();
      event.set_type(kTypes[rng.Below(4)]);
      event.set_user(fmt::format("user-{}", n % users));
      event.set_item(fmt::format("item-{}", rng.Below(kCatalogItems)));
      event.set_client_id(fmt::format("{}", n));
      event.set_surface("home");
      event.set_event_time_us(
          now_us - span_us +
          static_cast<int64_t>(static_cast<double>(n) / static_cast<double>(count) * static_cast<double>(span_us)));
    }
    absl::Notification done;
    absl::Status status;
    app.collector().CollectEvents(std::move(events), collect::Collector::Source::kHistory,
                                  [&](const absl::StatusOr<collect::CollectResult>& result) {
                                    status = result.status();
                                    if (result.ok() && result->rejected > 0)
                                      status = absl::InternalError("an event was rejected");
                                    done.Notify();
                                  });
    done.WaitForNotification();
    Check(status);
  }
  Check(app.state().CatchUp());
  Check(app.state().Flush());
  // What came in at once is not written to the tables while profiles are asked for.
  Check(app.RunLake());
}

}  // namespace

void ProfileRow(uint64_t users, double per_second, double seconds, const std::string& dir, base::JsonWriter* json) {
  // What is asked for is in memory.
  const std::string config =
      fmt::format("[items.attributes]\ncreator = \"string\"\n[state]\ncache_bytes = {}\n", uint64_t{2} << 30) +
      signal::SixAndTwenty();
  OrDie(app::App::InitFolder(dir + "/profile", "default", config));
  server::Server::Options options;
  options.dir = dir + "/profile";
  options.config.port = 0;
  options.config.grpc_port = 0;
  options.config.log_level = "error";
  const auto server = OrDie(server::Server::Start(options));
  Fill(server->app(), users);

  Load load;
  load.port = server->port();
  load.method = "GET";
  load.target_of = [&](uint32_t connection, uint64_t i) {
    return fmt::format("/v1/users/user-{}/profile", base::CombineHash(connection + 1, i) % users);
  };
  load.connections = kConnections;
  load.rate = per_second;
  load.seconds = std::max(1.0, seconds / 5);
  RunLoad(load);
  load.seconds = seconds;
  const LoadReport report = RunLoad(load);
  // What the machine and HTTP alone make of that rate.
  load.target_of = [](uint32_t, uint64_t) { return std::string("/healthz"); };
  const LoadReport bare = RunLoad(load);
  const state::State::Counters counters = server->app().state().counters();
  GrpcProfileRow(server->grpc_port(), users, seconds, json);
  server->Drain();
  json->Key("profile").BeginObject().Key("users").Uint(users).Key("events_per_user").Uint(kEventsAUser);
  json->Key("signals").Uint(26).Key("connections").Uint(kConnections).Key("requests").Uint(report.requests);
  json->Key("requests_per_second_asked").Double(per_second).Key("requests_per_second").Double(report.PerSecond());
  json->Key("users_in_memory").Uint(counters.users_cached).Key("state_bytes").Uint(counters.cache_bytes);
  json->Key("errors").Uint(report.errors).Key("p50_ms").Double(report.PercentileMs(0.5));
  json->Key("p99_ms").Double(report.PercentileMs(0.99)).Key("p99_ms_wanted").Double(kP99MsMax);
  json->Key("bare_http_p99_ms").Double(bare.PercentileMs(0.99)).EndObject();
}

}  // namespace bowerbird::bench
