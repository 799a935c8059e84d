#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "index/ordinal.h"

namespace bowerbird::index {

/// Rows of bfloat16 that exact search reads: `count` rows of `dim` values, each row padded with zeros to a whole number
/// of 64-byte lines (FactorStride). Nothing is owned.
struct FactorRows {
  const uint16_t* data = nullptr;
  uint32_t count = 0;
  uint32_t dim = 0;

  static constexpr uint32_t Stride(uint32_t dim) { return (dim + 31) / 32 * 32; }
  uint32_t stride() const { return Stride(dim); }
  /// ordinal.value < count; `dim` values.
  std::span<const uint16_t> Row(Ordinal ordinal) const {
    return {data + static_cast<size_t>(ordinal.value) * stride(), dim};
  }
};

}  // namespace bowerbird::index
