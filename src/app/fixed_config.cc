#include <fmt/format.h>

#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "app/app.h"
#include "base/time_text.h"
#include "signal/definition.h"
#include "state/fold.h"

namespace bowerbird::app {
namespace {

class Differences {
 public:
  template <typename T>
  void Value(std::string_view key, const T& open, const T& wanted) {
    if (open != wanted) Add(key, fmt::format("{}", open), fmt::format("{}", wanted));
  }
  void Duration(std::string_view key, int64_t open_us, int64_t wanted_us) {
    if (open_us != wanted_us) Add(key, base::FormatDurationUs(open_us), base::FormatDurationUs(wanted_us));
  }
  void Add(std::string_view key, std::string_view open, std::string_view wanted) {
    found_.push_back(fmt::format("{}: found {}; the app was opened with {}", key, wanted, open));
  }
  bool empty() const { return found_.empty(); }
  std::vector<std::string> Take() { return std::move(found_); }

 private:
  std::vector<std::string> found_;
};

std::string Names(const std::vector<config::Surface>& surfaces) {
  std::string names;
  for (const config::Surface& surface : surfaces)
    fmt::format_to(std::back_inserter(names), "{}{}", names.empty() ? "" : ", ", surface.name);
  return names;
}

/// How it is folded: what the meaning of state is made of.
std::string Meaning(const config::EventType* type) {
  if (type == nullptr) return "nothing";
  return fmt::format("code {}, weight {:g}, polarity {}, value {:g} to {:g}", type->code, type->weight,
                     type->polarity == config::Polarity::kPositive   ? "positive"
                     : type->polarity == config::Polarity::kNegative ? "negative"
                                                                     : "neutral",
                     type->value_zero, type->value_one);
}

void CompareEvents(const config::Config& open, const config::Config& wanted, Differences* differences) {
  const auto compare = [&](const std::string& name) {
    const std::string was = Meaning(open.FindEventType(name)), is = Meaning(wanted.FindEventType(name));
    if (was != is) differences->Add(fmt::format("events.{}", name), was, is);
  };
  for (const config::EventType& type : open.event_types) compare(type.name);
  for (const config::EventType& type : wanted.event_types) {
    if (open.FindEventType(type.name) == nullptr) compare(type.name);
  }
}

std::string Shape(const config::Attribute* attribute) {
  if (attribute == nullptr) return "nothing";
  if (attribute->embedding) return fmt::format("embedding of {}", attribute->dim);
  return fmt::format("type {}{}", static_cast<int>(attribute->type), attribute->stamp ? ", stamped" : "");
}

void CompareItems(const config::Config& open, const config::Config& wanted, Differences* differences) {
  differences->Value("items.domains", fmt::format("{}", fmt::join(open.domains, ", ")),
                     fmt::format("{}", fmt::join(wanted.domains, ", ")));
  differences->Value("items.category", open.state.category_attribute, wanted.state.category_attribute);
  const auto compare = [&](const std::string& name) {
    const std::string was = Shape(open.FindItemAttribute(name)), is = Shape(wanted.FindItemAttribute(name));
    if (was != is) differences->Add(fmt::format("items.attributes.{}", name), was, is);
  };
  for (const config::Attribute& attribute : open.item_attributes) compare(attribute.name);
  for (const config::Attribute& attribute : wanted.item_attributes) {
    if (open.FindItemAttribute(attribute.name) == nullptr) compare(attribute.name);
  }
}

std::string Text(const config::Log& log) {
  if (log.kind == config::Log::Kind::kEmbedded) return "embedded";
  std::string text = fmt::format("kafka at {}, topics {}, replication {}, events_in {}, password files \"{}\" \"{}\"",
                                 fmt::join(log.brokers, ","), log.topic_prefix, log.replication, log.events_in,
                                 log.password_file, log.key_password_file);
  for (const auto& [name, value] : log.client) fmt::format_to(std::back_inserter(text), ", {} {}", name, value);
  return text;
}

void CompareState(const config::State& open, const config::State& wanted, Differences* differences) {
  differences->Value("state.sequence_max", open.sequence_max, wanted.sequence_max);
  differences->Value("state.dedupe_prints", open.dedupe_prints, wanted.dedupe_prints);
  differences->Duration("state.dedupe_window", open.dedupe_window_us, wanted.dedupe_window_us);
  differences->Value("state.cache_bytes", open.cache_bytes, wanted.cache_bytes);
  differences->Duration("state.flush_interval", open.flush_interval_us, wanted.flush_interval_us);
  differences->Duration("state.item_bucket", open.item_bucket_us, wanted.item_bucket_us);
  differences->Value("state.item_buckets_max", open.item_buckets_max, wanted.item_buckets_max);
  differences->Duration("state.item_table_interval", open.item_table_interval_us, wanted.item_table_interval_us);
  differences->Duration("state.affinity_half_life", open.affinity_half_life_us, wanted.affinity_half_life_us);
  differences->Value("state.affinity_top", open.affinity_top, wanted.affinity_top);
}

/// What the fold looks at; which agents are declared is intake's matter.
void CompareTraffic(const config::Traffic& open, const config::Traffic& wanted, Differences* differences) {
  differences->Value("traffic.enabled", open.enabled, wanted.enabled);
  differences->Value("traffic.rate", open.rate, wanted.rate);
  differences->Duration("traffic.rate_window", open.rate_window_us, wanted.rate_window_us);
  differences->Value("traffic.entropy", open.entropy, wanted.entropy);
  differences->Value("traffic.entropy_actions", open.entropy_actions, wanted.entropy_actions);
  differences->Duration("traffic.mark_for", open.mark_us, wanted.mark_us);
}

/// They get their history when the app is opened.
void CompareSignals(const config::Config& open, const config::Config& wanted, Differences* differences) {
  const auto meanings = [](const config::Config& config) {
    std::map<std::string, std::string> by_name;
    for (const config::Signal& signal : config.signals) {
      by_name.emplace(signal.name, signal::Definition(config, signal).meaning());
    }
    return by_name;
  };
  const std::map<std::string, std::string> was = meanings(open), is = meanings(wanted);
  const auto meaning_in = [](const std::map<std::string, std::string>& by_name, const std::string& name) {
    const auto found = by_name.find(name);
    return found == by_name.end() ? "nothing" : found->second;
  };
  const auto compare = [&](const std::string& name) {
    differences->Value(fmt::format("signals.{}", name), meaning_in(was, name), meaning_in(is, name));
  };
  for (const config::Signal& signal : open.signals) compare(signal.name);
  for (const config::Signal& signal : wanted.signals) {
    if (!was.contains(signal.name)) compare(signal.name);
  }
}

}  // namespace

std::vector<std::string> FixedWhileOpen(const config::Config& open, const config::Config& wanted) {
  Differences differences;
  differences.Value("app.partitions", open.partitions, wanted.partitions);
  CompareEvents(open, wanted, &differences);
  CompareItems(open, wanted, &differences);
  differences.Value("log", Text(open.log), Text(wanted.log));
  differences.Duration("collect.age_max", open.collect.age_us_max, wanted.collect.age_us_max);
  CompareState(open.state, wanted.state, &differences);
  CompareTraffic(open.traffic, wanted.traffic, &differences);
  CompareSignals(open, wanted, &differences);
  differences.Value("surfaces", Names(open.surfaces), Names(wanted.surfaces));
  // Whatever the fold will look at some day and nobody adds above: better refused than state of two meanings.
  const state::FoldPolicy was(open), is(wanted);
  if (differences.empty()) {
    differences.Value("events and state", was.LayoutText() + was.MeaningText(), is.LayoutText() + is.MeaningText());
  }
  return differences.Take();
}

}  // namespace bowerbird::app
