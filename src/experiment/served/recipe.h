#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_map.h"
#include "config/config.h"
#include "rank/ranker.h"

namespace bowerbird::experiment::served {

/// A config whose surface is to be judged by what another one's answers earned.
struct Recipe {
  std::string name;
  std::shared_ptr<const config::Config> config;
};

/// Of what a patch of a config changes (config/overlay.h), that of which a log of `surface` says nothing: everything
/// but its weights, the weights of its features, diversity, category cap and temperature. In words; empty: nothing.
std::string WhyOutOfReach(std::string_view surface, std::span<const std::string> changed);

/// A surface as it is laid over logged candidates: what scores them and how they are put on a page.
struct Scoring {
  static Scoring Of(const config::Config& config, const config::Surface& surface);

  rank::Recipe recipe;
  base::StringMap<double> added;  ///< weights of tables' numbers, by name
  double diversity = 0, temperature = 0;
  uint32_t category_cap = 0;

  /// Whether candidates have the same scores under both.
  bool ScoresAs(const Scoring& other) const { return recipe.weights == other.recipe.weights && added == other.added; }
};

/// Why answers of `logged` say nothing of `target`, two configs of one surface: it finds other candidates, or their
/// scores do not follow from what the log has of them. Empty: they do.
std::string WhyOtherCandidates(const config::Config& logged, const config::Config& target, std::string_view surface);

}  // namespace bowerbird::experiment::served
