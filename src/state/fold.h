#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "bowerbird/v1/event.pb.h"
#include "config/config.h"
#include "log/event_log.h"
#include "state/item_record.h"
#include "state/user_op.h"
#include "state/user_record.h"

namespace bowerbird::state {

/// What an event of `type` counts for learning: the type's weight times the share of its value (config: value_zero,
/// value_one; 1 without them). 0 for types that are not positive. Training and the fold both ask here.
double EventStrength(const config::EventType& type, const v1::Event& event);

/// What became of one event.
enum class Verdict : uint8_t {
  kCounted,
  kDuplicate,  ///< its print is in the user's window: changes nothing
  kTooLate,    ///< older than a print that left the window: may be a duplicate, so it changes nothing
};

/// The change that a counted event makes. Its views point into the event.
struct Change {
  UserOp user;
  double strength = 0;  ///< EventStrength
  bool has_item = false;
  ItemEvent item;
};

/// What an id that has become another user hands over: to be appended to that user's partition before the offset that
/// it follows from is committed, so that it is there once whatever happens.
struct Handover {
  std::string user;  ///< whom it goes to
  catalog::UserKey user_key;
  catalog::UserKey source;
  std::string source_id;
  log::Offset source_offset = 0;
  int64_t append_time_us = 0;  ///< of the source's record
  int64_t event_time_us = 0, receive_time_us = 0;
  bool identified = false;
  uint32_t hops = 0;
  std::string record;                                     ///< encoded
  std::vector<std::pair<uint64_t, std::string>> signals;  ///< values by signal::Definition::id
};
/// The event that carries it.
v1::Event MergeEvent(const Handover& handover);

/// What the config says about folding, looked up once. A pure function of event and record: no clock, no order other
/// than the log's.
///
/// Threads  immutable.
class FoldPolicy {
 public:
  explicit FoldPolicy(const config::Config& config);

  /// Newest event schema that is understood.
  static constexpr uint32_t kSchema = 1;

  /// Why an event cannot be folded whatever the user's state is (InvalidArgument), with the reason in words.
  absl::Status Check(const v1::Event& event, uint32_t partition, uint32_t partitions) const;
  /// Judges a checked event against its user's record (events == 0: a new user), and fills `change` if it counts.
  Verdict Judge(const v1::Event& event, const UserRecord& record, Change* change) const;
  /// What a counted event makes its id hand over, given the record before it; nothing for nearly every event. The
  /// offset and the append time are the caller's.
  std::optional<Handover> HandoverOf(const v1::Event& event, const UserRecord& record, const Change& change) const;

  const UserLayout& user_layout() const { return user_layout_; }
  const ItemLayout& item_layout() const { return item_layout_; }
  /// One line for the shape of records, and one for the meaning of events: state made under other lines is not the
  /// state of this config.
  std::string LayoutText() const;
  const std::string& MeaningText() const { return meaning_; }

 private:
  void CollectCategories(const v1::Event& event, UserOp* op) const;

  base::StringMap<config::EventType> types_;
  base::StringMap<uint8_t> surfaces_;
  std::string category_attribute_;
  int64_t age_us_max_ = 0;
  UserLayout user_layout_;
  ItemLayout item_layout_;
  std::string meaning_;
};

}  // namespace bowerbird::state
