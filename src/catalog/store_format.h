#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "catalog/feeds.h"
#include "catalog/keys.h"

/// Keys and values of the catalog's store, byte by byte: docs/formats/catalog-store.md. Integers in keys are
/// big-endian, so that the order of the bytes is the order of the numbers; in values they are little-endian.
namespace bowerbird::catalog {

inline constexpr uint32_t kStoreFormat = 1;

inline constexpr char kMetaKey[] = "m";
inline constexpr char kItemPrefix = 'i';
inline constexpr char kUserPrefix = 'u';
inline constexpr char kUserOffsetPrefix = 'o';
inline constexpr char kFeedPrefix = 'f';
inline constexpr char kFeedItemPrefix = 'n';

std::string StoreKey(char prefix, uint64_t number);
inline std::string ItemStoreKey(ItemKey key) { return StoreKey(kItemPrefix, key.value); }
inline std::string UserStoreKey(UserKey key) { return StoreKey(kUserPrefix, key.value); }
inline std::string FeedStoreKey(std::string_view token) { return std::string(1, kFeedPrefix).append(token); }
/// Feeds are told apart by the offset of their first record.
std::string FeedItemStoreKey(uint64_t feed_begin, ItemKey key);
/// The number in bytes [1, 9) of a store key, or [9, 17) for `second`.
uint64_t NumberOfStoreKey(std::string_view store_key, bool second = false);

struct Meta {
  uint64_t applied_offset = 0;
  uint64_t items = 0;
};
std::string EncodeMeta(const Meta& meta);
/// FailedPrecondition: another format; DataLoss: not the right size.
absl::StatusOr<Meta> DecodeMeta(std::string_view bytes);

std::string EncodeNumber(uint64_t number);
std::optional<uint64_t> DecodeNumber(std::string_view bytes);

std::string EncodeFeed(const Feed& feed);
/// DataLoss.
absl::StatusOr<Feed> DecodeFeed(std::string_view token, std::string_view bytes);

}  // namespace bowerbird::catalog
