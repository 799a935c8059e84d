// Any bytes: read or refused with problems whose lines are in the text; what is read passes every lookup.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/config.h"
#include "config/patch.h"

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
    // Written out as an arm's config is, it means the same.
    const auto written = Patched(text, {});
    BOWERBIRD_CHECK(written.ok());
    const ParseResult again = Parse(*written, "fuzz.toml");
    BOWERBIRD_CHECK(again.config != nullptr);
    for (const Surface& surface : result.config->surfaces) {
      BOWERBIRD_CHECK(RecipeLines(*again.config, surface.name) == RecipeLines(*result.config, surface.name));
    }
    for (const EventType& type : result.config->event_types) {
      BOWERBIRD_CHECK(result.config->FindEventTypeByCode(type.code) == &type);
    }
  }
  const Change change{std::string(text.substr(0, text.find('\n'))), std::string(text.substr(text.find('\n') + 1))};
  const auto changed = Patched("", {&change, 1});
  if (changed.ok()) Parse(*changed, "fuzz.toml");
  ParseServer(text, "fuzz.toml");
  return 0;
}
