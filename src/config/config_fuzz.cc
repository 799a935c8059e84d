// Any bytes: read or refused with problems whose lines are in the text; what is read passes every lookup.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<uint32_t>(std::ranges::count(text, '\n') + 1);
  const ParseResult result = Parse(text, "fuzz.toml");
  BOWERBIRD_CHECK((result.config == nullptr) == !result.problems.empty());
  for (const Problem& problem : result.problems) {
    BOWERBIRD_CHECK(problem.line <= lines && !problem.found.empty() && !problem.expected.empty());
    BOWERBIRD_CHECK(problem.ToString().find('\n') == std::string::npos);
  }
  if (result.config != nullptr) {
    BOWERBIRD_CHECK(result.config->ItemSchema().size() >= 8);
    for (const Surface& surface : result.config->surfaces) {
      for (const std::string& name : surface.generators) BOWERBIRD_CHECK(result.config->FindGenerator(name) != nullptr);
    }
    for (const EventType& type : result.config->event_types) {
      BOWERBIRD_CHECK(result.config->FindEventTypeByCode(type.code) == &type);
    }
  }
  ParseServer(text, "fuzz.toml");
  return 0;
}
