#pragma once

#include <string>

#include "fmt/format.h"

namespace bowerbird::signal {

/// Six keyed and twenty plain signals, as a team of some size has them.
inline std::string SixAndTwenty() {
  std::string text = R"(
[signals.affinity]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "7d"
[signals.affinity_long]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "90d"
[signals.clicks_by_surface]
kind = "count"
by = "event.surface"
on = ["click"]
window = "7d"
[signals.creators]
kind = "top_k"
of = "item.creator"
on = ["click", "save"]
half_life = "30d"
n = 16
[signals.save_rate_by_category]
kind = "ratio"
of = "save"
by = "item.category"
on = ["impression"]
window = "30d"
[signals.since_by_category]
kind = "time_since"
by = "item.category"
on = ["click", "save"]
[signals.recent_items]
kind = "last_n"
on = ["click", "save"]
n = 20
[signals.recent_saves]
kind = "last_n"
on = ["save"]
n = 10
[signals.items_ever]
kind = "distinct"
of = "item.id"
on = ["click"]
[signals.creators_ever]
kind = "distinct"
of = "item.creator"
on = ["click", "save"]
[signals.since_save]
kind = "time_since"
on = ["save"]
[signals.since_any]
kind = "time_since"
on = ["click", "save", "impression"]
[signals.click_rate]
kind = "ratio"
of = "click"
on = ["impression"]
window = "7d"
prior = 0.1
prior_weight = 20
[signals.save_rate]
kind = "ratio"
of = "save"
on = ["click"]
half_life = "30d"
)";
  for (const char* type : {"click", "save", "impression"}) {
    for (const char* window : {"1h", "1d", "7d"}) {
      text += fmt::format("[signals.{0}s_{1}]\nkind = \"count\"\non = [\"{0}\"]\nwindow = \"{1}\"\n", type, window);
    }
  }
  for (const char* half_life : {"1h", "1d", "30d"}) {
    text += fmt::format(
        "[signals.weight_{0}]\nkind = \"decayed_sum\"\non = [\"click\", \"save\"]\nhalf_life = \"{0}\"\n", half_life);
  }
  return text;
}

}  // namespace bowerbird::signal
