#include "base/closest_name.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace bowerbird::base {
namespace {

constexpr size_t kLengthMax = 64;

// Optimal string alignment distance (Damerau-Levenshtein without editing a piece twice).
size_t Distance(std::string_view a, std::string_view b) {
  std::array<size_t, kLengthMax + 1> before{}, above{}, row{};
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

}  // namespace

std::string_view ClosestName(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view closest;
  size_t closest_distance = kLengthMax;
  if (name.size() > kLengthMax) return closest;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kLengthMax) continue;
    const size_t distance = Distance(name, candidate);
    if (distance < closest_distance && 3 * distance <= std::max(name.size(), candidate.size())) {
      closest = candidate;
      closest_distance = distance;
    }
  }
  return closest;
}

}  // namespace bowerbird::base
