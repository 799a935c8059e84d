#pragma once

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "bowerbird/v1/event.pb.h"
#include "config/config.h"
#include "fmt/format.h"
#include "signal/definition.h"

namespace bowerbird::signal {

inline constexpr int64_t kSecondUs = 1'000'000, kHourUs = 3600 * kSecondUs, kDayUs = 24 * kHourUs;
inline constexpr int64_t kStartUs = 1'800'000'000 * kSecondUs;

inline std::shared_ptr<const config::Config> ParseConfig(std::string_view signals) {
  const std::string text = fmt::format(
      "[items.attributes]\ncreator = \"string\"\n[events.view.attributes]\nmood = \"string\"\nseconds = \"number\"\n{}",
      signals);
  const config::ParseResult parsed = config::Parse(text, "test.toml");
  for (const config::Problem& problem : parsed.problems) std::fprintf(stderr, "%s\n", problem.ToString().c_str());
  BOWERBIRD_CHECK(parsed.config != nullptr);
  return parsed.config;
}

/// The set of one signal.
inline Set Only(std::string_view body) { return Set(*ParseConfig(fmt::format("[signals.it]\n{}", body))); }

inline v1::Event MakeEvent(std::string_view type, std::string_view item, std::vector<std::string> categories = {}) {
  v1::Event event;
  event.set_type(std::string(type));
  event.set_user("someone");
  event.set_item(std::string(item));
  for (std::string& category : categories) event.add_item_categories(std::move(category));
  return event;
}

/// What a user did: a type of four, an item of many, up to two of nine categories, mostly in order of time.
struct Act {
  v1::Event event;
  int64_t time_us = 0;
  double strength = 0;
  Input input() const { return {&event, time_us, strength}; }
};
inline std::vector<Act> RandomActs(uint64_t seed, size_t count, uint64_t items) {
  base::Rng rng(seed);
  std::vector<Act> acts;
  int64_t now_us = kStartUs;
  for (size_t i = 0; i < count; ++i) {
    now_us += static_cast<int64_t>(rng.Below(rng.Bernoulli(0.02) ? 12 * kHourUs : kHourUs / 6));
    static constexpr const char* kTypes[] = {"impression", "click", "save", "view"};
    std::vector<std::string> categories;
    for (uint64_t c = rng.Below(3); c > 0; --c) categories.push_back(fmt::format("category{}", rng.Below(9)));
    Act act{MakeEvent(kTypes[rng.Below(4)], fmt::format("item{}", rng.Below(items)), std::move(categories))};
    act.event.set_surface(rng.Bernoulli(0.5) ? "home" : "");
    act.event.set_value(static_cast<double>(rng.Below(5)));
    (*act.event.mutable_item_attributes())["creator"].set_string_value(fmt::format("creator{}", rng.Below(6)));
    act.time_us = rng.Bernoulli(0.1) ? now_us - static_cast<int64_t>(rng.Below(2 * kDayUs)) : now_us;
    act.strength = static_cast<double>(1 + rng.Below(5));
    acts.push_back(std::move(act));
  }
  return acts;
}

/// As a state folds them: events of types that the signal does not count never come to it.
inline std::string FoldAll(const Set& set, const std::vector<Act>& acts, size_t slot = 0) {
  std::string value;
  for (const Act& act : acts) {
    const auto slots = set.CountingSlots(act.event.type());
    if (std::ranges::find(slots, slot) != slots.end()) set[slot].Fold(act.input(), &value);
  }
  return value;
}

}  // namespace bowerbird::signal
