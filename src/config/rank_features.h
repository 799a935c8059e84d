#pragma once

#include <string_view>

namespace bowerbird::config {

/// The ranker's features beside what generators say, by name: a surface's `weights` may scale each. rank/recipe.cc says
/// what they weigh.
inline constexpr std::string_view kScaledFeatures[] = {
    "near",  "session", "session_category", "affinity", "interest", "interest_fine",
    "tired", "quality", "popularity",       "seen",     "untrained"};

}  // namespace bowerbird::config
