#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::config {

/// A text with what a patch says otherwise.
struct OverlaidText {
  std::string text;
  /// Dotted keys of which the value is another one, such as `surfaces.home.weights.popularity`, in the order of the
  /// patch.
  std::vector<std::string> changed;
};

/// Both are written as bowerbird.toml is. Tables are laid over each other key by key; anything else, lists as well, is
/// put in the place of what was there. `patch_file` is what messages call the patch.
///
/// Errors  InvalidArgument: one of them is no TOML, or holds a date.
absl::StatusOr<OverlaidText> Overlay(std::string_view text, std::string_view patch, std::string_view patch_file);

}  // namespace bowerbird::config
