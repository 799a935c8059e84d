#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "state/user_record.h"

namespace bowerbird::state {

/// What the config says about the record's shape. Part of the store's format line: other values mean other bytes.
struct UserLayout {
  uint32_t sequence_max = 512;
  uint32_t dedupe_prints = 512;
  int64_t dedupe_window_us = 0;
  uint32_t affinity_top = 32;
  int64_t affinity_half_life_us = 0;
};

/// Times of operations lie between 0 and this, the end of the year 9999, so that sums and differences stay in int64.
inline constexpr int64_t kTimeUsMax = 253'402'300'799'000'000;

/// One event's change of its user's record, judged and free of the config's names: what the store is given instead of
/// the record (about 40 bytes), and what it applies when it reads or compacts.
struct UserOp {
  enum class Kind : uint8_t {
    kCount = 0,
    kImpression = 1,
    kAction = 2,
    kHide = 3,
    kUnhide = 4,
    kMerge = 5,   ///< another id hands over what it did
    kBecome = 6,  ///< the id becomes another user: what it holds has been handed over
    kForget = 7,  ///< nothing before it is known any more, but that events from before it may be repeats
    kMark = 8,    ///< whether the user's events are marked traffic
  };
  Kind kind = Kind::kCount;
  int64_t event_time_us = 0;
  uint64_t print = 0;                        ///< 0: none
  int64_t receive_time_us = 0;               ///< with a print
  catalog::ItemKey item;                     ///< all from kImpression to kUnhide
  uint8_t type = 0, surface = 0;             ///< kAction
  uint16_t strength_bf16 = 0;                ///< kAction
  std::string_view collection;               ///< kAction; empty: none
  std::vector<std::string_view> categories;  ///< kAction: whose affinity grows by the strength
  std::string_view id;                       ///< on a user's first operation
  catalog::UserKey other;                    ///< kMerge: the id that hands over; kBecome: the user it becomes
  uint64_t offset = 0;                       ///< kMerge: of the record of the other's partition
  bool identified = false;                   ///< kMerge: the other became this user with it
  uint8_t hops = 0;                          ///< kMerge
  bool left_out = false;                     ///< kMerge: of a marked user; no interest follows from it
  std::string_view payload;                  ///< kMerge: a record, encoded; kBecome: the user's id
  bool moves_blocks = false;                 ///< kBecome: its lifelong blocks are handed over, too
  uint32_t block_count = 0;                  ///< kMerge: lifelong blocks that it brings
  std::vector<std::string_view> blocks;      ///< kMerge: those, encoded, oldest first; not in an operation's bytes
  UserMark mark;                             ///< kMark
};

/// Whether the operation has an item.
inline bool HasItem(UserOp::Kind kind) { return kind >= UserOp::Kind::kImpression && kind <= UserOp::Kind::kUnhide; }

/// Whether a merge that comes to an id that has become another user is handed on to it. If not, it is taken in: a
/// circle of ids is cut where it closes, and after kMergeHopsMax steps.
bool IsHandedOn(const UserOp& merge, const UserRecord& record);

/// Appends one operation to `out`; operations follow each other without separators.
void EncodeUserOp(const UserOp& op, std::string* out);

/// Reads operations one after the other. The views of an operation point into `bytes`.
class UserOpReader {
 public:
  explicit UserOpReader(std::string_view bytes);
  /// False at the end, or when the bytes are damaged (then ok() is false).
  bool Next(UserOp* op);
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// A full block of actions that left the record.
struct SpilledBlock {
  uint32_t ordinal = 0;  ///< holds actions [ordinal * kLifelongBlock, (ordinal + 1) * kLifelongBlock) of the user
  std::vector<Action> actions;
};

/// The only place that changes a record: a pure function of layout, record and operation. `spilled` (may be null)
/// receives the blocks that the operation pushed out, if any.
void ApplyUserOp(const UserLayout& layout, const UserOp& op, UserRecord* record, std::vector<SpilledBlock>* spilled);

/// Applies encoded operations in order. DataLoss: damaged.
absl::Status ApplyUserOps(const UserLayout& layout, std::string_view ops, UserRecord* record);

}  // namespace bowerbird::state
