#include "server/audit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "store/file.h"

namespace bowerbird::server {
namespace {

absl::Status Failed(const std::string& path) {
  return absl::UnavailableError(fmt::format("{}: {}", path, std::strerror(errno)));
}

absl::Status WriteAll(const std::string& path, int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed(path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fdatasync(file) == 0 ? absl::OkStatus() : Failed(path);
}

bool ParseLine(std::string_view line, AuditEntry* entry) {
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  std::string_view time, who, app, action, detail;
  int64_t status = 0;
  if (parser.parse(simdjson::padded_string(line)).get(object) || object["time"].get(time) || object["who"].get(who) ||
      object["app"].get(app) || object["action"].get(action) || object["detail"].get(detail) ||
      object["status"].get(status)) {
    return false;
  }
  const auto time_us = base::ParseTimeUs(time);
  if (!time_us.ok()) return false;
  *entry = {
      *time_us, std::string(who), std::string(app), std::string(action), std::string(detail), static_cast<int>(status)};
  return true;
}

}  // namespace

absl::Status AuditLog::Open() {
  const bool is_new = !std::filesystem::exists(path_);
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file_ < 0) return Failed(path_);
  if (is_new) RETURN_IF_ERROR(store::SyncFolder(std::filesystem::path(path_).parent_path()));
  // A crash may have left half a line: what follows begins on one of its own.
  struct stat info {};
  char last = '\n';
  if (fstat(file_, &info) != 0 || (info.st_size > 0 && pread(file_, &last, 1, info.st_size - 1) != 1))
    return Failed(path_);
  return last == '\n' ? absl::OkStatus() : WriteAll(path_, file_, "\n");
}

AuditLog::~AuditLog() {
  if (file_ >= 0) close(file_);
}

std::string AuditLog::ToJson(const AuditEntry& entry) {
  std::string line;
  base::JsonWriter json(&line);
  json.BeginObject().Key("time").String(base::FormatTimeUs(entry.time_us)).Key("who").String(entry.who);
  json.Key("app").String(entry.app).Key("action").String(entry.action).Key("detail").String(entry.detail);
  json.Key("status").Int(entry.status).EndObject();
  return line;
}

absl::Status AuditLog::Append(const AuditEntry& entry) {
  const std::string line = ToJson(entry) + "\n";
  const absl::MutexLock lock(&mutex_);
  if (file_ < 0) RETURN_IF_ERROR(Open());
  return WriteAll(path_, file_, line);
}

absl::StatusOr<std::vector<AuditEntry>> AuditLog::Read(const std::string& path, size_t count) {
  std::vector<AuditEntry> entries;
  if (!std::filesystem::exists(path)) return entries;
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    AuditEntry entry;
    if (ParseLine(rest.substr(0, end), &entry)) entries.push_back(std::move(entry));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (entries.size() > count) entries.erase(entries.begin(), entries.end() - static_cast<ptrdiff_t>(count));
  return entries;
}

}  // namespace bowerbird::server
