#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_map.h"

namespace bowerbird::catalog {

/// One full-feed sync: batches under one token, and at its end every item that none of them named is withdrawn. Derived
/// from the catalog topic like the items, so that a restart in the middle of a feed loses nothing of it. A token is
/// used once.
struct Feed {
  enum class State : uint8_t {
    kOpen = 1,
    kEnded = 2,
    kExpired = 3,  ///< pushed out by newer feeds before its end: it cannot go on
  };
  std::string token;
  State state = State::kOpen;
  uint64_t begin_offset = 0;  ///< of its first record
  uint64_t end_offset = 0;    ///< of the record that ended or expired it
  uint64_t last_batch = 0;    ///< hash of the batch that ended it, so that sending that one again is harmless
  uint32_t withdrawn = 0;     ///< by its end
};

/// Feeds open at once; the oldest expires when one more begins.
inline constexpr uint32_t kOpenFeedsMax = 16;
/// Tokens of ended and expired feeds that are remembered; the oldest is forgotten first.
inline constexpr uint32_t kPastFeedsMax = 1024;

/// The feeds that a catalog knows, and what each record does to them.
///
/// Threads  Find from any; the rest from one thread at a time.
/// Bounds   kOpenFeedsMax + kPastFeedsMax feeds.
class Feeds {
 public:
  /// What a record changes: feeds to write, and tokens to forget.
  struct Changes {
    std::optional<uint64_t> open_since;  ///< begin_offset of the feed that was named, if it is open
    std::vector<std::shared_ptr<const Feed>> written;
    std::vector<std::string> forgotten;
  };

  void Load(Feed feed);
  std::shared_ptr<const Feed> Find(std::string_view token) const;
  /// What it changes that a record at `offset` names an item of the feed: a new feed begins.
  Changes Name(std::string_view token, uint64_t offset) const;
  /// What the feed's end changes: nothing unless it is open.
  Changes End(std::string_view token, uint64_t offset, uint64_t last_batch, uint32_t withdrawn) const;
  /// Makes the changes; after they are in the store, so that a failed write leaves both as they were.
  void Commit(const Changes& changes);

 private:
  /// mutex_ is held.
  void Close(Feed feed, Feed::State state, uint64_t offset, Changes* changes) const;

  mutable std::mutex mutex_;
  base::StringMap<std::shared_ptr<const Feed>> feeds_;
};

}  // namespace bowerbird::catalog
