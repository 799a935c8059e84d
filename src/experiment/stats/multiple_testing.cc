#include "experiment/stats/multiple_testing.h"

#include <algorithm>
#include <numeric>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

absl::Status CheckPValues(std::span<const double> p_values) {
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (p_values[i] >= 0 && p_values[i] <= 1) continue;
    return absl::InvalidArgumentError(fmt::format("p_values[{}] is {}; expected 0 to 1", i, p_values[i]));
  }
  return absl::OkStatus();
}

/// Places of the p-values, smallest first.
std::vector<size_t> Ascending(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  return order;
}

}  // namespace

absl::StatusOr<std::vector<double>> HolmAdjusted(std::span<const double> p_values) {
  RETURN_IF_ERROR(CheckPValues(p_values));
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  double left = static_cast<double>(p_values.size());
  for (const size_t i : Ascending(p_values)) {
    largest = std::max(largest, std::min(1.0, p_values[i] * left));
    adjusted[i] = largest;
    --left;
  }
  return adjusted;
}

absl::StatusOr<std::vector<double>> BenjaminiHochbergAdjusted(std::span<const double> p_values) {
  RETURN_IF_ERROR(CheckPValues(p_values));
  std::vector<double> adjusted(p_values.size());
  const std::vector<size_t> order = Ascending(p_values);
  const double count = static_cast<double>(p_values.size());
  double smallest = 1;
  for (size_t rank = order.size(); rank > 0; --rank) {
    smallest = std::min(smallest, p_values[order[rank - 1]] * (count / static_cast<double>(rank)));
    adjusted[order[rank - 1]] = smallest;
  }
  return adjusted;
}

}  // namespace bowerbird::experiment::stats
