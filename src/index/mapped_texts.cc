#include "index/mapped_texts.h"

namespace bowerbird::index {

std::optional<uint32_t> MappedDictionary::Find(std::string_view text) const {
  uint32_t begin = 0;
  uint32_t end = texts_.size();
  while (begin < end) {
    const uint32_t middle = begin + (end - begin) / 2;
    const int order = texts_.Text(middle).compare(text);
    if (order == 0) return middle;
    if (order < 0) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return std::nullopt;
}

}  // namespace bowerbird::index
