#include "experiment/served/recipe.h"

#include <algorithm>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace bowerbird::experiment::served {
namespace {

bool SameGenerator(const config::Generator& a, const config::Generator& b) {
  return a.kind == b.kind && a.count == b.count && a.half_life_us == b.half_life_us && a.window_us == b.window_us &&
         a.seeds == b.seeds;
}

bool SameRules(const config::Surface& a, const config::Surface& b) {
  return std::equal(a.rules.begin(), a.rules.end(), b.rules.begin(), b.rules.end(),
                    [](const config::Rule& x, const config::Rule& y) {
                      return x.kind == y.kind && x.name == y.name && x.factor == y.factor && x.item == y.item &&
                             x.position == y.position;
                    });
}

}  // namespace

std::string WhyOutOfReach(std::string_view surface, std::span<const std::string> changed) {
  const std::string of_surface = fmt::format("surfaces.{}.", surface);
  std::vector<std::string> beyond;
  for (const std::string& key : changed) {
    const std::string_view rest =
        key.starts_with(of_surface) ? std::string_view(key).substr(of_surface.size()) : std::string_view();
    const bool judged = rest == "diversity" || rest == "category_cap" || rest == "temperature" ||
                        rest.starts_with("weights.") || rest.starts_with("features.");
    if (!judged) beyond.push_back(key);
  }
  if (beyond.empty()) return "";
  return fmt::format(
      "{}: found changed; expected weights, features, diversity, category_cap and temperature of {} alone: the log "
      "says "
      "nothing of candidates that were not found, or of what is not drawn",
      fmt::join(beyond, ", "), surface);
}

Scoring Scoring::Of(const config::Config& config, const config::Surface& surface) {
  Scoring scoring;
  scoring.recipe = rank::Recipe::Of(config, surface);
  for (const config::RankFeature& feature : surface.features) {
    if (feature.weight != 0) scoring.added.emplace(feature.name, feature.weight);
  }
  scoring.diversity = surface.diversity;
  scoring.temperature = surface.temperature;
  scoring.category_cap = surface.category_cap;
  return scoring;
}

std::string WhyOtherCandidates(const config::Config& logged, const config::Config& target, std::string_view surface) {
  const config::Surface *a = logged.FindSurface(surface), *b = target.FindSurface(surface);
  if (a == nullptr || b == nullptr) return fmt::format("surfaces.{}: one of the configs does not have it", surface);
  const auto differs = [&](std::string_view key) {
    return fmt::format("surfaces.{}.{}: found changed; expected what the log was written under", surface, key);
  };
  if (a->generators != b->generators) return differs("generators");
  for (const std::string& name : a->generators) {
    if (!SameGenerator(*logged.FindGenerator(name), *target.FindGenerator(name)))
      return fmt::format("generators.{}: found changed; expected what the log was written under", name);
  }
  if (a->candidates_max != b->candidates_max) return differs("candidates_max");
  if (a->ranked_max != b->ranked_max) return differs("ranked_max");
  if (a->seen != b->seen || a->seen_window_us != b->seen_window_us || a->seen_factor != b->seen_factor)
    return differs("seen");
  if ((a->filter == nullptr) != (b->filter == nullptr)) return differs("filter");
  if (!SameRules(*a, *b)) return differs("rules");
  const rank::Recipe recipe = rank::Recipe::Of(target, *b);
  for (const std::string& name : b->generators) {
    // The feature of a kind is the best of its generators, each scaled by its share: another share is another feature,
    // and of a share of 0 the log has nothing.
    const auto kind = static_cast<size_t>(target.FindGenerator(name)->kind);
    if (recipe.kinds[kind] == 0) continue;
    if (rank::GeneratorShare(logged, *a, name) != rank::GeneratorShare(target, *b, name)) {
      return fmt::format(
          "surfaces.{}.weights.{}: found a share among the generators of its kind that is not the log's; expected one "
          "that the logged scores can be scaled to",
          surface, name);
    }
  }
  return "";
}

}  // namespace bowerbird::experiment::served
