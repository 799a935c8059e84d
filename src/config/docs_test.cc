// docs/config.md must name every key. The keys come from the reader itself: what it would accept beside an unknown one.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "config/config.h"

namespace bowerbird::config {
namespace {

std::vector<std::string> KeysBesideUnknown(const std::vector<Problem>& problems) {
  std::vector<std::string> keys;
  for (const Problem& problem : problems) {
    if (!problem.found.starts_with("the unknown key")) continue;
    std::istringstream list(problem.expected.substr(problem.expected.rfind(": ") + 2));
    for (std::string key; std::getline(list, key, ',');) keys.push_back(key.substr(key.find_first_not_of(' ')));
  }
  return keys;
}

TEST(DocsTest, NameEveryKey) {
  std::ifstream in(BOWERBIRD_SOURCE_DIR "/docs/config.md");
  const std::string docs((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::vector<std::string> keys = KeysBesideUnknown(Parse(R"(
zzz = 0
[app]
zzz = 0
[events.view]
zzz = 0
[items]
zzz = 0
[items.attributes]
a = { type = "bool", zzz = 0 }
b = { embedding = 1, zzz = 0 }
[users]
zzz = 0
[collect]
zzz = 0
[log]
zzz = 0
[state]
zzz = 0
[signals]
a = { kind = "decayed_sum", on = ["click"], half_life = "1d", by = "item.id", zzz = 0 }
b = { kind = "count", on = ["click"], window = "1d", zzz = 0 }
c = { kind = "ratio", on = ["click"], of = "save", zzz = 0 }
d = { kind = "last_n", on = ["click"], zzz = 0 }
[segments]
a = { where = "events > 1", zzz = 0 }
[generators]
a = { kind = "trending", zzz = 0 }
b = { kind = "co_occurrence", zzz = 0 }
[objectives]
a = { event = "click", zzz = 0 }
[metrics]
a = { kind = "mean", on = ["click"], zzz = 0 }
b = { kind = "ratio", numerator = { on = ["click"], zzz = 0 }, denominator = { on = ["save"] }, zzz = 0 }
c = { kind = "quantile", on = ["click"], q = 0.5, zzz = 0 }
d = { kind = "retention", from = 1, to = 7, zzz = 0 }
[surfaces.home]
zzz = 0
[[surfaces.home.rules]]
name = "a"
kind = "bury"
when = "true"
factor = 0
zzz = 0
[[surfaces.home.rules]]
name = "b"
kind = "pin"
item = "i"
position = 1
zzz = 0
[pipeline]
zzz = 0
[served]
zzz = 0
[lake]
zzz = 0
[lake.retention]
zzz = 0
[forget]
zzz = 0
[traffic]
zzz = 0
[experiments]
zzz = 0
)",
                                                          "x")
                                                        .problems);
  for (std::string& key : KeysBesideUnknown(ParseServer("zzz = 0\n[server]\nzzz = 0", "x").problems)) {
    keys.push_back(std::move(key));
  }
  EXPECT_GT(keys.size(), 90u);
  for (const std::string& key : keys) {
    const bool named = std::regex_search(docs, std::regex("\\b" + key + "\\b"));
    EXPECT_TRUE(named) << key;
  }
}

}  // namespace
}  // namespace bowerbird::config
