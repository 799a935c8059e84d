#pragma once

#include <string>

#include "cli/demo_world.h"
#include "server/http_client.h"
#include "sim/client.h"

namespace bowerbird::cli {

/// Simulated users reaching the engine as a product would: over HTTP.
class DemoClient final : public sim::Client {
 public:
  /// `world` renders the pictures of added items, on the thread that calls AddItem.
  DemoClient(server::HttpClient client, sim::world::World* world, Gallery* gallery)
      : client_(std::move(client)), world_(world), gallery_(gallery) {}
  absl::StatusOr<sim::FeedPage> Recommend(const sim::FeedQuery& query) override;
  absl::Status SendEvents(std::span<const sim::SentEvent> events) override;
  absl::Status AddItem(const sim::world::Item& item) override;
  absl::Status Withdraw(std::string_view item) override;

 private:
  absl::StatusOr<std::string> Post(std::string_view target, std::string_view body);

  server::HttpClient client_;
  sim::world::World* const world_;
  Gallery* const gallery_;
};

}  // namespace bowerbird::cli
