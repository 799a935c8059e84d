#include "serve/profile.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "base/decay.h"
#include "base/vector_math.h"
#include "retrieve/taste.h"
#include "serve/lifecycle.h"
#include "signal/definition.h"

namespace bowerbird::serve {
namespace {

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

template <typename Message>
void SetReading(const signal::Reading& reading, Message* out) {
  if (reading.number.has_value()) out->set_number(*reading.number);
  for (const signal::Reading::Item& item : reading.items) {
    v1::SignalItem* to = out->add_items();
    to->set_value(item.value);
    to->set_count(item.number);
    to->set_time_us(item.time_us);
  }
}

void AddSignals(const state::UserState& user, int64_t now_us, v1::ProfileResponse* profile) {
  if (user.signal_set == nullptr) return;
  const signal::Set& signals = *user.signal_set;
  for (size_t slot = 0; slot < signals.size(); ++slot) {
    const config::Signal& declared = signals[slot].signal();
    v1::ProfileSignal* out = profile->add_signals();
    out->set_name(declared.name);
    out->set_kind(declared.kind);
    if (user.signals == nullptr) continue;
    const signal::SignalReading reading = signals[slot].Read((*user.signals)[slot], now_us);
    out->set_newest_us(reading.newest_us);
    for (const signal::KeyReading& key : reading.keys) {
      if (declared.by.empty()) {
        SetReading(key.reading, out);
        continue;
      }
      v1::SignalOfKey* of_key = out->add_keys();
      of_key->set_key(key.key);
      SetReading(key.reading, of_key);
    }
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

v1::ProfileResponse BuildProfile(const config::Config& config, const index::LiveView& view,
                                 const state::UserState& user, int64_t now_us) {
  v1::ProfileResponse profile;
  profile.set_id(user.id);
  profile.set_events(user.events);
  profile.set_first_time_us(user.first_time_us);
  profile.set_last_time_us(user.last_time_us);
  profile.set_time_us(now_us);
  profile.set_lifecycle(std::string(LifecycleOf(user, now_us)));
  AddInterests(config, user, now_us, &profile);
  AddShortInterests(view, user, now_us, &profile);
  AddSignals(user, now_us, &profile);

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
