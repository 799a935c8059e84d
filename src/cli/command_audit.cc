#include <cstdio>

#include "base/status_macros.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "server/audit.h"

namespace bowerbird::cli {

absl::Status Audit(const AuditOptions& options) {
  ASSIGN_OR_RETURN(const auto entries, server::AuditLog::Read(options.folder.dir + "/audit.log", options.n));
  for (const server::AuditEntry& entry : entries) {
    if (options.json) {
      std::printf("%s\n", server::AuditLog::ToJson(entry).c_str());
      continue;
    }
    std::printf("%-27s  %-24s  %-12s  %d  %s  %s\n", base::FormatTimeUs(entry.time_us).c_str(), entry.who.c_str(),
                entry.app.empty() ? "-" : entry.app.c_str(), entry.status, entry.action.c_str(), entry.detail.c_str());
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
