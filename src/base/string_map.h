#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/hash.h"

namespace bowerbird::base {

/// Lets string-keyed tables be searched by std::string_view without a copy (absl's own hash knows only its own view
/// type when the distribution built it for C++14).
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return Hash64(text); }
};

template <typename V>
using StringMap = absl::flat_hash_map<std::string, V, StringHash, std::equal_to<>>;
using StringSet = absl::flat_hash_set<std::string, StringHash, std::equal_to<>>;

}  // namespace bowerbird::base
