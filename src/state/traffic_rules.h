#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "bowerbird/v1/event.pb.h"
#include "config/config.h"
#include "log/event_log.h"
#include "state/user_mark.h"
#include "state/user_op.h"
#include "state/user_record.h"

namespace bowerbird::state {

/// Finds users who are no persons, from what their records hold.
///
/// Rules    agent: the event's program says so.
///          rate: the newest rate + 1 client ids, or actions, lie within rate_window before the event.
///          entropy: the gaps between the newest entropy_actions actions tell less than so many bits (below).
/// Threads  immutable.
/// Promises what an id that becomes the user was judged there: a mark of it is the user's, too.
/// Cost     a few comparisons an event; the entropy of a user's gaps at every quarter of entropy_actions.
class TrafficRules {
 public:
  /// `age_us_max`: an event that is older and not marked late is imported history, of which the order of arrival tells
  /// nothing: no rule looks at it.
  TrafficRules(const config::Traffic& traffic, int64_t age_us_max);

  /// Of an event that has been applied to `record` as `op`: the mark that follows from it. Nothing where the user is
  /// marked already and for long enough, or where an operator has decided.
  std::optional<UserMark> Judge(const v1::Event& event, const UserOp& op, const UserRecord& record) const;

 private:
  /// From when on a rule says that the user is no person.
  struct Finding {
    MarkReason reason;
    int64_t from_us;
  };
  /// The mark that a user took over with an id that became the user: readers of history look for one of the user's own.
  static std::optional<UserMark> Carried(const UserOp& op, const UserRecord& record);
  std::optional<Finding> Find(const v1::Event& event, const UserOp& op, const UserRecord& record) const;
  /// The time of the oldest of the events that are too many; 0: they are not.
  uint32_t RateSince(uint32_t time_s, const UserRecord& record) const;
  uint32_t EntropySince(const UserRecord& record) const;

  const config::Traffic traffic_;
  const int64_t age_us_max_;
};

/// What is told by the gaps between the actions (ascending by fold), in bits. Actions on one item that follow each
/// other count as the first of them: a player that says every ten seconds that it still plays is no machine. Nothing
/// where there are fewer gaps than actions / 2, where most gaps are below two seconds, which whole seconds tell nothing
/// of, or where they span more than a day.
///
/// Source   Shannon entropy of the gaps' logarithms in steps of a quarter octave: a human's gaps are spread over
/// several
///          octaves (heavy-tailed, Barabasi 2005), a timer's lie in one or two steps; Gianvecchio et al. 2008 tell chat
///          bots from humans by it.
std::optional<double> GapEntropy(std::span<const Action> actions);

}  // namespace bowerbird::state
