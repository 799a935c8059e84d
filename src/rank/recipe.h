#pragma once

#include <cstddef>

#include "config/config.h"
#include "rank/ranker.h"

namespace bowerbird::rank {

constexpr size_t At(Feature feature) { return static_cast<size_t>(feature); }
constexpr size_t At(config::GeneratorKind kind) { return static_cast<size_t>(kind); }

/// The bias puts an ordinary candidate at a score of a few percent, where a sigmoid still multiplies.
inline constexpr double kBias = -2.5;

/// kNext of a chance that the generator states.
float NextValue(float chance);

}  // namespace bowerbird::rank
