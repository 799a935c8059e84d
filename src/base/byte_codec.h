#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bowerbird::base {

/// How integers and strings are written in the records of state: docs/formats/state.md. Little-endian, varints as in
/// protobuf.

inline void PutVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

inline uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1); }
inline void PutSigned(int64_t value, std::string* out) { PutVarint(ZigZag(value), out); }

template <typename T>
void PutFixed(T value, std::string* out) {
  static_assert(std::endian::native == std::endian::little);
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

inline void PutString(std::string_view text, std::string* out) {
  PutVarint(text.size(), out);
  out->append(text);
}

/// Big-endian, so that keys sort as numbers do.
inline void PutBigEndian64(uint64_t value, std::string* out) { PutFixed(__builtin_bswap64(value), out); }
inline void PutBigEndian32(uint32_t value, std::string* out) { PutFixed(__builtin_bswap32(value), out); }
inline uint64_t GetBigEndian64(const char* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return __builtin_bswap64(value);
}
inline uint32_t GetBigEndian32(const char* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof(value));
  return __builtin_bswap32(value);
}

/// Reads what the functions above wrote. After the first field that is not there every read gives zero and ok() is
/// false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  uint64_t Varint() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return Fail();
      const uint8_t byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  int64_t Signed() { return UnZigZag(Varint()); }
  template <typename T>
  T Fixed() {
    T value{};
    const std::string_view bytes = Bytes(sizeof(T));
    if (ok_) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::string_view Bytes(uint64_t size) {
    if (size > rest_.size()) {
      Fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view String() { return Bytes(Varint()); }
  /// A count of things that take at least `bytes_each` bytes: never more than can still be there, so that a damaged
  /// record cannot ask for all memory.
  uint64_t Count(uint64_t bytes_each) {
    const uint64_t count = Varint();
    return count > rest_.size() / bytes_each ? Fail() : count;
  }

 private:
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// A row of numbers as differences, so that values near each other take a byte or two.
class DifferenceWriter {
 public:
  explicit DifferenceWriter(std::string* out) : out_(out) {}
  void Put(uint32_t value) {
    PutSigned(int64_t{value} - last_, out_);
    last_ = value;
  }

 private:
  std::string* out_;
  int64_t last_ = 0;
};
class DifferenceReader {
 public:
  explicit DifferenceReader(Reader* in) : in_(in) {}
  uint32_t Next() { return static_cast<uint32_t>(last_ += static_cast<uint64_t>(in_->Signed())); }

 private:
  Reader* in_;
  uint64_t last_ = 0;  // unsigned: damaged bytes may run over
};

}  // namespace bowerbird::base
