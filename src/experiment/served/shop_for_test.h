#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/overlay.h"
#include "experiment/served/logged_answer.h"
#include "experiment/served/recipe.h"
#include "serve/request_for_test.h"

namespace bowerbird::experiment::served {

inline constexpr char kLogged[] = R"(
[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
explore = 1
temperature = 0.1
ranked_max = 1000
[[surfaces.home.rules]]
kind = "bury"
name = "dear"
when = "price >= 50"
factor = 0.5
[served]
l2_sample = 1
[objectives.click]
on = ["click"]
window = "30m"
[objectives.buy]
on = ["purchase"]
window = "1h"
weight = 3
)";

inline std::string Patched(std::string_view patch) { return config::Overlay(kLogged, patch, "test")->text; }

/// A shop whose every answer is drawn and logged in full.
struct Shop : serve::RequestForTest {
  Scoring scoring;
  explicit Shop(const std::string& config) : serve::RequestForTest({.items = 150, .config = config}) {
    user = catalog.User({{"save", 4}, {"save", 14}, {"click", 23}, {"save", 5}, {"save", 44}});
    catalog.table->tops["trending"] = {{catalog.Key(31), 50}, {catalog.Key(90), 20}};
    for (uint32_t i = 0; i < 40; ++i) catalog.table->counts[catalog.Key(i)] = {.impressions = 60, .weight = double(i)};
    scoring = Scoring::Of(*catalog.config, surface());
  }
  const config::Surface& surface() const { return *catalog.config->FindSurface("home"); }
  CategoriesOf Categories() {
    view = catalog.View();
    return [this](uint64_t key) -> std::optional<std::span<const uint64_t>> {
      index::ItemHandle item;
      if (!view->Find(catalog::ItemKey(key), &item)) return std::nullopt;
      return view->Categories(item);
    };
  }
  std::shared_ptr<const index::LiveView> view;
};

}  // namespace bowerbird::experiment::served
