// Bodies of events: any bytes are answered by events, verdicts or a refusal, and what is taken as JSON without a
// complaint is JSON.
#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "collect/event_json.h"
#include "collect/event_rules.h"

namespace {

using namespace bowerbird;  // NOLINT: a program of one file

std::shared_ptr<const config::Config> MakeConfig() {
  auto config = std::make_shared<config::Config>();
  config::EventType type;
  type.name = "rating";
  type.item = config::ItemUse::kOptional;
  type.attributes = {{.name = "a", .type = expression::Type::kString},
                     {.name = "b", .type = expression::Type::kNumber},
                     {.name = "c", .type = expression::Type::kBool},
                     {.name = "d", .type = expression::Type::kStrings},
                     {.name = "e", .type = expression::Type::kTime}};
  config->event_types = {type};
  config->collect.age_us_max = 1'000'000;
  config->collect.batch_events_max = 100;
  return config;
}

bool IsJson(std::string_view body) {
  simdjson::dom::parser parser;
  return parser.parse(body.data(), body.size()).error() == simdjson::SUCCESS;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const config::Config> config = MakeConfig();
  static collect::EventJsonReader reader(config);
  static const collect::EventRules rules(config);
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  bool complained = false;
  const absl::Status status =
      reader.Read(body, [&](int64_t, v1::Event* event, bool has_time, const catalog::Problem* problem) {
        if (problem != nullptr) {
          BOWERBIRD_CHECK(!problem->code.empty() && !problem->detail.empty());
          complained = true;
          return;
        }
        if (rules.Check(event).has_value()) return;
        if (rules.SettleTime(event, has_time, 1'800'000'000'000'000, false).has_value()) return;
        BOWERBIRD_CHECK(base::IsValidUtf8(event->user()) && !event->user().empty() && event->user().size() <= 256);
        BOWERBIRD_CHECK(event->event_time_us() >= 0 && event->event_time_us() <= 1'800'000'000'000'000);
        v1::Event back;
        BOWERBIRD_CHECK(back.ParseFromString(event->SerializeAsString()));
      });
  if (status.ok() && !complained) BOWERBIRD_CHECK(IsJson(body));
  return 0;
}
