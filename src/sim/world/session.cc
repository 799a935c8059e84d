#include <algorithm>
#include <array>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "sim/world/world.h"
#include "sim/world/world_state.h"

namespace bowerbird::sim::world {
namespace {

constexpr double kRestHours = 20;
/// A repeat keeps this much at once, and all of it again after a few times kRepeatDays.
constexpr double kRepeatKeeps = .25;
constexpr double kRepeatDays = 30;
/// Chances of what follows from looking, before they are scaled by value.
constexpr double kClickFloor = .01;
constexpr double kClick = .85;
constexpr double kSave = .34;
constexpr double kHide = .022;
constexpr double kPurchase = .15;
/// What a glance costs of the patience; good items cost less, so that a good page is read longer.
constexpr double kGlanceCost = 1.1;
constexpr double kGlanceRelief = .25;

constexpr int64_t kMs = 1000;

}  // namespace

double LookProbability(uint32_t place) { return .3 + .7 * std::exp(-static_cast<double>(place) / 14.0); }

void Memory::Rest(int64_t now_us) {
  if (now_us <= tired_at_us) return;
  const auto keep = static_cast<float>(std::exp(-static_cast<double>(now_us - tired_at_us) / (kRestHours * 3.6e9)));
  for (float& level : tired) level *= keep;
  tired_at_us = now_us;
}

double Memory::RepeatFactor(uint32_t item, int64_t now_us) const {
  const auto it = seen.find(item);
  if (it == seen.end()) return 1;
  const double days =
      std::max<double>(0, static_cast<double>(now_us - it->second.last_us)) / static_cast<double>(kDayUs);
  const double one = kRepeatKeeps + (1 - kRepeatKeeps) * (1 - std::exp(-days / kRepeatDays));
  return std::pow(one, std::min(it->second.times, 4u));
}

double SessionState::Remaining(uint32_t item, double tired) const {
  return memory->RepeatFactor(item, moment.now_us + elapsed_us) / (1 + world->truth->TiringRate() * tired);
}

double SessionState::ValueNow(uint32_t item, double tired) const {
  return world->truth->Value(world->users[user], item, world->catalog.truth[item], moment) * Remaining(item, tired);
}

double SessionState::AttractionNow(uint32_t item, double tired) const {
  return world->truth->Attraction(world->users[user], item, world->catalog.truth[item], moment) *
         Remaining(item, tired);
}

Session::Session(std::unique_ptr<SessionState> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

std::string_view Session::device() const { return state_->moment.on_phone ? "phone" : "desktop"; }
UserNumber Session::user() const { return UserNumber(state_->user); }

PageOutcome Session::View(std::span<const ItemNumber> page) {
  SessionState& s = *state_;
  const WorldState& world = *s.world;
  base::Rng& rng = s.rng;
  Memory& memory = *s.memory;
  PageOutcome outcome;
  for (uint32_t place = 0; place < page.size() && s.patience > 0; ++place) {
    const uint32_t item = page[place].value;
    ++s.position;
    const bool looks = rng.Bernoulli(LookProbability(place));
    s.elapsed_us += (looks ? 500 : 120) * kMs;
    if (!looks || item >= world.catalog.truth.size()) {
      s.patience -= .15;
      continue;
    }
    const TrueItem& truth = world.catalog.truth[item];
    const double tired = memory.tired[truth.topic];
    const double value = s.ValueNow(item, tired);
    const double attraction = s.AttractionNow(item, tired);
    const auto act = [&](ActionType type, uint32_t dwell_ms, double amount) {
      outcome.actions.push_back({type, page[place], s.position, s.elapsed_us, dwell_ms, amount});
    };
    const auto tell = [&] {
      if (s.truth != nullptr) s.truth->Observe(world.users[s.user], item, s.moment.now_us + s.elapsed_us);
    };
    const auto glance_ms = static_cast<uint32_t>(350 + 1500 * attraction * rng.Exponential() + 300 * rng.Exponential());
    act(ActionType::kImpression, glance_ms, 0);
    s.elapsed_us += glance_ms * kMs;
    if (rng.Bernoulli(kClickFloor + kClick * attraction)) {
      act(ActionType::kClick, 0, 0);
      // Three in four stay to look; the others come back at once. The better it is, the longer.
      if (rng.Bernoulli(.45 + .5 * value)) {
        const auto dwell_ms = static_cast<uint32_t>(1500 + (9000 + 50000 * value * value) * rng.Exponential());
        s.elapsed_us += dwell_ms * kMs;
        act(ActionType::kCloseup, dwell_ms, 0);
        bool acted = false;
        if (rng.Bernoulli(kSave * value)) {
          act(ActionType::kSave, 0, 0);
          acted = true;
        }
        const std::optional<double>& price = world.catalog.items[item].price;
        if (price.has_value() && rng.Bernoulli(kPurchase * value * value)) {
          s.elapsed_us += static_cast<int64_t>(20'000 + 60'000 * rng.Exponential()) * kMs;
          act(ActionType::kPurchase, 0, *price);
          acted = true;
        }
        if (acted) tell();
      }
      tell();
    } else if (rng.Bernoulli(kHide * std::pow(1 - value, 6))) {
      act(ActionType::kHide, 0, 0);
    }
    outcome.utility += value;
    ++outcome.seen;
    memory.tired[truth.topic] += 1;
    Memory::Seen& seen = memory.seen[item];
    ++seen.times;
    seen.last_us = s.moment.now_us + s.elapsed_us;
    s.patience -= kGlanceCost - kGlanceRelief * value;
  }
  outcome.wants_more = s.patience > 0 && outcome.seen > 0;
  s.elapsed_us += 800 * kMs;
  return outcome;
}

double Session::WorthOf(std::span<const ItemNumber> page) const {
  const SessionState& s = *state_;
  const WorldState& world = *s.world;
  std::array<float, kTopics> tired = s.memory->tired;
  double worth = 0;
  for (uint32_t place = 0; place < page.size(); ++place) {
    const uint32_t item = page[place].value;
    if (item >= world.catalog.truth.size()) continue;
    const double look = LookProbability(place);
    float& level = tired[world.catalog.truth[item].topic];
    worth += look * s.ValueNow(item, level);
    level += static_cast<float>(look);
  }
  return worth;
}

std::vector<ItemNumber> Session::OraclePage(uint32_t n, std::span<const ItemNumber> exclude,
                                            std::span<const ItemNumber> candidates) const {
  const SessionState& s = *state_;
  const WorldState& world = *s.world;
  absl::flat_hash_set<uint32_t> left_out;
  for (const ItemNumber item : exclude) left_out.insert(item.value);
  struct Valued {
    double value;
    uint32_t item;
  };
  // By topic, the best last: within a topic the order stays the same however tired of it the user is.
  std::array<std::vector<Valued>, kTopics> by_topic;
  const auto consider = [&](uint32_t item) {
    if (item >= world.catalog.truth.size() || left_out.contains(item)) return;
    if (world.catalog.truth[item].created_time_us > s.moment.now_us) return;
    by_topic[world.catalog.truth[item].topic].push_back({s.ValueNow(item, 0), item});
  };
  if (candidates.empty()) {
    for (uint32_t item = 0; item < world.catalog.truth.size(); ++item) consider(item);
  } else {
    for (const ItemNumber item : candidates) consider(item.value);
  }
  for (auto& list : by_topic) {
    std::sort(list.begin(), list.end(), [](const Valued& a, const Valued& b) {
      return a.value != b.value ? a.value < b.value : a.item > b.item;
    });
  }
  std::array<double, kTopics> tired;
  for (uint32_t t = 0; t < kTopics; ++t) tired[t] = s.memory->tired[t];
  const double rate = world.truth->TiringRate();
  std::vector<ItemNumber> page;
  while (page.size() < n) {
    uint32_t best_topic = kTopics;
    double best = -1;
    for (uint32_t t = 0; t < kTopics; ++t) {
      if (by_topic[t].empty()) continue;
      const double value = by_topic[t].back().value / (1 + rate * tired[t]);
      if (value > best) {
        best = value;
        best_topic = t;
      }
    }
    if (best_topic == kTopics) break;
    tired[best_topic] += LookProbability(static_cast<uint32_t>(page.size()));
    page.push_back(ItemNumber(by_topic[best_topic].back().item));
    by_topic[best_topic].pop_back();
  }
  return page;
}

}  // namespace bowerbird::sim::world
