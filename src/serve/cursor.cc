#include "serve/cursor.h"

#include <fmt/format.h>
#include <sodium.h>

#include <cstring>

#include "base/check.h"
#include "catalog/problem.h"

namespace bowerbird::serve {
namespace {

constexpr char kVersion = 1;
constexpr size_t kSignatureBytes = 16;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

void PutFixed(uint64_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void PutText(std::string_view text, std::string* out) {
  BOWERBIRD_CHECK(text.size() <= kCursorRequestIdMax);
  out->push_back(static_cast<char>(text.size()));
  out->append(text);
}

/// Reads what Put wrote; `ok` turns false at the first thing that is not there.
struct Reader {
  std::string_view rest;
  bool ok = true;

  uint64_t Fixed(size_t bytes) {
    if (rest.size() < bytes) {
      ok = false;
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(rest[i])) << (8 * i);
    rest.remove_prefix(bytes);
    return value;
  }
  std::string Text() {
    const uint64_t size = Fixed(1);
    if (size > kCursorRequestIdMax || size > rest.size()) {
      ok = false;
      return "";
    }
    std::string text(rest.substr(0, size));
    rest.remove_prefix(size);
    return text;
  }
};

void Sign(std::string_view body, const CursorKey& key, uint8_t* signature) {
  const int result = crypto_generichash(signature, kSignatureBytes, reinterpret_cast<const uint8_t*>(body.data()),
                                        body.size(), key.data(), key.size());
  BOWERBIRD_CHECK(result == 0);
}

absl::Status Refuse(std::string_view code, std::string detail) {
  return catalog::ToStatus({std::string(code), "cursor", std::move(detail)});
}

absl::Status Invalid() {
  return Refuse("invalid_cursor", "found a text that is no cursor of this app; expected the `next_cursor` of a page");
}

}  // namespace

std::string EncodeCursor(const Cursor& cursor, const CursorKey& key) {
  std::string body;
  body.push_back(kVersion);
  PutText(cursor.chain, &body);
  PutText(cursor.after, &body);
  PutFixed(cursor.page, 4, &body);
  PutFixed(cursor.surface, 8, &body);
  PutFixed(cursor.user.value, 8, &body);
  PutFixed(static_cast<uint64_t>(cursor.expires_us), 8, &body);
  PutFixed(cursor.seen_relaxed ? 1 : 0, 1, &body);
  uint8_t signature[kSignatureBytes];
  Sign(body, key, signature);
  body.append(reinterpret_cast<const char*>(signature), kSignatureBytes);

  std::string text(sodium_base64_encoded_len(body.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const uint8_t*>(body.data()), body.size(), kBase64);
  text.resize(std::strlen(text.c_str()));
  return text;
}

absl::StatusOr<Cursor> DecodeCursor(std::string_view text, const CursorKey& key, uint64_t surface,
                                    catalog::UserKey user, int64_t now_us) {
  if (text.size() > kCursorBytesMax) {
    return Refuse("invalid_cursor", fmt::format("found {} bytes; expected at most {}", text.size(), kCursorBytesMax));
  }
  uint8_t bytes[kCursorBytesMax];
  size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(bytes, sizeof(bytes), text.data(), text.size(), nullptr, &size, &end, kBase64) != 0 ||
      end != text.data() + text.size() || size <= kSignatureBytes) {
    return Invalid();
  }
  const std::string_view body(reinterpret_cast<const char*>(bytes), size - kSignatureBytes);
  uint8_t signature[kSignatureBytes];
  Sign(body, key, signature);
  if (sodium_memcmp(signature, bytes + body.size(), kSignatureBytes) != 0) return Invalid();

  Reader reader{body};
  const bool version_known = reader.Fixed(1) == kVersion;
  Cursor cursor;
  cursor.chain = reader.Text();
  cursor.after = reader.Text();
  cursor.page = static_cast<uint32_t>(reader.Fixed(4));
  cursor.surface = reader.Fixed(8);
  cursor.user = catalog::UserKey(reader.Fixed(8));
  cursor.expires_us = static_cast<int64_t>(reader.Fixed(8));
  cursor.seen_relaxed = reader.Fixed(1) != 0;
  if (!version_known || !reader.ok || !reader.rest.empty()) return Invalid();
  if (cursor.surface != surface) {
    return Refuse("invalid_cursor", "found a cursor of another surface; expected one made for the `surface` asked for");
  }
  if (cursor.user != user) {
    return Refuse("invalid_cursor", "found a cursor of another user; expected one made for the `user` asked for");
  }
  if (now_us >= cursor.expires_us) {
    return Refuse("cursor_expired",
                  "found a cursor that has expired; expected a fresh one: ask for the first page again");
  }
  return cursor;
}

}  // namespace bowerbird::serve
