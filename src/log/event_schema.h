#pragma once

#include <cstdint>

namespace bowerbird::log {

/// Versions of what a v1::Event in the log means. A record says the lowest one that it needs, so that a release that
/// does not know it refuses that record and reads all others.
inline constexpr uint32_t kEventSchema = 1;
/// Of an id's record of whom it becomes: its lifelong blocks go there, too.
inline constexpr uint32_t kEventSchemaMovesBlocks = 2;

}  // namespace bowerbird::log
