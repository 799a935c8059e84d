#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "bowerbird/v1/served.pb.h"
#include "serve/replay_request.h"

namespace bowerbird::app {

/// The served record of a request. NotFound: none, or it has left the log.
absl::StatusOr<v1::ServedRecord> FindServed(const log::EventLog& log, std::string_view request_id);
/// The served record at an offset, as the lake's table has it. NotFound: it has left the log.
absl::StatusOr<v1::ServedRecord> ReadServed(const log::EventLog& log, uint32_t partition, log::Offset offset);

/// Runs a past answer again and compares. Its inputs are made again from the log and the artifacts: the user's state as
/// of the record's offset, the item table as of its version's offsets, the catalog as of its offset over the snapshot,
/// the config by version.
///
/// Errors   FailedPrecondition: something that the answer depended on has left the log or the artifacts, named.
/// Bounds   state is folded in `scratch_dir`, which is emptied first and removed at the end.
absl::StatusOr<serve::ReplayReport> ReplayAnswer(App& app, const v1::ServedRecord& record,
                                                 const std::string& scratch_dir);

/// The config of a version that was in force once. FailedPrecondition: it is not among the published ones.
absl::StatusOr<std::shared_ptr<const config::Config>> FindConfig(App& app, const std::string& version);

}  // namespace bowerbird::app
