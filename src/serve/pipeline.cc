#include "serve/pipeline.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "blend/blend.h"
#include "retrieve/pool.h"
#include "retrieve/taste.h"
#include "serve/candidate_union.h"
#include "serve/checked_request.h"
#include "serve/explain.h"
#include "serve/item_fields.h"
#include "serve/judge.h"
#include "serve/served_record.h"
#include "serve/why_not.h"

namespace bowerbird::serve {
namespace {

/// Times that the page is made again with more candidates when caps left places empty.
constexpr int kCapRoundsMax = 4;

bool IsPersonal(const config::Generator& generator) {
  return generator.kind == config::GeneratorKind::kIals || generator.kind == config::GeneratorKind::kCoOccurrence ||
         generator.kind == config::GeneratorKind::kSimilar;
}

bool Personal(const config::Config& config, const config::Surface& surface) {
  return std::any_of(surface.generators.begin(), surface.generators.end(),
                     [&](const std::string& name) { return IsPersonal(*config.FindGenerator(name)); });
}

/// `surface` with the generators for which `keep` holds, and a third of the candidates for the ranker.
template <typename Keep>
config::Surface Lighter(const config::Config& config, const config::Surface& surface, const Keep& keep) {
  config::Surface lighter = surface;
  std::erase_if(lighter.generators, [&](const std::string& name) { return !keep(*config.FindGenerator(name)); });
  lighter.ranked_max = std::max(1u, surface.ranked_max / 3);
  return lighter;
}

/// What the surface is at this effort; nothing for the surface itself.
std::optional<config::Surface> Degraded(const Inputs& inputs, const config::Surface& surface,
                                        std::vector<std::string>* degraded) {
  const bool popular = inputs.effort == Effort::kPopular || inputs.effort == Effort::kOwnerAway ||
                       (inputs.effort == Effort::kFewerOrPopular && inputs.user->actions.empty());
  if (inputs.effort == Effort::kFull) return std::nullopt;
  degraded->push_back(std::string(popular ? kDegradedPopular : kDegradedFewer));
  if (inputs.effort == Effort::kOwnerAway) degraded->push_back(std::string(kDegradedOwner));
  return Lighter(*inputs.config, surface, [popular](const config::Generator& generator) {
    return popular
               ? generator.kind == config::GeneratorKind::kTrending || generator.kind == config::GeneratorKind::kPopular
               : IsPersonal(generator);
  });
}

std::vector<catalog::ItemKey> HiddenItems(const Inputs& inputs) {
  std::vector<catalog::ItemKey> hidden = inputs.user->hidden;
  for (const OverlayHide& hide : inputs.overlay_hidden) hidden.push_back(hide.key);
  return hidden;
}

std::vector<catalog::ItemKey> SeenItems(const Inputs& inputs, const config::Surface& surface) {
  std::vector<catalog::ItemKey> keys;
  for (const state::SeenItem& seen : inputs.user->seen) {
    if (SeenWithin(seen, surface, inputs.now_us)) keys.push_back(seen.item);
  }
  return keys;
}

rank::Request RankRequestOf(const Inputs& inputs, const CheckedRequest& request, const retrieve::Taste& taste) {
  rank::Request ranking;
  ranking.config = inputs.config.get();
  ranking.surface = request.surface;
  ranking.view = inputs.view.get();
  ranking.user = inputs.user.get();
  ranking.items = inputs.items.get();
  ranking.taste = &taste;
  ranking.item = request.item.has_value() ? &*request.item : nullptr;
  ranking.trained = inputs.ranker.trained.get();
  if (request.tables->size() > 0) ranking.added = request.tables.get();
  ranking.now_us = inputs.now_us;
  return ranking;
}

/// What happened to the trained ranker, if it was to give the scores and did not.
void NameRankerFallback(const Inputs& inputs, const rank::Ranked& ranked, std::vector<std::string>* degraded) {
  if (inputs.ranker.missing) degraded->push_back(std::string(kRankerMissing));
  if (ranked.trained_invalid) degraded->push_back(std::string(kRankerInvalid));
}

/// One page of one request, stage by stage.
class PageMaker {
 public:
  PageMaker(const Inputs& inputs, const v1::RecommendRequest& request, CheckedRequest checked)
      : inputs_(inputs),
        request_(request),
        checked_(std::move(checked)),
        degraded_surface_(Degraded(inputs, *checked_.surface, &degraded_)),
        surface_(degraded_surface_.has_value() ? *degraded_surface_ : *checked_.surface),
        pool_(MakePool()) {
    checked_.surface = &surface_;
  }

  Answer Make(int64_t start_us) {
    Answer answer;
    StageTimes& times = answer.times;
    int64_t last_us = start_us;
    const auto lap = [&] {
      const int64_t now_us = base::MonotonicUs();
      return now_us - std::exchange(last_us, now_us);
    };
    times.check_us = lap();
    Retrieve();
    times.retrieve_us = lap();

    KeepBestOfFirstStage();
    for (const auto& [place, pin] : pins_) builder_->Add(pin.item);
    if (builder_->size() < checked_.n) {
      builder_->Fill(checked_.n - builder_->size(), [](const index::ItemHandle&) { return true; });
    }
    for (int round = 0;; ++round) {
      RankKept();
      times.rank_us += lap();
      BlendPage();
      times.blend_us += lap();
      if (page_.items.size() >= checked_.n || round == kCapRoundsMax) break;
      // Caps left places empty: what the first stage cut comes before what nobody proposed.
      if (!builder_->KeepAll() && !FillBelowCaps()) break;
    }
    Finish(&answer);
    times.answer_us = lap();
    times.total_us = last_us - start_us;
    return answer;
  }

  /// The page is given.
  Answer MakeOf(std::span<const PlacedItem> items) {
    Answer answer;
    Retrieve();
    KeepBestOfFirstStage();
    for (const auto& [place, pin] : pins_) builder_->Add(pin.item);
    std::vector<index::ItemHandle> handles(items.size());
    std::vector<bool> found(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      found[i] = inputs_.view->Find(items[i].key, &handles[i]);
      if (found[i]) builder_->Add(handles[i]);
    }
    RankKept();
    MarkPins();
    absl::flat_hash_map<uint64_t, uint32_t> judged_at;
    for (uint32_t i = 0; i < judged_.size(); ++i) judged_at.emplace(judged_[i].item.key.value, i);
    for (size_t i = 0; i < items.size(); ++i) {
      if (!found[i]) continue;
      const uint32_t at = judged_at.at(items[i].key.value);
      page_.items.push_back({at, static_cast<float>(judged_[at].score), items[i].pinned, 0});
      teams_.push_back(items[i].team);
    }
    Finish(&answer);
    return answer;
  }

 private:
  struct Pin {
    index::ItemHandle item;
    const PinRule* rule;
  };

  retrieve::Pool MakePool() const {
    const expression::Program* filters[] = {surface_.filter.get(), checked_.filter.get()};
    retrieve::Pool pool = retrieve::Pool::Of(*inputs_.view, filters, inputs_.now_us, checked_.tables.get());
    pool.Remove(HiddenItems(inputs_));
    pool.Remove(checked_.exclude);
    pool.Remove(inputs_.chain.shown);
    if (checked_.item.has_value()) pool.Remove({&checked_.item->key, 1});
    return pool;
  }

  retrieve::Query QueryOf() const {
    retrieve::Query query;
    query.pool = &pool_;
    query.taste = &taste_;
    query.items = inputs_.items.get();
    query.item = checked_.item.has_value() ? &*checked_.item : nullptr;
    query.now_us = inputs_.now_us;
    return query;
  }

  /// A pin stands whether its item was seen or not, but not where a filter, a hide or an exclude forbids it.
  void ChoosePins() {
    absl::flat_hash_set<uint64_t> pinned;
    const auto before = static_cast<uint32_t>(inputs_.chain.shown.size());
    for (const PinRule& rule : checked_.pins) {
      if (rule.position <= before || rule.position > before + checked_.n) continue;
      const uint32_t place = rule.position - before - 1;
      index::ItemHandle item;
      if (pins_.contains(place) || pinned.contains(rule.item.value)) continue;
      if (!inputs_.view->Find(rule.item, &item) || !pool_.Contains(item)) continue;
      pins_.emplace(place, Pin{item, &rule});
      pinned.insert(rule.item.value);
    }
  }

  void ApplySeenPolicy() {
    if (surface_.seen != config::SeenPolicy::kExclude) return;
    if (!inputs_.chain.seen_relaxed) {
      retrieve::Pool unseen = pool_;
      unseen.Remove(SeenItems(inputs_, surface_));
      if (unseen.size() > 0 || pool_.size() == 0 || inputs_.chain.page > 0) {
        pool_ = std::move(unseen);
        seen_excluded_ = true;
        return;
      }
    }
    degraded_.push_back("seen_relaxed");
  }

  void Retrieve() {
    ChoosePins();
    ApplySeenPolicy();
    if (!degraded_surface_.has_value() || Personal(*inputs_.config, surface_)) {
      taste_ = retrieve::MakeTaste(*inputs_.config, *inputs_.view, *inputs_.user);
    }
    builder_.emplace(*inputs_.config, surface_, QueryOf());
    builder_->RunGenerators();
    ranker_.emplace(RankRequestOf(inputs_, checked_, taste_));
  }

  void RankKept() {
    union_ = builder_->Kept();
    ranked_ = ranker_->Rank(union_.candidates);
    judged_ = Judge(inputs_, checked_, union_, ranked_);
  }

  void MarkPins() {
    absl::flat_hash_map<uint64_t, const PinRule*> pin_of;
    for (const auto& [place, pin] : pins_) pin_of.emplace(pin.item.key.value, pin.rule);
    for (Judged& judged : judged_) {
      const auto pin = pin_of.find(judged.item.key.value);
      if (pin != pin_of.end()) judged.pin = pin->second;
    }
  }

  void BlendPage() {
    MarkPins();
    base::Rng rng(inputs_.seed);
    explored_ = rng.Uniform() < surface_.explore;
    page_ = BlendOf(judged_, {}, explored_ ? &rng : nullptr);
  }

  /// The page of `judged`, best first, in order of score without `rng`.
  blend::Page BlendOf(std::span<const Judged> judged, const Without& without, base::Rng* rng) const {
    std::vector<blend::Candidate> candidates(judged.size());
    std::vector<blend::Pin> pins;
    const auto before = static_cast<uint32_t>(inputs_.chain.shown.size());
    for (uint32_t i = 0; i < judged.size(); ++i) {
      candidates[i] = {judged[i].score, inputs_.view->Categories(judged[i].item)};
      if (judged[i].pin != nullptr && !without.pins) pins.push_back({judged[i].pin->position - before - 1, i});
    }
    blend::Policy policy;
    policy.n = checked_.n;
    policy.diversity = without.diversity ? 0 : surface_.diversity;
    policy.category_cap = without.cap ? 0 : surface_.category_cap;
    policy.temperature = surface_.temperature;
    std::vector<std::span<const uint64_t>> above;
    const std::vector<catalog::ItemKey>& shown = inputs_.chain.shown;
    for (size_t i = shown.size() - std::min<size_t>(shown.size(), blend::kDiversityAboveMax); i < shown.size(); ++i) {
      index::ItemHandle item;
      if (inputs_.view->Find(shown[i], &item)) above.push_back(inputs_.view->Categories(item));
    }
    policy.above = above;
    return blend::Blend(candidates, pins, policy, rng);
  }

  void KeepBestOfFirstStage() {
    const uint32_t keep = std::max(surface_.ranked_max, checked_.n);
    if (builder_->size() <= keep) return;
    first_scores_ = ranker_->FirstScores(builder_->found());
    builder_->Keep(KeepBest(inputs_, checked_, builder_->found(), first_scores_, keep));
  }

  /// Adds items that the caps would still allow on the page; false when there are none.
  bool FillBelowCaps() {
    const uint32_t missing = checked_.n - static_cast<uint32_t>(page_.items.size());
    if (surface_.category_cap == 0) return false;
    absl::flat_hash_map<uint64_t, uint32_t> counts;
    for (const blend::Placed& placed : page_.items) {
      for (const uint64_t hash : inputs_.view->Categories(judged_[placed.candidate].item)) ++counts[hash];
    }
    return builder_->Fill(4 * missing, [&](const index::ItemHandle& item) {
      const std::span<const uint64_t> categories = inputs_.view->Categories(item);
      return std::none_of(categories.begin(), categories.end(), [&](uint64_t hash) {
        const auto count = counts.find(hash);
        return count != counts.end() && count->second >= surface_.category_cap;
      });
    }) > 0;
  }

  void NameDegradations() {
    if (Personal(*inputs_.config, surface_)) {
      const index::Snapshot* snapshot = inputs_.view->snapshot();
      if (snapshot == nullptr) {
        degraded_.push_back("no_snapshot");
      } else if (snapshot->dim() == 0) {
        degraded_.push_back("no_model");
      }
    }
    const bool filled = std::any_of(page_.items.begin(), page_.items.end(), [&](const blend::Placed& placed) {
      return !placed.pinned && union_.sources[judged_[placed.candidate].candidate].empty();
    });
    // What stands on a given page, others may have found.
    if (filled && teams_.empty()) degraded_.emplace_back(kDegradedFilled);
    NameRankerFallback(inputs_, ranked_, &degraded_);
  }

  void Finish(Answer* answer) {
    NameDegradations();
    const Judgement judgement{&inputs_, &checked_, &taste_, &union_, &ranked_};
    answer->request_id = inputs_.request_id;
    answer->snapshot = inputs_.view->snapshot_version();
    answer->config_version = inputs_.config->version;
    answer->explored = explored_;
    answer->degraded = degraded_;

    uint64_t left = pool_.size();
    for (const blend::Placed& placed : page_.items) {
      const Judged& judged = judged_[placed.candidate];
      if (pool_.Contains(judged.item)) --left;
      AnswerItem& item = answer->items.emplace_back();
      item.id = inputs_.view->Id(judged.item);
      item.score = placed.score;
      item.position = static_cast<uint32_t>(inputs_.chain.shown.size() + answer->items.size());
      if (request_.fields_size() > 0) item.item = SelectFields(inputs_.view->Document(judged.item), request_.fields());
      if (request_.explain()) item.explanation = Explain(judgement, judged, placed.score);
    }
    answer->more = left > 0 && !page_.items.empty() && inputs_.chain.shown.size() + page_.items.size() < kChainItemsMax;

    if (request_.explain_items_size() > 0) ExplainMissing(judgement, answer);

    answer->record = BeginRecord(inputs_, "recommend");
    *answer->record.mutable_request() = request_;
    Outcome outcome;
    outcome.judgement = &judgement;
    outcome.judged = judged_;
    outcome.page = &page_;
    outcome.explored = explored_;
    outcome.temperature = surface_.temperature;
    outcome.degraded = degraded_;
    outcome.teams = teams_;
    RecordOutcome(outcome, &answer->record);
    if (ranked_.by_trained || ranked_.trained_invalid) answer->record.set_ranker(inputs_.ranker.trained->version);
    if (UnionSampled(answer->record, *inputs_.config)) RecordCutOff(&answer->record);
  }

  /// What the first stage cut, scored as if it had not.
  void RecordCutOff(v1::ServedRecord* record) const {
    const Union cut = builder_->Cut();
    const rank::Ranked ranked = ranker_->Rank(cut.candidates, &ranked_.crowd);
    const Judgement judgement{&inputs_, &checked_, &taste_, &cut, &ranked};
    RecordCut(judgement, Judge(inputs_, checked_, cut, ranked), record);
  }

  void ExplainMissing(const Judgement& judgement, Answer* answer) const {
    const retrieve::Query query = QueryOf();
    const auto blend = [this](std::span<const Judged> judged, const Without& without) {
      return BlendOf(judged, without, nullptr);
    };
    const PageOutcome outcome{&judgement,    judged_,   &page_,         &query,          &builder_->found(),
                              first_scores_, explored_, seen_excluded_, !teams_.empty(), blend};
    answer->outcomes = ExplainItems(outcome, request_.explain_items());
  }

  const Inputs& inputs_;
  const v1::RecommendRequest& request_;
  CheckedRequest checked_;
  std::vector<std::string> degraded_;
  const std::optional<config::Surface> degraded_surface_;
  const config::Surface& surface_;
  retrieve::Pool pool_;
  std::map<uint32_t, Pin> pins_;  ///< by place on this page
  retrieve::Taste taste_;
  std::optional<UnionBuilder> builder_;
  std::optional<rank::Ranker> ranker_;
  std::vector<float> first_scores_;  ///< of builder_->found() as the generators left it; empty when nothing was cut
  Union union_;                      ///< what is ranked
  rank::Ranked ranked_;
  std::vector<Judged> judged_;
  blend::Page page_;
  std::vector<std::string> teams_;  ///< of a drafted page, by place
  bool explored_ = false;
  bool seen_excluded_ = false;  ///< seen items left the pool
};

}  // namespace

absl::StatusOr<Answer> Recommend(const Inputs& inputs, const v1::RecommendRequest& request) {
  const int64_t start_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(CheckedRequest checked, Check(inputs, request));
  return PageMaker(inputs, request, std::move(checked)).Make(start_us);
}

absl::StatusOr<Answer> RecommendPlaced(const Inputs& inputs, const v1::RecommendRequest& request,
                                       std::span<const PlacedItem> page) {
  ASSIGN_OR_RETURN(CheckedRequest checked, Check(inputs, request));
  return PageMaker(inputs, request, std::move(checked)).MakeOf(page);
}

absl::StatusOr<RankAnswer> Rank(const Inputs& inputs, const v1::RankRequest& request) {
  const int64_t start_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(CheckedRequest checked, Check(inputs, request));
  RankAnswer answer;
  answer.request_id = inputs.request_id;

  std::vector<catalog::ItemKey> keys;
  for (const std::string& id : request.items()) keys.push_back(inputs.hasher.Item(id));
  retrieve::Pool pool = retrieve::Pool::OfItems(*inputs.view, keys);
  pool.Remove(HiddenItems(inputs));
  const retrieve::Taste taste = retrieve::MakeTaste(*inputs.config, *inputs.view, *inputs.user);
  retrieve::Query query;
  query.pool = &pool;
  query.taste = &taste;
  query.items = inputs.items.get();
  query.now_us = inputs.now_us;
  UnionBuilder builder(*inputs.config, *checked.surface, query);
  builder.RunGenerators();
  for (int i = 0; i < request.items_size(); ++i) {
    index::ItemHandle item;
    if (!inputs.view->Find(keys[static_cast<size_t>(i)], &item) || !pool.Contains(item) ||
        inputs.view->Id(item) != request.items(i)) {
      answer.left_out.push_back(request.items(i));
    } else {
      builder.Add(item);
    }
  }
  answer.times.retrieve_us = base::MonotonicUs() - start_us;
  const Union candidates = builder.Kept();
  const rank::Ranked ranked = rank::Ranker(RankRequestOf(inputs, checked, taste)).Rank(candidates.candidates);
  const std::vector<Judged> judged = Judge(inputs, checked, candidates, ranked);
  answer.times.rank_us = base::MonotonicUs() - start_us - answer.times.retrieve_us;

  const Judgement judgement{&inputs, &checked, &taste, &candidates, &ranked};
  blend::Page page;
  for (uint32_t i = 0; i < judged.size(); ++i) {
    const auto score = static_cast<float>(judged[i].score);
    page.items.push_back({i, score, false, 0});
    AnswerItem& item = answer.items.emplace_back();
    item.id = inputs.view->Id(judged[i].item);
    item.score = score;
    item.position = i + 1;
    if (request.explain()) item.explanation = Explain(judgement, judged[i], score);
  }
  answer.record = BeginRecord(inputs, "rank");
  v1::RecommendRequest* recorded = answer.record.mutable_request();
  recorded->set_surface(request.surface());
  recorded->set_user(request.user());
  *recorded->mutable_context() = request.context();
  recorded->set_explain(request.explain());
  *answer.record.mutable_rank_items() = request.items();
  Outcome outcome;
  outcome.judgement = &judgement;
  outcome.judged = judged;
  outcome.page = &page;
  if (inputs.effort == Effort::kOwnerAway) answer.degraded.push_back(std::string(kDegradedOwner));
  outcome.degraded = answer.degraded;
  NameRankerFallback(inputs, ranked, &outcome.degraded);
  RecordOutcome(outcome, &answer.record);
  if (ranked.by_trained || ranked.trained_invalid) answer.record.set_ranker(inputs.ranker.trained->version);
  answer.times.total_us = base::MonotonicUs() - start_us;
  return answer;
}

}  // namespace bowerbird::serve
