#include <cstdio>

#include "app/replay_answer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/connection.h"

namespace bowerbird::cli {

absl::Status Replay(const ReplayOptions& options) {
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(options.folder.dir, options.folder.app, false));
  ASSIGN_OR_RETURN(const v1::ServedRecord record, app::FindServed(app->history(), options.request));
  std::printf(
      "%s of %s for surface %s: snapshot %s, config %s, item table %llu, user offset %llu, catalog offset %llu\n",
      record.kind().c_str(), base::FormatTimeUs(record.time_us()).c_str(), record.request().surface().c_str(),
      record.snapshot().c_str(), record.config_version().c_str(), static_cast<unsigned long long>(record.item_table()),
      static_cast<unsigned long long>(record.user_offset()), static_cast<unsigned long long>(record.catalog_offset()));
  for (const v1::ServedArm& arm : record.arms()) {
    std::printf("experiment %s: arm %s%s%s\n", arm.experiment().c_str(), arm.arm().c_str(),
                arm.forced() ? ", forced" : "", arm.exposed() ? "" : ", not exposed");
  }
  const std::string scratch = app::App::Folder(options.folder.dir, options.folder.app) + "/state/replay";
  ASSIGN_OR_RETURN(const serve::ReplayReport report, app::ReplayAnswer(*app, record, scratch));
  for (const std::string& difference : report.differences) std::printf("%s\n", difference.c_str());
  std::printf("%u candidates compared: %llu differences\n", report.candidates,
              static_cast<unsigned long long>(report.difference_count));
  return report.equal ? absl::OkStatus() : absl::DataLossError("the answer came out differently");
}

}  // namespace bowerbird::cli
