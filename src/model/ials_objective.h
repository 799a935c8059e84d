#pragma once

#include <cmath>
#include <cstdint>

namespace bowerbird::model {

/// What implicit alternating least squares minimizes, shared by training and by the fold-in of a user at request time:
///
///   sum over observed (u, i) of w_ui (1 - <x_u, y_i>)^2  +  unobserved_weight * sum over all (u, i) of <x_u, y_i>^2
///     + sum over users and items of regularization * (W + unobserved_weight * N)^frequency_exponent * |factor|^2
///
/// where W is the row's summed observed weight and N the length of the other side (an item's row: the number of users).
///
/// Source  Rendle, Krichene, Zhang, Koren 2021, "Revisiting the Performance of iALS on Item Recommendation Benchmarks".
/// We
///         depart in one thing: W is the summed weight where the paper counts, so that an action of weight 2 means
///         exactly the same as the action seen twice; with weights of 1 the two agree.
struct IalsObjective {
  float unobserved_weight = 0.01f;
  float regularization = 0.005f;
  float frequency_exponent = 1.0f;

  /// The factor before |x|^2 for a row with `observed_weight` against `other_count` rows of the other side.
  float RowRegularization(double observed_weight, uint64_t other_count) const {
    const double mass = observed_weight + static_cast<double>(unobserved_weight) * static_cast<double>(other_count);
    return static_cast<float>(regularization *
                              (frequency_exponent == 1.0f ? mass : std::pow(mass, frequency_exponent)));
  }
  friend bool operator==(const IalsObjective&, const IalsObjective&) = default;
};

}  // namespace bowerbird::model
