#pragma once

#include <type_traits>
#include <vector>

namespace bowerbird::state {

/// push_back, with a quarter more room where there is none instead of twice as much: of what every user in memory has,
/// half would lie idle.
template <typename T>
void PushTightly(std::type_identity_t<T> value, std::vector<T>* values) {
  if (values->size() == values->capacity()) values->reserve(values->size() + values->size() / 4 + 8);
  values->push_back(value);
}

}  // namespace bowerbird::state
