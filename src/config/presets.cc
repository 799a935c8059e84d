#include <fmt/format.h>

#include <array>
#include <utility>

#include "config/config.h"

namespace bowerbird::config {
namespace {

constexpr std::string_view kShop =
    R"(# A shop: people look, fill a cart, buy. docs/config.md lists every key; `bowerbird config check` checks what you change.
[app]
name = "default"

# What people do, and how much it says. click (1), save (3), purchase (5), hide, search and impression are built in.
[events.add_to_cart]
weight = 3.0
[events.remove_from_cart]
polarity = "neutral"
[events.rating]          # nothing at 2 stars or less, all of it at 5
weight = 3.0
value_zero = 2
value_one = 5

# What a product has besides id, title, price, available, categories and created. Filters and rules may name it.
[items.attributes]
brand = "string"
color = "string"
on_sale = "bool"
tags = "strings"

[generators.trending]    # half a week ago counts half
half_life = "3d"
window = "14d"

[surfaces.home]
generators = ["for_you", "because", "trending", "fresh", "popular"]
weights = { for_you = 1.0, because = 0.7, trending = 0.3, fresh = 0.15, popular = 0.1 }
seen = "demote"          # people come back to what they looked at before they buy
category_cap = 6

[[surfaces.home.rules]]
kind = "boost"
name = "sale"
when = "on_sale"
factor = 1.1
)";

constexpr std::string_view kArticles =
    R"(# Articles: news or a blog; the new matters, the old fades. docs/config.md lists every key; `bowerbird config check` checks yours.
[app]
name = "default"

# What people do, and how much it says. click (1), save (3), hide, search and impression are built in.
[events.read]            # to the end
weight = 2.0
[events.share]
weight = 4.0

# What an article has besides id, title, description, categories (its sections) and created.
[items.attributes]
author = "string"
language = "string"
premium = "bool"
tags = "strings"

[state]                  # interests follow the week
affinity_half_life = "7d"

[generators.because]
half_life = "3d"
[generators.trending]    # six hours ago counts half
half_life = "6h"
window = "2d"
[generators.fresh]
window = "3d"

[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
weights = { for_you = 1.0, because = 0.6, trending = 0.7, fresh = 0.5 }
diversity = 0.3

[[surfaces.home.rules]]
kind = "bury"
name = "old"
when = "created < now - 14d"
factor = 0.3
)";

constexpr std::string_view kPins =
    R"(# Pins: pictures that people save to boards. docs/config.md lists every key; `bowerbird config check` checks what you change.
[app]
name = "default"

# What people do, and how much it says. click, closeup, save (with a collection: the board), hide and impression are built in.
[events.click]           # through to the source
weight = 1.5
[events.save]
weight = 4.0
[events.share]
weight = 3.0

[items]
domains = ["organic", "product"]

# What a pin has besides id, title, description, image_url, price, categories and created.
[items.attributes]
creator = "string"
color = "string"
tags = "strings"

[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
weights = { for_you = 1.0, because = 0.8, trending = 0.2, fresh = 0.2 }
diversity = 0.25
category_cap = 8
explore = 0.02           # of the requests; their propensities are in the log

[surfaces.related]       # below the picture that is looked at
needs_item = true
generators = ["similar", "because"]
seen = "allow"

[pipeline]               # learn this often from what is new
interval = "10m"
)";

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kPresets = {
    {{"shop", kShop}, {"articles", kArticles}, {"pins", kPins}}};

}  // namespace

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const auto& [name, text] : kPresets) names.emplace_back(name);
  return names;
}

absl::StatusOr<std::string> PresetText(std::string_view name) {
  for (const auto& [known, text] : kPresets) {
    if (known == name) return std::string(text);
  }
  return absl::InvalidArgumentError(
      fmt::format("preset: found '{}'; expected one of {}", name, fmt::join(PresetNames(), ", ")));
}

}  // namespace bowerbird::config
