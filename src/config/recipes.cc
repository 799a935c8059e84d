#include <fmt/format.h>

#include <algorithm>

#include "config/rank_features.h"
#include "config/rules.h"
#include "config/sections.h"

namespace bowerbird::config {
namespace {

constexpr size_t kGeneratorsMax = 64;
constexpr size_t kObjectivesMax = 64;
// A surface's place in the config, counted from 1, is one byte in a stored action; the defaults count too.
constexpr size_t kSurfacesMax = 250;
constexpr size_t kRankFeaturesMax = 64;

constexpr std::pair<std::string_view, GeneratorKind> kKinds[] = {
    {"ials", GeneratorKind::kIals},         {"co_occurrence", GeneratorKind::kCoOccurrence},
    {"trending", GeneratorKind::kTrending}, {"fresh", GeneratorKind::kFresh},
    {"popular", GeneratorKind::kPopular},   {"similar", GeneratorKind::kSimilar},
    {"next", GeneratorKind::kNext}};
constexpr std::pair<std::string_view, SeenPolicy> kSeenPolicies[] = {
    {"exclude", SeenPolicy::kExclude}, {"demote", SeenPolicy::kDemote}, {"allow", SeenPolicy::kAllow}};

std::string_view KindName(GeneratorKind kind) {
  return std::ranges::find(kKinds, kind, [](auto& k) { return k.second; })->first;
}

void ReadGenerator(TableReader table, bool declared, Generator* generator) {
  if (declared)
    table.Require("kind", "\"ials\", \"co_occurrence\", \"trending\", \"fresh\", \"popular\", \"similar\" or \"next\"");
  GeneratorKind kind = generator->kind;
  // Under a kind that is none of ours every key is looked at, so that its other problems are told too.
  const bool any = !table.Choice<GeneratorKind>("kind", kKinds, &kind) && (declared || table.Has("kind"));
  if (declared || kind != generator->kind) *generator = GeneratorDefaults(generator->name, kind);
  table.Integer("count", 1, 10'000, &generator->count);
  if (any || kind == GeneratorKind::kTrending || kind == GeneratorKind::kCoOccurrence || kind == GeneratorKind::kNext) {
    table.Duration("half_life", kSecondUs, kDurationUsMax, &generator->half_life_us);
  }
  if (any || kind == GeneratorKind::kTrending || kind == GeneratorKind::kFresh) {
    table.Duration("window", kSecondUs, kDurationUsMax, &generator->window_us);
  }
  if (any || kind == GeneratorKind::kCoOccurrence || kind == GeneratorKind::kNext)
    table.Integer("seeds", 1, 1000, &generator->seeds);
  table.RefuseUnknown(any ? "a generator" : fmt::format("a generator of kind \"{}\"", KindName(kind)));
}

std::vector<std::string_view> GeneratorNames(const Config& config) {
  std::vector<std::string_view> names;
  names.reserve(config.generators.size());
  for (const Generator& generator : config.generators) names.push_back(generator.name);
  return names;
}

void ReadSurfaceGenerators(TableReader* table, Draft* draft, Surface* surface) {
  std::vector<NameAt> names;
  if (!table->Names("generators", &names)) return;
  surface->generators.clear();
  if (names.empty()) table->Refuse("generators", "an empty list", "at least one generator");
  for (const NameAt& name : names) {
    const Generator* generator = draft->config.FindGenerator(name.text);
    if (generator == nullptr) {
      draft->problems->Add(name.line, name.path, Quote(name.text),
                           OneOf("a declared or default generator", name.text, GeneratorNames(draft->config)));
      continue;
    }
    if (generator->kind == GeneratorKind::kSimilar && !surface->needs_item) {
      draft->problems->Add(name.line, name.path, Quote(name.text) + ", which is of kind \"similar\"",
                           "needs_item = true on this surface, or a generator of another kind");
    }
    surface->generators.push_back(name.text);
  }
}

void ReadWeights(TableReader weights, Surface* surface) {
  if (!weights.CheckCount(kGeneratorsMax)) return;
  for (const NameAt& name : weights.Keys()) {
    double weight = 1;
    weights.Number(name.text, Interval::Closed(0, 1000), &weight);
    std::vector<std::string_view> names(surface->generators.begin(), surface->generators.end());
    names.insert(names.end(), std::begin(kScaledFeatures), std::end(kScaledFeatures));
    if (std::ranges::find(names, name.text) == names.end()) {
      weights.Refuse(name.text, Quote(name.text),
                     OneOf("a generator of this surface or a feature of the ranker", name.text, names));
    }
    surface->weights[name.text] = weight;
  }
}

void ReadRankFeatures(TableReader features, const Draft& draft, Surface* surface) {
  if (!features.exists() || !features.CheckCount(kRankFeaturesMax)) return;
  surface->features.clear();
  for (const NameAt& name : features.Keys()) {
    RankFeature feature;
    features.Number(name.text, Interval::Closed(-1000, 1000), &feature.weight);
    expression::CompileError error;
    auto number = expression::ParseOpenNumber(name.text, draft.item_schema, &error);
    if (!number.has_value()) {
      features.Refuse(name.text, fmt::format("{} at {} of {}", error.found, error.position, Quote(name.text)),
                      error.expected);
      continue;
    }
    feature.name = number->Text();
    feature.number = *std::move(number);
    if (std::ranges::find(surface->features, feature.name, &RankFeature::name) != surface->features.end()) {
      features.Refuse(name.text, "a second " + Quote(feature.name), "each number once");
    }
    surface->features.push_back(std::move(feature));
  }
}

void ReadSurface(TableReader table, bool declared, Draft* draft, Surface* surface) {
  if (declared) table.Require("generators", "a list of generators");
  table.Bool("needs_item", &surface->needs_item);
  ReadSurfaceGenerators(&table, draft, surface);
  ReadWeights(table.Table("weights"), surface);
  table.Integer("candidates_max", 1, 100'000, &surface->candidates_max);
  table.Integer("ranked_max", 1, 100'000, &surface->ranked_max);
  table.Choice<SeenPolicy>("seen", kSeenPolicies, &surface->seen);
  table.Duration("seen_window", 0, kDurationUsMax, &surface->seen_window_us);
  table.Number("seen_factor", Interval::Share(), &surface->seen_factor);
  table.Number("explore", Interval::Share(), &surface->explore);
  table.Number("temperature", Interval::AboveTo(0, 100), &surface->temperature);
  table.Number("diversity", Interval::Share(), &surface->diversity);
  table.Integer("category_cap", 0, 1000, &surface->category_cap);
  surface->filter = ReadExpression(&table, "filter", *draft);
  if (surface->filter != nullptr) {
    const auto product =
        std::ranges::find_if(surface->filter->open(), [](const auto& one) { return !one.other.empty(); });
    if (product != surface->filter->open().end()) table.Refuse("filter", product->Text(), std::string(kNoProduct));
  }
  ReadRankFeatures(table.Table("features"), *draft, surface);
  surface->rules = ReadRules(&table, draft);
  table.RefuseUnknown("a surface");
}

template <typename T>
bool Contains(const std::vector<T>& declared, std::string_view name) {
  return std::ranges::find(declared, name, &T::name) != declared.end();
}

/// `on`, a list of event types, or `event`, one of them.
void ReadObjectiveEvents(TableReader* table, Draft* draft, EventObjective* objective) {
  std::vector<NameAt> names;
  if (table->Has("event") && table->Has("on")) {
    table->Take("event");
    table->Refuse("event", "an event beside `on`", "either: `event` is `on` with one type");
    table->Take("event");
  }
  if (!table->Has("on")) {
    table->Require("event", "an event type");
    std::string event;
    table->Text("event", 1, 64, &event);
    if (!event.empty()) names.push_back({event, table->LineOf("event"), table->PathOf("event")});
  } else if (table->Names("on", &names) && names.empty()) {
    table->Refuse("on", "an empty list", "at least one event type");
  }
  for (const NameAt& name : names) {
    if (CheckEventType(name, *draft)) objective->on.push_back(name.text);
  }
}

}  // namespace

void ReadGenerators(TableReader* root, Draft* draft) {
  TableReader table = root->Table("generators");
  std::vector<Generator>& generators = draft->config.generators;
  for (auto& [name, generator] : table.NamedTables(kGeneratorsMax)) {
    CheckName(name, draft->problems);
    const bool declared = !Contains(generators, name.text);
    if (declared) generators.push_back({.name = name.text});
    ReadGenerator(std::move(generator), declared, &*std::ranges::find(generators, name.text, &Generator::name));
  }
}

void ReadObjectives(TableReader* root, Draft* draft) {
  TableReader objectives = root->Table("objectives");
  for (auto& [name, table] : objectives.NamedTables(kObjectivesMax)) {
    CheckName(name, draft->problems);
    EventObjective objective;
    objective.name = name.text;
    objective.window_us = kDayUs;
    ReadObjectiveEvents(&table, draft, &objective);
    table.Duration("window", kSecondUs, 365 * kDayUs, &objective.window_us);
    table.Number("weight", Interval::Closed(-1000, 1000), &objective.weight);
    ReadEventWhere(&table, draft, objective.on, &objective.where, &objective.where_fields);
    table.RefuseUnknown("an objective");
    draft->config.objectives.push_back(
        {objective.name, objective.on.empty() ? "" : objective.on.front(), objective.window_us, objective.weight});
    draft->objectives.push_back(std::move(objective));
  }
}

void ReadSurfaces(TableReader* root, Draft* draft) {
  TableReader table = root->Table("surfaces");
  std::vector<Surface>& surfaces = draft->config.surfaces;
  for (auto& [name, surface] : table.NamedTables(kSurfacesMax)) {
    CheckName(name, draft->problems);
    const bool declared = !Contains(surfaces, name.text);
    if (declared) {
      surfaces.emplace_back();
      surfaces.back().name = name.text;
    }
    ReadSurface(std::move(surface), declared, draft, &*std::ranges::find(surfaces, name.text, &Surface::name));
  }
}

}  // namespace bowerbird::config
