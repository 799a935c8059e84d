#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/demo_client.h"
#include "cli/demo_world.h"
#include "cli/progress.h"
#include "cli/temporary_folder.h"
#include "server/server.h"
#include "sim/browse.h"
#include "sim/browse_report.h"

namespace bowerbird::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kUsersOnThePage = 40;
constexpr double kVisitsPerSecond = 2;

absl::Status Post(server::HttpClient& client, std::string_view target) {
  ASSIGN_OR_RETURN(const server::HttpResponse response, client.Call("POST", target, "{}"));
  if (response.status != 200) return absl::InternalError(fmt::format("{}: {}", target, response.body));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> EventsInLog(app::App& app) {
  uint64_t events = 0;
  for (uint32_t p = 0; p < app.config()->partitions; ++p) {
    ASSIGN_OR_RETURN(const log::Offset end, app.log().EndOffset(log::Topic::kEvents, p));
    events += end;
  }
  return events;
}

void Say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

}  // namespace

absl::Status Demo(const DemoOptions& options) {
  const TemporaryFolder folder(options.dir, "bowerbird-demo");
  if (folder.path().empty()) return absl::UnavailableError("no temporary folder can be made");
  if (fs::exists(app::App::Folder(folder.path(), "default") + "/log")) {
    return absl::FailedPreconditionError(
        fmt::format("{} holds data already; a demo begins with an empty folder", folder.path()));
  }
  sim::world::WorldOptions world_options;
  world_options.seed = options.seed;
  ASSIGN_OR_RETURN(world_options.family, sim::world::ParseFamily(options.family));
  if (options.items > 0) world_options.items = options.items;
  if (options.users > 0) world_options.users = options.users;
  if (options.days > 0) world_options.days = options.days;
  world_options.end_time_us = base::SystemClock::Get().NowUs();
  ASSIGN_OR_RETURN(sim::world::World world, sim::world::World::Create(world_options));
  Say(fmt::format("a {} world, seed {}: {} items, {} users, {} days of history", options.family, options.seed,
                  Thousands(world.Items().size()), Thousands(world.user_count()), world_options.days));

  // Declared before the server: its threads ask for pictures until it is gone.
  Gallery gallery;
  const std::string users = UsersJson(world, kUsersOnThePage);
  RETURN_IF_ERROR(app::App::InitFolder(folder.path(), "default", DemoConfigText(world_options.embedding_dim)).status());
  server::Server::Options server_options;
  server_options.dir = folder.path();
  server_options.config.port = options.headless ? 0 : static_cast<uint16_t>(options.port);
  server_options.config.log_level = "warn";
  server_options.routes = [&](server::Api& api) {
    AddDemoRoutes(
        api, [users] { return users; }, &gallery);
  };
  ASSIGN_OR_RETURN(const auto server, server::Server::Start(server_options));
  const std::string address = fmt::format("127.0.0.1:{}", server->port());
  ASSIGN_OR_RETURN(server::HttpClient setup, server::HttpClient::Connect(address, 600'000'000));

  sim::Audience audience(world);
  uint64_t shown = 0;
  ASSIGN_OR_RETURN(const uint64_t imported, ImportWorld(world, audience, setup, gallery, [&](uint64_t events) {
                     if (events - shown >= 100'000) Say(fmt::format("{} events imported", Thousands(shown = events)));
                   }));
  Say(fmt::format("{} events imported; learning", Thousands(imported)));
  RETURN_IF_ERROR(Post(setup, "/v1/jobs/train-cf"));
  RETURN_IF_ERROR(Post(setup, "/v1/jobs/index-build"));

  std::atomic<bool> stop = false;
  ASSIGN_OR_RETURN(server::HttpClient browse_client, server::HttpClient::Connect(address, 30'000'000));
  DemoClient client(std::move(browse_client), &world, &gallery);
  sim::BrowseOptions browse;
  browse.seed = options.seed;
  browse.seconds = options.seconds;
  browse.stop = &stop;
  if (!options.headless) {
    browse.seconds = 1e9;
    browse.withdrawals = 0;
    browse.visits_per_second_max = kVisitsPerSecond;
    browse.probes = 0;
    std::printf("\n  Look at it: http://%s/demo/\n\n  Ctrl-C ends it.\n", address.c_str());
    std::fflush(stdout);
    std::thread browsing([&] { (void)sim::Browse(&world, &audience, &client, &base::SystemClock::Get(), browse); });
    server::Server::WaitForSignal();
    stop = true;
    browsing.join();
    server->Drain();
    return absl::OkStatus();
  }
  Say(fmt::format("simulated users browse for {} s", options.seconds));
  sim::JudgedReport report;
  ASSIGN_OR_RETURN(report.browse, sim::Browse(&world, &audience, &client, &base::SystemClock::Get(), browse));
  report.family = options.family;
  report.seed = options.seed;
  report.events_acknowledged = imported + report.browse.events_acknowledged;
  ASSIGN_OR_RETURN(report.events_in_log, EventsInLog(server->app()));
  server->Drain();
  if (!options.json) std::printf("%s", sim::ReportTable(report).c_str());
  const std::vector<std::string> shortfalls = sim::Shortfalls(report);
  for (const std::string& shortfall : shortfalls) Say(shortfall);
  if (options.json) std::printf("%s\n", sim::ReportJson(report).c_str());
  return shortfalls.empty()
             ? absl::OkStatus()
             : absl::FailedPreconditionError(fmt::format("{} of the demo's promises did not hold", shortfalls.size()));
}

}  // namespace bowerbird::cli
