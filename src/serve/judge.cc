#include "serve/judge.h"

#include <algorithm>

#include "expression/row.h"
#include "serve/signal_value.h"

namespace bowerbird::serve {

namespace {

/// What a rule reads of an item's signals.
class SignalRow final : public expression::Row {
 public:
  SignalRow(const Inputs& inputs, const ScoreRule& rule, catalog::ItemKey item)
      : inputs_(inputs), rule_(rule), values_(inputs.items->Signals(item)) {}

  expression::ValueView Get(uint32_t attribute) const override {
    const config::SignalField& field = rule_.when_signals.fields[attribute];
    const signal::Set* const signals = inputs_.items->signal_set();
    for (size_t slot = 0; signals != nullptr && slot < signals->size(); ++slot) {
      if ((*signals)[slot].signal().name != field.signal) continue;
      const std::string_view value = values_ == nullptr ? std::string_view() : values_->At(slot);
      return value_.Get((*signals)[slot], value, field.key, inputs_.now_us);
    }
    return {};
  }

 private:
  const Inputs& inputs_;
  const ScoreRule& rule_;
  const state::ItemSignalValues* const values_;
  mutable SignalValue value_;
};

bool Holds(const Inputs& inputs, const CheckedRequest& request, const ScoreRule& rule, const index::ItemHandle& item) {
  if (rule.when_signals.fields.empty()) {
    return inputs.view->Matches(item, *rule.when, inputs.now_us, request.tables.get());
  }
  return inputs.view->Matches(item, *rule.when, inputs.now_us, rule.when_signals.first,
                              SignalRow(inputs, rule, item.key), request.tables.get());
}

}  // namespace

bool SeenWithin(const state::SeenItem& seen, const config::Surface& surface, int64_t now_us) {
  return surface.seen_window_us == 0 || now_us - int64_t{seen.time_s} * 1'000'000 < surface.seen_window_us;
}

double SeenFactor(const Inputs& inputs, const config::Surface& surface, catalog::ItemKey item) {
  if (surface.seen != config::SeenPolicy::kDemote) return 1;
  const state::SeenItem* seen = inputs.user->FindSeen(item);
  return seen != nullptr && SeenWithin(*seen, surface, inputs.now_us) ? surface.seen_factor : 1;
}

double ScoreFactor(const Inputs& inputs, const CheckedRequest& request, const index::ItemHandle& item,
                   absl::InlinedVector<uint16_t, 2>* held) {
  double factor = 1;
  for (size_t r = 0; r < request.scores.size(); ++r) {
    if (!Holds(inputs, request, request.scores[r], item)) continue;
    factor *= request.scores[r].factor;
    if (held != nullptr) held->push_back(static_cast<uint16_t>(r));
  }
  return factor * SeenFactor(inputs, *request.surface, item.key);
}

std::vector<uint32_t> KeepBest(const Inputs& inputs, const CheckedRequest& request,
                               std::span<const rank::Candidate> found, std::span<const float> first_scores,
                               uint32_t keep) {
  struct Scored {
    double score = 0;
    uint32_t index = 0;
  };
  std::vector<Scored> scored(found.size());
  const bool factors = !request.scores.empty() || request.surface->seen == config::SeenPolicy::kDemote;
  for (uint32_t i = 0; i < scored.size(); ++i) {
    scored[i] = {first_scores[i] * (factors ? ScoreFactor(inputs, request, found[i].item, nullptr) : 1), i};
  }
  if (keep < scored.size()) {
    std::nth_element(scored.begin(), scored.begin() + keep, scored.end(), [&](const Scored& a, const Scored& b) {
      return a.score != b.score ? a.score > b.score : found[a.index].item.key < found[b.index].item.key;
    });
    scored.resize(keep);
  }
  std::vector<uint32_t> kept(scored.size());
  for (size_t i = 0; i < kept.size(); ++i) kept[i] = scored[i].index;
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::vector<Judged> Judge(const Inputs& inputs, const CheckedRequest& request, const Union& candidates,
                          const rank::Ranked& ranked) {
  std::vector<Judged> judged(candidates.size());
  for (uint32_t i = 0; i < judged.size(); ++i) {
    Judged& one = judged[i];
    one.item = candidates.candidates[i].item;
    one.candidate = i;
    one.rank_score = ranked.scores[i];
    one.score = ranked.scores[i] * ScoreFactor(inputs, request, one.item, &one.rules);
  }
  SortByScore(&judged);
  return judged;
}

void SortByScore(std::vector<Judged>* judged) {
  std::sort(judged->begin(), judged->end(), [](const Judged& a, const Judged& b) {
    return a.score != b.score ? a.score > b.score : a.item.key < b.item.key;
  });
}

}  // namespace bowerbird::serve
