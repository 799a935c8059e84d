#include "sim/trial/observed_tastes.h"

#include <cmath>
#include <string>

#include "base/string_map.h"

namespace bowerbird::sim::trial {
namespace {

constexpr double kFreshDays = 8;
constexpr double kDayUs = 8.64e10;
// How many looks a rate's prior is worth.
constexpr double kUserPrior = 6, kStylePrior = 20, kItemPrior = 15, kFieldPrior = 50;

class Numbers {
 public:
  uint32_t Of(const std::string& name) {
    return numbers_.try_emplace(name, static_cast<uint32_t>(numbers_.size())).first->second;
  }
  size_t size() const { return numbers_.size(); }

 private:
  base::StringMap<uint32_t> numbers_;
};

float LogLift(double rate, double usual) { return static_cast<float>(std::log(rate / usual)); }

}  // namespace

double ActionValue(world::ActionType type) {
  switch (type) {
    case world::ActionType::kClick:
      return .35;
    case world::ActionType::kCloseup:
      return .25;
    case world::ActionType::kSave:
    case world::ActionType::kPurchase:
      return .4;
    case world::ActionType::kImpression:
    case world::ActionType::kHide:
      break;
  }
  return 0;
}

ObservedTastes::ObservedTastes(world::World& world) {
  NumberFields(world);
  item_rates_.resize(items_.size());
  counts_.resize(world.user_count());
  for (OfUser& user : counts_) {
    user.topics.resize(topics_);
    user.subtopics.resize(subtopics_);
    user.styles.resize(styles_);
  }
  world.History([&](const world::Event& event) { Count(event); });
  Rates(world);
  for (OfUser& user : counts_) user.topics = user.subtopics = user.styles = {};
}

void ObservedTastes::NumberFields(const world::World& world) {
  Numbers topics, subtopics, styles;
  const int64_t now_us = world.options().end_time_us;
  for (const world::Item& item : world.Items()) {
    ItemFacts& facts = items_.emplace_back();
    facts.topic = topics.Of(item.topic);
    facts.subtopic = subtopics.Of(item.topic + "/" + item.subtopic);
    facts.style = styles.Of(item.style);
    const double age_days = static_cast<double>(now_us - item.created_time_us) / kDayUs;
    facts.freshness = static_cast<float>(std::exp(-age_days / kFreshDays));
  }
  topics_ = topics.size();
  subtopics_ = subtopics.size();
  styles_ = styles.size();
}

void ObservedTastes::Count(const world::Event& event) {
  const uint32_t item = event.action.item.value;
  if (item >= items_.size() || event.user.value >= counts_.size()) return;
  OfUser& user = counts_[event.user.value];
  const bool is_look = event.action.type == world::ActionType::kImpression;
  if (is_look) user.seen.insert(item);
  const double value = ActionValue(event.action.type);
  user.value += value;
  if (event.page != user.last_page) ++user.pages;
  user.last_page = event.page;
  const ItemFacts& facts = items_[item];
  for (Rate* rate :
       {&item_rates_[item], &user.topics[facts.topic], &user.subtopics[facts.subtopic], &user.styles[facts.style]}) {
    rate->actions += value;
    rate->looks += is_look ? 1 : 0;
  }
}

void ObservedTastes::Rates(const world::World& world) {
  Rate all;
  std::vector<Rate> topics(topics_), subtopics(subtopics_), styles(styles_);
  std::vector<uint32_t> topic_of(subtopics_);
  for (size_t i = 0; i < items_.size(); ++i) {
    const ItemFacts& facts = items_[i];
    topic_of[facts.subtopic] = facts.topic;
    for (Rate* rate : {&all, &topics[facts.topic], &subtopics[facts.subtopic], &styles[facts.style]}) {
      rate->actions += item_rates_[i].actions;
      rate->looks += item_rates_[i].looks;
    }
  }
  const double usual = all.Smoothed(.1, 1);
  for (size_t i = 0; i < items_.size(); ++i) {
    const double of_subtopic = subtopics[items_[i].subtopic].Smoothed(usual, kFieldPrior);
    items_[i].quality = LogLift(item_rates_[i].Smoothed(of_subtopic, kItemPrior), of_subtopic);
    items_[i].popularity = static_cast<float>(std::log1p(item_rates_[i].actions));
  }
  likings_.resize(world.user_count());
  for (size_t u = 0; u < likings_.size(); ++u) {
    Likings& likings = likings_[u];
    std::vector<double> of_topic(topics_);
    for (size_t t = 0; t < topics_; ++t) {
      of_topic[t] = counts_[u].topics[t].Smoothed(topics[t].Smoothed(usual, kFieldPrior), kUserPrior);
      likings.topics.push_back(LogLift(of_topic[t], usual));
    }
    for (size_t s = 0; s < subtopics_; ++s) {
      const double prior = of_topic[topic_of[s]];
      likings.subtopics.push_back(LogLift(counts_[u].subtopics[s].Smoothed(prior, kUserPrior), prior));
    }
    for (size_t y = 0; y < styles_; ++y) {
      const double prior = styles[y].Smoothed(usual, kFieldPrior);
      likings.styles.push_back(LogLift(counts_[u].styles[y].Smoothed(prior, kStylePrior), prior));
    }
  }
}

}  // namespace bowerbird::sim::trial
