#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bowerbird::log {

// Integers in stored bytes: little-endian in values, big-endian in keys (so that they order), LEB128 where small ones
// are usual.
static_assert(std::endian::native == std::endian::little, "the stored formats are written for little-endian machines");

template <typename T>
void AppendLittle(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <typename T>
void PutLittle(char* out, T value) {
  std::memcpy(out, &value, sizeof(T));
}

template <typename T>
T LoadLittle(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

/// False when too few bytes are left.
template <typename T>
bool TakeLittle(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  *value = LoadLittle<T>(bytes->data());
  bytes->remove_prefix(sizeof(T));
  return true;
}

inline void AppendBig32(std::string* out, uint32_t value) { AppendLittle(out, __builtin_bswap32(value)); }
inline void AppendBig64(std::string* out, uint64_t value) { AppendLittle(out, __builtin_bswap64(value)); }
inline uint32_t LoadBig32(const char* bytes) { return __builtin_bswap32(LoadLittle<uint32_t>(bytes)); }
inline uint64_t LoadBig64(const char* bytes) { return __builtin_bswap64(LoadLittle<uint64_t>(bytes)); }

inline void AppendVarint(std::string* out, uint64_t value) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

/// False when the bytes end inside the number or it does not fit.
inline bool TakeVarint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    *value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace bowerbird::log
