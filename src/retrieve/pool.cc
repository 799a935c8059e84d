#include "retrieve/pool.h"

#include <algorithm>
#include <bit>

namespace bowerbird::retrieve {

Pool Pool::Of(const index::LiveView& view, std::span<const expression::Program* const> filters, int64_t now_us,
              const index::OpenValues* open) {
  Pool pool(view);
  const expression::Program* first = nullptr;
  for (const expression::Program* filter : filters) {
    if (filter == nullptr) continue;
    if (first == nullptr) {
      first = filter;
      continue;
    }
    const std::vector<uint64_t> words = view.EligibleOrdinals(filter, now_us, open);
    if (pool.ordinals_.empty()) {
      pool.ordinals_ = words;
    } else {
      for (size_t i = 0; i < words.size(); ++i) pool.ordinals_[i] &= words[i];
    }
  }
  std::vector<uint64_t> words = view.EligibleOrdinals(first, now_us, open);
  if (pool.ordinals_.empty()) {
    pool.ordinals_ = std::move(words);
  } else {
    for (size_t i = 0; i < words.size(); ++i) pool.ordinals_[i] &= words[i];
  }
  for (const index::ItemHandle& item : view.Delta()) {
    if (!view.Eligible(item)) continue;
    const bool holds = std::all_of(filters.begin(), filters.end(), [&](const expression::Program* filter) {
      return filter == nullptr || view.Matches(item, *filter, now_us, open);
    });
    if (holds) pool.delta_.push_back(item);
  }
  pool.Count();
  return pool;
}

Pool Pool::OfItems(const index::LiveView& view, std::span<const catalog::ItemKey> keys) {
  Pool pool(view);
  if (view.snapshot() != nullptr) pool.ordinals_.assign((view.snapshot()->size() + 63) / 64, 0);
  for (const catalog::ItemKey key : keys) {
    index::ItemHandle item;
    if (!view.Find(key, &item) || !view.Eligible(item)) continue;
    if (item.delta != nullptr) {
      pool.delta_.push_back(item);
    } else {
      pool.ordinals_[item.ordinal.value / 64] |= uint64_t{1} << (item.ordinal.value % 64);
    }
  }
  std::sort(pool.delta_.begin(), pool.delta_.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto end =
      std::unique(pool.delta_.begin(), pool.delta_.end(), [](const auto& a, const auto& b) { return a.key == b.key; });
  pool.delta_.erase(end, pool.delta_.end());
  pool.Count();
  return pool;
}

void Pool::Remove(std::span<const catalog::ItemKey> keys) {
  if (view_->snapshot() != nullptr) {
    for (const catalog::ItemKey key : keys) {
      const index::Ordinal ordinal = view_->snapshot()->Find(key);
      if (ordinal == index::kNoOrdinal) continue;
      uint64_t& word = ordinals_[ordinal.value / 64];
      const uint64_t bit = uint64_t{1} << (ordinal.value % 64);
      if ((word & bit) != 0) --size_;
      word &= ~bit;
    }
  }
  if (!delta_.empty() && !keys.empty()) {
    std::vector<catalog::ItemKey> sorted(keys.begin(), keys.end());
    std::sort(sorted.begin(), sorted.end());
    size_ -= std::erase_if(delta_, [&](const index::ItemHandle& item) {
      return std::binary_search(sorted.begin(), sorted.end(), item.key);
    });
  }
}

bool Pool::Contains(const index::ItemHandle& item) const {
  if (item.delta == nullptr) return Contains(item.ordinal);
  const auto at = std::lower_bound(delta_.begin(), delta_.end(), item.key,
                                   [](const index::ItemHandle& a, catalog::ItemKey key) { return a.key < key; });
  return at != delta_.end() && at->key == item.key;
}

void Pool::ForEach(absl::FunctionRef<bool(const index::ItemHandle&)> visit) const {
  for (size_t word = 0; word < ordinals_.size(); ++word) {
    for (uint64_t bits = ordinals_[word]; bits != 0; bits &= bits - 1) {
      const index::Ordinal ordinal(static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits))));
      if (!visit({view_->snapshot()->Key(ordinal), ordinal, nullptr})) return;
    }
  }
  for (const index::ItemHandle& item : delta_) {
    if (!visit(item)) return;
  }
}

void Pool::Count() {
  size_ = delta_.size();
  for (const uint64_t word : ordinals_) size_ += static_cast<uint64_t>(std::popcount(word));
}

}  // namespace bowerbird::retrieve
