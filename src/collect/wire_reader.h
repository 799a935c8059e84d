#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace bowerbird::collect {

/// Steps through the fields of a protobuf message without building one. After damaged bytes Next is false and ok() is
/// false.
class WireReader {
 public:
  enum class Type : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  /// Reads the next field whole; its value is in the member that its type says. False at the end.
  bool Next() {
    if (at_ == end_) return false;
    uint64_t tag = 0;
    if (!Varint(&tag) || tag > std::numeric_limits<uint32_t>::max() || tag >> 3 == 0) return Fail();
    field_ = static_cast<uint32_t>(tag >> 3);
    type_ = static_cast<Type>(tag & 7);
    switch (type_) {
      case Type::kVarint:
        return Varint(&number_) || Fail();
      case Type::kFixed64:
        return Fixed(&number_) || Fail();
      case Type::kBytes: {
        uint64_t size = 0;
        if (!Varint(&size) || size > static_cast<uint64_t>(end_ - at_)) return Fail();
        bytes_ = std::string_view(at_, size);
        at_ += size;
        return true;
      }
      case Type::kFixed32: {
        uint32_t value = 0;
        if (!Fixed(&value)) return Fail();
        number_ = value;
        return true;
      }
    }
    return Fail();  // groups: nobody writes them any more
  }

  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }
  Type type() const { return type_; }
  uint64_t number() const { return number_; }
  double real() const { return std::bit_cast<double>(number_); }
  std::string_view bytes() const { return bytes_; }

 private:
  bool Varint(uint64_t* out) {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) return false;
      const auto byte = static_cast<uint8_t>(*at_++);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      *out = value;
      return true;
    }
    return false;
  }
  template <typename T>
  bool Fixed(T* out) {
    static_assert(std::endian::native == std::endian::little);
    if (static_cast<size_t>(end_ - at_) < sizeof(T)) return false;
    std::memcpy(out, at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool Fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
  uint32_t field_ = 0;
  Type type_ = Type::kVarint;
  uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace bowerbird::collect
