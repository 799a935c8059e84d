#include "sim/trial/interleave_trial.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "experiment/stats/cuped.h"
#include "experiment/stats/moments.h"
#include "experiment/stats/power.h"
#include "fmt/format.h"
#include "sim/trial/browsing.h"

namespace bowerbird::sim::trial {
namespace {

namespace stats = experiment::stats;

constexpr double kAlpha = 0.05;
constexpr int64_t kDayUs = 86'400'000'000;
/// Items that a user's ranking has: more than are shown in some weeks.
constexpr size_t kRanked = 300;
constexpr world::Family kFamilies[] = {world::Family::kMixture, world::Family::kHerding, world::Family::kContextual};
constexpr PairKind kKinds[] = {PairKind::kWeights, PairKind::kError, PairKind::kRetrained};

absl::Status Check(const InterleaveTrialOptions& options) {
  const auto refuse = [](std::string_view field, uint32_t found, std::string_view accepted) {
    return absl::InvalidArgumentError(fmt::format("{}: found {}, expected {}", field, found, accepted));
  };
  if (options.pairs < 1 || options.pairs > 10'000) return refuse("pairs", options.pairs, "1 to 10,000");
  if (options.items < 50 || options.items > 100'000) return refuse("items", options.items, "50 to 100,000");
  if (options.users < 20 || options.users > 100'000) return refuse("users", options.users, "20 to 100,000");
  if (options.days < 1 || options.days > 28) return refuse("days", options.days, "1 to 28");
  if (options.page < 2 || options.page > 100) return refuse("page", options.page, "2 to 100");
  return absl::OkStatus();
}

/// A world after its history, and what was observed in it.
struct Stage {
  world::World world;
  ObservedTastes tastes;
};

absl::StatusOr<Stage> MakeStage(const InterleaveTrialOptions& options, world::Family family) {
  world::WorldOptions world_options;
  world_options.seed = options.seed;
  world_options.family = family;
  world_options.items = options.items;
  world_options.users = options.users;
  ASSIGN_OR_RETURN(world::World world, world::World::Create(world_options));
  ObservedTastes tastes(world);
  return Stage{std::move(world), std::move(tastes)};
}

/// Rankings of users, made when they first come.
class Rankings {
 public:
  Rankings(const ObservedTastes& tastes, const MadeRecipe& recipe, uint32_t users)
      : tastes_(tastes), recipe_(recipe), of_user_(users) {}
  std::span<const uint64_t> operator()(world::UserNumber user) {
    std::vector<uint64_t>& ranking = of_user_[user.value];
    if (ranking.empty()) ranking = RankItems(tastes_, recipe_, user, kRanked);
    return ranking;
  }

 private:
  const ObservedTastes& tastes_;
  const MadeRecipe& recipe_;
  std::vector<std::vector<uint64_t>> of_user_;
};

/// One way of counting what a user's visits came to.
using Measure = double UserTotals::*;

/// Recipes that are so alike that nobody's pages or clicks differ are told apart by no number of users: no effect,
/// instead of no answer.
template <typename T>
absl::StatusOr<T> OrNoEffect(absl::StatusOr<T> found) {
  if (absl::IsFailedPrecondition(found.status())) return T();
  return found;
}

absl::StatusOr<stats::Comparison> TestMean(const stats::Moments& differences) {
  ASSIGN_OR_RETURN(const stats::Estimate mean, stats::MeanOf("users", differences));
  return OrNoEffect(stats::TestAgainstZero(mean, kAlpha));
}

/// What a page is truly worth more by the treatment, at the same moments of the same users.
absl::StatusOr<stats::Comparison> TrueDifference(const Browsed& interleaved) {
  stats::Moments differences;
  for (const UserTotals& user : interleaved.users) {
    if (user.visits > 0) differences.Add(user.worth_difference / user.visits);
  }
  return TestMean(differences);
}

/// What users have more a visit by the treatment than by the control.
absl::StatusOr<stats::Comparison> PairedDifference(const Browsed& control, const Browsed& treatment, Measure measure) {
  stats::Moments differences;
  for (size_t user = 0; user < control.users.size(); ++user) {
    const UserTotals& c = control.users[user];
    const UserTotals& t = treatment.users[user];
    if (c.visits > 0) differences.Add((t.*measure - c.*measure) / c.visits);
  }
  return TestMean(differences);
}

/// The effect, or the largest one that its interval allows if that includes 0.
double EffectToFind(const stats::Comparison& comparison) {
  if (comparison.p_value < kAlpha) return comparison.effect.value;
  return std::max(std::abs(comparison.interval.low), std::abs(comparison.interval.high));
}

/// 0 where the effect is so small that there is no number.
uint64_t OrZero(const absl::StatusOr<uint64_t>& units) { return units.ok() ? *units : 0; }

absl::StatusOr<uint64_t> UsersOf(const absl::StatusOr<stats::ArmSizes>& sizes) {
  RETURN_IF_ERROR(sizes.status());
  return sizes->control + sizes->treatment;
}

absl::StatusOr<PairReading> Read(const ObservedTastes& tastes, const Browsed& control, const Browsed& treatment,
                                 std::span<const stats::RequestCredit> interleaved, Measure measure) {
  PairReading reading;
  ASSIGN_OR_RETURN(reading.interleaved, OrNoEffect(stats::ReadPreference(interleaved, kAlpha)));
  const stats::Wins& wins = reading.interleaved.users;
  const double users = static_cast<double>(wins.control + wins.treatment + wins.ties);
  const stats::Estimate& preference = reading.interleaved.difference.effect;
  reading.users_interleaved =
      OrZero(stats::UnitsForPaired(std::sqrt(preference.variance * users), preference.value, {}));

  ASSIGN_OR_RETURN(reading.ab_effect, PairedDifference(control, treatment, measure));
  std::vector<stats::BivariateMoments> arms;
  for (const Browsed* arm : {&control, &treatment}) {
    stats::BivariateMoments& moments = arms.emplace_back();
    for (uint32_t user = 0; user < arm->users.size(); ++user) {
      const UserTotals& totals = arm->users[user];
      if (totals.visits > 0) moments.Add(totals.*measure / totals.visits, tastes.ValueBefore(world::UserNumber(user)));
    }
  }
  const double deviation = std::sqrt((arms[0].y().variance() + arms[1].y().variance()) / 2);
  ASSIGN_OR_RETURN(const stats::CupedMeans cuped, stats::AdjustByCovariate(arms));
  const double effect = EffectToFind(reading.ab_effect);
  reading.users_ab = OrZero(UsersOf(stats::SizesForMeans(deviation, effect, {})));
  reading.users_ab_cuped = OrZero(UsersOf(
      stats::SizesForMeans(deviation, effect, {.variance_reduction = std::min(.999, cuped.variance_reduction)})));
  return reading;
}

double Overlap(const world::World& world, Rankings& control, Rankings& treatment, const Browsed& browsed,
               uint32_t page) {
  double shared = 0, all = 0;
  for (uint32_t user = 0; user < world.user_count(); ++user) {
    if (browsed.users[user].visits == 0) continue;
    const auto a = control(world::UserNumber(user)), b = treatment(world::UserNumber(user));
    const auto first_a = a.first(std::min<size_t>(page, a.size())), first_b = b.first(std::min<size_t>(page, b.size()));
    const absl::flat_hash_set<uint64_t> items(first_a.begin(), first_a.end());
    for (const uint64_t item : first_b) shared += items.contains(item) ? 1 : 0;
    all += static_cast<double>(first_b.size());
  }
  return all > 0 ? shared / all : 0;
}

absl::StatusOr<PairReport> Compare(const Stage& stage, const InterleaveTrialOptions& options, uint32_t number) {
  base::Rng rng(base::CombineHash(options.seed, number));
  PairReport report;
  report.pair = DrawPair(kKinds[number / std::size(kFamilies) % std::size(kKinds)], rng);
  report.family = stage.world.options().family;
  Rankings control(stage.tastes, report.pair.control, stage.world.user_count());
  Rankings treatment(stage.tastes, report.pair.treatment, stage.world.user_count());
  const int64_t until_us = stage.world.options().end_time_us + options.days * kDayUs;
  const auto browse = [&](std::initializer_list<std::reference_wrapper<Rankings>> shown) {
    const std::vector<RankingOf> rankings(shown.begin(), shown.end());
    return Browse(stage.world.Fork(), until_us, options.page, rankings, rng());
  };
  ASSIGN_OR_RETURN(const Browsed by_control, browse({control}));
  ASSIGN_OR_RETURN(const Browsed by_treatment, browse({treatment}));
  ASSIGN_OR_RETURN(const Browsed interleaved, browse({control, treatment}));
  report.visits = interleaved.visits;
  for (const UserTotals& user : interleaved.users) report.users += user.visits > 0 ? 1 : 0;
  report.overlap = Overlap(stage.world, control, treatment, interleaved, options.page);
  ASSIGN_OR_RETURN(report.truth, TrueDifference(interleaved));
  ASSIGN_OR_RETURN(report.deployed, PairedDifference(by_control, by_treatment, &UserTotals::utility));
  ASSIGN_OR_RETURN(report.clicks,
                   Read(stage.tastes, by_control, by_treatment, interleaved.clicks, &UserTotals::clicks));
  ASSIGN_OR_RETURN(report.value, Read(stage.tastes, by_control, by_treatment, interleaved.value, &UserTotals::value));
  return report;
}

}  // namespace

bool PairReport::decided(PairReading PairReport::*reading) const {
  return (this->*reading).interleaved.difference.p_value < kAlpha;
}

bool PairReport::same_sign(PairReading PairReport::*reading) const {
  return (this->*reading).interleaved.difference.effect.value * truth.effect.value > 0;
}

absl::StatusOr<std::vector<PairReport>> RunInterleaveTrial(const InterleaveTrialOptions& options,
                                                           absl::FunctionRef<void(const std::string&)> progress) {
  RETURN_IF_ERROR(Check(options));
  std::vector<PairReport> reports(options.pairs);
  for (size_t family = 0; family < std::size(kFamilies); ++family) {
    std::vector<uint32_t> numbers;
    for (uint32_t pair = 0; pair < options.pairs; ++pair) {
      if (pair % std::size(kFamilies) == family) numbers.push_back(pair);
    }
    if (numbers.empty()) continue;
    ASSIGN_OR_RETURN(const Stage stage, MakeStage(options, kFamilies[family]));
    progress(fmt::format("a {} world: {} pairs of recipes", world::FamilyName(kFamilies[family]), numbers.size()));
    std::vector<absl::Status> statuses(numbers.size());
    base::ParallelFor(0, numbers.size(), [&](size_t task, uint32_t) {
      absl::StatusOr<PairReport> report = Compare(stage, options, numbers[task]);
      statuses[task] = report.status();
      if (report.ok()) reports[numbers[task]] = *std::move(report);
    });
    for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  }
  return reports;
}

}  // namespace bowerbird::sim::trial
