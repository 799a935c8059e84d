#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "learn/cf/symmetric_eigen.cc"
#include "hwy/foreach_target.h"
// The line above compiles this file once for each instruction set; it must come before the kernels.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "hwy/highway.h"
#include "learn/cf/symmetric_eigen.h"

HWY_BEFORE_NAMESPACE();
namespace bowerbird::learn::cf {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<double>;

double Dot(const double* HWY_RESTRICT a, const double* HWY_RESTRICT b, size_t n) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    sum0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum0);
    sum1 = hn::MulAdd(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes), sum1);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

// y += s * a + t * b
void AddTwo(double s, const double* HWY_RESTRICT a, double t, const double* HWY_RESTRICT b, double* HWY_RESTRICT y,
            size_t n) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  const auto vs = hn::Set(d, s), vt = hn::Set(d, t);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto sum = hn::MulAdd(vs, hn::LoadU(d, a + i), hn::LoadU(d, y + i));
    hn::StoreU(hn::MulAdd(vt, hn::LoadU(d, b + i), sum), d, y + i);
  }
  for (; i < n; ++i) y[i] += s * a[i] + t * b[i];
}

// (upper, lower) = (c * upper - s * lower, s * upper + c * lower)
void Rotate(double c, double s, double* HWY_RESTRICT upper, double* HWY_RESTRICT lower, size_t n) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  const auto vc = hn::Set(d, c), vs = hn::Set(d, s);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto u = hn::LoadU(d, upper + i), l = hn::LoadU(d, lower + i);
    hn::StoreU(hn::MulSub(vc, u, hn::Mul(vs, l)), d, upper + i);
    hn::StoreU(hn::MulAdd(vs, u, hn::Mul(vc, l)), d, lower + i);
  }
  for (; i < n; ++i) {
    const double u = upper[i], l = lower[i];
    upper[i] = c * u - s * l;
    lower[i] = s * u + c * l;
  }
}

// Reduces `a` to a tridiagonal matrix (diagonal, off[i] beside rows i and i + 1) by reflections, whose product's
// transpose goes to `vectors`.
void Tridiagonalize(size_t n, double* a, double* diagonal, double* off, double* vectors) {
  std::vector<double> w(n), betas(n, 0.0);
  for (size_t k = 0; k + 2 < n; ++k) {
    // The reflection that maps row k, right of the diagonal, onto its first component; its vector v replaces that row.
    const size_t size = n - k - 1;
    double* v = a + k * n + k + 1;
    const double tail = Dot(v + 1, v + 1, size - 1);
    if (tail == 0) {
      off[k] = v[0];
      continue;
    }
    const double norm = std::sqrt(v[0] * v[0] + tail);
    off[k] = v[0] > 0 ? -norm : norm;
    v[0] -= off[k];
    const double beta = 2 / (v[0] * v[0] + tail);
    betas[k] = beta;
    for (size_t i = 0; i < size; ++i) w[i] = beta * Dot(a + (k + 1 + i) * n + k + 1, v, size);
    const double half = 0.5 * beta * Dot(w.data(), v, size);
    for (size_t i = 0; i < size; ++i) w[i] -= half * v[i];
    for (size_t i = 0; i < size; ++i) AddTwo(-v[i], w.data(), -w[i], v, a + (k + 1 + i) * n + k + 1, size);
  }
  for (size_t i = 0; i < n; ++i) diagonal[i] = a[i * n + i];
  if (n >= 2) off[n - 2] = a[(n - 2) * n + n - 1];
  std::fill(vectors, vectors + n * n, 0.0);
  for (size_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  for (size_t k = n < 2 ? 0 : n - 2; k-- > 0;) {
    if (betas[k] == 0) continue;
    const size_t size = n - k - 1;
    const double* v = a + k * n + k + 1;
    for (size_t i = k + 1; i < n; ++i) {
      double* row = vectors + i * n + k + 1;
      const double scale = -betas[k] * Dot(row, v, size);
      AddTwo(scale, v, 0.0, v, row, size);
    }
  }
}

// Diagonalizes the tridiagonal matrix, applying each rotation to the rows of `vectors` too. `off` has n values, the
// last is spare.
void ImplicitQl(size_t n, double* diagonal, double* off, double* vectors) {
  off[n - 1] = 0;
  for (size_t l = 0; l < n; ++l) {
    for (int sweep = 0;; ++sweep) {
      size_t m = l;
      for (; m + 1 < n; ++m) {
        const double scale = std::abs(diagonal[m]) + std::abs(diagonal[m + 1]);
        if (std::abs(off[m]) <= std::numeric_limits<double>::epsilon() * scale) break;
      }
      // Thirty sweeps are never needed in practice; stopping leaves an error of the size of off[l].
      if (m == l || sweep == 60) break;
      double g = (diagonal[l + 1] - diagonal[l]) / (2 * off[l]);
      double r = std::hypot(g, 1.0);
      g = diagonal[m] - diagonal[l] + off[l] / (g + std::copysign(r, g));
      double s = 1, c = 1, p = 0;
      size_t i = m;
      while (i-- > l) {
        double f = s * off[i];
        const double b = c * off[i];
        r = std::sqrt(f * f + g * g);
        off[i + 1] = r;
        if (r == 0) {
          diagonal[i + 1] -= p;
          off[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = diagonal[i + 1] - p;
        r = (diagonal[i] - g) * s + 2 * c * b;
        p = s * r;
        diagonal[i + 1] = g + p;
        g = c * r - b;
        Rotate(c, s, vectors + i * n, vectors + (i + 1) * n, n);
      }
      if (r == 0 && i + 1 > l) continue;
      diagonal[l] -= p;
      off[l] = g;
      off[m] = 0;
    }
  }
}

void DecomposeKernel(size_t n, double* a, double* diagonal, double* off, double* vectors) {
  Tridiagonalize(n, a, diagonal, off, vectors);
  ImplicitQl(n, diagonal, off, vectors);
}

}  // namespace HWY_NAMESPACE
}  // namespace bowerbird::learn::cf
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bowerbird::learn::cf {

HWY_EXPORT(DecomposeKernel);

SymmetricEigen DecomposeSymmetric(std::vector<double> matrix, size_t size) {
  BOWERBIRD_CHECK(size > 0 && matrix.size() == size * size);
  std::vector<double> values(size), off(size), vectors(size * size);
  HWY_DYNAMIC_DISPATCH(DecomposeKernel)(size, matrix.data(), values.data(), off.data(), vectors.data());
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  SymmetricEigen result;
  for (size_t from : order) {
    result.values.push_back(values[from]);
    result.vectors.insert(result.vectors.end(), vectors.begin() + from * size, vectors.begin() + (from + 1) * size);
  }
  return result;
}

}  // namespace bowerbird::learn::cf
#endif  // HWY_ONCE
