#include "experiment/served/logged_answer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "rank/ranker.h"
#include "serve/answer.h"
#include "serve/served_record.h"

namespace bowerbird::experiment::served {
namespace {

/// By how much, in parts of itself, a probability that is computed again may miss the logged one: scores are kept as
/// float32, and a temperature of a hundredth multiplies what they lost by a hundred.
constexpr double kProbabilityError = 1e-3;
constexpr double kScoreError = 1e-4;
/// A factor that is so near to 1 is 1, with what float32 lost of it.
constexpr double kFactorError = 1e-6;

bool Has(const google::protobuf::RepeatedPtrField<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool HasOurFeatures(const v1::ServedRecord& record) {
  if (static_cast<size_t>(record.feature_names_size()) < rank::kFeatures) return false;
  for (size_t f = 0; f < rank::kFeatures; ++f) {
    if (record.feature_names(static_cast<int>(f)) != rank::FeatureName(static_cast<rank::Feature>(f))) return false;
  }
  return true;
}

std::span<const float> FeaturesOf(const v1::ServedCandidate& candidate) {
  return {candidate.features().data(), static_cast<size_t>(candidate.features_size())};
}

/// Whether one of the rules that held for a candidate pinned it.
bool IsPinned(const v1::ServedRecord& record, const v1::ServedCandidate& candidate, const config::Surface& surface) {
  for (const config::Rule& rule : surface.rules) {
    if (rule.kind == config::Rule::Kind::kPin && Has(candidate.rules(), rule.name)) return true;
  }
  for (const v1::RequestRule& rule : record.request().rules()) {
    if (rule.kind() == "pin" && rule.item() == candidate.item()) return true;
  }
  return false;
}

}  // namespace

std::string_view LoggedAnswer::Read(const v1::ServedRecord& record, const config::Surface& surface,
                                    const Scoring& logged, const CategoriesOf& categories) {
  record_ = &record;
  logged_ = &logged;
  if (!record.explored()) return kNotDrawn;
  if (Has(record.degraded(), serve::kDegradedFewer) || Has(record.degraded(), serve::kDegradedPopular))
    return kDegraded;
  if (!HasOurFeatures(record)) return kOtherNames;
  if (const std::string_view why = Take(record, categories); !why.empty()) return why;
  pinned_.assign(propensities_.size(), false);
  for (uint32_t place = 0; place < pinned_.size(); ++place) {
    const int at = static_cast<int>(place);
    pinned_[place] = record.eligible(at).candidates_size() == 1 && IsPinned(record, record.candidates(at), surface);
  }
  by_trained_ = !record.ranker().empty() && !Has(record.degraded(), serve::kRankerInvalid);
  const bool sampled = record.l2_weight() > 0 || record.union_weight() > 0;
  const bool cut_off =
      record.union_weight() == 0 && keys_.size() >= serve::kRankedLogged && surface.ranked_max > serve::kRankedLogged;
  all_logged_ = sampled && !cut_off;
  ReadFactors();
  return Reproduced() ? "" : kNotReproduced;
}

/// Candidates, the page and its pools.
std::string_view LoggedAnswer::Take(const v1::ServedRecord& record, const CategoriesOf& categories) {
  keys_.clear();
  categories_.clear();
  above_.clear();
  propensities_.clear();
  const auto& candidates = record.candidates();
  uint32_t shown = 0;
  for (const v1::ServedCandidate& candidate : candidates) {
    // What the first stage had cut comes last, and was in no pool.
    if (candidate.cut()) break;
    if (!(candidate.rank_score() > 0)) return kUnreadable;
    if (candidate.position() > 0 && shown++ != keys_.size()) return kUnreadable;
    keys_.push_back(candidate.item_key());
    categories_.push_back(categories(candidate.item_key()).value_or(std::span<const uint64_t>()));
  }
  if (shown == 0 || static_cast<uint32_t>(record.eligible_size()) != shown) return kUnreadable;
  drawable_.assign(size_t{shown} * keys_.size(), false);
  for (uint32_t place = 0; place < shown; ++place) {
    const v1::ServedCandidate& candidate = candidates[static_cast<int>(place)];
    if (!(candidate.propensity() > 0 && candidate.propensity() <= 1) || candidate.features().empty())
      return kUnreadable;
    propensities_.push_back(candidate.propensity());
    for (const uint32_t drawable : record.eligible(static_cast<int>(place)).candidates()) {
      if (drawable >= keys_.size()) return kUnreadable;
      drawable_[place * keys_.size() + drawable] = true;
    }
  }
  const auto& before = record.chain_shown();
  for (int i = before.size() - std::min<int>(before.size(), blend::kDiversityAboveMax); i < before.size(); ++i) {
    if (const auto found = categories(before[i])) above_.push_back(*found);
  }
  return "";
}

/// The record has each score after rules and the seen policy; what is shown, after the diversity penalty as well, which
/// follows from what stands above it.
void LoggedAnswer::ReadFactors() {
  const uint32_t shown = positions();
  std::vector<blend::Candidate> page(shown);
  std::vector<uint32_t> order(shown);
  for (uint32_t place = 0; place < shown; ++place) page[place] = {1, categories_[place]};
  std::iota(order.begin(), order.end(), 0u);
  blend::Policy policy;
  policy.diversity = logged_->diversity;
  policy.above = above_;
  const blend::Page penalties = blend::Retrace(page, {}, policy, order);
  factors_.resize(keys_.size());
  for (uint32_t i = 0; i < factors_.size(); ++i) {
    const v1::ServedCandidate& candidate = record_->candidates(static_cast<int>(i));
    const double penalty = i < shown ? static_cast<double>(penalties.items[i].score) : 1;
    factors_[i] = candidate.final_score() / penalty / candidate.rank_score();
    if (std::abs(factors_[i] - 1) < kFactorError) factors_[i] = 1;
  }
}

bool LoggedAnswer::Reproduced() {
  scores_.resize(keys_.size());
  for (uint32_t i = 0; i < scores_.size(); ++i)
    scores_[i] = record_->candidates(static_cast<int>(i)).rank_score() * factors_[i];
  Scoring drawn = *logged_;
  drawn.temperature = record_->temperature();
  if (!(drawn.temperature > 0)) return false;
  Retrace(scores_, drawn, &own_);
  for (uint32_t place = 0; place < positions(); ++place) {
    const double missed = std::abs(own_[place].probability - propensities_[place]);
    if (!(missed <= kProbabilityError * propensities_[place]) || own_[place].on_support < 1 - kProbabilityError)
      return false;
  }
  if (by_trained_) return true;
  added_.clear();
  for (int f = static_cast<int>(rank::kFeatures); f < record_->feature_names_size(); ++f) {
    const auto weight = logged_->added.find(record_->feature_names(f));
    added_.push_back(weight == logged_->added.end() ? 0 : weight->second);
  }
  for (uint32_t place = 0; place < positions(); ++place) {
    const v1::ServedCandidate& candidate = record_->candidates(static_cast<int>(place));
    if (candidate.features_size() != record_->feature_names_size()) return false;
    const float score = logged_->recipe.Score(FeaturesOf(candidate), added_);
    if (!(std::abs(score - candidate.rank_score()) <= kScoreError)) return false;
  }
  return true;
}

std::string_view LoggedAnswer::Lay(const Scoring& scoring, std::vector<Place>* places) {
  const bool same_scores = by_trained_ || scoring.ScoresAs(*logged_);
  // Pools that take others than the logged ones reach candidates that were in none of these.
  if (!all_logged_ && (!same_scores || scoring.category_cap != logged_->category_cap)) return kNotAllLogged;
  added_.clear();
  if (!same_scores) {
    size_t found = 0;
    for (int f = static_cast<int>(rank::kFeatures); f < record_->feature_names_size(); ++f) {
      const auto weight = scoring.added.find(record_->feature_names(f));
      added_.push_back(weight == scoring.added.end() ? 0 : weight->second);
      found += weight == scoring.added.end() ? 0 : 1;
    }
    if (found < scoring.added.size()) return kFeatureNotLogged;
  }
  for (uint32_t i = 0; i < scores_.size(); ++i) {
    const v1::ServedCandidate& candidate = record_->candidates(static_cast<int>(i));
    if (!same_scores && candidate.features_size() != record_->feature_names_size()) return kNotAllLogged;
    scores_[i] =
        factors_[i] * (same_scores ? candidate.rank_score() : scoring.recipe.Score(FeaturesOf(candidate), added_));
  }
  Retrace(scores_, scoring, places);
  return "";
}

/// Best first, ties by key, as serve/judge.h orders them.
void LoggedAnswer::Order(const std::vector<double>& scores) {
  order_.resize(keys_.size());
  std::iota(order_.begin(), order_.end(), 0u);
  std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : keys_[a] < keys_[b];
  });
  rank_of_.resize(order_.size());
  ordered_.resize(order_.size());
  for (uint32_t rank = 0; rank < order_.size(); ++rank) {
    rank_of_[order_[rank]] = rank;
    ordered_[rank] = {scores[order_[rank]], categories_[order_[rank]]};
  }
}

void LoggedAnswer::Retrace(const std::vector<double>& scores, const Scoring& scoring, std::vector<Place>* places) {
  Order(scores);
  std::vector<uint32_t> page(positions());
  std::vector<blend::Pin> pins;
  for (uint32_t place = 0; place < page.size(); ++place) {
    page[place] = rank_of_[place];
    if (pinned_[place]) pins.push_back({place, page[place]});
  }
  blend::Policy policy;
  policy.n = positions();
  policy.diversity = scoring.diversity;
  policy.category_cap = scoring.category_cap;
  policy.temperature = scoring.temperature;
  policy.above = above_;
  const blend::Page traced = blend::Retrace(ordered_, pins, policy, page);
  places->resize(positions());
  for (uint32_t place = 0; place < positions(); ++place) {
    Place& out = (*places)[place];
    const blend::DrawPool& pool = traced.pools[place];
    out.probability = traced.items[place].propensity;
    out.shares.clear();
    out.on_support = 0;
    if (pool.candidates.empty()) continue;
    const float highest = *std::max_element(pool.logits.begin(), pool.logits.end());
    double sum = 0;
    for (size_t i = 0; i < pool.candidates.size(); ++i) {
      const double weight = std::exp(static_cast<double>(pool.logits[i]) - highest);
      sum += weight;
      out.shares.push_back({order_[pool.candidates[i]], weight});
    }
    for (Place::Share& share : out.shares) {
      share.probability /= sum;
      if (drawable_[place * keys_.size() + share.candidate]) out.on_support += share.probability;
    }
    out.on_support = std::min(1.0, out.on_support);  // a sum of shares, rounded
  }
}

}  // namespace bowerbird::experiment::served
