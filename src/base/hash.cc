#include "base/hash.h"

#include <sodium.h>
#include <xxhash.h>

#include "base/check.h"

namespace bowerbird::base {
namespace {

void InitSodium() {
  static const int ready = sodium_init();
  BOWERBIRD_CHECK(ready >= 0);
}

}  // namespace

uint64_t Hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint64_t CombineHash(uint64_t a, uint64_t b) {
  const uint64_t words[2] = {a, b};
  return XXH3_64bits(words, sizeof(words));
}

uint64_t KeyedHash64(const HashSeed& seed, std::string_view bytes) {
  static_assert(sizeof(HashSeed) == crypto_shorthash_KEYBYTES);
  uint64_t out = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&out), reinterpret_cast<const unsigned char*>(bytes.data()),
                   bytes.size(), seed.data());
  return out;
}

std::string HexEncode(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string Sha256Hex(std::string_view bytes) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return HexEncode({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

std::string RandomBytes(size_t bytes) {
  InitSodium();
  std::string out(bytes, '\0');
  randombytes_buf(out.data(), out.size());
  return out;
}

}  // namespace bowerbird::base
