// Sums over the lanes of vectors, for kernels that are compiled once for each instruction set (Highway): to be included
// after hwy/highway.h by a file that foreach_target.h compiles again and again.
#if defined(BOWERBIRD_BASE_SUM_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BOWERBIRD_BASE_SUM_LANES_INL_H_
#undef BOWERBIRD_BASE_SUM_LANES_INL_H_
#else
#define BOWERBIRD_BASE_SUM_LANES_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bowerbird::base {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

using Lanes4 = hwy::HWY_NAMESPACE::FixedTag<float, 4>;

/// Halves add onto halves until four lanes are left. The tag's width must be known: no scalable vectors.
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Lanes4> SumToFour(D, hwy::HWY_NAMESPACE::Vec<D> v) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (hn::MaxLanes(D()) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumToFour(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// The four sums over the lanes of a, b, c, e, in one vector.
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Lanes4> SumEach(hwy::HWY_NAMESPACE::Vec<Lanes4> a, hwy::HWY_NAMESPACE::Vec<Lanes4> b,
                                                   hwy::HWY_NAMESPACE::Vec<Lanes4> c,
                                                   hwy::HWY_NAMESPACE::Vec<Lanes4> e) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Lanes4 d;
  const hn::RepartitionToWide<Lanes4> wide;
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));  // a02 b02 a13 b13
  const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto even = hn::InterleaveLower(wide, hn::BitCast(wide, ab), hn::BitCast(wide, ce));
  const auto odd = hn::InterleaveUpper(wide, hn::BitCast(wide, ab), hn::BitCast(wide, ce));
  return hn::Add(hn::BitCast(d, even), hn::BitCast(d, odd));
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace bowerbird::base
HWY_AFTER_NAMESPACE();

#endif  // include guard, toggled by each target
