#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bowerbird::base {

/// 64-bit hash for checksums and tables; fast, not keyed, the same on every machine (XXH3).
uint64_t Hash64(std::string_view bytes);

/// Mixes two hashes; order matters.
uint64_t CombineHash(uint64_t a, uint64_t b);

using HashSeed = std::array<uint8_t, 16>;

/// 64-bit hash under a secret seed (SipHash-2-4): whoever does not know the seed cannot choose inputs that collide.
uint64_t KeyedHash64(const HashSeed& seed, std::string_view bytes);

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

/// `bytes` of cryptographic randomness.
std::string RandomBytes(size_t bytes);

std::string HexEncode(std::string_view bytes);

}  // namespace bowerbird::base
