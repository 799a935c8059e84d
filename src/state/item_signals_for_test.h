#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "state/events_for_test.h"

namespace bowerbird::state {

inline config::Signal PerItem(std::string name, std::string kind, std::vector<std::string> on) {
  config::Signal signal;
  signal.name = std::move(name);
  signal.kind = std::move(kind);
  signal.per_item = true;
  signal.on = std::move(on);
  return signal;
}

/// One of each kind, those that depend on the order of events with so few places that something gives way.
inline std::vector<config::Signal> ItemSignalsOfAllKinds() {
  std::vector<config::Signal> signals;
  const auto add = [&](const char* name, const char* kind, std::vector<std::string> on) -> config::Signal& {
    return signals.emplace_back(PerItem(name, kind, std::move(on)));
  };
  add("clicks", "count", {"click"}).window_us = 2 * kDayUs;
  config::Signal& strength = add("strength", "decayed_sum", {"click", "save", "rating"});
  strength.of = "event.weight";
  strength.half_life_us = kDayUs;
  config::Signal& by_category = add("by_category", "decayed_sum", {"click", "save", "rating"});
  by_category.of = "event.weight";
  by_category.by = "item.category";
  by_category.half_life_us = 6 * kHourUs;
  by_category.top = 3;
  config::Signal& rate = add("save_rate", "ratio", {"impression"});
  rate.of_types = {"save"};
  rate.by = "event.surface";
  rate.top = 8;
  rate.half_life_us = kDayUs;
  rate.prior = 0.1;
  rate.prior_weight = 5;
  config::Signal& values = add("last_values", "last_n", {"rating", "search", "hide"});
  values.of = "event.value";
  values.n = 4;
  config::Signal& boards = add("boards", "top_k", {"save"});
  boards.of = "event.collection";
  boards.half_life_us = kDayUs;
  boards.n = 1;
  add("users", "distinct", {"click", "save", "impression"}).of = "event.user";
  // Events that item counters do not count.
  add("since", "time_since", {"unhide", "hide"});
  return signals;
}

inline std::shared_ptr<const config::Config> ConfigWithSignals(std::vector<config::Signal> signals,
                                                               uint64_t cache_bytes = 64 << 20) {
  auto config = std::make_shared<config::Config>(TestConfig());
  config->signals = std::move(signals);
  config->state.cache_bytes = cache_bytes;
  return config;
}

}  // namespace bowerbird::state
