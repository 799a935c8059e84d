#include "blend/interleave.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::blend {
namespace {

class Draft {
 public:
  Draft(std::span<const std::span<const uint64_t>> rankings, uint32_t n, base::Rng& rng, const DraftCaps& caps)
      : rankings_(rankings), n_(n), rng_(rng), caps_(caps), next_(rankings.size(), 0), order_(rankings.size()) {
    std::iota(order_.begin(), order_.end(), Team{0});
  }

  absl::Status Pin(std::span<const PinnedItem> pins) {
    for (const PinnedItem& pin : pins) {
      if (pin.place >= n_) continue;
      if (!pins_.try_emplace(pin.place, pin.item).second) {
        return absl::InvalidArgumentError(fmt::format("pins: found two of place {}, expected one at most", pin.place));
      }
      if (!used_.insert(pin.item).second) {
        return absl::InvalidArgumentError(fmt::format("pins: found item {} twice, expected it once", pin.item));
      }
      Count(pin.item);
    }
    return absl::OkStatus();
  }

  std::vector<DraftedItem> Run() {
    while (HasRoom()) {
      size_t with_items = 0, agreeing = 0;
      for (Team team = 0; team < rankings_.size(); ++team) {
        if (!Advance(team)) continue;
        if (with_items == 0) agreed_ = Next(team);
        ++with_items;
        agreeing += Next(team) == agreed_ ? 1 : 0;
      }
      if (with_items == 0) break;
      if (with_items < rankings_.size()) {
        PlaceOfTheRest();
      } else if (agreeing == with_items) {
        Place(agreed_, kNoTeam);
      } else {
        Round();
      }
    }
    PlacePinsBelow();
    return std::move(page_);
  }

 private:
  uint64_t Next(Team team) const { return rankings_[team][next_[team]]; }

  /// To the team's best item that may still be placed; false when there is none. What a cap forbids once it forbids to
  /// the end.
  bool Advance(Team team) {
    size_t& next = next_[team];
    while (next < rankings_[team].size() && (used_.contains(rankings_[team][next]) || !Fits(rankings_[team][next])))
      ++next;
    return next < rankings_[team].size();
  }

  bool Fits(uint64_t item) const {
    if (caps_.category_cap == 0) return true;
    return std::ranges::all_of(caps_.categories(item), [&](uint64_t category) {
      const auto count = counts_.find(category);
      return count == counts_.end() || count->second < caps_.category_cap;
    });
  }

  void Count(uint64_t item) {
    if (caps_.category_cap == 0) return;
    const std::span<const uint64_t> categories = caps_.categories(item);
    for (size_t i = 0; i < categories.size(); ++i) {
      // Named twice it is one of the category all the same.
      if (std::ranges::find(categories.first(i), categories[i]) == categories.first(i).end()) ++counts_[categories[i]];
    }
  }

  void Place(uint64_t item, Team team) {
    used_.insert(item);
    Count(item);
    page_.push_back({item, team});
  }

  /// Places the pins whose turn it is; whether there is room for another item.
  bool HasRoom() {
    for (auto pin = pins_.find(page_.size()); pin != pins_.end(); pin = pins_.find(page_.size())) {
      page_.push_back({pin->second, kNoTeam});
      pins_.erase(pin);
    }
    return page_.size() < n_;
  }

  /// All teams pick, so that none has more than the others at the next one's begin. Agreement within a round is no
  /// reason to stop: the last teams would go without a pick.
  void Round() {
    Shuffle();
    const size_t begin = page_.size();
    for (const Team team : order_) {
      if (!HasRoom()) return;
      if (!Advance(team)) {
        // The others took its last item, or the caps did: nobody is to have more for picking earlier.
        for (size_t place = begin; place < page_.size(); ++place) page_[place].team = kNoTeam;
        return;
      }
      Place(Next(team), team);
    }
  }

  /// Those whose place was not reached stand last, in order.
  void PlacePinsBelow() {
    for (uint32_t place = 0; place < n_ && !pins_.empty(); ++place) {
      const auto pin = pins_.find(place);
      if (pin == pins_.end()) continue;
      page_.push_back({pin->second, kNoTeam});
      pins_.erase(pin);
    }
  }

  /// Some rankings are at their end: one of the others, drawn, places its next item, for no team.
  void PlaceOfTheRest() {
    Shuffle();
    for (const Team team : order_) {
      if (!Advance(team)) continue;
      Place(Next(team), kNoTeam);
      return;
    }
  }

  void Shuffle() {
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng_.Below(i)]);
  }

  const std::span<const std::span<const uint64_t>> rankings_;
  const uint32_t n_;
  base::Rng& rng_;
  const DraftCaps& caps_;
  std::vector<size_t> next_;  ///< by team
  std::vector<Team> order_;   ///< of this round
  uint64_t agreed_ = 0;
  absl::flat_hash_map<uint64_t, uint64_t> pins_;  ///< by place
  absl::flat_hash_set<uint64_t> used_;
  absl::flat_hash_map<uint64_t, uint32_t> counts_;  ///< of placed and pinned items, by category
  std::vector<DraftedItem> page_;
};

}  // namespace

absl::StatusOr<std::vector<DraftedItem>> TeamDraft(std::span<const std::span<const uint64_t>> rankings,
                                                   std::span<const PinnedItem> pins, uint32_t n, base::Rng& rng,
                                                   const DraftCaps& caps) {
  if (rankings.size() < 2 || rankings.size() > kTeamsMax) {
    return absl::InvalidArgumentError(fmt::format("rankings: found {}, expected 2 to {}", rankings.size(), kTeamsMax));
  }
  Draft draft(rankings, n, rng, caps);
  RETURN_IF_ERROR(draft.Pin(pins));
  return draft.Run();
}

absl::StatusOr<std::vector<double>> CreditTeams(std::span<const DraftedItem> page, uint32_t teams,
                                                std::span<const Earned> earned) {
  std::vector<double> credit(teams, 0);
  for (const Earned& one : earned) {
    if (one.place >= page.size()) {
      return absl::InvalidArgumentError(
          fmt::format("earned.place: found {}, expected a place of the page, below {}", one.place, page.size()));
    }
    if (!std::isfinite(one.value)) {
      return absl::InvalidArgumentError(
          fmt::format("earned.value: found {} at place {}, expected a finite number", one.value, one.place));
    }
    const Team team = page[one.place].team;
    if (team < teams) credit[team] += one.value;
  }
  return credit;
}

}  // namespace bowerbird::blend
