#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/factor_rows.h"
#include "index/ordinal.h"

namespace bowerbird::index {

struct Hit {
  Ordinal ordinal;
  float score = 0;
  friend bool operator==(const Hit&, const Hit&) = default;
};

/// Exact top-k by exhaustive scan: the yardstick that every approximate index is measured against.
///
/// Data     `query` has rows.dim finite values; `eligible` is one bit an ordinal, at least (rows.count + 63) / 64
///          words: rows whose bit is 0 are not looked at. Bits past the last row are not read.
/// Order    best first, ties to the smaller ordinal. A row's score depends on row and query only, not on k or on
///          `eligible`; the same inputs give the same bits on machines with the same instruction set.
/// Threads  any at once.
/// Cost     O(eligible rows * dim), bound by memory bandwidth; O(k) memory. Measured by exact_bench.

/// out[i] = the score that TopInnerProducts gives the row of ordinals[i]; 0 for kNoOrdinal.
void InnerProducts(const FactorRows& rows, std::span<const float> query, std::span<const Ordinal> ordinals,
                   std::span<float> out);

/// The min(k, eligible rows) best rows by inner product with the query.
std::vector<Hit> TopInnerProducts(const FactorRows& rows, std::span<const float> query,
                                  std::span<const uint64_t> eligible, uint32_t k);

/// The best rows by cosine. `inverse_norms` has one value a row (Snapshot::inverse_norms); a row with 0 there has no
/// direction and is no hit. A zero query has no hits.
std::vector<Hit> TopCosines(const FactorRows& rows, std::span<const float> inverse_norms, std::span<const float> query,
                            std::span<const uint64_t> eligible, uint32_t k);

}  // namespace bowerbird::index
