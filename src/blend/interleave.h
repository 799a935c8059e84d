#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "base/rng.h"

namespace bowerbird::blend {

/// The ranking that an item of an interleaved page counts for: its index among those given.
using Team = uint32_t;
/// Items that say nothing about any ranking.
inline constexpr Team kNoTeam = std::numeric_limits<Team>::max();
inline constexpr uint32_t kTeamsMax = 16;

/// An item that has its place on the page, whatever the rankings say.
struct PinnedItem {
  uint32_t place = 0;  ///< from 0
  uint64_t item = 0;
};

/// How many items of one category a page may have, pins among them.
struct DraftCaps {
  uint32_t category_cap = 0;  ///< 0: any number
  /// Of an item; not empty where there is a cap.
  std::function<std::span<const uint64_t>(uint64_t item)> categories;
};

struct DraftedItem {
  uint64_t item = 0;
  Team team = kNoTeam;
  bool operator==(const DraftedItem&) const = default;
};

/// Team-draft interleaving: one page out of several rankings, so that the same user on the same page chooses between
/// them. In each round every team, in an order drawn anew, picks its ranking's best item that is not on the page yet.
///
/// No team  where a round begins and all rankings would pick the same item, it stands without a team: who drafted it by
///          the coin would earn its clicks for nothing. That covers the common prefix, whose clicks are noise that the
///          usual form of the method counts, and the same further down. Pins have no team either, nor has what follows
///          once a ranking has no item left, as the others would draft more; nor the round in which that happens.
/// Fair     two teams differ by one item at most (of more, one whose items the others took may have fewer), and each is
///          as likely to have the one more, and to be first: whoever clicks regardless of what the items are prefers
///          nobody on average.
/// Order    a team's items are in its ranking's order.
/// Caps     what the caps do not allow is passed over, by every team.
/// Data     best first; equal numbers are the same item in all rankings. A ranking that names an item again means the
///          first.
/// Cost     linear in the items of the rankings.
/// Source   Radlinski, Kurup, Joachims 2008, "How Does Clickthrough Data Reflect Retrieval Quality?"; more than two:
///          Schuth et al. 2014, "Multileaved Comparisons for Fast Online Evaluation".
/// Errors   InvalidArgument: fewer than 2 rankings or more than kTeamsMax, or two pins of one place or item. Pins at
///          places from n on are left out.
absl::StatusOr<std::vector<DraftedItem>> TeamDraft(std::span<const std::span<const uint64_t>> rankings,
                                                   std::span<const PinnedItem> pins, uint32_t n, base::Rng& rng,
                                                   const DraftCaps& caps = {});

/// What an item of a page earned: what was done with it, such as 1 for a click, or the weights of its objectives.
struct Earned {
  uint32_t place = 0;  ///< from 0
  double value = 0;
};

/// What each team's items earned on one page, by team. Items without a team earn for nobody.
/// InvalidArgument: a place that the page does not have, or a value that is not finite.
absl::StatusOr<std::vector<double>> CreditTeams(std::span<const DraftedItem> page, uint32_t teams,
                                                std::span<const Earned> earned);

}  // namespace bowerbird::blend
