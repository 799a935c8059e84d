#pragma once

#include <fmt/format.h>
#include <simdjson.h>

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::experiment::metrics {

/// The answer has something else than what was asked for.
inline absl::Status NotUnderstood(std::string_view what) {
  return absl::InternalError(fmt::format("the answer to the query of an experiment has {}", what));
}

/// One row, read from left to right.
class RowReader {
 public:
  explicit RowReader(simdjson::dom::array row) : at_(row.begin()), end_(row.end()) {}

  std::string_view Text() {
    std::string_view text;
    if (at_ != end_ && (*at_).get(text) != simdjson::SUCCESS) text = {};  // null
    Next();
    return text;
  }
  /// 0 for null.
  double Number() {
    double number = 0;
    if (at_ == end_) {
      broken_ = true;
      return 0;
    }
    if (!(*at_).is_null() && (*at_).get(number) != simdjson::SUCCESS) broken_ = true;
    Next();
    return number;
  }
  uint64_t Count() {
    const double number = Number();
    if (!(number >= 0 && number < 1e18)) broken_ = true;
    return broken_ ? 0 : static_cast<uint64_t>(number);
  }
  bool broken() const { return broken_; }

 private:
  void Next() {
    if (at_ == end_) {
      broken_ = true;
    } else {
      ++at_;
    }
  }
  simdjson::dom::array::iterator at_, end_;
  bool broken_ = false;
};

}  // namespace bowerbird::experiment::metrics
