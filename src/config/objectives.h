#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "expression/expression.h"

namespace bowerbird::config {

/// [objectives.NAME] in full: something that a user may do with an item that was shown, within a time.
/// Config::objectives has what serving needs of it.
struct EventObjective {
  std::string name;
  std::vector<std::string> on;                       ///< event types that count
  std::shared_ptr<const expression::Program> where;  ///< over `where_fields`; null: every event of the types
  std::vector<std::string> where_fields;             ///< what the program's attributes are, by index
  int64_t window_us = 0;                             ///< after the request
  double weight = 1;                                 ///< in the utility of a candidate
};

/// The objectives of a bowerbird.toml. InvalidArgument: every problem of the whole text, one a line, as Parse says
/// them.
absl::StatusOr<std::vector<EventObjective>> ParseObjectives(std::string_view text, std::string_view file);

}  // namespace bowerbird::config
