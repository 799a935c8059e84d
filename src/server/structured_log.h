#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace bowerbird::server {

struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, double, bool> value;
};
enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// One JSON object a line on standard error: time, level, event, then the fields. Never give it a user id, an item id
/// or a body: logs carry no personal data.
///
/// Threads  any.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
/// Lines below `level` are not written: "trace", "debug", "info", "warn", "error" or "off", as in server.toml; false
/// for anything else.
bool SetLogLevel(std::string_view level);
/// Whether a line of this level would be written.
bool Logs(LogLevel level);

}  // namespace bowerbird::server
