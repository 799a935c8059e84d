#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cli/demo_page.h"
#include "server/http_client.h"
#include "sim/audience.h"
#include "sim/world/world.h"

namespace bowerbird::cli {

/// bowerbird.toml of the demo: the simulated catalog's attributes, recipes for its two surfaces.
std::string DemoConfigText(uint32_t embedding_dim);

/// The item as the page shows it.
Exhibit ExhibitOf(const sim::world::Item& item, std::string svg);

/// The item as our API's JSON.
std::string ItemJson(const sim::world::Item& item);

/// Sends the world's items and its whole history through the public API; returns how many events were acknowledged.
/// `progress` gets the number so far, now and then.
absl::StatusOr<uint64_t> ImportWorld(sim::world::World& world, sim::Audience& audience, server::HttpClient& client,
                                     Gallery& gallery, const std::function<void(uint64_t)>& progress);

/// The first `count` users that have arrived, as [{"id", "name"}, ...].
std::string UsersJson(const sim::world::World& world, uint32_t count);

}  // namespace bowerbird::cli
