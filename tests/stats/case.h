#pragma once

#include <simdjson.h>

#include <string_view>
#include <vector>

#include "experiment/stats/moments.h"

namespace bowerbird::experiment::stats {

/// One line of what agreement_test.py asks: an object with a method's name and its numbers. Its writer is our own test,
/// so that a field that is not there ends the program.
class Case {
 public:
  explicit Case(simdjson::dom::element fields) : fields_(fields) {}
  std::string_view Text(std::string_view field) const;
  double Number(std::string_view field) const;
  std::vector<double> Numbers(std::string_view field) const;
  std::vector<std::vector<double>> Rows(std::string_view field) const;

  Moments MomentsOf(std::string_view field) const { return Moments::Of(Numbers(field)); }
  /// Of the fields NAME_y and NAME_x.
  BivariateMoments BothOf(std::string_view name) const;
  /// Of a field [successes, trials].
  Proportion ProportionOf(std::string_view field) const;

 private:
  simdjson::dom::element fields_;
};

}  // namespace bowerbird::experiment::stats
