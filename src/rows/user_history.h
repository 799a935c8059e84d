#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "rows/objectives.h"
#include "rows/request.h"
#include "state/fold.h"

namespace bowerbird::rows {

/// One id's state, folded again from its first event by the code that folds while serving, so that what counts once
/// there counts once here.
class UserHistory {
 public:
  /// What an event was, if it counted; nothing for a repeat, one that is too late, one that cannot be folded, and
  /// marked traffic.
  /// `partition` of `partitions` is where it lies.
  std::optional<CountedEvent> Fold(const state::FoldPolicy& policy, const Objectives& objectives, uint32_t partition,
                                   uint32_t partitions, LogTimeUs log_us, const v1::Event& event);
  /// The actions as a request works on them, one copy as long as nothing is folded; null for none.
  std::shared_ptr<const std::vector<state::Action>> Actions(const state::FoldPolicy& policy);

 private:
  state::UserRecord record_;
  std::shared_ptr<const std::vector<state::Action>> actions_;
  bool current_ = true;  ///< actions_ is of record_
};

}  // namespace bowerbird::rows
