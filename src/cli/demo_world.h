#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/api.h"
#include "server/http_client.h"
#include "sim/audience.h"
#include "sim/world/world.h"

namespace bowerbird::cli {

/// bowerbird.toml of the demo: the simulated catalog's attributes, recipes for its two surfaces.
std::string DemoConfigText(uint32_t embedding_dim);

/// The pictures of the world's items and the words that find them. The world itself is used by one thread only; the
/// server's threads ask here.
///
/// Threads  any.
class Gallery {
 public:
  void Add(const sim::world::Item& item, std::string svg);
  /// "" for an unknown item.
  std::string Picture(std::string_view item) const;
  /// Up to eight items whose title, topic and subtopic hold every word of `text`: [{"id", "title", "topic"}, ...].
  std::string FindJson(std::string_view text) const;

 private:
  struct Exhibit {
    std::string svg, title, topic;
    std::string words;  ///< in lower case
  };
  mutable absl::Mutex mutex_;
  std::map<std::string, Exhibit, std::less<>> exhibits_ ABSL_GUARDED_BY(mutex_);  ///< by item id
};

/// The item as our API's JSON.
std::string ItemJson(const sim::world::Item& item);

/// Sends the world's items and its whole history through the public API; returns how many events were acknowledged.
/// `progress` gets the number so far, now and then.
absl::StatusOr<uint64_t> ImportWorld(sim::world::World& world, sim::Audience& audience, server::HttpClient& client,
                                     Gallery& gallery, const std::function<void(uint64_t)>& progress);

/// The page and what it needs: /demo/, its assets, /demo/users, /demo/find, /demo/pictures/{item}.svg.
void AddDemoRoutes(server::Api& api, std::shared_ptr<const std::string> users_json, const Gallery* gallery);

/// The first `count` users that have arrived, as [{"id", "name"}, ...].
std::string UsersJson(const sim::world::World& world, uint32_t count);

}  // namespace bowerbird::cli
