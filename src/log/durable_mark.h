#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace bowerbird::log {

/// Remembers how far the store was durable, outside of the store. The store's recovery stops silently at the first
/// damaged byte of its write-ahead log, as it must after a power loss; the mark tells that apart from the loss of what
/// had been acknowledged.
///
/// Data     a mapped file of one page: the store's sequence number and its hash. Set after the store's fsync and not
/// synced
///          itself, so it may be behind after a power loss, but never ahead of what is durable.
/// Threads  one writer.
/// Cost     Set: two stores to memory.
class DurableMark {
 public:
  /// Creates the file when missing.
  static absl::StatusOr<std::unique_ptr<DurableMark>> Open(const std::string& path);
  ~DurableMark();
  DurableMark(const DurableMark&) = delete;
  DurableMark& operator=(const DurableMark&) = delete;

  /// Empty when nothing was marked, or the process died between the two stores.
  std::optional<uint64_t> Get() const;
  void Set(uint64_t sequence);

 private:
  explicit DurableMark(uint64_t* page) : page_(page) {}
  uint64_t* const page_;
};

}  // namespace bowerbird::log
