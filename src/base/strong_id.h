#pragma once

#include <compare>
#include <cstdint>
#include <utility>

namespace bowerbird::base {

/// An integer that does not mix with other integers. `Tag` is any type, used as a name only.
template <typename Tag, typename T>
struct StrongId {
  T value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(T v) : value(v) {}
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const StrongId& id) {
    return H::combine(std::move(h), id.value);
  }
};

}  // namespace bowerbird::base
