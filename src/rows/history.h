#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "log/event_log.h"

namespace bowerbird::rows {

/// The records [begin, end) of one partition in order. A `visit` that returns Cancelled ends it, and it is fine.
/// Errors: those of EventLog::Read.
absl::Status ForEachRecord(const log::EventLog& log, log::Topic topic, uint32_t partition, log::Offset begin,
                           log::Offset end, const std::function<absl::Status(const log::Record&)>& visit);

/// The `user_key` of an encoded v1::Event, without decoding the rest: most events are of users whom nobody asks about.
/// 0: it has none, or the bytes are no event.
uint64_t UserKeyOf(std::string_view event);
/// The same of a v1::ServedRecord.
uint64_t ServedUserKeyOf(std::string_view record);
/// Whether an encoded v1::Event may say that an id becomes another user. Never wrong when it says no.
bool MayBecome(std::string_view event);

}  // namespace bowerbird::rows
