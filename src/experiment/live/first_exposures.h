#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "log/event_log.h"
#include "store/rocks.h"

namespace bowerbird::experiment::live {

/// The first exposure of a unit to an experiment.
struct FirstExposure {
  std::string experiment, arm;
  int64_t time_us = 0;
};

/// Which arm each unit was exposed to first, by the unit's key: what sticky experiments and merged identities ask.
/// Folded from topic `exposures`, and made again from it. Forced exposures are left out.
///
/// Data     a RocksDB of one row a unit, written with the offsets that it was folded to.
/// Threads  any.
/// Bounds   kEntriesMax experiments a unit; those that are over go when the unit's row is written again.
/// Errors   Unavailable: the disk; the log.
class FirstExposures {
 public:
  static constexpr size_t kEntriesMax = 256;

  /// Damaged, it is deleted and made again. `is_over` says of an experiment that nothing asks about it any more.
  static absl::StatusOr<std::unique_ptr<FirstExposures>> Open(const std::string& folder,
                                                              std::function<bool(std::string_view id)> is_over);

  /// Takes in what has been appended to topic `exposures`; `key_of` gives the key of a unit.
  absl::Status Follow(const log::EventLog& log,
                      const std::function<uint64_t(std::string_view unit, std::string_view id)>& key_of);
  /// The exposure counts from now on, before the log has it.
  absl::Status Note(uint64_t unit_key, FirstExposure exposure);
  /// Of a unit, in no order. Nothing: the row cannot be read.
  std::vector<FirstExposure> Of(uint64_t unit_key) const;
  /// The units' rows are gone, from the files, too.
  absl::Status Forget(std::span<const uint64_t> unit_keys);

 private:
  FirstExposures(std::unique_ptr<store::RocksStore> store, std::function<bool(std::string_view)> is_over)
      : store_(std::move(store)), is_over_(std::move(is_over)) {}
  /// Adds the exposure to a row's entries; false: it changes nothing.
  bool Add(FirstExposure exposure, std::vector<FirstExposure>* entries) const;

  const std::unique_ptr<store::RocksStore> store_;
  const std::function<bool(std::string_view)> is_over_;
  absl::Mutex writing_;
};

}  // namespace bowerbird::experiment::live
