#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sim/world/world.h"

namespace bowerbird::sim {

struct FeedQuery {
  std::string_view user;
  std::string_view surface = "home";
  uint32_t n = 0;
  /// `next_cursor` of the page before; empty for a first page.
  std::string_view cursor;
  std::span<const std::string> exclude;
  std::string_view device;
};

struct FeedPage {
  std::string request_id;
  /// Item ids, best first.
  std::vector<std::string> items;
  /// Empty when there is no further page.
  std::string next_cursor;
};

/// One event as a product would send it.
struct SentEvent {
  std::string_view type;
  std::string_view user;
  std::string_view item;
  std::string client_id;
  std::string_view surface;
  std::string_view request_id;
  /// 0 when it was not on a page.
  uint32_t position = 0;
  int64_t time_us = 0;
  uint32_t dwell_ms = 0;
  double value = 0;
};

/// How simulated users reach the engine: what its public API offers, and nothing else.
///
/// Threads  called from one thread.
class Client {
 public:
  virtual ~Client() = default;
  virtual absl::StatusOr<FeedPage> Recommend(const FeedQuery& query) = 0;
  /// OK only when every event was acknowledged.
  virtual absl::Status SendEvents(std::span<const SentEvent> events) = 0;
  /// A new item, created now.
  virtual absl::Status AddItem(const world::Item& item) = 0;
  /// OK when the item is never served again.
  virtual absl::Status Withdraw(std::string_view item) = 0;
};

}  // namespace bowerbird::sim
