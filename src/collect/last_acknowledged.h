#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "catalog/keys.h"

namespace bowerbird::collect {

/// Where each user's last acknowledged event lies in the log, so that the user's next request can wait for its fold.
///
/// Data     user key -> partition, offset, in a table of fixed size; nothing is kept across a restart, after which
/// state folds
///          the log to its end before it serves.
/// Threads  any thread at once.
/// Bounds   at most capacity() users, 24 bytes each, allocated at once. When a bucket is full the user remembered
/// longest ago is
///          forgotten: that user's next request does not wait, and may miss an event that is being folded.
class LastAcknowledged {
 public:
  struct Position {
    uint32_t partition = 0;
    uint64_t offset = 0;
  };
  /// `users` is rounded up to a power of two of at least 256.
  explicit LastAcknowledged(uint64_t users = 1u << 20);
  ~LastAcknowledged();

  /// An offset below the one known of the same partition is ignored: acknowledgements may arrive out of order.
  void Set(catalog::UserKey user, Position position);
  std::optional<Position> Get(catalog::UserKey user) const;
  uint64_t capacity() const;

 private:
  struct Shard;
  Shard& ShardOf(catalog::UserKey user) const;
  uint32_t buckets_a_shard_ = 0;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace bowerbird::collect
