#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/string_map.h"
#include "server/api.h"
#include "server/http_client.h"
#include "sim/audience.h"
#include "sim/world/world.h"

namespace bowerbird::cli {

/// bowerbird.toml of the demo: the simulated catalog's attributes, recipes for its two surfaces.
std::string DemoConfigText(uint32_t embedding_dim);

/// The pictures of the world's items, made when first asked for or when an item is added; the world itself is used by
/// one thread only, the server's threads ask here.
///
/// Threads  any.
class Pictures {
 public:
  void Add(const std::string& item, std::string svg);
  /// "" for an unknown item.
  std::string Find(std::string_view item) const;

 private:
  mutable absl::Mutex mutex_;
  base::StringMap<std::string> svg_ ABSL_GUARDED_BY(mutex_);
};

/// The item as our API's JSON.
std::string ItemJson(const sim::world::Item& item);

/// Sends the world's items and its whole history through the public API; returns how many events were acknowledged.
/// `progress` gets the number so far, now and then.
absl::StatusOr<uint64_t> ImportWorld(sim::world::World& world, sim::Audience& audience, server::HttpClient& client,
                                     Pictures& pictures, const std::function<void(uint64_t)>& progress);

/// The page and what it needs: /demo/, its script and style, /demo/users, /demo/pictures/{item}.svg.
void AddDemoRoutes(server::Api& api, std::shared_ptr<const std::string> users_json, const Pictures* pictures);

/// The first `count` users that have arrived, as [{"id", "name"}, ...].
std::string UsersJson(const sim::world::World& world, uint32_t count);

}  // namespace bowerbird::cli
