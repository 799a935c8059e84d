#include "index/changed_ordinals.h"

#include <algorithm>

namespace bowerbird::index {

void ChangedOrdinals::Add(std::span<const Ordinal> ordinals) {
  // Blocks made by this call, which nobody else can see yet.
  std::vector<Block*> own(blocks_.size(), nullptr);
  for (const Ordinal ordinal : ordinals) {
    const size_t index = ordinal.value / kBlockBits;
    if (index >= blocks_.size()) {
      blocks_.resize(index + 1);
      own.resize(index + 1, nullptr);
    }
    if (own[index] == nullptr) {
      auto block = blocks_[index] == nullptr ? std::make_shared<Block>() : std::make_shared<Block>(*blocks_[index]);
      own[index] = block.get();
      blocks_[index] = std::move(block);
    }
    const uint32_t bit = ordinal.value % kBlockBits;
    (*own[index])[bit / 64] |= uint64_t{1} << (bit % 64);
  }
}

void ChangedOrdinals::RemoveFrom(std::span<uint64_t> words) const {
  constexpr size_t kBlockWords = kBlockBits / 64;
  for (size_t index = 0; index < blocks_.size() && index * kBlockWords < words.size(); ++index) {
    if (blocks_[index] == nullptr) continue;
    const size_t count = std::min(kBlockWords, words.size() - index * kBlockWords);
    for (size_t w = 0; w < count; ++w) words[index * kBlockWords + w] &= ~(*blocks_[index])[w];
  }
}

}  // namespace bowerbird::index
