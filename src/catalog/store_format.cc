#include "catalog/store_format.h"

#include <fmt/format.h>

namespace bowerbird::catalog {
namespace {

void AppendBigEndian(uint64_t number, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
}

void AppendLittleEndian(uint64_t number, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(number >> (8 * i)));
}

uint64_t ReadLittleEndian(std::string_view bytes, size_t at, int count) {
  uint64_t number = 0;
  for (int i = 0; i < count; ++i) number |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return number;
}

}  // namespace

std::string StoreKey(char prefix, uint64_t number) {
  std::string key(1, prefix);
  AppendBigEndian(number, &key);
  return key;
}

std::string FeedItemStoreKey(uint64_t feed_begin, ItemKey key) {
  std::string store_key = StoreKey(kFeedItemPrefix, feed_begin);
  AppendBigEndian(key.value, &store_key);
  return store_key;
}

uint64_t NumberOfStoreKey(std::string_view store_key, bool second) {
  const size_t at = second ? 9 : 1;
  uint64_t number = 0;
  for (size_t i = at; i < at + 8 && i < store_key.size(); ++i)
    number = number << 8 | static_cast<uint8_t>(store_key[i]);
  return number;
}

std::string EncodeMeta(const Meta& meta) {
  std::string bytes;
  AppendLittleEndian(kStoreFormat, 4, &bytes);
  AppendLittleEndian(meta.applied_offset, 8, &bytes);
  AppendLittleEndian(meta.items, 8, &bytes);
  return bytes;
}

absl::StatusOr<Meta> DecodeMeta(std::string_view bytes) {
  if (bytes.size() < 4) return absl::DataLossError("catalog store: the meta record is cut short");
  if (const uint64_t format = ReadLittleEndian(bytes, 0, 4); format != kStoreFormat) {
    return absl::FailedPreconditionError(fmt::format(
        "catalog store: found format {}; this program reads {}: delete the folder to rebuild it from the log", format,
        kStoreFormat));
  }
  if (bytes.size() != 20) return absl::DataLossError("catalog store: the meta record has the wrong size");
  return Meta{ReadLittleEndian(bytes, 4, 8), ReadLittleEndian(bytes, 12, 8)};
}

std::string EncodeNumber(uint64_t number) {
  std::string bytes;
  AppendLittleEndian(number, 8, &bytes);
  return bytes;
}

std::optional<uint64_t> DecodeNumber(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return ReadLittleEndian(bytes, 0, 8);
}

std::string EncodeFeed(const Feed& feed) {
  std::string bytes(1, static_cast<char>(feed.state));
  AppendLittleEndian(feed.begin_offset, 8, &bytes);
  AppendLittleEndian(feed.end_offset, 8, &bytes);
  AppendLittleEndian(feed.last_batch, 8, &bytes);
  AppendLittleEndian(feed.withdrawn, 4, &bytes);
  return bytes;
}

absl::StatusOr<Feed> DecodeFeed(std::string_view token, std::string_view bytes) {
  if (bytes.size() != 29 || bytes[0] < static_cast<char>(Feed::State::kOpen) ||
      bytes[0] > static_cast<char>(Feed::State::kExpired)) {
    return absl::DataLossError(fmt::format("catalog store: the record of feed '{}' is not readable", token));
  }
  Feed feed;
  feed.token = std::string(token);
  feed.state = static_cast<Feed::State>(bytes[0]);
  feed.begin_offset = ReadLittleEndian(bytes, 1, 8);
  feed.end_offset = ReadLittleEndian(bytes, 9, 8);
  feed.last_batch = ReadLittleEndian(bytes, 17, 8);
  feed.withdrawn = static_cast<uint32_t>(ReadLittleEndian(bytes, 25, 4));
  return feed;
}

}  // namespace bowerbird::catalog
