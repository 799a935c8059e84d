#include "blend/blend.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"

namespace bowerbird::blend {
namespace {

constexpr uint32_t kNotPinned = UINT32_MAX;

/// Counts of categories, kept under dense numbers that a category gets when first met, so that the scan over candidates
/// reads arrays.
class Categories {
 public:
  explicit Categories(std::span<const Candidate> candidates) : candidates_(candidates), spans_(candidates.size()) {}

  std::span<const uint32_t> Of(uint32_t candidate) {
    Span& span = spans_[candidate];
    if (span.end == kUnmet) span = Number(candidates_[candidate].categories);
    return std::span(numbers_).subspan(span.begin, span.end - span.begin);
  }
  /// Those of an item that is no candidate; valid until the next call.
  std::span<const uint32_t> Of(std::span<const uint64_t> categories) {
    const Span span = Number(categories);
    return std::span(numbers_).subspan(span.begin, span.end - span.begin);
  }
  uint32_t size() const { return static_cast<uint32_t>(dense_.size()); }

 private:
  static constexpr uint32_t kUnmet = UINT32_MAX;
  struct Span {
    uint32_t begin = 0, end = kUnmet;
  };

  Span Number(std::span<const uint64_t> categories) {
    Span span;
    span.begin = static_cast<uint32_t>(numbers_.size());
    for (const uint64_t category : categories) {
      const uint32_t number = dense_.try_emplace(category, static_cast<uint32_t>(dense_.size())).first->second;
      if (std::find(numbers_.begin() + span.begin, numbers_.end(), number) == numbers_.end()) {
        numbers_.push_back(number);
      }
    }
    span.end = static_cast<uint32_t>(numbers_.size());
    return span;
  }

  std::span<const Candidate> candidates_;
  std::vector<Span> spans_;
  std::vector<uint32_t> numbers_;
  absl::flat_hash_map<uint64_t, uint32_t> dense_;
};

class Blender {
 public:
  /// Draws by `rng`, or as `drawn` says, if there is one of them.
  Blender(std::span<const Candidate> candidates, std::span<const Pin> pins, const Policy& policy, base::Rng* rng,
          std::span<const uint32_t> drawn = {})
      : candidates_(candidates),
        policy_(policy),
        rng_(rng),
        drawn_(drawn),
        categories_(candidates),
        used_(candidates.size(), false) {
    pin_at_.assign(policy.n, kNotPinned);
    if (policy.diversity > 0) {
      for (const std::span<const uint64_t> categories : policy.above) Count(categories_.Of(categories), &above_);
    }
    for (const Pin& pin : pins) {
      BOWERBIRD_CHECK(pin.place < policy.n && pin.candidate < candidates.size());
      BOWERBIRD_CHECK(pin_at_[pin.place] == kNotPinned && !used_[pin.candidate]);
      pin_at_[pin.place] = pin.candidate;
      used_[pin.candidate] = true;
      CountItem(pin.candidate, &towards_cap_);
    }
  }

  Page Run() {
    for (uint32_t place = 0; place < policy_.n; ++place) {
      const uint32_t pinned = pin_at_[place];
      if (pinned != kNotPinned) {
        PlacePinned(pinned);
      } else if (!(Draws() ? PlaceDrawn() : PlaceBest())) {
        for (uint32_t later = place + 1; later < policy_.n; ++later) {
          if (pin_at_[later] != kNotPinned) PlacePinned(pin_at_[later]);
        }
        break;
      }
    }
    return std::move(page_);
  }

 private:
  bool Draws() const { return rng_ != nullptr || !drawn_.empty(); }

  void CountItem(uint32_t candidate, std::vector<uint32_t>* counts) {
    if (policy_.category_cap > 0 || policy_.diversity > 0) Count(categories_.Of(candidate), counts);
  }

  void Count(std::span<const uint32_t> categories, std::vector<uint32_t>* counts) {
    for (const uint32_t category : categories) {
      if (category >= counts->size()) counts->resize(std::max<size_t>(categories_.size(), category + 1), 0);
      ++(*counts)[category];
    }
  }

  bool CapAllows(uint32_t candidate) {
    if (policy_.category_cap == 0) return true;
    for (const uint32_t category : categories_.Of(candidate)) {
      if (category < towards_cap_.size() && towards_cap_[category] >= policy_.category_cap) return false;
    }
    return true;
  }

  double Penalized(uint32_t candidate) {
    const double score = candidates_[candidate].score;
    if (policy_.diversity == 0) return score;
    uint32_t most = 0;
    for (const uint32_t category : categories_.Of(candidate)) {
      if (category < above_.size()) most = std::max(most, above_[category]);
    }
    const auto above = static_cast<double>(policy_.above.size() + page_.items.size());
    const double share = most / (above + kDiversityPrior);
    return score * (1 - policy_.diversity * share);
  }

  /// The first candidate that may still be placed; those before it are used up.
  uint32_t First() {
    while (first_ < candidates_.size() && used_[first_]) ++first_;
    return first_;
  }

  void Place(uint32_t candidate, double score, bool pinned, double propensity) {
    page_.items.push_back({candidate, static_cast<float>(score), pinned, propensity});
    used_[candidate] = true;
    CountItem(candidate, &above_);
    if (!pinned) CountItem(candidate, &towards_cap_);
  }

  void PlacePinned(uint32_t candidate) {
    const double score = Penalized(candidate);
    if (Draws()) page_.pools.push_back({{candidate}, {static_cast<float>(score / policy_.temperature)}});
    Place(candidate, score, true, Draws() ? 1 : 0);
  }

  bool PlaceBest() {
    uint32_t best = kNotPinned;
    double best_score = 0;
    for (uint32_t i = First(); i < candidates_.size(); ++i) {
      // The penalty only lowers a score, and candidates come best first.
      if (best != kNotPinned && candidates_[i].score <= best_score) break;
      if (used_[i] || !CapAllows(i)) continue;
      const double score = Penalized(i);
      if (best == kNotPinned || score > best_score) {
        best = i;
        best_score = score;
      }
    }
    if (best == kNotPinned) return false;
    Place(best, best_score, false, 0);
    return true;
  }

  bool PlaceDrawn() {
    DrawPool pool;
    for (uint32_t i = First(); i < candidates_.size() && pool.candidates.size() < kDrawItemsMax; ++i) {
      if (used_[i] || !CapAllows(i)) continue;
      pool.candidates.push_back(i);
      pool.logits.push_back(static_cast<float>(Penalized(i) / policy_.temperature));
    }
    if (!drawn_.empty()) {
      PlaceGiven(drawn_[page_.items.size()], std::move(pool));
      return true;
    }
    if (pool.candidates.empty()) return false;
    const size_t chosen = Draw(pool);
    const uint32_t candidate = pool.candidates[chosen];
    const double propensity = DrawProbability(pool.logits, chosen);
    const double score = Penalized(candidate);
    page_.pools.push_back(std::move(pool));
    Place(candidate, score, false, propensity);
    return true;
  }

  size_t Draw(const DrawPool& pool) {
    const float highest = *std::max_element(pool.logits.begin(), pool.logits.end());
    double sum = 0;
    for (const float logit : pool.logits) sum += std::exp(static_cast<double>(logit) - highest);
    double left = rng_->Uniform() * sum;
    size_t chosen = 0;
    for (; chosen + 1 < pool.logits.size(); ++chosen) {
      left -= std::exp(static_cast<double>(pool.logits[chosen]) - highest);
      if (left < 0) break;
    }
    return chosen;
  }

  void PlaceGiven(uint32_t candidate, DrawPool pool) {
    const auto at = std::find(pool.candidates.begin(), pool.candidates.end(), candidate);
    const auto chosen = static_cast<size_t>(at - pool.candidates.begin());
    const double propensity = at == pool.candidates.end() ? 0 : DrawProbability(pool.logits, chosen);
    const double score = Penalized(candidate);
    page_.pools.push_back(std::move(pool));
    Place(candidate, score, false, propensity);
  }

  const std::span<const Candidate> candidates_;
  const Policy policy_;
  base::Rng* const rng_;
  const std::span<const uint32_t> drawn_;
  Categories categories_;
  std::vector<bool> used_;
  std::vector<uint32_t> pin_at_;
  std::vector<uint32_t> above_, towards_cap_;  ///< by dense category
  uint32_t first_ = 0;
  Page page_;
};

}  // namespace

double DrawProbability(std::span<const float> logits, size_t chosen) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return std::exp(static_cast<double>(logits[chosen]) - highest) / sum;
}

Page Blend(std::span<const Candidate> candidates, std::span<const Pin> pins, const Policy& policy, base::Rng* rng) {
  return Blender(candidates, pins, policy, rng).Run();
}

Page Retrace(std::span<const Candidate> candidates, std::span<const Pin> pins, const Policy& policy,
             std::span<const uint32_t> page) {
  if (page.empty()) return {};
  Policy of_its_length = policy;
  of_its_length.n = static_cast<uint32_t>(page.size());
  return Blender(candidates, pins, of_its_length, nullptr, page).Run();
}

}  // namespace bowerbird::blend
