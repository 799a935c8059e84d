#include "signal/distinct_sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "base/byte_codec.h"
#include "base/hash.h"

namespace bowerbird::signal {
namespace {

constexpr uint8_t kSparse = 0, kDense = 1;
constexpr uint32_t kIndexBits = 11, kRegisters = 1u << kIndexBits, kRegisterBits = 5;
constexpr size_t kDenseBytes = 1 + kRegisters * kRegisterBits / 8;
constexpr double kHashes = 4294967296.0;

bool IsDense(std::string_view bytes) { return !bytes.empty() && static_cast<uint8_t>(bytes[0]) == kDense; }

/// Ascending. False: damaged.
bool DecodeSparse(std::string_view bytes, std::vector<uint32_t>* hashes) {
  hashes->clear();
  base::Reader in(bytes);
  if (bytes.empty()) return true;
  if (in.Fixed<uint8_t>() != kSparse) return false;
  uint64_t last = 0;
  while (!in.empty()) {
    const uint64_t difference = in.Varint();
    if (!in.ok() || difference > UINT32_MAX || (difference == 0 && !hashes->empty())) return false;
    last += difference;
    if (last > UINT32_MAX || hashes->size() == kSparseMax) return false;
    hashes->push_back(static_cast<uint32_t>(last));
  }
  return !hashes->empty();
}

void EncodeSparse(const std::vector<uint32_t>& hashes, std::string* bytes) {
  bytes->assign(1, static_cast<char>(kSparse));
  uint32_t last = 0;
  for (const uint32_t hash : hashes) {
    base::PutVarint(hash - std::exchange(last, hash), bytes);
  }
}

/// Registers lie across bytes, lowest bits first.
uint32_t Register(std::string_view bytes, uint32_t index) {
  const size_t bit = size_t{index} * kRegisterBits, byte = 1 + bit / 8;
  uint32_t pair = static_cast<uint8_t>(bytes[byte]);
  if (byte + 1 < kDenseBytes) pair |= uint32_t{static_cast<uint8_t>(bytes[byte + 1])} << 8;
  return (pair >> (bit % 8)) & ((1u << kRegisterBits) - 1);
}

void RaiseRegister(uint32_t index, uint32_t rank, std::string* bytes) {
  const uint32_t former = Register(*bytes, index);
  if (former >= rank) return;
  const size_t bit = size_t{index} * kRegisterBits, byte = 1 + bit / 8;
  const uint32_t changed = (former ^ rank) << (bit % 8);
  (*bytes)[byte] = static_cast<char>(static_cast<uint8_t>((*bytes)[byte]) ^ (changed & 0xff));
  if (byte + 1 < kDenseBytes) {
    (*bytes)[byte + 1] = static_cast<char>(static_cast<uint8_t>((*bytes)[byte + 1]) ^ (changed >> 8));
  }
}

void AddDense(uint32_t hash, std::string* bytes) {
  const uint32_t index = hash >> (32 - kIndexBits), rest = hash << kIndexBits;
  const auto rank = static_cast<uint32_t>(std::min<int>(std::countl_zero(rest), 32 - kIndexBits)) + 1;
  RaiseRegister(index, rank, bytes);
}

/// Sparse while there are few enough.
void EncodeSet(const std::vector<uint32_t>& hashes, std::string* bytes) {
  if (hashes.size() <= kSparseMax) return EncodeSparse(hashes, bytes);
  bytes->assign(kDenseBytes, '\0');
  (*bytes)[0] = static_cast<char>(kDense);
  for (const uint32_t hash : hashes) AddDense(hash, bytes);
}

}  // namespace

void AddDistinct(std::string_view value, std::string* bytes) {
  const auto hash = static_cast<uint32_t>(base::Hash64(value) >> 32);
  if (IsDense(*bytes)) return AddDense(hash, bytes);
  thread_local std::vector<uint32_t> hashes;
  if (!DecodeSparse(*bytes, &hashes)) return;
  const auto place = std::ranges::lower_bound(hashes, hash);
  if (place != hashes.end() && *place == hash) return;
  hashes.insert(place, hash);
  EncodeSet(hashes, bytes);
}

void MergeDistinct(std::string_view other, std::string* bytes) {
  if (other.empty()) return;
  std::vector<uint32_t> sparse, more;
  if (IsDense(other)) {
    std::string sum(other);
    if (IsDense(*bytes)) {
      for (uint32_t i = 0; i < kRegisters; ++i) RaiseRegister(i, Register(*bytes, i), &sum);
    } else if (DecodeSparse(*bytes, &sparse)) {
      for (const uint32_t hash : sparse) AddDense(hash, &sum);
    }
    *bytes = std::move(sum);
    return;
  }
  if (!DecodeSparse(other, &more)) return;
  if (IsDense(*bytes)) {
    for (const uint32_t hash : more) AddDense(hash, bytes);
    return;
  }
  if (!DecodeSparse(*bytes, &sparse)) return;
  std::vector<uint32_t> both;
  std::ranges::set_union(sparse, more, std::back_inserter(both));
  EncodeSet(both, bytes);
}

double CountDistinct(std::string_view bytes) {
  if (!IsDense(bytes)) {
    std::vector<uint32_t> hashes;
    return DecodeSparse(bytes, &hashes) ? static_cast<double>(hashes.size()) : 0.0;
  }
  double sum = 0;
  uint32_t zeros = 0;
  for (uint32_t i = 0; i < kRegisters; ++i) {
    const uint32_t rank = Register(bytes, i);
    sum += std::ldexp(1.0, -static_cast<int>(rank));
    zeros += rank == 0;
  }
  constexpr double kCount = kRegisters;
  const double raw = 0.7213 / (1 + 1.079 / kCount) * kCount * kCount / sum;
  if (raw <= 2.5 * kCount && zeros > 0) return kCount * std::log(kCount / zeros);
  // Of so many values some share a hash.
  return raw < kHashes / 30 ? raw : -kHashes * std::log1p(-std::min(raw, kHashes * 0.999) / kHashes);
}

absl::Status CheckDistinct(std::string_view bytes) {
  if (IsDense(bytes) && bytes.size() == kDenseBytes) {
    for (uint32_t i = 0; i < kRegisters; ++i) {
      if (Register(bytes, i) > 32 - kIndexBits + 1) return absl::DataLossError("distinct sketch: damaged");
    }
    return absl::OkStatus();
  }
  std::vector<uint32_t> hashes;
  return !IsDense(bytes) && DecodeSparse(bytes, &hashes) ? absl::OkStatus()
                                                         : absl::DataLossError("distinct sketch: damaged");
}

}  // namespace bowerbird::signal
