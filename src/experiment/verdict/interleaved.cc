#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/posterior.h"
#include "experiment/stats/preference.h"
#include "experiment/verdict/metric_result.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using metrics::InterleavedStatistics;
using metrics::PairedMoments;
using Results = v1::ExperimentResults;
using v1::MetricResult;

/// Pages that arms share tell them apart with fewer persons than arms that are held against each other.
constexpr double kPersonsTarget = 2'000;
/// The question is asked each day.
constexpr double kTeamsAlpha = 0.001;
constexpr double kDayUs = 86'400e6;

/// Treatment less control, of the mean person. FailedPrecondition: too few persons.
absl::StatusOr<stats::Estimate> DifferenceOf(const PairedMoments& pair) {
  if (pair.persons < kUnitsMin) {
    return absl::FailedPreconditionError(
        fmt::format("{} users had a page with items of either arm alone, fewer than {}", pair.persons, kUnitsMin));
  }
  const auto n = static_cast<double>(pair.persons);
  // Sums of squares may come out a little below 0 where nothing varies.
  const double squares = std::max(0.0, pair.control_variance + pair.treatment_variance - 2 * pair.covariance);
  return stats::Estimate{pair.treatment - pair.control, squares / (n - 1) / n, n - 1};
}

absl::Status Fill(const MetricQuestion& question, const InterleavedStatistics& statistics, MetricResult* out) {
  if (!metrics::IsCredit(*question.metric)) {
    return absl::FailedPreconditionError(
        fmt::format("a {} is nothing that one item earns: an interleaved experiment counts means and proportions",
                    config::MetricKindName(question.metric->kind)));
  }
  const auto found = statistics.earned.find({question.index, question.arm});
  const PairedMoments pair = found == statistics.earned.end() ? PairedMoments() : found->second;
  out->set_units(pair.persons);
  ASSIGN_OR_RETURN(const stats::Estimate difference, DifferenceOf(pair));
  out->set_control(pair.control);
  out->set_treatment(pair.treatment);
  RETURN_IF_ERROR(SetEffect(difference, static_cast<double>(pair.persons), kPersonsTarget, out->mutable_effect()));
  ASSIGN_OR_RETURN(const stats::Posterior posterior, stats::PosteriorOf(difference, {}, kAlpha));
  out->set_probability_better(question.metric->up_is_better ? posterior.probability_above_0
                                                            : 1 - posterior.probability_above_0);
  const stats::Wins wins{pair.persons_against, pair.persons_for,
                         pair.persons - pair.persons_for - pair.persons_against};
  v1::InterleavedPreference* chosen = out->mutable_interleaved();
  chosen->set_requests(pair.pages);
  chosen->set_users_for(wins.treatment);
  chosen->set_users_against(wins.control);
  chosen->set_users_alike(wins.ties);
  chosen->set_preference(wins.preference());
  chosen->set_sign_p(stats::SignPValue(wins));
  return absl::OkStatus();
}

/// "diverse's items earn 0.21 clicks a page, control's 0.18: 0.03 more (between 0.01 and 0.05)".
std::string Earns(const MetricResult& one, const std::string& control) {
  const v1::ResultRange& range = one.effect().always_valid();
  const double near = std::min(std::abs(range.low()), std::abs(range.high()));
  const double far = std::max(std::abs(range.low()), std::abs(range.high()));
  return fmt::format("a page's items of {} earn {:.3g} {}, those of {} {:.3g}: {:.2g} {} (between {:.2g} and {:.2g})",
                     one.arm(), one.treatment(), one.metric(), control, one.control(), std::abs(one.effect().value()),
                     one.effect().value() > 0 ? "more" : "less", near, far);
}

class Judging {
 public:
  Judging(const v1::Experiment& experiment, const InterleavedStatistics& statistics, Results* results)
      : experiment_(experiment), statistics_(statistics), results_(*results) {}

  void AddHealth() {
    CheckTeams();
    if (statistics_.marked > 0)
      Add("marked", v1::HealthCheck::OK, fmt::format("{} users who are no persons are left out", statistics_.marked));
    for (const MetricResult& one : results_.metrics()) {
      if (!one.problem().empty() && persons() > 0)
        Add("no_effect", v1::HealthCheck::WARNING,
            fmt::format("{} of {} cannot be compared: {}", one.metric(), one.arm(), one.problem()));
    }
    const double days = static_cast<double>(statistics_.end_us - statistics_.begin_us) / kDayUs;
    if (persons() > 0 && days < 7)
      Add("short", v1::HealthCheck::WARNING,
          fmt::format("it has run for {:.1f} days: not every day of the week is in it", days));
  }

  void Decide() {
    if (DecideBroken() || DecideEarly() || DecideWinner() || DecideLoss()) return;
    std::string reaches;
    for (const MetricResult* one : Of("", "")) {
      const std::string reach =
          one->problem().empty()
              ? fmt::format("items of {} may earn from {:.2g} to {:+.2g} {} a page more than those of {}", one->arm(),
                            one->effect().always_valid().low(), one->effect().always_valid().high(), one->metric(),
                            Control())
              : fmt::format("{} of {} cannot be compared ({})", one->metric(), one->arm(), one->problem());
      reaches += (reaches.empty() ? "" : "; ") + reach;
    }
    const bool ended = experiment_.state() == v1::Experiment::STOPPED || experiment_.state() == v1::Experiment::DECIDED;
    Set(Results::OPEN, "",
        fmt::format("Not decided: {}.{}", reaches, ended ? " It has ended, so that it will not be decided." : ""));
  }

 private:
  std::string Control() const { return experiment_.arms(0).name(); }
  uint64_t persons() const {
    const auto placed = statistics_.placed.find(1);
    return placed == statistics_.placed.end() ? 0 : placed->second.persons;
  }
  void Set(Results::Decision decision, std::string arm, std::string sentence) {
    results_.set_decision(decision);
    results_.set_arm(std::move(arm));
    results_.set_sentence(std::move(sentence));
  }
  void Add(const char* check, v1::HealthCheck::Level level, std::string text) {
    v1::HealthCheck* one = results_.add_health();
    one->set_check(check);
    one->set_level(level);
    one->set_text(std::move(text));
  }

  /// Primary metrics of an arm, or of all, with a finding, or with any.
  std::vector<const MetricResult*> Of(std::string_view arm, std::string_view finding) const {
    std::vector<const MetricResult*> found;
    for (const MetricResult& one : results_.metrics()) {
      if (one.role() == "primary" && (arm.empty() || one.arm() == arm) && (finding.empty() || one.finding() == finding))
        found.push_back(&one);
    }
    return found;
  }

  /// The draft gives each team as many items as the other.
  void CheckTeams() {
    double least_p = 1;
    std::string worst;
    for (const auto& [arm, pair] : statistics_.placed) {
      const auto difference = DifferenceOf(pair);
      if (!difference.ok()) continue;
      const auto found = stats::TestAgainstZero(*difference, kTeamsAlpha);
      // Nothing varies: one side placed so many more on every page, or none did.
      const double raw = found.ok() ? found->p_value : difference->value == 0 ? 1 : 0;
      const double p = std::min(1.0, raw * static_cast<double>(statistics_.placed.size()));
      if (p >= least_p) continue;
      least_p = p;
      worst = fmt::format("{:.4g} items a page of {}, {:.4g} of {}", pair.treatment,
                          experiment_.arms(static_cast<int>(arm)).name(), pair.control, Control());
    }
    if (persons() < kUnitsMin) return;
    if (least_p < kTeamsAlpha) {
      Add("team_ratio", v1::HealthCheck::BROKEN,
          fmt::format("the arms did not place equally many items (p = {:.2g}; {}): more items earn more", least_p,
                      worst));
    } else {
      Add("team_ratio", v1::HealthCheck::OK, fmt::format("the arms placed equally many items (p = {:.2g})", least_p));
    }
  }

  bool DecideBroken() {
    for (const v1::HealthCheck& check : results_.health()) {
      if (check.level() != v1::HealthCheck::BROKEN) continue;
      Set(Results::BROKEN, "",
          fmt::format("Do not read the numbers: {}. Find the cause and start again.", check.text()));
      return true;
    }
    return false;
  }

  bool DecideEarly() {
    if (persons() < kUnitsMin) {
      Set(Results::TOO_EARLY, "",
          fmt::format("Too early to say anything: {} users had a page with items of one arm alone, and {} are the "
                      "least.",
                      persons(), kUnitsMin));
      return true;
    }
    if (Of("", "").empty()) {
      Set(Results::OPEN, "", "There is nothing to decide by: the experiment has no primary metric.");
      return true;
    }
    return false;
  }

  bool DecideWinner() {
    const MetricResult* best = nullptr;
    for (const MetricResult* better : Of("", "better")) {
      const auto worse = Of(better->arm(), "worse");
      if (!worse.empty()) {
        Set(Results::CONFLICT, "",
            fmt::format("The primary metrics disagree: {}, and {}. Which one matters more is for you to say.",
                        Earns(*better, Control()), Earns(*worse[0], Control())));
        return true;
      }
      if (best == nullptr ||
          (better->metric() == best->metric() && std::abs(better->effect().value()) > std::abs(best->effect().value())))
        best = better;
    }
    if (best == nullptr) return false;
    Set(Results::BETTER, best->arm(),
        fmt::format("Users prefer {}: {}. How much {} would be if everybody had it, shared pages do not say: a split "
                    "experiment does.{}",
                    best->arm(), Earns(*best, Control()), best->metric(), Cautions()));
    return true;
  }

  /// An arm loses; with several of them only where all do.
  bool DecideLoss() {
    std::vector<std::string> losses;
    std::string loser;
    for (int arm = 1; arm < experiment_.arms_size(); ++arm) {
      const auto worse = Of(experiment_.arms(arm).name(), "worse");
      if (worse.empty()) continue;
      losses.push_back(Earns(*worse[0], Control()));
      loser = worse[0]->arm();
    }
    if (losses.empty()) return false;
    if (losses.size() + 1 < static_cast<size_t>(experiment_.arms_size())) {
      Set(Results::OPEN, "",
          fmt::format("Drop the worse arm: {}. The others are not decided yet.{}", fmt::join(losses, "; "),
                      Cautions()));
    } else {
      Set(Results::WORSE, loser, fmt::format("Users prefer {}: {}.{}", Control(), fmt::join(losses, "; "), Cautions()));
    }
    return true;
  }

  std::string Cautions() const {
    std::string text;
    for (const v1::HealthCheck& check : results_.health()) {
      if (check.level() == v1::HealthCheck::WARNING && check.check() == "short")
        text += fmt::format(" But {}.", check.text());
    }
    return text;
  }

  const v1::Experiment& experiment_;
  const InterleavedStatistics& statistics_;
  Results& results_;
};

}  // namespace

Results JudgeInterleaved(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
                         const InterleavedStatistics& statistics) {
  Results results;
  results.set_experiment(experiment.id());
  results.set_begin_us(statistics.begin_us);
  results.set_end_us(statistics.end_us);
  const auto placed = statistics.placed.find(1);
  for (const v1::ExperimentArm& arm : experiment.arms()) {
    v1::ArmResult* one = results.add_arms();
    one->set_arm(arm.name());
    // Everybody has all of them.
    one->set_share_expected(1);
    if (placed == statistics.placed.end()) continue;
    one->set_units(placed->second.persons);
    one->set_exposures(placed->second.pages);
  }
  for (size_t index = 0; index < metrics.size(); ++index) {
    for (size_t arm = 1; arm < statistics.arms; ++arm) {
      const MetricQuestion question{&experiment, &metrics[index], index, arm};
      MetricResult result = NamedResult(question);
      if (const absl::Status status = Fill(question, statistics, &result); !status.ok()) {
        result.set_problem(std::string(status.message()));
        result.clear_effect();
      }
      result.set_days_unknown(true);
      *results.add_metrics() = std::move(result);
    }
  }
  AddFindings(experiment, metrics, &results);
  Judging judging(experiment, statistics, &results);
  judging.AddHealth();
  judging.Decide();
  return results;
}

}  // namespace bowerbird::experiment::verdict
