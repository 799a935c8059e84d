#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bowerbird/v1/served.pb.h"

namespace bowerbird::rows {

/// What tables of other teams said at the time of a request, for features that its record does not have. This one knows
/// of none.
///
/// Point in time: a table that the record names is read in the version it names; any other one in the newest version
/// that had come by then and whose as-of time is not later.
class PastFeatures {
 public:
  struct Value {
    float value = 0;    ///< as the ranker would have taken it; NaN: absent
    bool gone = false;  ///< absent only because the version is no longer kept
  };
  virtual ~PastFeatures() = default;
  /// Whether a feature of this name is one of tables.
  virtual bool IsOfTables(const std::string& /*name*/) const { return false; }
  /// Which features the next calls are about, by name; all of tables.
  virtual void Name(const std::vector<std::string>& /*names*/) {}
  /// The request that the next calls are about.
  virtual void Begin(const v1::ServedRecord& /*record*/) {}
  /// Of an item, by its place in Name.
  virtual Value Of(size_t /*feature*/, const v1::ServedCandidate& /*item*/) { return {}; }
};

}  // namespace bowerbird::rows
