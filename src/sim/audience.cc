#include "sim/audience.h"

#include <algorithm>
#include <cmath>

namespace bowerbird::sim {
namespace {

constexpr double kHalfLifeUs = 14 * 8.64e10;

double Weight(world::ActionType type) {
  switch (type) {
    case world::ActionType::kClick:
    case world::ActionType::kCloseup:
      return 1;
    case world::ActionType::kSave:
    case world::ActionType::kPurchase:
      return 3;
    case world::ActionType::kImpression:
    case world::ActionType::kHide:
      break;
  }
  return 0;
}

}  // namespace

Audience::Audience(const world::World& world)
    : origin_us_(world.options().end_time_us), popularity_(world.Items().size()) {
  for (uint32_t item = 0; item < world.Items().size(); ++item) available_.push_back(world::ItemNumber(item));
}

void Audience::Take(world::UserNumber user, int64_t time_us, const world::Action& action) {
  PerUser& mine = users_[user.value];
  if (action.type == world::ActionType::kImpression) mine.seen.insert(action.item.value);
  if (action.type == world::ActionType::kHide) mine.hidden.insert(action.item.value);
  const double weight = Weight(action.type);
  if (weight == 0) return;
  if (popularity_.size() <= action.item.value) popularity_.resize(action.item.value + 1);
  popularity_[action.item.value] += weight * std::exp2(static_cast<double>(time_us - origin_us_) / kHalfLifeUs);
}

void Audience::Add(world::ItemNumber item) {
  available_.push_back(item);
  if (popularity_.size() <= item.value) popularity_.resize(item.value + 1);
}

void Audience::Withdraw(world::ItemNumber item) {
  withdrawn_.insert(item.value);
  std::erase(available_, item);
}

std::vector<world::ItemNumber> Audience::Popular(world::UserNumber user, uint32_t n,
                                                 const std::vector<world::ItemNumber>& shown) const {
  const auto mine = users_.find(user.value);
  std::vector<world::ItemNumber> found;
  found.reserve(available_.size());
  for (const world::ItemNumber item : available_) {
    if (mine != users_.end() && (mine->second.seen.contains(item.value) || mine->second.hidden.contains(item.value)))
      continue;
    if (std::find(shown.begin(), shown.end(), item) == shown.end()) found.push_back(item);
  }
  const size_t keep = std::min<size_t>(n, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(keep), found.end(),
                    [&](world::ItemNumber a, world::ItemNumber b) {
                      const double x = popularity_[a.value];
                      const double y = popularity_[b.value];
                      return x != y ? x > y : a < b;
                    });
  found.resize(keep);
  return found;
}

bool Audience::HasHidden(world::UserNumber user, world::ItemNumber item) const {
  const auto mine = users_.find(user.value);
  return mine != users_.end() && mine->second.hidden.contains(item.value);
}

}  // namespace bowerbird::sim
