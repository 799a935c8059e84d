// How many home feeds a second, ranked afresh? Feeds of 25 from gowalla's 41,000 items (iALS fold-in, co-occurrence,
// trending, fresh; seen filter and served log on), 32 connections, the load generator on the same cores; beside it the
// same server's bare HTTP answer. usage: bench_serve [--data DIR] [--seconds N] [--connections N] [--factors N]
// [--json]
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/synchronization/notification.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "bench/load.h"
#include "evaluate/data_files.h"
#include "server/server.h"
#include "server/structured_log.h"

namespace {

using namespace bowerbird;
namespace fs = std::filesystem;

constexpr uint32_t kEventsABatch = 1000;
constexpr uint32_t kCategories = 50;
constexpr double kHitUsers = 5000;

std::string Text(int argc, char** argv, std::string_view name, std::string fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return argv[i + 1];
  }
  return fallback;
}

struct Data {
  uint32_t users = 0, items = 0;
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
};

/// Gowalla's train part; where it is absent a power-law matrix of the same size, which the report says.
Data ReadOrMake(const std::string& folder, bool* synthetic) {
  Data data;
  const auto read = evaluate::ReadLightGcn(folder + "/train.txt.zst");
  *synthetic = !read.ok();
  if (read.ok()) {
    for (const evaluate::Interaction& interaction : *read) {
      data.users = std::max(data.users, interaction.user + 1);
      data.items = std::max(data.items, interaction.item + 1);
      data.pairs.emplace_back(interaction.user, interaction.item);
    }
    return data;
  }
  data.users = 29'858;
  data.items = 40'981;
  base::Rng rng(1);
  for (uint32_t i = 0; i < 810'128; ++i) {
    const double u = rng.Uniform();
    data.pairs.emplace_back(static_cast<uint32_t>(rng.Below(data.users)),
                            static_cast<uint32_t>(u * u * u * data.items));
  }
  return data;
}

absl::Status Fill(app::App& app, const Data& data) {
  for (uint32_t i = 0; i < data.items;) {
    collect::ItemsBatch batch;
    for (uint32_t k = 0; k < kEventsABatch && i < data.items; ++k, ++i) {
      v1::Item* item = batch.request.add_upsert();
      item->set_id(fmt::format("item-{}", i));
      item->set_title(fmt::format("Item {}", i));
      item->add_categories(fmt::format("category-{}", i % kCategories));
    }
    RETURN_IF_ERROR(app.catalog_intake().Batch(batch).status());
  }
  const int64_t now_us = app.clock().NowUs();
  const int64_t span_us = 30LL * 86'400'000'000;
  for (size_t i = 0; i < data.pairs.size();) {
    std::vector<v1::Event> events;
    for (uint32_t k = 0; k < kEventsABatch && i < data.pairs.size(); ++k, ++i) {
      v1::Event& event = events.emplace_back();
      event.set_type("click");
      event.set_user(fmt::format("user-{}", data.pairs[i].first));
      event.set_item(fmt::format("item-{}", data.pairs[i].second));
      event.set_client_id(fmt::format("{}", i));
      event.set_event_time_us(now_us - span_us +
                              static_cast<int64_t>(static_cast<double>(i) / static_cast<double>(data.pairs.size()) *
                                                   static_cast<double>(span_us)));
    }
    absl::Notification done;
    absl::Status status;
    app.collector().CollectEvents(std::move(events), collect::Collector::Source::kHistory,
                                  [&](absl::StatusOr<collect::CollectResult> result) {
                                    status = result.status();
                                    if (result.ok() && result->rejected > 0)
                                      status = absl::InternalError("an event was rejected");
                                    done.Notify();
                                  });
    done.WaitForNotification();
    RETURN_IF_ERROR(status);
  }
  RETURN_IF_ERROR(app.state().CatchUp());
  // What the filling left to write is not to be written while answers are timed.
  return app.state().Flush();
}

/// The share of `kHitUsers` users, drawn from those with anything in gowalla's test part, whose first ten of home hold
/// some of it: HR@10. Null: no test part.
absl::StatusOr<std::optional<double>> HitRate(app::App& app, const std::string& folder) {
  const auto read = evaluate::ReadLightGcn(folder + "/test.txt.zst");
  if (!read.ok()) return std::nullopt;
  std::map<uint32_t, std::set<std::string>> wanted;
  for (const evaluate::Interaction& pair : *read) wanted[pair.user].insert(fmt::format("item-{}", pair.item));
  base::Rng rng(1);
  uint32_t asked = 0, hits = 0;
  for (const auto& [user, items] : wanted) {
    if (!rng.Bernoulli(kHitUsers / static_cast<double>(wanted.size()))) continue;
    v1::RecommendRequest request;
    request.set_surface("home");
    request.set_user(fmt::format("user-{}", user));
    request.set_n(10);
    ASSIGN_OR_RETURN(const serve::Answer answer, app.engine().Recommend(request));
    ++asked;
    hits += std::ranges::any_of(answer.items,
                                [&, &items = items](const serve::AnswerItem& item) { return items.contains(item.id); });
  }
  return static_cast<double>(hits) / asked;
}

absl::Status Run(int argc, char** argv, const std::string& dir, std::string* out) {
  const double seconds = std::atof(Text(argc, argv, "--seconds", "10").c_str());
  const auto connections = static_cast<uint32_t>(std::atoi(Text(argc, argv, "--connections", "32").c_str()));
  app::TrainOptions train;
  train.factors = static_cast<uint32_t>(std::atoi(Text(argc, argv, "--factors", "64").c_str()));
  bool synthetic = false;
  const std::string folder = Text(argc, argv, "--data", BOWERBIRD_SOURCE_DIR "/../shared/data/gowalla");
  const Data data = ReadOrMake(folder, &synthetic);
  if (synthetic) std::fprintf(stderr, "gowalla is absent: a synthetic power-law matrix of its size stands in\n");

  RETURN_IF_ERROR(app::App::InitFolder(dir, "default", config::StarterText()).status());
  server::Server::Options options;
  options.dir = dir;
  options.config.port = 0;
  options.config.log_level = "error";
  ASSIGN_OR_RETURN(const auto server, server::Server::Start(options));
  RETURN_IF_ERROR(Fill(server->app(), data));
  ASSIGN_OR_RETURN(const app::JobResult trained, server->app().TrainCf(train));
  ASSIGN_OR_RETURN(const app::JobResult built, server->app().BuildIndex());

  ASSIGN_OR_RETURN(const std::optional<double> hit_rate, HitRate(server->app(), folder));

  const auto body_of = [&](uint32_t connection, uint64_t i) {
    const uint64_t user = base::CombineHash(connection + 1, i) % data.users;
    return fmt::format(R"({{"surface":"home","user":"user-{}","n":25}})", user);
  };
  bench::Load load;
  load.port = server->port();
  load.target = "/v1/recommend";
  load.connections = connections;
  load.seconds = 2;
  load.body_of = body_of;
  bench::RunLoad(load);
  std::fprintf(stderr, "filled, trained and warm: measuring for %.0f s\n", seconds);
  load.seconds = seconds;
  const bench::LoadReport feeds = bench::RunLoad(load);
  const double rate = feeds.PerSecond();
  load.rate = rate / 2;
  load.seconds = std::max(2.0, seconds / 2);
  const bench::LoadReport half = bench::RunLoad(load);
  // Twice what it can do, by more clients than it has threads; an answer counts that comes within 100 ms of its time.
  load.rate = 2 * rate;
  load.connections = 512;
  load.in_time_us = 100'000;
  const bench::LoadReport over = bench::RunLoad(load);
  load.rate = 0;
  load.seconds = 2;
  load.connections = 1;
  // Pressure goes with the load; then one client alone.
  bench::RunLoad(load);
  const bench::LoadReport one = bench::RunLoad(load);
  load.method = "GET";
  load.target = "/healthz";
  load.connections = connections;
  load.body_of = [](uint32_t, uint64_t) { return std::string(); };
  const bench::LoadReport bare = bench::RunLoad(load);

  base::JsonWriter json(out);
  json.BeginObject().Key("requests_per_second").Double(rate);
  json.Key("p50_ms")
      .Double(feeds.PercentileMs(0.5))
      .Key("p99_ms")
      .Double(feeds.PercentileMs(0.99))
      .Key("errors")
      .Uint(feeds.errors);
  json.Key("half_rate_p50_ms")
      .Double(half.PercentileMs(0.5))
      .Key("half_rate_p99_ms")
      .Double(half.PercentileMs(0.99))
      .Key("half_rate_errors")
      .Uint(half.errors);
  const auto in_time = static_cast<double>(over.in_time);
  json.Key("overload").BeginObject();
  json.Key("offered_per_second").Double(2 * rate).Key("goodput_per_second").Double(in_time / over.seconds);
  json.Key("goodput_share_of_peak").Double(in_time / over.seconds / rate);
  json.Key("personal_share")
      .Double(in_time == 0 ? 0 : 1 - static_cast<double>(over.popular) / in_time)
      .Key("full_share")
      .Double(in_time == 0 ? 0 : 1 - static_cast<double>(over.popular + over.fewer) / in_time);
  json.Key("refused_or_failed").Uint(over.errors).Key("late").Uint(over.requests - over.errors - over.in_time);
  json.Key("p50_ms").Double(over.PercentileMs(0.5)).Key("p99_ms").Double(over.PercentileMs(0.99)).EndObject();
  json.Key("bare_http_requests_per_second").Double(bare.PerSecond());
  json.Key("connections")
      .Uint(connections)
      .Key("one_connection_p50_ms")
      .Double(one.PercentileMs(0.5))
      .Key("one_connection_p99_ms")
      .Double(one.PercentileMs(0.99));
  json.Key("items")
      .Uint(data.items)
      .Key("users")
      .Uint(data.users)
      .Key("events")
      .Uint(data.pairs.size())
      .Key("factors")
      .Uint(train.factors);
  json.Key("hit_rate@10");
  if (hit_rate.has_value()) {
    json.Double(*hit_rate);
  } else {
    json.Null();
  }
  json.Key("synthetic")
      .Bool(synthetic)
      .Key("train_s")
      .Double(trained.seconds)
      .Key("index_s")
      .Double(built.seconds)
      .EndObject();
  server->Drain();
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir = (fs::temp_directory_path() / "bowerbird-bench-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return 1;
  server::SetLogLevel("error");
  std::string body;
  const absl::Status status = Run(argc, argv, dir, &body);
  fs::remove_all(dir);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::printf("%s\n", body.c_str());
  return 0;
}
