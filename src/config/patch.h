#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"

namespace bowerbird::config {

/// One key of a config that is to be otherwise.
struct Change {
  std::string path;   ///< dotted keys as TOML writes them; below a list of tables, a table by its `name`
  std::string value;  ///< as TOML writes it
};

/// The config `text` with the changes in it, in order: tables are merged, anything else is replaced. A text of the same
/// meaning, without comments, not yet checked. Weights of generators that a surface has no more are left out. Only the
/// parts that answers are computed from can be changed: surfaces and generators.
///
/// InvalidArgument: `text` is no TOML; with the number of the change and what would be accepted, a path or value that
/// is not TOML, or another part of the config.
absl::StatusOr<std::string> Patched(std::string_view text, std::span<const Change> changes);

/// All that answers of one surface are computed from, a line a key, "surfaces.home.diversity = 0.2", in the same order
/// for every config: equal lists answer alike. Empty: no such surface.
std::vector<std::string> RecipeLines(const Config& config, std::string_view surface);

}  // namespace bowerbird::config
