#include "server/structured_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/time_text.h"

namespace bowerbird::server {
namespace {

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("bowerbird", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    return made;
  }();
  return *logger;
}

/// In the order of LogLevel: as a line says it, and as spdlog knows it.
constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                 spdlog::level::err};

/// The words that server.toml takes for `log_level`.
constexpr std::pair<std::string_view, spdlog::level::level_enum> kSettings[] = {
    {"trace", spdlog::level::trace}, {"debug", spdlog::level::debug}, {"info", spdlog::level::info},
    {"warn", spdlog::level::warn},   {"error", spdlog::level::err},   {"off", spdlog::level::off}};

}  // namespace

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  const auto index = static_cast<size_t>(level);
  if (!Logs(level)) return;
  std::string line;
  base::JsonWriter json(&line);
  json.BeginObject().Key("time").String(base::FormatTimeUs(base::SystemClock::Get().NowUs()));
  json.Key("level").String(kNames[index]).Key("event").String(event);
  for (const LogField& field : fields) {
    json.Key(field.name);
    if (const auto* text = std::get_if<std::string_view>(&field.value)) json.String(*text);
    if (const auto* number = std::get_if<int64_t>(&field.value)) json.Int(*number);
    if (const auto* number = std::get_if<double>(&field.value)) json.Double(*number);
    if (const auto* flag = std::get_if<bool>(&field.value)) json.Bool(*flag);
  }
  json.EndObject();
  Logger().log(kLevels[index], "{}", line);
}

bool SetLogLevel(std::string_view level) {
  for (const auto& [name, value] : kSettings) {
    if (name != level) continue;
    Logger().set_level(value);
    return true;
  }
  return false;
}

bool Logs(LogLevel level) { return Logger().should_log(kLevels[static_cast<size_t>(level)]); }

}  // namespace bowerbird::server
