#include "rows/history.h"

#include <algorithm>
#include <cstring>

#include "base/status_macros.h"
#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "fmt/format.h"

namespace bowerbird::rows {
namespace {

constexpr size_t kReadRecords = 1024;
constexpr size_t kReadBytes = 1u << 20;
constexpr uint32_t kFixed64 = 1;

bool TakeVarint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    *value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool Skip(std::string_view* bytes, uint64_t count) {
  if (count > bytes->size()) return false;
  bytes->remove_prefix(count);
  return true;
}

bool SkipField(uint32_t wire_type, std::string_view* bytes) {
  uint64_t value = 0;
  switch (wire_type) {
    case 0:
      return TakeVarint(bytes, &value);
    case kFixed64:
      return Skip(bytes, 8);
    case 2:
      return TakeVarint(bytes, &value) && Skip(bytes, value);
    case 5:
      return Skip(bytes, 4);
    default:
      return false;
  }
}

/// The last value of the field on the message's own level; 0: none, or no message.
uint64_t Fixed64Of(std::string_view message, uint64_t field) {
  uint64_t value = 0, tag = 0;
  while (!message.empty()) {
    if (!TakeVarint(&message, &tag)) return 0;
    const auto wire_type = static_cast<uint32_t>(tag & 7);
    if (tag >> 3 == field && wire_type == kFixed64 && message.size() >= sizeof(value))
      std::memcpy(&value, message.data(), sizeof(value));
    if (!SkipField(wire_type, &message)) return 0;
  }
  return value;
}

}  // namespace

absl::Status ForEachRecord(const log::EventLog& log, log::Topic topic, uint32_t partition, log::Offset begin,
                           log::Offset end, const std::function<absl::Status(const log::Record&)>& visit) {
  log::Offset at = begin;
  while (at < end) {
    ASSIGN_OR_RETURN(const log::ReadResult read, log.Read(topic, partition, at, kReadRecords, kReadBytes));
    for (const log::Record& record : read.records) {
      if (record.offset >= end) return absl::OkStatus();
      const absl::Status visited = visit(record);
      if (absl::IsCancelled(visited)) return absl::OkStatus();
      RETURN_IF_ERROR(visited);
    }
    if (read.records.empty()) break;
    at = read.next_offset;
  }
  return absl::OkStatus();
}

uint64_t UserKeyOf(std::string_view event) { return Fixed64Of(event, v1::Event::kUserKeyFieldNumber); }

uint64_t ServedUserKeyOf(std::string_view record) { return Fixed64Of(record, v1::ServedRecord::kUserKeyFieldNumber); }

bool MayBecome(std::string_view event) {
  // The tag of becomes_key, as two bytes of a varint.
  constexpr uint32_t kTag = uint32_t{v1::Event::kBecomesKeyFieldNumber} << 3 | kFixed64;
  static_assert(kTag >= 1u << 7 && kTag < 1u << 14);
  const char tag[] = {static_cast<char>(0x80 | (kTag & 0x7f)), static_cast<char>(kTag >> 7)};
  return event.find(std::string_view(tag, sizeof(tag))) != std::string_view::npos;
}

}  // namespace bowerbird::rows
