#include "sim/world/truth.h"

#include <algorithm>
#include <cmath>

namespace bowerbird::sim::world {
namespace {

// Logits. An item outside of every interest sits near kBase, a perfect match near kBase + kTaste.
constexpr double kBase = -3.7;
constexpr double kTaste = 6.4;
/// A topic related to an interest (same group) is worth this share of it.
constexpr double kRelated = .14;
constexpr double kQuality = .5;
constexpr double kPrivate = .3;
constexpr double kFashion = .5;
constexpr double kNew = .8;
constexpr double kNewDays = 8;
constexpr double kBait = .4;

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// About standard normal, fixed by its two seeds: a user's private opinion of an item, which nobody can learn.
double PrivateOpinion(uint64_t user_seed, uint64_t item_seed) {
  uint64_t z = (user_seed ^ (item_seed * 0x9e3779b97f4a7c15ULL));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  double sum = 0;
  for (int part = 0; part < 4; ++part) sum += static_cast<double>((z >> (16 * part)) & 0xffff) / 65536.0;
  return (sum - 2) * 1.7320508;
}

class MixtureTruth final : public Truth {
 public:
  explicit MixtureTruth(const WorldOptions& options) : Truth(options) {}
  std::unique_ptr<Truth> Clone() const override { return std::make_unique<MixtureTruth>(*this); }
  double TiringRate() const override { return .08; }
};

/// Each crowd remembers what its members did, with a half-life of two days.
class HerdingTruth final : public Truth {
 public:
  HerdingTruth(const WorldOptions& options, size_t items) : Truth(options), heat_(items * kGroups) {}
  std::unique_ptr<Truth> Clone() const override { return std::make_unique<HerdingTruth>(*this); }

  void Observe(const TrueUser& user, uint32_t item, int64_t now_us) override {
    Heat& heat = heat_[static_cast<size_t>(item) * kGroups + user.crowd];
    heat.level = Level(heat, now_us) + 1;
    heat.at_us = std::max(heat.at_us, now_us);
  }

 protected:
  double Social(const TrueUser& user, uint32_t item, const Moment& moment) const override {
    const double level = Level(heat_[static_cast<size_t>(item) * kGroups + user.crowd], moment.now_us);
    return .9 * user.conformity * std::tanh(std::log1p(level) / 1.5);
  }

 private:
  struct Heat {
    double level = 0;
    int64_t at_us = 0;
  };
  static double Level(const Heat& heat, int64_t now_us) {
    const double age_us = std::max<double>(0, static_cast<double>(now_us - heat.at_us));
    return heat.level * std::exp2(-age_us / (2.0 * static_cast<double>(kDayUs)));
  }
  std::vector<Heat> heat_;
};

class ContextualTruth final : public Truth {
 public:
  explicit ContextualTruth(const WorldOptions& options) : Truth(options) {}
  std::unique_ptr<Truth> Clone() const override { return std::make_unique<ContextualTruth>(*this); }

 protected:
  double Awake(const Interest& interest, uint32_t slot, const Moment& moment) const override {
    const double by_hour = 1 + .15 * std::cos(2 * 3.14159265358979 * (moment.hour - interest.peak_hour) / 24);
    const double by_device = interest.on_phone == moment.on_phone ? 1.06 : .9;
    const double by_mood = moment.mood_slot == kSlots ? 1 : (moment.mood_slot == slot ? 1.16 : .88);
    return by_hour * by_device * by_mood;
  }
};

}  // namespace

std::unique_ptr<Truth> Truth::Make(const WorldOptions& options, size_t items) {
  switch (options.family) {
    case Family::kHerding:
      return std::make_unique<HerdingTruth>(options, items);
    case Family::kContextual:
      return std::make_unique<ContextualTruth>(options);
    case Family::kMixture:
      break;
  }
  return std::make_unique<MixtureTruth>(options);
}

void Truth::Observe(const TrueUser&, uint32_t, int64_t) {}
double Truth::Awake(const Interest&, uint32_t, const Moment&) const { return 1; }
double Truth::Social(const TrueUser&, uint32_t, const Moment&) const { return 0; }

double Truth::Logit(const TrueUser& user, uint32_t item, const TrueItem& truth, const Moment& moment) const {
  double taste = 0;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const Interest& interest = user.At(slot, moment.now_us);
    double match = 0;
    if (interest.topic == truth.topic) {
      const double subtopic = interest.subtopics[truth.subtopic % kSubtopicsPerTopic];
      match = interest.weight * (.57 + .31 * subtopic + .12 * user.styles[truth.style]);
    } else if (Topics()[interest.topic].group == Topics()[truth.topic].group) {
      match = interest.weight * (kRelated + .05 * user.styles[truth.style]);
    } else {
      continue;
    }
    taste = std::max(taste, match * Awake(interest, slot, moment));
  }
  const double age_days = static_cast<double>(moment.now_us - truth.created_time_us) / static_cast<double>(kDayUs);
  return kBase + kTaste * taste + kQuality * user.quality_care * truth.quality +
         kPrivate * PrivateOpinion(user.seed, truth.seed) + kFashion * trends_.At(truth.topic, moment.now_us) +
         kNew * user.novelty * std::exp(-std::max(0.0, age_days) / kNewDays) + Social(user, item, moment);
}

double Truth::Value(const TrueUser& user, uint32_t item, const TrueItem& truth, const Moment& moment) const {
  return Sigmoid(Logit(user, item, truth, moment));
}

double Truth::Attraction(const TrueUser& user, uint32_t item, const TrueItem& truth, const Moment& moment) const {
  return Sigmoid(Logit(user, item, truth, moment) + kBait * truth.bait);
}

}  // namespace bowerbird::sim::world
