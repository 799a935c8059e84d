#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "retrieve/generators.h"

namespace bowerbird::retrieve {

/// Keeps the `count` best, best first, ties by key.
inline void KeepTop(uint32_t count, std::vector<Candidate>* candidates) {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.item.key < b.item.key;
  };
  if (candidates->size() > count) {
    std::nth_element(candidates->begin(), candidates->begin() + count, candidates->end(), better);
    candidates->resize(count);
  }
  std::sort(candidates->begin(), candidates->end(), better);
}

}  // namespace bowerbird::retrieve
