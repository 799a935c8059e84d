#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/catalog.h"
#include "collect/hide_overlay.h"
#include "collect/last_acknowledged.h"
#include "config/config.h"
#include "log/event_log.h"

namespace bowerbird::collect {

/// What became of one event.
struct Verdict {
  enum class Kind : uint8_t { kAccepted, kLate, kRejected } kind = Kind::kAccepted;
  catalog::Problem problem;  ///< rejected only
};
std::string_view VerdictName(Verdict::Kind kind);  ///< "accepted", "late", "rejected"

/// Where one accepted event lies in the log.
struct Accepted {
  catalog::UserKey user;
  uint32_t partition = 0;
  log::Offset offset = 0;
};

struct CollectResult {
  uint32_t accepted = 0;  ///< late ones included
  uint32_t rejected = 0;
  std::vector<Verdict>
      verdicts;  ///< one for each event in the order sent when any was not plainly accepted; else empty
  std::vector<Accepted> positions;  ///< of the accepted events, in the order sent
};

/// Appends the result as a v1::CollectResponse, in JSON or in protobuf.
void AppendJson(const CollectResult& result, std::string* out);
void AppendProtobuf(const CollectResult& result, std::string* out);

/// Takes clients' events in: reads and checks them, stamps each with keys, times, config version, dedupe print and the
/// item's categories and attributes, and appends what was accepted to the `events` topic.
///
/// A bad event is rejected by a verdict of its own, with a stable code, its field, what was found and what would be
/// accepted; nothing of it is kept, and the others of its batch are accepted. A body that cannot be read or is over a
/// limit is refused whole. docs/formats/event-json.md has the fields and the codes.
///
/// Threads  any thread at once.
/// Cost     under 2 microseconds of CPU an event of 250 bytes, appending apart (collector_bench).
/// Bounds   those of config.collect; one buffer of a body's size a thread inside Collect, given back above 1 MiB.
class Collector {
 public:
  /// InvalidArgument: the whole body is refused, its message names the field or the limit. Unavailable: the log could
  /// not write, and nothing was acknowledged. Called exactly once: on the caller's thread when nothing is to be
  /// written, else on the log's, and must not block.
  using Done = std::function<void(absl::StatusOr<CollectResult>)>;

  /// Any of the tables may be null. They, the log, the catalog and the clock must outlive the collector and every
  /// pending Done.
  struct Overlays {
    LastAcknowledged* last_acknowledged = nullptr;
    HideOverlay* hides = nullptr;
    /// For a user that an id has become: where the id's own record of it lies.
    LastAcknowledged* becomings = nullptr;
  };
  /// Who says it. History was true when it happened: old events are not late. Public: under a key that anybody may read
  /// out of a web page, which must not say who is who: identify events are rejected.
  enum class Source : uint8_t { kLive, kHistory, kPublic };
  /// With which program: the User-Agent of the request, which speaks for its events that say none of their own.
  struct Sender {
    Sender(Source source, std::string_view agent = {}) : source(source), agent(agent) {}  // NOLINT: a source will do
    Source source;
    std::string_view agent;
  };

  Collector(std::shared_ptr<const config::Config> config, const catalog::KeyHasher& hasher, log::EventLog* log,
            const catalog::Catalog* catalog, const base::Clock* clock, Overlays overlays);
  ~Collector();

  /// `json_body` is {"events": [...]}, a bare array of events, or one event. It is not used after the return.
  void Collect(std::string_view json_body, const Sender& sender, Done done);
  /// `body` is a v1::CollectRequest in protobuf; the same checks and verdicts.
  void CollectProtobuf(std::string_view body, const Sender& sender, Done done);
  /// A body that another producer left somewhere, and that may be collected again after a restart. Nobody waits for its
  /// verdicts, so that what a client would be told must be kept by the caller.
  struct Origin {
    std::string id;       ///< of the body: an event without a client id gets "ID/INDEX", the same each time
    int64_t time_us = 0;  ///< when it was written: the time of events without one; 0: unknown
  };
  void CollectFrom(const Origin& origin, std::string_view body, bool protobuf, Done done);
  /// The same checks for events that were read elsewhere, with the User-Agent in `agent`. Fields that intake stamps are
  /// ignored.
  void CollectEvents(std::vector<v1::Event> events, const Sender& sender, Done done);

 private:
  struct Batch;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bowerbird::collect
