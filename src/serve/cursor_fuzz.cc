// Any bytes: refused with a code, or (never without the key) a cursor whose fields are within their bounds. The same
// bytes as the fields of a cursor come back as they were, and no longer once a bit is flipped.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "catalog/problem.h"
#include "serve/cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::serve;
  using bowerbird::catalog::UserKey;
  static constexpr CursorKey kKey = {7, 7, 7};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  const auto refused = DecodeCursor(bytes, kKey, 1, UserKey(2), 3);
  if (refused.ok()) {
    BOWERBIRD_CHECK(refused->chain.size() <= kCursorRequestIdMax && refused->after.size() <= kCursorRequestIdMax);
    BOWERBIRD_CHECK(refused->surface == 1 && refused->user == UserKey(2) && refused->expires_us > 3);
  } else {
    const std::string code = bowerbird::catalog::FromStatus(refused.status()).code;
    BOWERBIRD_CHECK(code == "invalid_cursor" || code == "cursor_expired");
  }

  Cursor cursor;
  cursor.chain = bytes.substr(0, std::min<size_t>(size, kCursorRequestIdMax));
  cursor.after = bytes.substr(size - std::min<size_t>(size, kCursorRequestIdMax));
  cursor.page = static_cast<uint32_t>(size * 2654435761u);
  cursor.surface = size;
  cursor.user = UserKey(size + 1);
  cursor.expires_us = 10;
  std::string text = EncodeCursor(cursor, kKey);
  const auto read = DecodeCursor(text, kKey, size, UserKey(size + 1), 9);
  BOWERBIRD_CHECK(read.ok() && read->chain == cursor.chain && read->after == cursor.after && read->page == cursor.page);
  if (size > 0) {
    char& flipped = text[data[0] % text.size()];
    flipped = flipped == 'q' ? 'r' : 'q';
    BOWERBIRD_CHECK(!DecodeCursor(text, kKey, size, UserKey(size + 1), 9).ok());
  }
  return 0;
}
