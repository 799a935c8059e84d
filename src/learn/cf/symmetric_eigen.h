#pragma once

#include <cstddef>
#include <vector>

namespace bowerbird::learn::cf {

/// matrix = vectors^T diag(values) vectors.
struct SymmetricEigen {
  std::vector<double> values;   // descending
  std::vector<double> vectors;  // {size, size}: row i is the unit eigenvector of values[i]
};

/// Decomposes the symmetric `matrix` {size, size}, whose values are finite.
///
/// Cost    about 9 size^3 operations on one thread (1 ms at 128).
/// Source  Householder tridiagonalization, then QL with implicit shifts (Golub and Van Loan, chapter 8).
SymmetricEigen DecomposeSymmetric(std::vector<double> matrix, size_t size);

}  // namespace bowerbird::learn::cf
