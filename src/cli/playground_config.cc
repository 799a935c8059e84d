#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "cli/playground_source.h"
#include "config/config.h"

namespace bowerbird::cli {
namespace {

/// Words of a table for having rated: a value beside them is how much it was liked.
constexpr std::string_view kRatings[] = {"rating", "rate", "rated", "review"};

bool IsRating(std::string_view type) {
  return std::find(std::begin(kRatings), std::end(kRatings), type) != std::end(kRatings);
}

}  // namespace

std::string TableConfigText(const ingest::TableGuess& guess) {
  std::string text =
      "# Written by `bowerbird playground` from what it understood of your table. Every key: docs/config.md;\n"
      "# `bowerbird config check` checks what you change.\n[app]\nname = \"default\"\n";
  const config::ParseResult defaults = config::Parse("", "");
  const auto built_in = [&](const std::string& type) {
    const auto& types = defaults.config->event_types;
    return std::any_of(types.begin(), types.end(), [&](const auto& known) { return known.name == type; });
  };
  std::vector<ingest::ActionMeaning> actions = guess.actions;
  if (actions.empty()) actions.push_back(ingest::MeaningOf(guess.event_type));
  std::set<std::string> declared;
  for (const ingest::ActionMeaning& action : actions) {
    if (built_in(action.type) || !declared.insert(action.type).second) continue;
    if (declared.size() == 1) text += "\n# What people did, and how much it says of their taste.\n";
    fmt::format_to(std::back_inserter(text), "[events.{}]\n", action.type);
    if (action.polarity != "positive") fmt::format_to(std::back_inserter(text), "polarity = \"{}\"\n", action.polarity);
    if (action.polarity != "neutral") fmt::format_to(std::back_inserter(text), "weight = {:.1f}\n", action.weight);
    if (guess.value_scale && IsRating(action.type)) {
      fmt::format_to(std::back_inserter(text), "value_zero = {:g}\nvalue_one = {:g}\n", guess.value_scale->first,
                     guess.value_scale->second);
    }
    text += "item = \"optional\"\n";
  }
  bool any = false;
  for (const ingest::TableGuess::Column& column : guess.columns) {
    constexpr std::string_view kPrefix = "item.attributes.";
    if (!column.field.starts_with(kPrefix)) continue;
    if (!any) text += "\n# What the table says of the items.\n[items.attributes]\n";
    any = true;
    fmt::format_to(std::back_inserter(text), "{} = \"{}\"\n", column.field.substr(kPrefix.size()),
                   expression::TypeName(column.type));
  }
  // Without a date of their own all items would be new.
  const bool dated = guess.Has("item.created_time");
  fmt::format_to(std::back_inserter(text), R"(
[surfaces.home]
generators = ["for_you", "because", "trending", {}"popular"]
weights = {{ for_you = 1.0, because = 0.6, trending = 0.3, {}popular = 0.1 }}
seen = "exclude"
diversity = 0.1
explore = 0

[surfaces.related]
needs_item = true
generators = ["similar", "because"]
seen = "allow"

# What everybody gets: the page shows it beside the personal feed.
[surfaces.popular]
generators = ["popular"]
seen = "allow"
explore = 0

# The first page waits until all that was imported is folded.
[state]
read_your_writes = "10s"

# Learn from what is done on the page, too.
[pipeline]
interval = "1m"
)",
                 dated ? "\"fresh\", " : "", dated ? "fresh = 0.1, " : "");
  return text;
}

}  // namespace bowerbird::cli
