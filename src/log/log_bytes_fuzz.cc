// Stored bytes of the log, damaged: runs and segment entries are refused or read within their bounds, as they are and
// with the checksum made to fit, so that what lies behind it is reached too.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "log/run.h"
#include "log/segment_table.h"

namespace bowerbird::log {
namespace {

void ReadRun(std::string_view key, std::string_view value) {
  auto reader = RunReader::Open(key, value);
  if (!reader.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(reader.status()));
    return;
  }
  RunReader::Item item;
  Offset next = 0;
  uint64_t records = 0;
  while (true) {
    const auto any = reader->Next(&item);
    if (!any.ok() || !*any) break;
    BOWERBIRD_CHECK(records == 0 || item.offset >= next);
    next = item.offset + 1;
    BOWERBIRD_CHECK(item.key.size() + item.value.size() <= value.size());
    BOWERBIRD_CHECK(++records <= reader->header().records);
  }
}

void ReadSegment(uint32_t partitions, std::string_view bytes) {
  const auto segment = DecodeSegment(7, partitions, bytes);
  if (!segment.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(segment.status()));
    return;
  }
  BOWERBIRD_CHECK(segment->parts.size() == partitions);
  BOWERBIRD_CHECK(EncodeSegment(*segment) == bytes);
}

}  // namespace
}  // namespace bowerbird::log

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::log;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeRunKey(bytes);
  (void)RunReader::PeekHeader(bytes);
  const size_t key_bytes = size < kRunKeyBytes ? size : kRunKeyBytes;
  const std::string_view key = bytes.substr(0, key_bytes);
  std::string value(bytes.substr(key_bytes));
  ReadRun(key, value);
  const uint32_t partitions = size == 0 ? 1 : data[0] % 5u;
  ReadSegment(partitions, bytes);
  if (value.size() >= 8) {
    const std::string_view rest = std::string_view(value).substr(8);
    const uint64_t checksum = bowerbird::base::CombineHash(bowerbird::base::Hash64(key), bowerbird::base::Hash64(rest));
    std::memcpy(value.data(), &checksum, sizeof(checksum));
    ReadRun(key, value);
    const uint64_t plain = bowerbird::base::Hash64(rest);
    std::memcpy(value.data(), &plain, sizeof(plain));
    ReadSegment(partitions, value);
  }
  return 0;
}
