#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "log/event_log.h"
#include "replay/source.h"
#include "state/partition.h"
#include "state/state_store.h"

namespace bowerbird::state {

/// The partitions of one fold thread: reads them, folds them, and writes what has changed in one batch with the
/// offsets.
///
/// Threads  FoldOnce, FoldUntil and NextEnds from one thread at a time; the others from any thread.
/// Errors   a partition whose log cannot be read or whose store fails is left alone for a while and tried again; the
/// others go on.
class FoldGroup {
 public:
  struct Hooks {
    std::function<void(uint32_t partition)> advanced;  ///< its folded offset has grown
    /// A batch of it is folded. An error makes the partition wait, as a failing log does.
    std::function<absl::Status(Partition*)> batch_done;
    std::function<void(uint32_t, std::vector<DeadLetter>)> dead_letters;
    /// Appends what the partition's ids hand over; durable when it returns. An error makes the partition wait.
    std::function<absl::Status(uint32_t partition, std::span<const Handover>)> hand_over;
    std::function<void()> store_damaged;  ///< a read or write of the store answered DataLoss
  };
  /// `limits` (one a partition of the topic, or empty): where to stop.
  FoldGroup(std::vector<Partition*> partitions, const log::EventLog* log, StateStore* store,
            const ItemLayout& item_layout, std::span<const log::Offset> limits, Hooks hooks);

  /// One batch of each partition that has something; true if any had.
  bool FoldOnce();
  /// Folds each partition up to `ends` (one a partition of the topic), one after the other, writing every
  /// `write_interval_us`.
  absl::Status FoldUntil(std::span<const log::Offset> ends, int64_t write_interval_us);
  /// For EventLog::WaitForAppend after a FoldOnce that returned false.
  std::vector<log::Offset> SeenEnds() const;

  /// Hands all changes and offsets to the store in one write. After a failure the same batch is tried again first.
  absl::Status Write();

  absl::Status Health() const;
  uint64_t writes() const { return writes_; }
  uint64_t batch_bytes() const { return batch_bytes_; }
  uint64_t skipped() const { return skipped_; }

 private:
  struct Member {
    Partition* partition = nullptr;
    log::Offset limit = 0;
    log::Offset seen_end = 0;
    int64_t retry_at_us = 0;
    uint32_t failures = 0;
  };
  /// Folds one batch; false when there was nothing.
  absl::StatusOr<bool> FoldBatch(Member* member, log::Offset end);
  absl::Status HandOver(Partition* partition);
  absl::Status WriteTaken();  // with write_mutex_ held
  void SetHealth(size_t member, absl::Status status);

  const log::EventLog* const log_;
  const replay::Source source_;
  StateStore* const store_;
  const ItemLayout item_layout_;
  const uint32_t partitions_;
  const Hooks hooks_;
  std::vector<Member> members_;
  replay::EventBatch batch_;
  std::atomic<uint64_t> writes_ = 0, batch_bytes_ = 0, skipped_ = 0;

  std::mutex write_mutex_;  ///< of what follows
  std::unique_ptr<StateStore::Batch> taken_batch_;
  std::vector<Partition*> taken_;

  mutable std::mutex health_mutex_;   ///< of what follows
  std::vector<absl::Status> health_;  ///< one a member, then the store's
};

}  // namespace bowerbird::state
