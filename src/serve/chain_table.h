#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_map.h"
#include "catalog/keys.h"

namespace bowerbird::serve {

/// Remembers what the pages of request chains showed, so that the next page shows something else.
///
/// Data     request id of a page -> everything shown in its chain up to and with that page. A page asked for twice with
///          the same cursor makes two branches, each without repeats.
/// Threads  any thread at once.
/// Bounds   pages_max and bytes_max: the page used longest ago is dropped first. A page older than lifetime_us counts
///          as dropped.
class ChainTable {
 public:
  struct Bounds {
    uint64_t pages_max = 200'000;
    uint64_t bytes_max = 64u << 20;
    int64_t lifetime_us = 3'600'000'000;
  };
  explicit ChainTable(const Bounds& bounds) : bounds_(bounds) {}

  /// A page that alone is beyond bytes_max is not kept.
  void Put(std::string_view request_id, std::vector<catalog::ItemKey> shown, int64_t now_us,
           catalog::UserKey user = {});
  /// Drops the pages of a user.
  void Forget(catalog::UserKey user);
  /// Empty: never put, dropped, or too old.
  std::optional<std::vector<catalog::ItemKey>> Find(std::string_view request_id, int64_t now_us);
  uint64_t pages() const;
  uint64_t bytes() const;

 private:
  struct Page {
    std::string request_id;
    std::vector<catalog::ItemKey> shown;
    int64_t time_us = 0;
    catalog::UserKey user;
    uint64_t bytes() const;
  };
  /// mutex_ held.
  void Erase(std::list<Page>::iterator page);

  const Bounds bounds_;
  mutable std::mutex mutex_;  ///< guards what follows
  std::list<Page> pages_;     ///< used last at the front
  base::StringMap<std::list<Page>::iterator> by_id_;
  uint64_t bytes_ = 0;
};

}  // namespace bowerbird::serve
