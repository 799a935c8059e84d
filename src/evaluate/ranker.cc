#include "evaluate/ranker.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/parallel.h"
#include "base/rng.h"
#include "model/dense_kernels.h"

namespace bowerbird::evaluate {

namespace {

// Users scored together: enough to use each item's factors often while they are near, within 64 MiB of scores a thread.
size_t UsersAtOnce(size_t item_count) {
  constexpr size_t kMaxScores = 16 << 20;
  return std::clamp<size_t>(kMaxScores / std::max<size_t>(item_count, 1), 1, 64);
}

std::vector<float> SummedWeights(const learn::cf::SparseRows& by_item) {
  std::vector<float> sums(by_item.row_count());
  for (uint32_t item = 0; item < sums.size(); ++item) {
    const auto weights = by_item.weights_of(item);
    sums[item] = std::accumulate(weights.begin(), weights.end(), 0.0f);
  }
  return sums;
}

struct Scored {
  float score;
  uint32_t item;
  // The worst of the kept is on top of the heap.
  bool operator<(const Scored& other) const { return score != other.score ? score > other.score : item < other.item; }
};

// The k best items, best first, appended to `out`. Items scored -infinity are never taken.
void TakeBest(std::span<const float> scores, uint32_t k, std::vector<Scored>& heap, std::vector<uint32_t>& out) {
  heap.clear();
  float threshold = -std::numeric_limits<float>::infinity();
  for (uint32_t item = 0; item < scores.size(); ++item) {
    if (!(scores[item] > threshold)) continue;  // a tie with the worst kept goes to the smaller item, which came first
    if (heap.size() == k) {
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
    }
    heap.push_back({scores[item], item});
    std::push_heap(heap.begin(), heap.end());
    if (heap.size() == k) threshold = heap.front().score;
  }
  std::sort_heap(heap.begin(), heap.end());
  for (const Scored& best : heap) out.push_back(best.item);
}

}  // namespace

void IalsRanker::Score(std::span<const uint32_t> users, std::span<float> scores) const {
  const size_t dim = model_.factors, item_count = model_.items.size() / dim;
  std::vector<float> rows(users.size() * dim);
  for (size_t u = 0; u < users.size(); ++u) {
    std::memcpy(rows.data() + u * dim, model_.users.data() + users[u] * dim, dim * sizeof(float));
  }
  model::RowProducts(rows.data(), users.size(), model_.items.data(), item_count, dim, scores.data(), item_count);
}

CoOccurrenceRanker::CoOccurrenceRanker(const learn::cf::CoOccurrenceLists& lists, const learn::cf::Interactions& train)
    : lists_(lists), train_(train), popularity_(SummedWeights(train.by_item)) {
  const float most = 1 + (popularity_.empty() ? 0 : *std::max_element(popularity_.begin(), popularity_.end()));
  for (float& value : popularity_) value = value / most - 1;
}

void CoOccurrenceRanker::Score(std::span<const uint32_t> users, std::span<float> scores) const {
  const size_t item_count = popularity_.size();
  for (size_t u = 0; u < users.size(); ++u) {
    const std::span<float> row = scores.subspan(u * item_count, item_count);
    std::copy(popularity_.begin(), popularity_.end(), row.begin());
    const auto items = train_.by_user.columns_of(users[u]);
    const auto weights = train_.by_user.weights_of(users[u]);
    for (size_t k = 0; k < items.size(); ++k) {
      for (uint64_t at = lists_.offsets[items[k]]; at < lists_.offsets[items[k] + 1]; ++at) {
        float& score = row[lists_.items[at]];
        score = std::max(score, 0.0f) + weights[k] * lists_.scores[at];
      }
    }
  }
}

PopularityRanker::PopularityRanker(const learn::cf::Interactions& train) : popularity_(SummedWeights(train.by_item)) {}

void PopularityRanker::Score(std::span<const uint32_t> users, std::span<float> scores) const {
  for (size_t u = 0; u < users.size(); ++u)
    std::copy(popularity_.begin(), popularity_.end(), scores.begin() + u * popularity_.size());
}

void RandomRanker::Score(std::span<const uint32_t> users, std::span<float> scores) const {
  for (size_t u = 0; u < users.size(); ++u) {
    base::Rng rng(seed_ * 0x9e3779b97f4a7c15ULL + users[u]);
    for (uint32_t i = 0; i < item_count_; ++i) scores[u * item_count_ + i] = static_cast<float>(rng.Uniform());
  }
}

RankedLists RankAll(const Ranker& ranker, std::span<const uint32_t> users, const learn::cf::SparseRows& masked,
                    uint32_t item_count, uint32_t k, uint32_t threads) {
  const size_t at_once = UsersAtOnce(item_count), task_count = (users.size() + at_once - 1) / at_once;
  std::vector<std::vector<uint32_t>> best(users.size());
  std::vector<std::vector<float>> scores(base::ResolveThreads(threads));
  std::vector<std::vector<Scored>> heaps(scores.size());
  base::ParallelFor(threads, task_count, [&](size_t task, uint32_t thread) {
    const size_t first = task * at_once, count = std::min(at_once, users.size() - first);
    scores[thread].resize(at_once * item_count);
    ranker.Score(users.subspan(first, count), std::span(scores[thread]).first(count * item_count));
    for (size_t u = 0; u < count; ++u) {
      const std::span<float> row = std::span(scores[thread]).subspan(u * item_count, item_count);
      for (uint32_t item : masked.columns_of(users[first + u])) row[item] = -std::numeric_limits<float>::infinity();
      TakeBest(row, k, heaps[thread], best[first + u]);
    }
  });
  RankedLists lists{.users = {users.begin(), users.end()}, .offsets = {0}};
  for (const std::vector<uint32_t>& items : best) {
    lists.items.insert(lists.items.end(), items.begin(), items.end());
    lists.offsets.push_back(lists.items.size());
  }
  return lists;
}

}  // namespace bowerbird::evaluate
