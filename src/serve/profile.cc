#include "serve/profile.h"

#include <algorithm>

#include "retrieve/taste.h"

namespace bowerbird::serve {
namespace {

void AddInterests(const config::Config& config, const state::UserState& user, int64_t now_us,
                  v1::ProfileResponse* profile) {
  double sum = 0;
  std::vector<std::pair<double, const std::string*>> weights;
  for (const state::Affinity& affinity : user.affinities) {
    const double weight = affinity.At(now_us, config.state.affinity_half_life_us);
    if (!(weight > 0)) continue;
    weights.emplace_back(weight, &affinity.category);
    sum += weight;
  }
  std::sort(weights.begin(), weights.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : *a.second < *b.second;
  });
  for (const auto& [weight, category] : weights) {
    v1::Interest* interest = profile->add_interests();
    interest->set_category(*category);
    interest->set_weight(weight);
    interest->set_share(weight / sum);
  }
}

/// The id of an item that the catalog still has.
bool FindId(const index::LiveView& view, catalog::ItemKey key, std::string* id) {
  index::ItemHandle item;
  if (!view.Find(key, &item)) return false;
  *id = view.Id(item);
  return true;
}

}  // namespace

v1::ProfileResponse BuildProfile(const config::Config& config, const index::LiveView& view,
                                 const state::UserState& user, int64_t now_us) {
  v1::ProfileResponse profile;
  profile.set_id(user.id);
  profile.set_events(user.events);
  profile.set_first_time_us(user.first_time_us);
  profile.set_last_time_us(user.last_time_us);
  AddInterests(config, user, now_us, &profile);

  std::string id;
  for (size_t i = user.actions.size(); i-- > 0 && profile.sequence_size() < static_cast<int>(kProfileActionsMax);) {
    const state::Action& action = user.actions[i];
    if (!FindId(view, action.item, &id)) continue;
    v1::ProfileAction* out = profile.add_sequence();
    const config::EventType* type = config.FindEventTypeByCode(action.type);
    if (type != nullptr) out->set_type(type->name);
    out->set_item(id);
    out->set_time_us(int64_t{action.time_s} * 1'000'000);
    if (action.surface >= 1 && action.surface <= config.surfaces.size()) {
      out->set_surface(config.surfaces[action.surface - 1].name);
    }
  }
  for (const catalog::ItemKey key : user.hidden) {
    if (FindId(view, key, &id)) profile.add_hidden(id);
  }
  std::sort(profile.mutable_hidden()->begin(), profile.mutable_hidden()->end());
  for (const state::CollectionState& collection : user.collections) {
    v1::CollectionSummary* summary = profile.add_collections();
    summary->set_name(collection.name);
    summary->set_items(static_cast<uint32_t>(collection.items.size()));
  }
  const retrieve::Taste taste = retrieve::MakeTaste(config, view, user);
  if (!taste.factor.empty()) {
    profile.mutable_embedding()->Add(taste.factor.begin(), taste.factor.end());
    profile.set_embedding_version(std::string(view.snapshot_version()));
  }
  return profile;
}

}  // namespace bowerbird::serve
