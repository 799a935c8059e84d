#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::signal {

/// How many different values there were, as bytes: up to kSparseMax of them exactly, by 32-bit hashes (a byte 0, then
/// the hashes ascending, as varint differences); beyond, HyperLogLog with 2,048 registers of 5 bits (a byte 1, then
/// 1,280 bytes). No bytes: none. The bytes depend on the set of values alone, in whatever order and grouping it came.
///
/// Bounds   1,281 bytes when dense; sparse at most 5 a value.
/// Source   Flajolet et al. 2007, with linear counting below 2.5 registers' worth. Relative standard error 2.3%.
inline constexpr size_t kSparseMax = 256;
void AddDistinct(std::string_view value, std::string* bytes);
void MergeDistinct(std::string_view other, std::string* bytes);
double CountDistinct(std::string_view bytes);
/// DataLoss: not such bytes. The others take what passes.
absl::Status CheckDistinct(std::string_view bytes);

}  // namespace bowerbird::signal
