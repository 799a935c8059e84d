// Scalable-vector targets are left out: the sums are halved until four lanes are left, which takes a known width.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/exact.cc"
#include "hwy/foreach_target.h"
// The line above compiles this file once for each instruction set; it must come before the kernels.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/check.h"
#include "hwy/highway.h"
#include "index/exact.h"

HWY_BEFORE_NAMESPACE();
namespace bowerbird::index {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

void ScoreRowsKernel(const uint16_t* const* rows, size_t count, const float* even, const float* odd, size_t half_stride,
                     float* scores) {
  for (size_t r = 0; r < count; ++r) {
    float sum = 0;
    for (size_t i = 0; i < half_stride; ++i) {
      sum += std::bit_cast<float>(static_cast<uint32_t>(rows[r][2 * i]) << 16) * even[i];
      sum += std::bit_cast<float>(static_cast<uint32_t>(rows[r][2 * i + 1]) << 16) * odd[i];
    }
    scores[r] = sum;
  }
}

#else

using Lanes4 = hn::FixedTag<float, 4>;

// Halves add onto halves until four lanes are left.
template <class D>
HWY_INLINE hn::Vec<Lanes4> SumToFour(D, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumToFour(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// The four sums over the lanes of a, b, c, e, in one vector.
HWY_INLINE hn::Vec<Lanes4> SumEach(hn::Vec<Lanes4> a, hn::Vec<Lanes4> b, hn::Vec<Lanes4> c, hn::Vec<Lanes4> e) {
  const Lanes4 d;
  const hn::RepartitionToWide<Lanes4> wide;
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));  // a02 b02 a13 b13
  const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto even = hn::InterleaveLower(wide, hn::BitCast(wide, ab), hn::BitCast(wide, ce));
  const auto odd = hn::InterleaveUpper(wide, hn::BitCast(wide, ab), hn::BitCast(wide, ce));
  return hn::Add(hn::BitCast(d, even), hn::BitCast(d, odd));
}

// scores[i] = inner product of rows[i] with the query, i < count; `count` is rounded up to four by the caller's padding
// of `rows` and `scores`. The query's even and odd values lie apart, as the two halves of a 32-bit lane hold them.
void ScoreRowsKernel(const uint16_t* const* rows, size_t count, const float* HWY_RESTRICT even,
                     const float* HWY_RESTRICT odd, size_t half_stride, float* HWY_RESTRICT scores) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const size_t lanes = hn::Lanes(d);
  const auto odd_mask = hn::Set(du, 0xffff0000u);
  const auto add = [&](const uint16_t* row, size_t i, auto q_even, auto q_odd, auto sum) HWY_ATTR {
    const auto pair = hn::LoadU(du, reinterpret_cast<const uint32_t*>(row) + i);
    sum = hn::MulAdd(hn::BitCast(d, hn::ShiftLeft<16>(pair)), q_even, sum);
    return hn::MulAdd(hn::BitCast(d, hn::And(pair, odd_mask)), q_odd, sum);
  };
  for (size_t r = 0; r < count; r += 4) {
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    for (size_t i = 0; i < half_stride; i += lanes) {
      const auto q_even = hn::LoadU(d, even + i), q_odd = hn::LoadU(d, odd + i);
      sum0 = add(rows[r], i, q_even, q_odd, sum0);
      sum1 = add(rows[r + 1], i, q_even, q_odd, sum1);
      sum2 = add(rows[r + 2], i, q_even, q_odd, sum2);
      sum3 = add(rows[r + 3], i, q_even, q_odd, sum3);
    }
    hn::StoreU(SumEach(SumToFour(d, sum0), SumToFour(d, sum1), SumToFour(d, sum2), SumToFour(d, sum3)), Lanes4(),
               scores + r);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace bowerbird::index
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bowerbird::index {
namespace {

HWY_EXPORT(ScoreRowsKernel);

bool Better(const Hit& a, const Hit& b) { return a.score > b.score || (a.score == b.score && a.ordinal < b.ordinal); }

/// The best hits among those offered in ascending ordinals. Keeps up to twice as many and cuts to k now and then, so
/// that an offer costs O(1).
class Best {
 public:
  explicit Best(uint32_t k) : k_(k) { hits_.reserve(Room() + 64); }

  /// A later hit must beat this: with an equal score it loses to the earlier ordinal.
  float threshold() const { return threshold_; }
  void Offer(Hit hit) {
    hits_.push_back(hit);
    if (hits_.size() >= Room()) Cut();
  }
  std::vector<Hit> Take() {
    if (hits_.size() > k_) Cut();
    std::ranges::sort(hits_, Better);
    return std::move(hits_);
  }

 private:
  size_t Room() const { return size_t{k_} + std::max<size_t>(k_, 64); }
  void Cut() {
    const auto last = hits_.begin() + (k_ - 1);
    std::nth_element(hits_.begin(), last, hits_.end(), Better);
    hits_.erase(last + 1, hits_.end());
    threshold_ = hits_.back().score;
  }

  const uint32_t k_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Hit> hits_;
};

/// The query with its even and odd values apart, zeros up to the rows' stride.
struct SplitQuery {
  SplitQuery(const FactorRows& rows, std::span<const float> query, float scale)
      : even(rows.stride() / 2, 0.0f), odd(rows.stride() / 2, 0.0f) {
    for (size_t i = 0; i < query.size(); ++i) (i % 2 == 0 ? even : odd)[i / 2] = query[i] * scale;
  }
  std::vector<float> even, odd;
};

/// `adjust(row, score)` gives the final score; not-a-number is no hit.
template <typename Adjust>
std::vector<Hit> Scan(const FactorRows& rows, const SplitQuery& query, std::span<const uint64_t> eligible, uint32_t k,
                      const Adjust& adjust) {
  BOWERBIRD_CHECK(eligible.size() >= (size_t{rows.count} + 63) / 64);
  if (k == 0 || rows.count == 0) return {};
  const auto score_rows = HWY_DYNAMIC_DISPATCH(ScoreRowsKernel);
  const size_t stride = rows.stride();
  Best best(std::min(k, rows.count));
  const uint16_t* taken[64];
  uint32_t numbers[64];
  float scores[64];
  for (uint32_t first = 0; first < rows.count; first += 64) {
    uint64_t bits = eligible[first / 64];
    if (rows.count - first < 64) bits &= (uint64_t{1} << (rows.count - first)) - 1;
    if (bits == 0) continue;
    size_t count = 0;
    for (; bits != 0; bits &= bits - 1, ++count) {
      numbers[count] = first + static_cast<uint32_t>(std::countr_zero(bits));
      taken[count] = rows.data + numbers[count] * stride;
    }
    for (size_t pad = count; pad % 4 != 0; ++pad) taken[pad] = taken[0];
    score_rows(taken, count, query.even.data(), query.odd.data(), stride / 2, scores);
    for (size_t i = 0; i < count; ++i) {
      const float score = adjust(numbers[i], scores[i]);
      if (score > best.threshold()) best.Offer({Ordinal(numbers[i]), score});
    }
  }
  return best.Take();
}

}  // namespace

std::vector<Hit> TopInnerProducts(const FactorRows& rows, std::span<const float> query,
                                  std::span<const uint64_t> eligible, uint32_t k) {
  BOWERBIRD_CHECK(query.size() == rows.dim);
  return Scan(rows, SplitQuery(rows, query, 1.0f), eligible, k, [](uint32_t, float score) { return score; });
}

std::vector<Hit> TopCosines(const FactorRows& rows, std::span<const float> inverse_norms, std::span<const float> query,
                            std::span<const uint64_t> eligible, uint32_t k) {
  BOWERBIRD_CHECK(query.size() == rows.dim && inverse_norms.size() == rows.count);
  double squares = 0;
  for (const float value : query) squares += static_cast<double>(value) * value;
  if (!(squares > 0)) return {};
  const SplitQuery split(rows, query, static_cast<float>(1 / std::sqrt(squares)));
  return Scan(rows, split, eligible, k, [&](uint32_t row, float score) {
    return inverse_norms[row] > 0 ? score * inverse_norms[row] : std::numeric_limits<float>::quiet_NaN();
  });
}

}  // namespace bowerbird::index
#endif  // HWY_ONCE
