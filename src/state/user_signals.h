#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/event.pb.h"
#include "signal/definition.h"
#include "state/fold.h"
#include "state/state_store.h"
#include "state/user_record.h"

namespace bowerbird::state {

/// One user's values of the signals, by slot of the set; empty ones where nothing was counted.
class UserSignals {
 public:
  explicit UserSignals(size_t signals) : values_(signals), unwritten_(signals) {}
  /// What the store holds; signals that are not of the set are passed over. DataLoss: damaged.
  static absl::StatusOr<UserSignals> FromStored(const signal::Set& set, const std::vector<StoredSignal>& stored);

  const std::vector<std::string>& values() const { return values_; }
  size_t MemoryBytes() const;

  /// What a counted event does to them. `before` is the user's record before the event.
  void Fold(const signal::Set& set, const v1::Event& event, const Change& change, const UserRecord& before);
  /// Gives `batch` what has changed since the last call.
  void Write(const signal::Set& set, catalog::UserKey user, StateStore::Batch* batch);

 private:
  void Clear();
  void Count(const signal::Set& set, const v1::Event& event, const Change& change);
  void Merge(const signal::Set& set, const v1::Merge& merge);
  friend void HandOverSignals(const signal::Set& set, const v1::Event& event, const Change& change,
                              const UserSignals* before, Handover* handover);

  std::vector<std::string> values_;
  std::vector<bool> unwritten_;
};

/// The values that go with a handover: all of an id that becomes another; what one event counts, of an id that has
/// become another before; what is handed on. At most kHandedSignalsBytes: values that would be more are left behind.
void HandOverSignals(const signal::Set& set, const v1::Event& event, const Change& change, const UserSignals* before,
                     Handover* handover);
inline constexpr size_t kHandedSignalsBytes = 256u << 10;

}  // namespace bowerbird::state
