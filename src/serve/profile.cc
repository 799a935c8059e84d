#include "serve/profile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/decay.h"
#include "base/vector_math.h"
#include "catalog/problem.h"
#include "retrieve/taste.h"
#include "serve/lifecycle.h"
#include "serve/segments.h"
#include "serve/show_signal.h"
#include "signal/definition.h"

namespace bowerbird::serve {
namespace {

constexpr size_t kShownBytesMax = 80;  ///< of a value in a message

/// The heaviest first; their shares are summed in that order, whatever order they came in.
void Sort(google::protobuf::RepeatedPtrField<v1::Interest>* interests) {
  std::sort(interests->begin(), interests->end(), [](const v1::Interest& a, const v1::Interest& b) {
    return a.weight() != b.weight() ? a.weight() > b.weight() : a.category() < b.category();
  });
  double sum = 0;
  for (const v1::Interest& interest : *interests) sum += interest.weight();
  for (v1::Interest& interest : *interests) interest.set_share(interest.weight() / sum);
}

void AddShortInterests(const index::LiveView& view, const state::UserState& user, int64_t now_us,
                       v1::ProfileResponse* profile) {
  struct Sum {
    double weight = 0;
    uint32_t actions = 0;
  };
  absl::flat_hash_map<uint64_t, Sum> sums;
  const size_t count = std::min<size_t>(user.actions.size(), kShortActionsMax);
  for (size_t i = user.actions.size() - count; i < user.actions.size(); ++i) {
    const state::Action& action = user.actions[i];
    const double weight = base::FromBf16(action.strength_bf16) *
                          base::DecayFactor(now_us - int64_t{action.time_s} * 1'000'000, kShortHalfLifeUs);
    index::ItemHandle item;
    if (!(weight > 0) || !view.Find(action.item, &item)) continue;
    for (const uint64_t category : view.Categories(item)) {
      Sum& sum = sums[category];
      sum.weight += weight;
      ++sum.actions;
    }
  }
  for (const auto& [category, sum] : sums) {
    v1::Interest* interest = profile->add_short_interests();
    interest->set_category(std::string(view.CategoryName(category)));
    interest->set_weight(sum.weight);
    interest->set_actions(sum.actions);
  }
  Sort(profile->mutable_short_interests());
  while (profile->short_interests_size() > kShortInterestsMax) profile->mutable_short_interests()->RemoveLast();
}

void AddSignals(const state::UserState& user, int64_t now_us, v1::ProfileResponse* profile) {
  if (user.signal_set == nullptr) return;
  const signal::Set& signals = *user.signal_set;
  for (size_t slot = 0; slot < signals.size(); ++slot) {
    ShowSignal(signals[slot], user.signals == nullptr ? std::string_view() : (*user.signals)[slot], now_us,
               profile->add_signals());
  }
}

void AddInterests(const config::Config& config, const state::UserState& user, int64_t now_us,
                  v1::ProfileResponse* profile) {
  for (const state::Affinity& affinity : user.affinities) {
    const double weight = affinity.At(now_us, config.state.affinity_half_life_us);
    if (!(weight > 0)) continue;
    v1::Interest* interest = profile->add_interests();
    interest->set_category(affinity.category);
    interest->set_weight(weight);
  }
  Sort(profile->mutable_interests());
}

/// The id of an item that the catalog still has.
bool FindId(const index::LiveView& view, catalog::ItemKey key, std::string* id) {
  index::ItemHandle item;
  if (!view.Find(key, &item)) return false;
  *id = view.Id(item);
  return true;
}

}  // namespace

void ShowAction(const config::Config& config, const state::Action& action, const std::string& item,
                v1::ProfileAction* out) {
  const config::EventType* type = config.FindEventTypeByCode(action.type);
  if (type != nullptr) out->set_type(type->name);
  out->set_item(item);
  out->set_time_us(int64_t{action.time_s} * 1'000'000);
  if (action.surface >= 1 && action.surface <= config.surfaces.size()) {
    out->set_surface(config.surfaces[action.surface - 1].name);
  }
}

absl::StatusOr<ProfileParts> ParseProfileParts(std::string_view names) {
  ProfileParts parts;
  if (names.empty()) return parts;
  const std::pair<std::string_view, bool*> known[] = {
      {"interests", &parts.interests}, {"signals", &parts.signals},         {"sequence", &parts.sequence},
      {"hidden", &parts.hidden},       {"collections", &parts.collections}, {"embedding", &parts.embedding},
      {"segments", &parts.segments},   {"features", &parts.features}};
  for (const auto& [name, wanted] : known) *wanted = false;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const std::string_view name = names.substr(begin, end - begin);
    begin = end + 1;
    const auto* at = std::ranges::find(known, name, &std::pair<std::string_view, bool*>::first);
    if (at == std::end(known)) {
      std::vector<std::string_view> accepted;
      for (const auto& [one, wanted] : known) accepted.push_back(one);
      return catalog::ToStatus(
          {"unknown_value", "parts",
           fmt::format("found '{}'; expected some of {}", name.substr(0, kShownBytesMax), fmt::join(accepted, ", "))});
    }
    *at->second = true;
  }
  return parts;
}

void BuildProfile(const config::Config& config, const index::LiveView& view, const state::UserState& user,
                  int64_t now_us, ProfileParts parts, features::Values* tables, v1::ProfileResponse* profile) {
  profile->set_id(user.id);
  profile->set_events(user.events);
  profile->set_first_time_us(user.first_time_us);
  profile->set_last_time_us(user.last_time_us);
  profile->set_time_us(now_us);
  profile->set_lifecycle(std::string(LifecycleOf(user, now_us)));
  profile->set_marked(user.mark.Covers(now_us));
  if (user.mark.reason != state::MarkReason::kRules) {
    v1::ProfileMark* mark = profile->mutable_mark();
    mark->set_reason(std::string(state::MarkReasonName(user.mark.reason)));
    mark->set_from_us(user.mark.from_us);
    mark->set_until_us(user.mark.until_us);
  }
  if (parts.segments) {
    for (const std::string_view segment : SegmentsOf(config, user, now_us, tables)) {
      profile->add_segments(std::string(segment));
    }
  }
  if (parts.interests) {
    AddInterests(config, user, now_us, profile);
    AddShortInterests(view, user, now_us, profile);
  }
  if (parts.signals) AddSignals(user, now_us, profile);

  std::string id;
  const size_t actions = parts.sequence ? user.actions.size() : 0;
  for (size_t i = actions; i-- > 0 && profile->sequence_size() < static_cast<int>(kProfileActionsMax);) {
    const state::Action& action = user.actions[i];
    if (!FindId(view, action.item, &id)) continue;
    ShowAction(config, action, id, profile->add_sequence());
  }
  if (parts.hidden) {
    for (const catalog::ItemKey key : user.hidden) {
      if (FindId(view, key, &id)) profile->add_hidden(id);
    }
    std::sort(profile->mutable_hidden()->begin(), profile->mutable_hidden()->end());
  }
  if (parts.collections) {
    for (const state::CollectionState& collection : user.collections) {
      v1::CollectionSummary* summary = profile->add_collections();
      summary->set_name(collection.name);
      summary->set_items(static_cast<uint32_t>(collection.items.size()));
    }
  }
  if (!parts.embedding) return;
  const retrieve::Taste taste = retrieve::MakeTaste(config, view, user);
  if (!taste.factor.empty()) {
    profile->mutable_embedding()->Add(taste.factor.begin(), taste.factor.end());
    profile->set_embedding_version(std::string(view.snapshot_version()));
  }
}

}  // namespace bowerbird::serve
