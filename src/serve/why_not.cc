#include "serve/why_not.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/time_text.h"
#include "expression/conjuncts.h"
#include "serve/judge.h"

namespace bowerbird::serve {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

bool Contains(std::span<const catalog::ItemKey> keys, catalog::ItemKey key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void Drop(std::string_view stage, std::string_view code, std::string detail, AnswerOutcome* out) {
  out->stage = stage;
  out->code = code;
  out->detail = std::move(detail);
}

class Explainer {
 public:
  explicit Explainer(const PageOutcome& outcome)
      : outcome_(outcome),
        inputs_(*outcome.judgement->inputs),
        request_(*outcome.judgement->request),
        surface_(*request_.surface) {}

  AnswerOutcome Explain(const std::string& id) {
    AnswerOutcome out;
    out.id = id;
    index::ItemHandle item;
    if (!inputs_.view->Find(inputs_.hasher.Item(id), &item) || inputs_.view->Id(item) != id) {
      Drop("catalog", "unknown_item", "no item of the catalog has this id", &out);
      return out;
    }
    const uint32_t judged = FindJudged(item.key);
    if (judged != kNone) Fill(judged, &out);
    const uint32_t place = FindPlace(*outcome_.page, outcome_.judged, item.key);
    if (place != kNone) {
      out.position = static_cast<uint32_t>(inputs_.chain.shown.size()) + place + 1;
      out.score = outcome_.page->items[place].score;
      Drop("shown", "shown", fmt::format("at position {}", out.position), &out);
      return out;
    }
    if (LeftOutByCatalog(item, &out) || LeftOutByFilter(item, &out) || LeftOutOfPool(item, &out)) return out;
    if (judged == kNone) {
      if (!CutByFirstStage(item, &out)) NotProposed(item, &out);
    } else {
      NotPlaced(judged, &out);
    }
    return out;
  }

 private:
  uint32_t FindJudged(catalog::ItemKey key) const {
    const auto at = std::find_if(outcome_.judged.begin(), outcome_.judged.end(),
                                 [&](const Judged& judged) { return judged.item.key == key; });
    return at == outcome_.judged.end() ? kNone : static_cast<uint32_t>(at - outcome_.judged.begin());
  }

  static uint32_t FindPlace(const blend::Page& page, std::span<const Judged> judged, catalog::ItemKey key) {
    const auto at = std::find_if(page.items.begin(), page.items.end(),
                                 [&](const blend::Placed& placed) { return judged[placed.candidate].item.key == key; });
    return at == page.items.end() ? kNone : static_cast<uint32_t>(at - page.items.begin());
  }

  void Fill(uint32_t judged, AnswerOutcome* out) const {
    const Judged& one = outcome_.judged[judged];
    out->rank = judged + 1;
    out->candidates = static_cast<uint32_t>(outcome_.judged.size());
    out->score = static_cast<float>(one.score);
    if (!outcome_.page->items.empty()) out->last_score = outcome_.page->items.back().score;
    out->rules = outcome_.judgement->RulesOf(one);
    out->page = inputs_.chain.page + judged / request_.n + 1;
    for (const Source& source : outcome_.judgement->candidates->sources[one.candidate]) {
      if (out->generator_rank != 0 && source.rank >= out->generator_rank) continue;
      SetGenerator(source.generator, source.rank, source.score, out);
    }
  }

  void SetGenerator(uint32_t generator, uint32_t rank, float score, AnswerOutcome* out) const {
    out->generator = surface_.generators[generator];
    out->generator_rank = rank;
    out->generator_score = score;
    out->generator_count = inputs_.config->FindGenerator(out->generator)->count;
  }

  bool LeftOutByCatalog(const index::ItemHandle& item, AnswerOutcome* out) const {
    if (inputs_.view->Eligible(item)) return false;
    if (inputs_.view->Document(item).withdrawn()) {
      Drop("catalog", "withdrawn", "the catalog withdrew it; an upsert brings it back", out);
    } else {
      Drop("catalog", "unavailable", "the catalog says that it is not available", out);
    }
    return true;
  }

  /// The first outermost term of `filter` that does not hold; nothing where all do.
  std::optional<std::string_view> FailingTerm(const index::ItemHandle& item, const expression::Program& filter) const {
    if (inputs_.view->Matches(item, filter, inputs_.now_us, request_.tables.get())) return std::nullopt;
    for (const std::string_view term : expression::Conjuncts(filter.text())) {
      const auto program = expression::Program::Compile(term, inputs_.config->ItemSchema());
      if (program.ok() && !inputs_.view->Matches(item, **program, inputs_.now_us, request_.tables.get())) return term;
    }
    return filter.text();
  }

  bool LeftOutByFilter(const index::ItemHandle& item, AnswerOutcome* out) const {
    if (surface_.filter != nullptr) {
      if (const auto term = FailingTerm(item, *surface_.filter)) {
        Drop("filter", "surface_filter", fmt::format("outside the filter of surface '{}': {}", surface_.name, *term),
             out);
        return true;
      }
    }
    if (request_.filter == nullptr) return false;
    const auto term = FailingTerm(item, *request_.filter);
    if (!term.has_value()) return false;
    Drop("filter", "request_filter", fmt::format("outside the request's filter: {}", *term), out);
    return true;
  }

  bool LeftOutOfPool(const index::ItemHandle& item, AnswerOutcome* out) const {
    const bool overlay = std::any_of(inputs_.overlay_hidden.begin(), inputs_.overlay_hidden.end(),
                                     [&](const OverlayHide& hide) { return hide.key == item.key; });
    if (overlay || inputs_.user->IsHidden(item.key)) {
      Drop("user", "hidden", "the user hid it; an unhide event brings it back", out);
      return true;
    }
    if (Contains(request_.exclude, item.key)) {
      Drop("request", "excluded", "the request excludes it", out);
      return true;
    }
    const std::vector<catalog::ItemKey>& shown = inputs_.chain.shown;
    if (const auto at = std::find(shown.begin(), shown.end(), item.key); at != shown.end()) {
      out->position = static_cast<uint32_t>(at - shown.begin()) + 1;
      Drop("chain", "shown_earlier", fmt::format("at position {}, on an earlier page", out->position), out);
      return true;
    }
    if (request_.item.has_value() && request_.item->key == item.key) {
      Drop("request", "is_the_item", "it is the item that the answer is related to", out);
      return true;
    }
    if (!outcome_.seen_excluded || outcome_.query->pool->Contains(item)) return false;
    const state::SeenItem* seen = inputs_.user->FindSeen(item.key);
    const std::string when =
        seen == nullptr ? "" : fmt::format(" at {}", base::FormatTimeUs(int64_t{seen->time_s} * 1'000'000));
    Drop("user", "seen",
         fmt::format("the user saw it{}, and surface '{}' leaves out what was seen", when, surface_.name), out);
    return true;
  }

  bool CutByFirstStage(const index::ItemHandle& item, AnswerOutcome* out) const {
    const std::span<const float> scores = outcome_.first_scores;
    const auto end = outcome_.found->begin() + static_cast<ptrdiff_t>(scores.size());
    const auto at = std::find_if(outcome_.found->begin(), end,
                                 [&](const rank::Candidate& found) { return found.item.key == item.key; });
    if (at == end) return false;
    const float own = scores[static_cast<size_t>(at - outcome_.found->begin())];
    const auto before = std::count_if(scores.begin(), scores.end(), [&](float score) { return score > own; });
    Drop("rank", "ranked_max",
         fmt::format("{} of {} candidates in the ranker's first stage, and surface '{}' ranks only {}", before + 1,
                     scores.size(), surface_.name, surface_.ranked_max),
         out);
    return true;
  }

  void NotProposed(const index::ItemHandle& item, AnswerOutcome* out) {
    RunUnbounded();
    double nearest = std::numeric_limits<double>::infinity();
    for (uint32_t g = 0; g < unbounded_.size(); ++g) {
      const auto at = std::find_if(unbounded_[g].begin(), unbounded_[g].end(),
                                   [&](const retrieve::Candidate& found) { return found.item.key == item.key; });
      if (at == unbounded_[g].end()) continue;
      const auto rank = static_cast<uint32_t>(at - unbounded_[g].begin()) + 1;
      const double distance = rank / static_cast<double>(inputs_.config->FindGenerator(surface_.generators[g])->count);
      if (distance >= nearest) continue;
      nearest = distance;
      SetGenerator(g, rank, at->score, out);
    }
    if (out->generator.empty()) {
      Drop("retrieve", "not_proposed",
           fmt::format("none of {} has a score for it", fmt::join(surface_.generators, ", ")), out);
    } else if (nearest > 1 || !Proposed(out->generator, item.key)) {
      Drop("retrieve", "not_proposed",
           fmt::format("no generator proposed it; '{}' came nearest: rank {} of all, and it proposes {}",
                       out->generator, out->generator_rank, out->generator_count),
           out);
    } else {
      Drop("retrieve", "candidates_max",
           fmt::format("'{}' proposed it at rank {}, but surface '{}' ranks only {} candidates", out->generator,
                       out->generator_rank, surface_.name, surface_.candidates_max),
           out);
    }
  }

  /// A generator that joins two lists may rank an item high in the whole and still not propose it.
  bool Proposed(std::string_view generator, catalog::ItemKey key) const {
    const std::vector<retrieve::Candidate> found =
        retrieve::Retrieve(*inputs_.config->FindGenerator(generator), *outcome_.query);
    return std::any_of(found.begin(), found.end(), [&](const retrieve::Candidate& one) { return one.item.key == key; });
  }

  /// Every generator's whole list.
  void RunUnbounded() {
    if (!unbounded_.empty()) return;
    for (const std::string& name : surface_.generators) {
      config::Generator generator = *inputs_.config->FindGenerator(name);
      generator.count = static_cast<uint32_t>(
          std::max<uint64_t>(generator.count, std::min<uint64_t>(outcome_.query->pool->size(), UINT32_MAX)));
      unbounded_.push_back(retrieve::Retrieve(generator, *outcome_.query));
    }
  }

  bool PlacedWithout(const Without& without, catalog::ItemKey key, std::optional<blend::Page>* page) const {
    if (!page->has_value()) *page = outcome_.blend(outcome_.judged, without);
    return FindPlace(**page, outcome_.judged, key) != kNone;
  }

  /// Whether the item would be on the page if its score were `score`.
  bool PlacedWith(double score, catalog::ItemKey key) const {
    std::vector<Judged> judged(outcome_.judged.begin(), outcome_.judged.end());
    std::find_if(judged.begin(), judged.end(), [&](const Judged& one) { return one.item.key == key; })->score = score;
    SortByScore(&judged);
    return FindPlace(outcome_.blend(judged, {}), judged, key) != kNone;
  }

  void NotPlaced(uint32_t judged, AnswerOutcome* out) {
    const Judged& one = outcome_.judged[judged];
    const catalog::ItemKey key = one.item.key;
    if (outcome_.drafted && PlacedWithout({}, key, &ordered_)) {
      return Drop("blend", "not_drafted",
                  "the page was drafted out of the rankings of an experiment's arms, and none of them placed it", out);
    }
    if (outcome_.explored && PlacedWithout({}, key, &ordered_)) {
      return Drop("blend", "not_drawn", "the order was drawn at random (exploration), and it was not drawn", out);
    }
    if (surface_.category_cap > 0 && PlacedWithout({.cap = true}, key, &uncapped_)) {
      return Drop("blend", "category_cap",
                  fmt::format("a category of it has its {} items on the page", surface_.category_cap), out);
    }
    if (surface_.diversity > 0 && PlacedWithout({.diversity = true}, key, &undiversified_)) {
      return Drop("blend", "diversity", "pushed down because the page holds much of its category", out);
    }
    double rules = 1;
    for (const uint16_t rule : one.rules) rules *= request_.scores[rule].factor;
    const double demotion = SeenFactor(inputs_, surface_, key);
    if (rules < 1 && PlacedWith(one.rank_score * demotion, key)) {
      return Drop("rank", "buried", fmt::format("pushed down by {}", fmt::join(out->rules, ", ")), out);
    }
    if (demotion < 1 && PlacedWith(one.rank_score * rules, key)) {
      return Drop("rank", "seen_demoted",
                  fmt::format("pushed down because the user saw it (surface '{}' demotes)", surface_.name), out);
    }
    if (!request_.pins.empty() && PlacedWithout({.pins = true}, key, &unpinned_)) {
      return Drop("blend", "displaced_by_pin", "pinned items took its place", out);
    }
    if (outcome_.drafted && !ordered_->items.empty()) out->last_score = ordered_->items.back().score;
    Drop("rank", "ranked_below",
         fmt::format("ranked {} of {} with score {:.4f}, and the page ends at {:.4f}; page {} as things stand",
                     out->rank, out->candidates, out->score, out->last_score, out->page),
         out);
  }

  const PageOutcome& outcome_;
  const Inputs& inputs_;
  const CheckedRequest& request_;
  const config::Surface& surface_;
  std::vector<std::vector<retrieve::Candidate>> unbounded_;
  std::optional<blend::Page> ordered_, uncapped_, undiversified_, unpinned_;
};

}  // namespace

std::vector<AnswerOutcome> ExplainItems(const PageOutcome& outcome,
                                        const google::protobuf::RepeatedPtrField<std::string>& ids) {
  Explainer explainer(outcome);
  std::vector<AnswerOutcome> outcomes;
  for (const std::string& id : ids) outcomes.push_back(explainer.Explain(id));
  return outcomes;
}

}  // namespace bowerbird::serve
