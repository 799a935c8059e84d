#pragma once

#include <cstdint>
#include <limits>

#include "base/strong_id.h"

namespace bowerbird::index {

/// An item's dense number within one snapshot, in key order. It means nothing in another snapshot and never leaves the
/// process.
using Ordinal = base::StrongId<struct OrdinalTag, uint32_t>;
inline constexpr Ordinal kNoOrdinal{std::numeric_limits<uint32_t>::max()};

}  // namespace bowerbird::index
