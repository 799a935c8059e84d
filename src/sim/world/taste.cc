#include "sim/world/taste.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "fmt/format.h"
#include "sim/world/catalog_maker.h"

namespace bowerbird::sim::world {
namespace {

constexpr uint32_t kPersonas = 3;
constexpr uint32_t kStyleTypes = 5;
constexpr double kArriveInHistory = .3;
constexpr double kInterestDays = 300;
constexpr double kSlotWeights[kSlots] = {1.0, .93, .8, .65};

/// What users have in common: how popular topics are, and typical tastes that many share with small changes.
struct Society {
  std::array<double, kTopics> demand;
  float personas[kTopics][kPersonas][kSubtopicsPerTopic];
  float style_types[kStyleTypes][kStyles];

  explicit Society(base::Rng& rng) {
    std::array<uint32_t, kTopics> order;
    for (uint32_t t = 0; t < kTopics; ++t) order[t] = t;
    for (uint32_t t = kTopics - 1; t > 0; --t) std::swap(order[t], order[rng.Below(t + 1)]);
    for (uint32_t rank = 0; rank < kTopics; ++rank) demand[order[rank]] = 1.0 / std::pow(rank + 2.0, .6);
    for (auto& topic : personas) {
      for (auto& persona : topic) {
        constexpr float kLikings[kSubtopicsPerTopic] = {1.0f, .9f, .6f, .3f, .1f};
        std::copy(std::begin(kLikings), std::end(kLikings), std::begin(persona));
        for (uint32_t s = kSubtopicsPerTopic - 1; s > 0; --s) std::swap(persona[s], persona[rng.Below(s + 1)]);
      }
    }
    for (auto& type : style_types) {
      for (float& liking : type) liking = static_cast<float>(std::clamp(.7 * rng.Normal(), -1.0, 1.0));
    }
  }

  uint32_t DrawTopic(base::Rng& rng, uint32_t crowd, const std::vector<uint32_t>& taken) const {
    std::array<double, kTopics> weights;
    double sum = 0;
    for (uint32_t t = 0; t < kTopics; ++t) {
      const bool is_taken = std::find(taken.begin(), taken.end(), t) != taken.end();
      weights[t] = is_taken ? 0 : demand[t] * (Topics()[t].group == crowd ? 7 : 1);
      sum += weights[t];
    }
    double left = rng.Uniform() * sum;
    for (uint32_t t = 0; t < kTopics; ++t) {
      left -= weights[t];
      if (left < 0) return t;
    }
    return kTopics - 1;
  }
};

Interest MakeInterest(base::Rng& rng, const Society& society, uint32_t topic, uint32_t slot) {
  Interest interest;
  interest.topic = topic;
  interest.weight = std::clamp(kSlotWeights[slot] * (1 + .12 * rng.Normal()), .3, 1.1);
  const auto& persona = society.personas[topic][rng.Below(kPersonas)];
  for (uint32_t s = 0; s < kSubtopicsPerTopic; ++s) {
    interest.subtopics[s] = static_cast<float>(std::clamp(persona[s] + .12 * rng.Normal(), 0.0, 1.0));
  }
  interest.peak_hour = 6 + 18 * rng.Uniform();
  interest.on_phone = rng.Bernoulli(.5);
  return interest;
}

void MakeInterests(base::Rng& rng, const Society& society, int64_t from_us, int64_t horizon_us, TrueUser& user) {
  std::vector<uint32_t> current;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    current.push_back(society.DrawTopic(rng, user.crowd, current));
    Interest interest = MakeInterest(rng, society, current[slot], slot);
    interest.from_us = from_us;
    interest.to_us = from_us + static_cast<int64_t>(rng.Exponential() * kInterestDays * static_cast<double>(kDayUs));
    user.slots[slot].push_back(interest);
  }
  // The interest that ends first is replaced first, so that no two are alive with the same topic.
  while (true) {
    uint32_t next = 0;
    for (uint32_t slot = 1; slot < kSlots; ++slot) {
      if (user.slots[slot].back().to_us < user.slots[next].back().to_us) next = slot;
    }
    const int64_t ends_us = user.slots[next].back().to_us;
    if (ends_us >= horizon_us) return;
    current[next] = society.DrawTopic(rng, user.crowd, current);
    Interest interest = MakeInterest(rng, society, current[next], next);
    interest.from_us = ends_us;
    interest.to_us =
        ends_us + kDayUs + static_cast<int64_t>(rng.Exponential() * kInterestDays * static_cast<double>(kDayUs));
    user.slots[next].push_back(interest);
  }
}

}  // namespace

const Interest& TrueUser::At(uint32_t slot, int64_t now_us) const {
  const std::vector<Interest>& chain = slots[slot];
  for (const Interest& interest : chain) {
    if (now_us < interest.to_us) return interest;
  }
  return chain.back();
}

Trends::Trends(const WorldOptions& options) {
  base::Rng rng(StreamSeed(options.seed, "trends"));
  const double span_days = options.days + kFutureDays;
  const int64_t start_us = options.end_time_us - static_cast<int64_t>(options.days * static_cast<double>(kDayUs));
  for (auto& bursts : bursts_) {
    double day = rng.Exponential() * 35;
    while (day < span_days) {
      bursts.push_back({start_us + static_cast<int64_t>(day * static_cast<double>(kDayUs)),
                        (2 + 3 * rng.Uniform()) * static_cast<double>(kDayUs), .4 + .6 * rng.Uniform()});
      day += 8 + rng.Exponential() * 35;
    }
  }
}

double Trends::At(uint32_t topic, int64_t now_us) const {
  double height = 0;
  for (const Burst& burst : bursts_[topic]) {
    const double z = static_cast<double>(now_us - burst.peak_us) / burst.width_us;
    if (z * z < 16) height += burst.height * std::exp(-.5 * z * z);
  }
  return height;
}

std::vector<TrueUser> MakeUsers(const WorldOptions& options) {
  base::Rng rng(StreamSeed(options.seed, "users"));
  const Society society(rng);
  const auto day_us = static_cast<double>(kDayUs);
  const int64_t start_us = options.end_time_us - static_cast<int64_t>(options.days * day_us);
  const int64_t horizon_us = options.end_time_us + static_cast<int64_t>(kFutureDays * day_us);
  const auto recent = static_cast<uint32_t>(options.users * kArriveInHistory);
  std::vector<int64_t> arrivals(options.users - recent, start_us);
  for (uint32_t i = 0; i < recent; ++i)
    arrivals.push_back(start_us + static_cast<int64_t>(rng.Uniform() * options.days * day_us));
  const auto future = static_cast<uint32_t>(recent * kFutureDays / options.days);
  for (uint32_t i = 0; i < future; ++i) {
    arrivals.push_back(options.end_time_us + 1 + static_cast<int64_t>(rng.Uniform() * kFutureDays * day_us));
  }
  std::sort(arrivals.begin(), arrivals.end());

  std::vector<TrueUser> users(arrivals.size());
  for (size_t u = 0; u < users.size(); ++u) {
    TrueUser& user = users[u];
    user.id = fmt::format("user-{:05}", u + 1);
    user.name = fmt::format("{} {}", GivenNames()[rng.Below(GivenNames().size())],
                            FamilyNames()[rng.Below(FamilyNames().size())]);
    user.arrival_us = arrivals[u];
    user.visits_per_day = std::clamp(.15 * std::exp(1.0 * rng.Normal()), .015, 2.5);
    user.leave_us = user.arrival_us + static_cast<int64_t>((5 + rng.Exponential() * 150) * day_us);
    user.hour_shift = 1.5 * rng.Normal();
    user.crowd = static_cast<uint32_t>(rng.Below(kGroups));
    user.quality_care = std::clamp(1 + .25 * rng.Normal(), .3, 1.7);
    user.conformity = std::clamp(1 + .35 * rng.Normal(), .2, 2.0);
    user.novelty = std::clamp(.3 + .3 * rng.Normal(), 0.0, 1.0);
    user.seed = rng();
    const auto& type = society.style_types[rng.Below(kStyleTypes)];
    for (uint32_t s = 0; s < kStyles; ++s) {
      user.styles[s] = static_cast<float>(std::clamp(type[s] + .2 * rng.Normal(), -1.0, 1.0));
    }
    MakeInterests(rng, society, user.arrival_us, horizon_us, user);
  }
  return users;
}

}  // namespace bowerbird::sim::world
