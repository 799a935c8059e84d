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
#include "log/event_schema.h"
#include "state/item_record.h"
#include "state/traffic_rules.h"
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
  /// It is marked traffic: kept in the user's own record, left out of all that is learned and counted.
  bool left_out = false;
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
  std::vector<std::string> blocks;                        ///< lifelong blocks, encoded, oldest first
  std::vector<std::pair<uint64_t, std::string>> signals;  ///< values by signal::Definition::id
  std::string agent;                                      ///< as in the event that is handed over alone
  /// No handover but a mark of the user: source is the user, too. With the time of the user's first event.
  std::optional<UserMark> mark;
  int64_t first_time_us = 0;
};
/// The event that carries it.
v1::Event HandoverEvent(const Handover& handover);
/// The record of a mark of a user.
v1::Event MarkEvent(const std::string& user, catalog::UserKey key, const UserMark& mark, int64_t time_us);

/// What the config says about folding, looked up once. A pure function of event and record: no clock, no order other
/// than the log's.
///
/// Threads  immutable.
class FoldPolicy {
 public:
  explicit FoldPolicy(const config::Config& config);

  /// Newest event schema that is understood.
  static constexpr uint32_t kSchema = log::kEventSchemaMovesBlocks;

  /// Why an event cannot be folded whatever the user's state is (InvalidArgument), with the reason in words.
  absl::Status Check(const v1::Event& event, uint32_t partition, uint32_t partitions) const;
  /// Judges a checked event against its user's record (events == 0: a new user), and fills `change` if it counts.
  Verdict Judge(const v1::Event& event, const UserRecord& record, Change* change) const;
  /// What an event whose user was forgotten still counts for its item; false: nothing.
  bool JudgeRedacted(const v1::Event& event, ItemEvent* counted) const;
  /// EventStrength; 0 of a type that the config does not have.
  double StrengthOf(const v1::Event& event) const;
  /// What a counted event makes its id hand over, given the record before it; nothing for nearly every event. The
  /// offset, the append time and an identified id's own lifelong blocks are the caller's.
  std::optional<Handover> HandoverOf(const v1::Event& event, const UserRecord& record, const Change& change) const;
  /// The mark of the user that follows from a counted event, given the record with it; nothing for nearly every event.
  std::optional<Handover> MarkOf(const v1::Event& event, const UserRecord& record, const Change& change) const;

  const UserLayout& user_layout() const { return user_layout_; }
  const ItemLayout& item_layout() const { return item_layout_; }
  /// One line for the shape of records, and one for the meaning of events: state made under other lines is not the
  /// state of this config.
  std::string LayoutText() const;
  const std::string& MeaningText() const { return meaning_; }

 private:
  static Verdict JudgeMark(const v1::Event& event, const UserRecord& record, Change* change);
  void CollectCategories(const v1::Event& event, UserOp* op) const;
  /// What an event of a kind that has an item counts for it, its move apart; false: nothing.
  bool CountForItem(const v1::Event& event, const config::EventType& type, ItemEvent* counted) const;

  base::StringMap<config::EventType> types_;
  base::StringMap<uint8_t> surfaces_;
  std::string category_attribute_;
  int64_t age_us_max_ = 0;
  UserLayout user_layout_;
  ItemLayout item_layout_;
  std::string meaning_;
  const TrafficRules traffic_rules_;
};

}  // namespace bowerbird::state
