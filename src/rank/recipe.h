#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "rank/ranker.h"

namespace bowerbird::rank {

constexpr size_t At(Feature feature) { return static_cast<size_t>(feature); }
constexpr size_t At(config::GeneratorKind kind) { return static_cast<size_t>(kind); }

/// The bias puts an ordinary candidate at a score of a few percent, where a sigmoid still multiplies.
inline constexpr double kBias = -2.5;

struct Definition {
  Feature feature;
  std::string_view name;
  double weight;
  std::optional<config::GeneratorKind> kind = std::nullopt;  ///< the generators that the feature stands for
};
/// In the order of Feature.
std::span<const Definition, kFeatures> Definitions();

}  // namespace bowerbird::rank
