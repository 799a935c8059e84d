#include "log/run.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/hash.h"
#include "fmt/format.h"
#include "log/bytes.h"

namespace bowerbird::log {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeaderBytes = 32;
// Positions in the header.
constexpr size_t kChecksumAt = 0, kVersionAt = 8, kRecordsAt = 12, kFirstOffsetAt = 16, kAppendTimeAt = 24;
// A builder that once held a huge record does not keep that memory.
constexpr size_t kKeptBytes = 256 << 10;

uint64_t Checksum(std::string_view run_key, std::string_view value) {
  return base::CombineHash(base::Hash64(run_key), base::Hash64(value.substr(kVersionAt)));
}

}  // namespace

std::string EncodeRunKey(const RunKey& key) {
  std::string bytes;
  bytes.reserve(kRunKeyBytes);
  AppendBig32(&bytes, key.segment);
  AppendBig32(&bytes, key.partition);
  AppendBig64(&bytes, key.last_offset);
  return bytes;
}

absl::StatusOr<RunKey> DecodeRunKey(std::string_view bytes) {
  if (bytes.size() != kRunKeyBytes) {
    return absl::DataLossError(fmt::format("a run's key has {} bytes; expected {}", bytes.size(), kRunKeyBytes));
  }
  return RunKey{LoadBig32(bytes.data()), LoadBig32(bytes.data() + 4), LoadBig64(bytes.data() + 8)};
}

void RunBuilder::Start(Offset first_offset, int64_t append_time_us) {
  header_ = {first_offset, append_time_us, 0};
  next_offset_ = first_offset;
  if (bytes_.capacity() > kKeptBytes) std::string().swap(bytes_);
  bytes_.assign(kHeaderBytes, '\0');
}

void RunBuilder::Add(Offset offset, std::string_view key, std::string_view value) {
  BOWERBIRD_CHECK(offset >= next_offset_ && (header_.records > 0 || offset == header_.first_offset));
  AppendVarint(&bytes_, offset - next_offset_);
  AppendVarint(&bytes_, key.size());
  AppendVarint(&bytes_, value.size());
  bytes_.append(key);
  bytes_.append(value);
  next_offset_ = offset + 1;
  ++header_.records;
}

std::string_view RunBuilder::Finish(std::string_view run_key) {
  bytes_[kVersionAt] = static_cast<char>(kVersion);
  PutLittle(bytes_.data() + kRecordsAt, header_.records);
  PutLittle(bytes_.data() + kFirstOffsetAt, header_.first_offset);
  PutLittle(bytes_.data() + kAppendTimeAt, header_.append_time_us);
  PutLittle(bytes_.data() + kChecksumAt, Checksum(run_key, bytes_));
  return bytes_;
}

absl::StatusOr<RunHeader> RunReader::PeekHeader(std::string_view value) {
  if (value.size() < kHeaderBytes) {
    return absl::DataLossError(fmt::format("a run has {} bytes; its header alone has {}", value.size(), kHeaderBytes));
  }
  RunHeader header;
  header.first_offset = LoadLittle<uint64_t>(value.data() + kFirstOffsetAt);
  header.append_time_us = LoadLittle<int64_t>(value.data() + kAppendTimeAt);
  header.records = LoadLittle<uint32_t>(value.data() + kRecordsAt);
  return header;
}

absl::StatusOr<RunReader> RunReader::Open(std::string_view run_key, std::string_view value) {
  auto header = PeekHeader(value);
  if (!header.ok()) return header.status();
  if (LoadLittle<uint64_t>(value.data() + kChecksumAt) != Checksum(run_key, value)) {
    return absl::DataLossError(fmt::format("run at offset {} does not pass its checksum", header->first_offset));
  }
  if (const uint8_t version = static_cast<uint8_t>(value[kVersionAt]); version != kVersion) {
    return absl::DataLossError(
        fmt::format("run at offset {} has version {}; this program reads {}", header->first_offset, version, kVersion));
  }
  RunReader reader;
  reader.header_ = *header;
  reader.rest_ = value.substr(kHeaderBytes);
  reader.next_offset_ = header->first_offset;
  reader.left_ = header->records;
  return reader;
}

absl::StatusOr<bool> RunReader::Next(Item* item) {
  if (left_ == 0) return false;
  uint64_t gap = 0;
  uint64_t key_bytes = 0;
  uint64_t value_bytes = 0;
  if (!TakeVarint(&rest_, &gap) || !TakeVarint(&rest_, &key_bytes) || !TakeVarint(&rest_, &value_bytes) ||
      key_bytes > rest_.size() || value_bytes > rest_.size() - key_bytes ||
      gap >= std::numeric_limits<Offset>::max() - next_offset_) {
    return absl::DataLossError(fmt::format("run at offset {} ends inside a record", header_.first_offset));
  }
  item->offset = next_offset_ + gap;
  item->key = rest_.substr(0, key_bytes);
  item->value = rest_.substr(key_bytes, value_bytes);
  rest_.remove_prefix(key_bytes + value_bytes);
  next_offset_ = item->offset + 1;
  --left_;
  return true;
}

}  // namespace bowerbird::log
