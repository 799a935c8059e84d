#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <filesystem>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "server/backup.h"

namespace bowerbird::cli {
namespace {

void Print(std::string_view what, const std::string& where, const server::BackupReport& report) {
  std::printf("%s\n", fmt::format("{} {}: {} apps, {} files, {} bytes in {:.1f} s", what, where, Thousands(report.apps),
                                  Thousands(report.files), Thousands(report.bytes), report.seconds)
                          .c_str());
}

}  // namespace

absl::Status Backup(const BackupOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::OpenFolder(options.from, true));
  std::string body;
  // The server's working folder is another.
  base::JsonWriter(&body).BeginObject().Key("to").String(std::filesystem::absolute(options.to).string()).EndObject();
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("POST", "/v1/server:backup", body));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  server::BackupReport report;
  if (parser.parse(answer).get(document) || document["apps"].get(report.apps) || document["files"].get(report.files) ||
      document["bytes"].get(report.bytes) || document["seconds"].get(report.seconds)) {
    return absl::InternalError("the answer is not a backup's report");
  }
  Print("backed up to", options.to, report);
  return absl::OkStatus();
}

absl::Status RestoreBackup(const BackupOptions& options) {
  ASSIGN_OR_RETURN(const server::BackupReport report, server::Restore(options.from, options.to));
  Print("restored to", options.to, report);
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
