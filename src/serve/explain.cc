#include "serve/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace bowerbird::serve {
namespace {

using config::GeneratorKind;
using rank::Feature;

/// Below this nearness an item of the user's is no good reason.
constexpr float kNearMin = .2f;

GeneratorKind KindOf(const Judgement& judgement, const Source& source) {
  const std::string& name = judgement.request->surface->generators[source.generator];
  return judgement.inputs->config->FindGenerator(name)->kind;
}

const retrieve::RecentItem* Nearest(const Judgement& judgement, const Judged& judged) {
  const uint32_t nearest = judgement.ranked->nearest[judged.candidate];
  return nearest == rank::Ranked::kNoNear ? nullptr : &judgement.taste->recent[nearest];
}

std::string IdOf(const Judgement& judgement, catalog::ItemKey key) {
  index::ItemHandle item;
  const index::LiveView& view = *judgement.inputs->view;
  return key.value != 0 && view.Find(key, &item) ? std::string(view.Id(item)) : std::string();
}

std::string Title(const Judgement& judgement, const index::ItemHandle& item) {
  v1::Item document = judgement.inputs->view->Document(item);
  return document.title().empty() ? document.id() : std::move(*document.mutable_title());
}

std::string_view Verb(const config::Config& config, uint8_t type) {
  constexpr std::pair<std::string_view, std::string_view> kVerbs[] = {
      {"click", "you opened"}, {"closeup", "you looked at"}, {"save", "you saved"}, {"purchase", "you bought"}};
  const config::EventType* event = config.FindEventTypeByCode(type);
  for (const auto& [name, verb] : kVerbs) {
    if (event != nullptr && event->name == name) return verb;
  }
  return "you liked";
}

/// Nothing for an item that was withdrawn: its title is not to be seen in a reason either.
std::string BecauseOf(const Judgement& judgement, const retrieve::RecentItem& recent) {
  if (judgement.inputs->view->Document(recent.item).withdrawn()) return "";
  return fmt::format("Because {} {}", Verb(*judgement.inputs->config, recent.type), Title(judgement, recent.item));
}

const retrieve::RecentItem* FindRecent(const retrieve::Taste& taste, catalog::ItemKey key) {
  for (const retrieve::RecentItem& recent : taste.recent) {
    if (recent.item.key == key) return &recent;
  }
  return nullptr;
}

const Source* FindSource(const Judgement& judgement, const Judged& judged, GeneratorKind kind) {
  for (const Source& source : judgement.candidates->sources[judged.candidate]) {
    if (KindOf(judgement, source) == kind) return &source;
  }
  return nullptr;
}

std::string InCategory(const Judgement& judgement, const Judged& judged, std::string_view what) {
  const index::LiveView& view = *judgement.inputs->view;
  const std::span<const uint64_t> categories = view.Categories(judged.item);
  const std::string_view name = categories.empty() ? "" : view.CategoryName(categories.front());
  return name.empty() ? std::string(what) : fmt::format("{} in {}", what, name);
}

/// Why this user: the item of theirs that led here, or what they like.
std::string PersonalReason(const Judgement& judgement, const Judged& judged) {
  const Source* together = FindSource(judgement, judged, GeneratorKind::kCoOccurrence);
  const retrieve::RecentItem* recent = together == nullptr ? nullptr : FindRecent(*judgement.taste, together->because);
  if (recent == nullptr && judgement.Features(judged)[static_cast<size_t>(Feature::kNear)] >= kNearMin) {
    recent = Nearest(judgement, judged);
  }
  if (recent != nullptr) {
    if (std::string because = BecauseOf(judgement, *recent); !because.empty()) return because;
  }
  if (FindSource(judgement, judged, GeneratorKind::kIals) != nullptr) return "Popular with people like you";
  return InCategory(judgement, judged, "More");
}

}  // namespace

std::span<const float> Judgement::Features(const Judged& judged) const {
  return std::span(ranked->features).subspan(size_t{judged.candidate} * ranked->width, ranked->width);
}

AnswerSource Judgement::SourceOf(const Judged& judged, const Source& source) const {
  AnswerSource answer{request->surface->generators[source.generator], source.score, source.rank, ""};
  if (source.because.value != 0) {
    answer.because = IdOf(*this, source.because);
  } else if (KindOf(*this, source) == GeneratorKind::kIals) {
    const retrieve::RecentItem* nearest = Nearest(*this, judged);
    if (nearest != nullptr) answer.because = inputs->view->Id(nearest->item);
  }
  return answer;
}

std::vector<std::string> Judgement::RulesOf(const Judged& judged) const {
  std::vector<std::string> names;
  for (const uint16_t rule : judged.rules) names.push_back(request->scores[rule].name);
  if (judged.pin != nullptr) names.push_back(judged.pin->name);
  return names;
}

std::string Reason(const Judgement& judgement, const Judged& judged) {
  if (judged.pin != nullptr) return "Featured";
  if (judgement.request->item.has_value()) {
    const std::string title = Title(judgement, *judgement.request->item);
    if (FindSource(judgement, judged, GeneratorKind::kCoOccurrence) != nullptr) {
      return fmt::format("People who like {} like this too", title);
    }
    if (FindSource(judgement, judged, GeneratorKind::kSimilar) != nullptr) return fmt::format("Similar to {}", title);
  }
  const auto added = [&](std::initializer_list<Feature> features) {
    double sum = 0;
    for (const Feature feature : features) {
      sum += std::max(0.0, judgement.ranked->Contribution(judged.candidate, feature));
    }
    return sum;
  };
  // What added most to the score is the reason.
  const double personal =
      added({Feature::kIals, Feature::kNear, Feature::kSession, Feature::kSessionCategory, Feature::kCoOccurrence,
             Feature::kAffinity, Feature::kInterest, Feature::kInterestFine});
  const Source* next_source = FindSource(judgement, judged, GeneratorKind::kNext);
  const double next = next_source == nullptr ? 0 : added({Feature::kNext});
  const double fresh = FindSource(judgement, judged, GeneratorKind::kFresh) == nullptr ? 0 : added({Feature::kFresh});
  const double trending = added({Feature::kTrending});
  const double popular = added({Feature::kPopular});
  const double most = std::max({personal, next, fresh, trending, popular});
  if (most <= 0) return "More to discover";
  if (most == personal) return PersonalReason(judgement, judged);
  if (most == next) {
    const retrieve::RecentItem* recent = FindRecent(*judgement.taste, next_source->because);
    if (recent == nullptr || judgement.inputs->view->Document(recent->item).withdrawn()) return "Popular right now";
    return fmt::format("Next for others after {}", Title(judgement, recent->item));
  }
  if (most == trending) return "Trending now";
  if (most == fresh) return InCategory(judgement, judged, "New");
  return "Popular now";
}

AnswerExplanation Explain(const Judgement& judgement, const Judged& judged, float final_score) {
  AnswerExplanation explanation;
  for (const Source& source : judgement.candidates->sources[judged.candidate]) {
    explanation.sources.push_back(judgement.SourceOf(judged, source));
  }
  const std::span<const float> features = judgement.Features(judged);
  for (size_t f = 0; f < features.size(); ++f) {
    if (f < rank::kFeatures) {
      explanation.features.push_back({std::string(rank::FeatureName(static_cast<Feature>(f))), features[f]});
    } else if (!std::isnan(features[f])) {
      explanation.features.push_back({judgement.ranked->added[f - rank::kFeatures], features[f]});
    }
  }
  explanation.rank_score = judged.rank_score;
  explanation.final_score = final_score;
  explanation.rules = judgement.RulesOf(judged);
  explanation.reason = Reason(judgement, judged);
  return explanation;
}

}  // namespace bowerbird::serve
