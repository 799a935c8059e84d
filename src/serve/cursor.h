#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "catalog/keys.h"

namespace bowerbird::serve {

/// Secret of one app under which its cursors are signed.
using CursorKey = std::array<uint8_t, 32>;

/// What a cursor says: the next page of which chain, for whom.
struct Cursor {
  std::string chain;      ///< request id of the chain's first page
  std::string after;      ///< request id of the page before this one
  uint32_t page = 0;      ///< number of the page asked for, from 1 (the first page needs no cursor)
  uint64_t surface = 0;   ///< base::Hash64 of the surface's name
  catalog::UserKey user;  ///< whom the chain was made for
  int64_t expires_us = 0;
  bool seen_relaxed = false;
};

inline constexpr uint32_t kCursorBytesMax = 512;     ///< as text
inline constexpr uint32_t kCursorRequestIdMax = 64;  ///< bytes of `chain` and `after`

/// URL-safe text without padding: version, fields, and 16 bytes of keyed BLAKE2b over them. Request ids are at most
/// kCursorRequestIdMax bytes.
std::string EncodeCursor(const Cursor& cursor, const CursorKey& key);

/// Any bytes may be given. InvalidArgument, field "cursor": code `invalid_cursor` for what this key did not sign, and
/// for another surface or user; `cursor_expired` once now_us >= expires_us.
absl::StatusOr<Cursor> DecodeCursor(std::string_view text, const CursorKey& key, uint64_t surface,
                                    catalog::UserKey user, int64_t now_us);

}  // namespace bowerbird::serve
