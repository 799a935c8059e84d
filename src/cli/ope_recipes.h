#pragma once

#include <span>
#include <string_view>

namespace bowerbird::cli {

/// A recipe that is judged by a log of kOpeConfig and then deployed.
struct OpeRecipe {
  std::string_view name;
  std::string_view patch;    ///< of kOpeConfig
  bool unsupported = false;  ///< by construction: the log of kOpeConfig says nothing of it, and it must be refused
};

/// bowerbird.toml of the simulated product: one surface, every answer drawn, everything that was ranked in the log.
extern const std::string_view kOpeConfig;

/// Twenty recipes, from the logging one itself to some that its log says nothing of, mixed so that the first few are of
/// all kinds.
std::span<const OpeRecipe> OpeRecipes();

}  // namespace bowerbird::cli
