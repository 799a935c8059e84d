#include "sim/trial/browsing.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "sim/trial/observed_tastes.h"

namespace bowerbird::sim::trial {
namespace {

constexpr uint32_t kPagesMax = 10;  // of one visit

using Shown = absl::flat_hash_set<uint64_t>;

/// The first `n` items that were not shown.
void NextOf(std::span<const uint64_t> ranking, const Shown& shown, size_t n, std::vector<uint64_t>* next) {
  next->clear();
  for (const uint64_t item : ranking) {
    if (next->size() == n) return;
    if (!shown.contains(item)) next->push_back(item);
  }
}

/// The next items of each ranking: a team's items on the page are among its first `page`, less those that the other
/// one placed.
void NextOfAll(std::span<const RankingOf> rankings, world::UserNumber user, const Shown& shown, uint32_t page,
               std::vector<std::vector<uint64_t>>* next) {
  next->resize(rankings.size());
  for (size_t team = 0; team < rankings.size(); ++team) {
    NextOf(rankings[team](user), shown, size_t{2} * page, &(*next)[team]);
  }
}

absl::StatusOr<std::vector<blend::DraftedItem>> PageOf(const std::vector<std::vector<uint64_t>>& next, uint32_t page,
                                                       base::Rng& rng) {
  if (next.size() > 1) {
    const std::vector<std::span<const uint64_t>> rankings(next.begin(), next.end());
    return blend::TeamDraft(rankings, {}, page, rng);
  }
  std::vector<blend::DraftedItem> items;
  for (const uint64_t item : next[0]) {
    if (items.size() < page) items.push_back({item});
  }
  return items;
}

double WorthOfFirst(const world::Session& session, const std::vector<uint64_t>& ranking, uint32_t page) {
  std::vector<world::ItemNumber> items;
  for (const uint64_t item : ranking) {
    if (items.size() < page) items.emplace_back(static_cast<uint32_t>(item));
  }
  return session.WorthOf(items);
}

}  // namespace

absl::StatusOr<Browsed> Browse(world::World world, int64_t until_us, uint32_t page, std::span<const RankingOf> rankings,
                               uint64_t seed) {
  Browsed browsed;
  browsed.users.resize(world.user_count());
  std::vector<Shown> shown(world.user_count());
  base::Rng rng(seed);
  std::vector<world::ItemNumber> numbers;
  std::vector<blend::Earned> clicks, value;
  std::vector<std::vector<uint64_t>> next;
  for (world::Visit visit = world.NextVisit(); visit.time_us < until_us; visit = world.NextVisit()) {
    if (visit.user.value >= world.user_count()) continue;
    UserTotals& totals = browsed.users[visit.user.value];
    ++totals.visits;
    ++browsed.visits;
    world::Session session = world.Begin(visit.user, visit.time_us);
    uint32_t above = 0;  // items of the visit's pages before
    bool wants_more = true;
    for (uint32_t number = 0; wants_more && number < kPagesMax; ++number) {
      NextOfAll(rankings, visit.user, shown[visit.user.value], page, &next);
      if (number == 0 && next.size() == 2) {
        totals.worth_difference += WorthOfFirst(session, next[1], page) - WorthOfFirst(session, next[0], page);
      }
      ASSIGN_OR_RETURN(const std::vector<blend::DraftedItem> items, PageOf(next, page, rng));
      if (items.empty()) break;
      numbers.clear();
      for (const blend::DraftedItem& item : items) {
        numbers.emplace_back(static_cast<uint32_t>(item.item));
        shown[visit.user.value].insert(item.item);
      }
      const world::PageOutcome outcome = session.View(numbers);
      clicks.clear();
      value.clear();
      for (const world::Action& action : outcome.actions) {
        const double worth = ActionValue(action.type);
        const uint32_t place = action.position - above - 1;
        if (action.type == world::ActionType::kClick) clicks.push_back({place, 1});
        if (worth > 0) value.push_back({place, worth});
        totals.clicks += action.type == world::ActionType::kClick ? 1 : 0;
        totals.value += worth;
      }
      totals.utility += outcome.utility;
      above += static_cast<uint32_t>(items.size());
      wants_more = outcome.wants_more;
      if (rankings.size() < 2) continue;
      ASSIGN_OR_RETURN(const std::vector<double> by_clicks, blend::CreditTeams(items, 2, clicks));
      ASSIGN_OR_RETURN(const std::vector<double> by_value, blend::CreditTeams(items, 2, value));
      browsed.clicks.push_back({visit.user.value, by_clicks[0], by_clicks[1]});
      browsed.value.push_back({visit.user.value, by_value[0], by_value[1]});
    }
  }
  return browsed;
}

}  // namespace bowerbird::sim::trial
