#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "catalog/problem.h"
#include "collect/declared_agents.h"
#include "collect/segment_names.h"
#include "config/config.h"

namespace bowerbird::collect {

/// The calls of Segment's tracking API.
enum class SegmentCall : uint8_t { kTrack, kIdentify, kPage, kScreen, kGroup, kAlias, kBatch };

/// What became of one message before its events are judged.
struct SegmentMessage {
  enum class Outcome : uint8_t {
    kMapped,
    kIgnored,  ///< nothing in it that this app keeps: `why`
    kRejected
  } outcome = Outcome::kMapped;
  catalog::Problem problem;  ///< rejected; the field is one of the message, such as "properties.product_id"
  std::string why;           ///< ignored
};

/// The messages of one request, in our words.
struct SegmentBatch {
  std::vector<SegmentMessage> messages;
  std::vector<v1::Event> events;
  std::vector<uint32_t> event_messages;  ///< for each event, its message
  uint64_t event_bytes = 0;
  /// What identify and group calls say of users: attributes to replace, and, without a kind, to remove.
  std::vector<v1::User> users;
  std::vector<uint32_t> user_messages;
};

/// Translates Segment's calls into events and attributes of users; docs/guides/segment.md has the table. It decides
/// what a message means; whether its events are taken is the Collector's matter.
///
/// Threads  immutable once made; any thread.
/// Bounds   collect.batch_events_max messages a request and products a message; collect.body_bytes_max bytes of the
///          body, and four times as many of its events.
class SegmentMapping {
 public:
  explicit SegmentMapping(std::shared_ptr<const config::Config> config);

  /// `call` is what the path says; in a batch each message says its own type. InvalidArgument: the body as a whole is
  /// refused (catalog::FromStatus).
  absl::StatusOr<SegmentBatch> Map(std::string_view json_body, SegmentCall call) const;

 private:
  class Message;
  bool TooLarge(const SegmentBatch& batch) const;
  absl::Status TooLargeStatus() const;

  const std::shared_ptr<const config::Config> config_;
  const SegmentNames names_;
  const DeclaredAgents agents_;
};

/// The write key that a body carries beside its messages, as browsers send it; empty when there is none. Reads the
/// whole body.
std::string SegmentWriteKey(std::string_view json_body);

}  // namespace bowerbird::collect
