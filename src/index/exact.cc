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
#include "base/sum_lanes-inl.h"
#include "base/vector_math.h"
#include "hwy/highway.h"
#include "index/bf16_dot.h"
#include "index/exact.h"

HWY_BEFORE_NAMESPACE();
namespace bowerbird::index {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

template <typename Row>
void ScoreEach(const Row& row, size_t count, const float* even, const float* odd, size_t half_stride, float* scores) {
  for (size_t r = 0; r < count; ++r) {
    float sum = 0;
    for (size_t i = 0; i < half_stride; ++i) {
      sum += std::bit_cast<float>(static_cast<uint32_t>(row(r)[2 * i]) << 16) * even[i];
      sum += std::bit_cast<float>(static_cast<uint32_t>(row(r)[2 * i + 1]) << 16) * odd[i];
    }
    scores[r] = sum;
  }
}

#else

using base::HWY_NAMESPACE::Lanes4;
using base::HWY_NAMESPACE::SumEach;
using base::HWY_NAMESPACE::SumToFour;

// scores[r] = inner product of row(r) with the query, r < count rounded up to four. The query's even and odd values lie
// apart, as the two halves of a 32-bit lane hold them.
template <typename Row>
HWY_INLINE void ScoreEach(const Row& row, size_t count, const float* HWY_RESTRICT even, const float* HWY_RESTRICT odd,
                          size_t half_stride, float* HWY_RESTRICT scores) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const size_t lanes = hn::Lanes(d);
  const auto odd_mask = hn::Set(du, 0xffff0000u);
  const auto add = [&](const uint16_t* values, size_t i, auto q_even, auto q_odd, auto sum) HWY_ATTR {
    const auto pair = hn::LoadU(du, reinterpret_cast<const uint32_t*>(values) + i);
    sum = hn::MulAdd(hn::BitCast(d, hn::ShiftLeft<16>(pair)), q_even, sum);
    return hn::MulAdd(hn::BitCast(d, hn::And(pair, odd_mask)), q_odd, sum);
  };
  for (size_t r = 0; r < count; r += 4) {
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    for (size_t i = 0; i < half_stride; i += lanes) {
      const auto q_even = hn::LoadU(d, even + i), q_odd = hn::LoadU(d, odd + i);
      sum0 = add(row(r), i, q_even, q_odd, sum0);
      sum1 = add(row(r + 1), i, q_even, q_odd, sum1);
      sum2 = add(row(r + 2), i, q_even, q_odd, sum2);
      sum3 = add(row(r + 3), i, q_even, q_odd, sum3);
    }
    hn::StoreU(SumEach(SumToFour(d, sum0), SumToFour(d, sum1), SumToFour(d, sum2), SumToFour(d, sum3)), Lanes4(),
               scores + r);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

// scores[i] = inner product of rows[i] with the query, i < count; `count` is rounded up to four by the caller's padding
// of `rows` and `scores`.
void ScoreRowsKernel(const uint16_t* const* rows, size_t count, const float* HWY_RESTRICT even,
                     const float* HWY_RESTRICT odd, size_t half_stride, float* HWY_RESTRICT scores) {
  ScoreEach([rows](size_t r) HWY_ATTR { return rows[r]; }, count, even, odd, half_stride, scores);
}

// The same for `count` rows, a multiple of four up to 64, one behind the other: one bit for each that is over
// `threshold`.
uint64_t ScoreBlockKernel(const uint16_t* first, size_t count, const float* HWY_RESTRICT even,
                          const float* HWY_RESTRICT odd, size_t half_stride, float threshold,
                          float* HWY_RESTRICT scores) {
  const size_t stride = 2 * half_stride;
  ScoreEach([first, stride](size_t r) HWY_ATTR { return first + r * stride; }, count, even, odd, half_stride, scores);
  uint64_t over = 0;
#if HWY_TARGET == HWY_SCALAR
  for (size_t i = 0; i < count; ++i) over |= uint64_t{scores[i] > threshold} << i;
#else
  const Lanes4 d;
  const auto limit = hn::Set(d, threshold);
  for (size_t i = 0; i < count; i += 4) {
    uint8_t bits[8] = {};
    hn::StoreMaskBits(d, hn::Gt(hn::LoadU(d, scores + i), limit), bits);
    over |= uint64_t{bits[0]} << i;
  }
#endif
  return over;
}

}  // namespace HWY_NAMESPACE
}  // namespace bowerbird::index
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bowerbird::index {
namespace {

HWY_EXPORT(ScoreRowsKernel);
HWY_EXPORT(ScoreBlockKernel);

struct Better {
  bool operator()(const Hit& a, const Hit& b) const {
    return a.score > b.score || (a.score == b.score && a.ordinal < b.ordinal);
  }
};

/// The best hits among those offered in ascending ordinals. Keeps up to twice as many and cuts to k now and then, so
/// that an offer costs O(1).
class Best {
 public:
  explicit Best(uint32_t k) : k_(k) { hits_.reserve(Room() + 64); }

  /// A later hit must beat this: with an equal score it loses to the earlier ordinal.
  float threshold() const { return threshold_; }
  /// Begins with the best of a sample (Take's order) and takes the score of the last of them as the threshold: a guess,
  /// of which enough() says in the end whether it left out too much.
  void Begin(std::vector<Hit> sample) {
    threshold_ = sample.back().score;
    std::erase_if(sample, [&](const Hit& hit) { return !(hit.score > threshold_); });
    hits_.insert(hits_.end(), sample.begin(), sample.end());
  }
  bool enough() const { return hits_.size() >= k_; }
  uint32_t k() const { return k_; }
  void Offer(Hit hit) {
    hits_.push_back(hit);
    if (hits_.size() >= Room()) Cut();
  }
  std::vector<Hit> Take() {
    if (hits_.size() > k_) Cut();
    std::sort(hits_.begin(), hits_.end(), Better());
    return std::move(hits_);
  }

 private:
  size_t Room() const { return size_t{k_} + std::max<size_t>(k_, 64); }
  void Cut() {
    const auto last = hits_.begin() + (k_ - 1);
    std::nth_element(hits_.begin(), last, hits_.end(), Better());
    hits_.erase(last + 1, hits_.end());
    threshold_ = hits_.back().score;
  }

  uint32_t k_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Hit> hits_;
};

/// The query as the machine's kernels want it, zeros up to the rows' stride.
class PreparedQuery {
 public:
  PreparedQuery(const FactorRows& rows, std::span<const float> query, float scale) : stride_(rows.stride()) {
    if (bf16_.score_rows != nullptr) {
      high_.resize(stride_);
      low_.resize(stride_);
      for (size_t i = 0; i < query.size(); ++i) {
        const float value = query[i] * scale;
        high_[i] = base::ToBf16(value);
        low_[i] = base::ToBf16(value - base::FromBf16(high_[i]));
      }
    } else {
      even_.resize(stride_ / 2);
      odd_.resize(stride_ / 2);
      for (size_t i = 0; i < query.size(); ++i) (i % 2 == 0 ? even_ : odd_)[i / 2] = query[i] * scale;
    }
  }

  /// `rows` and `scores` have room for `count` rounded up to four.
  void ScoreRows(const uint16_t** rows, size_t count, float* scores) const {
    for (; count % 4 != 0; ++count) rows[count] = rows[0];
    if (bf16_.score_rows != nullptr) {
      bf16_.score_rows(rows, count, high_.data(), low_.data(), stride_, scores);
    } else {
      HWY_DYNAMIC_DISPATCH(ScoreRowsKernel)(rows, count, even_.data(), odd_.data(), stride_ / 2, scores);
    }
  }

  /// One bit for each of `count` rows, a multiple of four, whose score is over `threshold`.
  uint64_t ScoreBlock(const uint16_t* first, size_t count, float threshold, float* scores) const {
    if (bf16_.score_block != nullptr) {
      return bf16_.score_block(first, count, high_.data(), low_.data(), stride_, threshold, scores);
    }
    return HWY_DYNAMIC_DISPATCH(ScoreBlockKernel)(first, count, even_.data(), odd_.data(), stride_ / 2, threshold,
                                                  scores);
  }

 private:
  const Bf16DotKernels& bf16_ = Bf16Dot();
  const size_t stride_;
  std::vector<float> even_, odd_;     ///< the query's values of even and odd places
  std::vector<uint16_t> high_, low_;  ///< or its halves
};

/// Looks at the rows of `eligible` in ascending order. `adjust(row, score)` gives the final score; not-a-number is no
/// hit.
template <typename Adjust>
class Scan {
 public:
  Scan(const FactorRows& rows, const PreparedQuery& query, std::span<const uint64_t> eligible, const Adjust& adjust)
      : rows_(rows), query_(query), eligible_(eligible), adjust_(adjust) {
    BOWERBIRD_CHECK(eligible.size() >= (size_t{rows.count} + 63) / 64);
  }

  std::vector<Hit> Top(uint32_t k) const {
    if (k == 0 || rows_.count == 0) return {};
    Best best(std::min(k, rows_.count));
    // Ordinals are in the order of hashed keys, so that the first rows are a fair sample of all: the score that stands
    // at k's share of it, and three standard deviations below, is a threshold that spares most of the sorting.
    const uint32_t sample = rows_.count / kSampleShare / 64 * 64;
    const double expected = static_cast<double>(best.k()) / kSampleShare;
    Best first(static_cast<uint32_t>(expected + 3 * std::sqrt(expected) + 4));
    if (sample > 4 * first.k()) {
      Run(0, sample, &first);
      if (first.enough()) {
        best.Begin(first.Take());
        Run(sample, rows_.count, &best);
        if (best.enough()) return best.Take();
        best = Best(best.k());
      }
    }
    Run(0, rows_.count, &best);
    return best.Take();
  }

 private:
  static constexpr uint32_t kSampleShare = 8;

  /// `first` is a multiple of 64.
  void Run(uint32_t first, uint32_t end, Best* best) const {
    for (; first < end; first += 64) {
      uint64_t bits = eligible_[first / 64];
      const uint32_t count = std::min(64u, end - first);
      if (count < 64) bits &= (uint64_t{1} << count) - 1;
      if (bits == 0) continue;
      // Most of a block is as quick to score whole as in parts.
      if (count % 4 == 0 && 4 * static_cast<uint32_t>(std::popcount(bits)) > 3 * count) {
        RunBlock(first, count, bits, best);
      } else {
        RunTaken(first, bits, best);
      }
    }
  }

  void RunBlock(uint32_t first, uint32_t count, uint64_t bits, Best* best) const {
    float scores[64];
    // Only an unadjusted score can be compared as it is.
    const float threshold = Adjust::kKeepsScore ? best->threshold() : -std::numeric_limits<float>::infinity();
    uint64_t over = query_.ScoreBlock(rows_.data + size_t{first} * rows_.stride(), count, threshold, scores) & bits;
    for (; over != 0; over &= over - 1) {
      const auto i = static_cast<uint32_t>(std::countr_zero(over));
      Offer(first + i, scores[i], best);
    }
  }

  void RunTaken(uint32_t first, uint64_t bits, Best* best) const {
    const uint16_t* taken[64];
    uint32_t numbers[64];
    float scores[64];
    size_t count = 0;
    for (; bits != 0; bits &= bits - 1, ++count) {
      numbers[count] = first + static_cast<uint32_t>(std::countr_zero(bits));
      taken[count] = rows_.data + size_t{numbers[count]} * rows_.stride();
    }
    query_.ScoreRows(taken, count, scores);
    for (size_t i = 0; i < count; ++i) Offer(numbers[i], scores[i], best);
  }

  void Offer(uint32_t number, float product, Best* best) const {
    const float score = adjust_(number, product);
    if (score > best->threshold()) best->Offer({Ordinal(number), score});
  }

  const FactorRows& rows_;
  const PreparedQuery& query_;
  const std::span<const uint64_t> eligible_;
  const Adjust& adjust_;
};

/// The score is the product.
struct AsIs {
  static constexpr bool kKeepsScore = true;
  float operator()(uint32_t, float score) const { return score; }
};

/// The product over the row's length.
struct ByNorm {
  static constexpr bool kKeepsScore = false;
  std::span<const float> inverse_norms;
  float operator()(uint32_t row, float score) const {
    return inverse_norms[row] > 0 ? score * inverse_norms[row] : std::numeric_limits<float>::quiet_NaN();
  }
};

}  // namespace

void InnerProducts(const FactorRows& rows, std::span<const float> query, std::span<const Ordinal> ordinals,
                   std::span<float> out) {
  BOWERBIRD_CHECK(query.size() == rows.dim && ordinals.size() == out.size());
  const PreparedQuery prepared(rows, query, 1.0f);
  const size_t stride = rows.stride();
  const uint16_t* taken[64];
  float scores[64];
  for (size_t begin = 0; begin < ordinals.size(); begin += 64) {
    const size_t count = std::min<size_t>(64, ordinals.size() - begin);
    const uint16_t* first = nullptr;
    for (size_t i = 0; i < count; ++i) {
      const Ordinal ordinal = ordinals[begin + i];
      taken[i] = ordinal == kNoOrdinal ? nullptr : rows.data + size_t{ordinal.value} * stride;
      if (first == nullptr) first = taken[i];
    }
    if (first == nullptr) {
      std::fill_n(out.data() + begin, count, 0.0f);
      continue;
    }
    for (size_t i = 0; i < count; ++i) {
      if (taken[i] == nullptr) taken[i] = first;
    }
    prepared.ScoreRows(taken, count, scores);
    for (size_t i = 0; i < count; ++i) out[begin + i] = ordinals[begin + i] == kNoOrdinal ? 0 : scores[i];
  }
}

std::vector<Hit> TopInnerProducts(const FactorRows& rows, std::span<const float> query,
                                  std::span<const uint64_t> eligible, uint32_t k) {
  BOWERBIRD_CHECK(query.size() == rows.dim);
  const PreparedQuery prepared(rows, query, 1.0f);
  const AsIs as_is;
  return Scan(rows, prepared, eligible, as_is).Top(k);
}

std::vector<Hit> TopCosines(const FactorRows& rows, std::span<const float> inverse_norms, std::span<const float> query,
                            std::span<const uint64_t> eligible, uint32_t k) {
  BOWERBIRD_CHECK(query.size() == rows.dim && inverse_norms.size() == rows.count);
  double squares = 0;
  for (const float value : query) squares += static_cast<double>(value) * value;
  if (!(squares > 0)) return {};
  const PreparedQuery prepared(rows, query, static_cast<float>(1 / std::sqrt(squares)));
  const ByNorm by_norm{inverse_norms};
  return Scan(rows, prepared, eligible, by_norm).Top(k);
}

}  // namespace bowerbird::index
#endif  // HWY_ONCE
