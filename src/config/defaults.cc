#include <utility>

#include "config/sections.h"

namespace bowerbird::config {
namespace {

EventType BuiltIn(const char* name, double weight, Polarity polarity, ItemUse item) {
  EventType type;
  type.name = name;
  type.weight = weight;
  type.polarity = polarity;
  type.item = item;
  return type;
}

std::vector<EventType> BuiltInEventTypes() {
  std::vector<EventType> types = {
      BuiltIn("impression", 0, Polarity::kNeutral, ItemUse::kRequired),
      BuiltIn("click", 1, Polarity::kPositive, ItemUse::kRequired),
      BuiltIn("closeup", 1, Polarity::kPositive, ItemUse::kRequired),
      BuiltIn("save", 3, Polarity::kPositive, ItemUse::kRequired),
      BuiltIn("hide", 1, Polarity::kNegative, ItemUse::kRequired),
      BuiltIn("purchase", 5, Polarity::kPositive, ItemUse::kRequired),
      BuiltIn("search", 0, Polarity::kNeutral, ItemUse::kNone),
      BuiltIn("notification_open", 0.5, Polarity::kPositive, ItemUse::kOptional),
      BuiltIn("identify", 0, Polarity::kNeutral, ItemUse::kNone),
      BuiltIn("unhide", 0, Polarity::kNeutral, ItemUse::kRequired),
  };
  for (uint32_t i = 0; i < types.size(); ++i) {
    types[i].ordinal = i;
    types[i].code = static_cast<uint8_t>(i + 1);
  }
  return types;
}

std::vector<Generator> DefaultGenerators() {
  return {
      GeneratorDefaults("for_you", GeneratorKind::kIals),
      GeneratorDefaults("because", GeneratorKind::kCoOccurrence),
      GeneratorDefaults("trending", GeneratorKind::kTrending),
      GeneratorDefaults("fresh", GeneratorKind::kFresh),
      GeneratorDefaults("popular", GeneratorKind::kPopular),
      GeneratorDefaults("similar", GeneratorKind::kSimilar),
      GeneratorDefaults("next", GeneratorKind::kNext),
  };
}

std::vector<Surface> DefaultSurfaces() {
  Surface home;
  home.name = "home";
  home.generators = {"for_you", "because", "trending", "fresh"};
  Surface related;
  related.name = "related";
  related.needs_item = true;
  related.generators = {"similar", "because"};
  related.seen = SeenPolicy::kAllow;
  Surface next;
  next.name = "next";
  next.generators = {"next"};
  // What is being talked about is gone back to, but not by who has just left it.
  next.seen_window_us = 30 * kMinuteUs;
  return {std::move(home), std::move(related), std::move(next)};
}

}  // namespace

Generator GeneratorDefaults(std::string_view name, GeneratorKind kind) {
  Generator generator;
  generator.name = name;
  generator.kind = kind;
  switch (kind) {
    case GeneratorKind::kIals:
    case GeneratorKind::kSimilar:
      break;
    case GeneratorKind::kCoOccurrence:
      generator.half_life_us = 30 * kDayUs;
      break;
    case GeneratorKind::kTrending:
      generator.count = 200;
      generator.half_life_us = kDayUs;
      generator.window_us = 7 * kDayUs;
      break;
    case GeneratorKind::kFresh:
      generator.count = 200;
      generator.window_us = 30 * kDayUs;
      break;
    case GeneratorKind::kPopular:
      generator.count = 200;
      break;
    case GeneratorKind::kNext:
      generator.count = 200;
      generator.half_life_us = 30 * kMinuteUs;
      generator.seeds = 4;
      break;
  }
  return generator;
}

Config DefaultConfig() {
  Config config;
  config.event_types = BuiltInEventTypes();
  config.domains = {"organic"};
  config.collect.age_us_max = 7 * kDayUs;
  config.collect.future_us_max = 5 * kMinuteUs;
  config.state.dedupe_window_us = 7 * kDayUs;
  config.state.affinity_half_life_us = 14 * kDayUs;
  config.state.category_attribute = "categories";
  config.generators = DefaultGenerators();
  config.surfaces = DefaultSurfaces();
  config.pipeline.co_occurrence_half_life_us = 30 * kDayUs;
  return config;
}

std::span<const BuiltInAttribute> BuiltInItemAttributes() {
  using expression::Type;
  static constexpr BuiltInAttribute kAttributes[] = {
      {"id", Type::kString},      {"domain", Type::kString}, {"title", Type::kString}, {"price", Type::kNumber},
      {"available", Type::kBool}, {"created", Type::kTime},  {"updated", Type::kTime}, {"categories", Type::kStrings},
  };
  return kAttributes;
}

}  // namespace bowerbird::config
