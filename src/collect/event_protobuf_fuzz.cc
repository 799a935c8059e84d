// Bodies of events in protobuf: any bytes are answered by events, verdicts or a refusal, and what is taken without a
// complaint is what protobuf's own parser reads.
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "bowerbird/v1/service.pb.h"
#include "collect/event_protobuf.h"
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
                     {.name = "d", .type = expression::Type::kStrings},
                     {.name = "e", .type = expression::Type::kTime}};
  config->event_types = {type};
  config->collect.age_us_max = 1'000'000;
  config->collect.batch_events_max = 100;
  return config;
}

bool SameNumber(double a, double b) { return a == b || (a != a && b != b); }

/// Equal but for the sign and bits of NaN, which EventRules refuse.
bool Same(const v1::Event& a, const v1::Event& b) {
  if (!SameNumber(a.value(), b.value())) return false;
  v1::Event left = a, right = b;
  left.clear_value();
  right.clear_value();
  if (left.attributes().size() != right.attributes().size()) return false;
  for (const auto& [name, value] : left.attributes()) {
    const auto it = right.attributes().find(name);
    if (it == right.attributes().end() || it->second.kind_case() != value.kind_case()) return false;
    const bool number = value.kind_case() == v1::Value::kNumberValue;
    if (number && !SameNumber(value.number_value(), it->second.number_value())) return false;
    if (!number && value.SerializeAsString() != it->second.SerializeAsString()) return false;
  }
  left.clear_attributes();
  right.clear_attributes();
  return left.SerializeAsString() == right.SerializeAsString();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The yardstick complains on standard error about every text that is not UTF-8.
  [[maybe_unused]] static const bool kQuiet = (google::protobuf::SetLogHandler(nullptr), true);
  static const std::shared_ptr<const config::Config> config = MakeConfig();
  static collect::EventProtobufReader reader(config);
  static const collect::EventRules rules(config);
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  v1::CollectRequest yardstick;
  const bool parsed = yardstick.ParseFromArray(data, static_cast<int>(size));
  int events = 0;
  const absl::Status status =
      reader.Read(body, [&](int64_t index, v1::Event* event, bool has_time, const catalog::Problem* problem) {
        ++events;
        if (problem != nullptr) {
          BOWERBIRD_CHECK(!problem->code.empty() && !problem->detail.empty() && base::IsValidUtf8(problem->field));
          return;
        }
        if (parsed) BOWERBIRD_CHECK(Same(*event, yardstick.events(static_cast<int>(index))));
        if (rules.Check(event).has_value()) return;
        if (rules.SettleTime(event, has_time, 1'800'000'000'000'000, false).has_value()) return;
        BOWERBIRD_CHECK(base::IsValidUtf8(event->user()) && !event->user().empty() && event->user().size() <= 256);
        BOWERBIRD_CHECK(event->event_time_us() >= 0 && event->event_time_us() <= 1'800'000'000'000'000);
        v1::Event back;
        BOWERBIRD_CHECK(back.ParseFromString(event->SerializeAsString()));
      });
  if (status.ok() && parsed) BOWERBIRD_CHECK(events == yardstick.events_size());
  return 0;
}
