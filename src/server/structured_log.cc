#include "server/structured_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                 spdlog::level::err};

}  // namespace

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  const auto index = static_cast<size_t>(level);
  if (!Logger().should_log(kLevels[index])) return;
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
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == level) {
      Logger().set_level(kLevels[i]);
      return true;
    }
  }
  return false;
}

}  // namespace bowerbird::server
