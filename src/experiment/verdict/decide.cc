#include "experiment/verdict/decide.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using Results = v1::ExperimentResults;
using v1::MetricResult;

/// "3.1%" of 0.031, with as many digits as matter.
std::string Percent(double share) {
  const double percent = 100 * std::abs(share);
  return percent >= 100 ? fmt::format("{:.0f}%", percent) : fmt::format("{:.2g}%", percent);
}
std::string Signed(double share) { return (share < 0 ? "-" : "+") + Percent(share); }

/// "between 1.2% and 5%" of an effect whose sign is known and said; absolute where there is no relative one.
std::string Size(const MetricResult& result) {
  if (result.has_lift()) {
    const v1::ResultRange& range = result.lift().always_valid();
    const double near = std::min(std::abs(range.low()), std::abs(range.high()));
    const double far = std::max(std::abs(range.low()), std::abs(range.high()));
    // The relative interval may reach over 0 where the absolute one does not.
    if ((range.low() > 0) == (range.high() > 0))
      return fmt::format("by {} (between {} and {})", Percent(result.lift().value()), Percent(near), Percent(far));
  }
  const v1::ResultRange& range = result.effect().always_valid();
  return fmt::format("by {:.4g} (between {:.4g} and {:.4g})", std::abs(result.effect().value()),
                     std::min(std::abs(range.low()), std::abs(range.high())),
                     std::max(std::abs(range.low()), std::abs(range.high())));
}

/// "anything from -1% to +3%": of an effect whose sign is not known.
std::string Reach(const MetricResult& result) {
  if (result.has_lift()) {
    const v1::ResultRange& range = result.lift().always_valid();
    return fmt::format("{} to {}", Signed(range.low()), Signed(range.high()));
  }
  const v1::ResultRange& range = result.effect().always_valid();
  return fmt::format("{:+.4g} to {:+.4g}", range.low(), range.high());
}

std::string Moves(const MetricResult& result) {
  return fmt::format("{} {} {}", result.effect().value() > 0 ? "raises" : "lowers", result.metric(), Size(result));
}

class Decider {
 public:
  Decider(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics, Results* results)
      : experiment_(experiment), metrics_(metrics), results_(*results) {}

  void Run() {
    if (DecideBroken() || DecideEarly() || DecideHarm() || DecideWinner() || DecideLoss()) return;
    DecideNothing();
  }

 private:
  void Set(Results::Decision decision, std::string arm, std::string sentence) {
    results_.set_decision(decision);
    results_.set_arm(std::move(arm));
    results_.set_sentence(std::move(sentence));
  }

  std::vector<const MetricResult*> Of(std::string_view role, std::string_view arm, std::string_view finding) const {
    std::vector<const MetricResult*> found;
    for (const MetricResult& one : results_.metrics()) {
      if (one.role() == role && (arm.empty() || one.arm() == arm) && (finding.empty() || one.finding() == finding))
        found.push_back(&one);
    }
    return found;
  }

  bool DecideBroken() {
    std::vector<std::string> reasons;
    for (const v1::HealthCheck& check : results_.health()) {
      if (check.level() == v1::HealthCheck::BROKEN) reasons.push_back(check.text());
    }
    if (reasons.empty()) return false;
    Set(Results::BROKEN, "",
        fmt::format("Do not read the numbers: {}. Find the cause and start again.", fmt::join(reasons, "; ")));
    return true;
  }

  bool DecideEarly() {
    uint64_t least = UINT64_MAX;
    std::string arm;
    for (const v1::ArmResult& one : results_.arms()) {
      if (one.units() >= least) continue;
      least = one.units();
      arm = one.arm();
    }
    if (least < kUnitsMin) {
      Set(Results::TOO_EARLY, "",
          fmt::format("Too early to say anything: {} has {} users so far, and {} are the least.", arm, least,
                      kUnitsMin));
      return true;
    }
    if (Of("primary", "", "").empty()) {
      Set(Results::OPEN, "", "There is nothing to decide by: the experiment has no primary metric.");
      return true;
    }
    for (const MetricResult* one : Of("primary", "", "")) {
      if (one->problem().empty()) return false;
    }
    Set(Results::TOO_EARLY, "",
        fmt::format("Too early to say anything: {} cannot be compared yet ({}).", Of("primary", "", "")[0]->metric(),
                    Of("primary", "", "")[0]->problem()));
    return true;
  }

  bool DecideHarm() {
    const auto harmed = Of("guardrail", "", "harmed");
    if (harmed.empty()) return false;
    const double harm_max = HarmMax(harmed[0]->metric());
    const std::string allowed = harm_max > 0 ? fmt::format(", more than the {} that is let be", Percent(harm_max)) : "";
    Set(Results::HARM, harmed[0]->arm(),
        fmt::format("Stop {}: it {}{}, and {} is a guardrail.", harmed[0]->arm(), Moves(*harmed[0]), allowed,
                    harmed[0]->metric()));
    return true;
  }

  /// What has to be said beside a finding: guardrails that are open, and warnings that bear on it.
  std::string Cautions(const std::string& arm) const {
    std::string text;
    for (const MetricResult* one : Of("guardrail", arm, "open")) {
      text += one->problem().empty()
                  ? fmt::format(" The guardrail {} is open: {} is possible.", one->metric(), Reach(*one))
                  : fmt::format(" The guardrail {} cannot be compared: {}.", one->metric(), one->problem());
    }
    for (const v1::HealthCheck& check : results_.health()) {
      static constexpr std::string_view kSaid[] = {"two_arms", "no_arm",   "clock_skew",  "novelty",
                                                   "weekdays", "segments", "interaction", "short"};
      if (check.level() != v1::HealthCheck::WARNING) continue;
      if (std::ranges::find(kSaid, check.check()) != std::end(kSaid)) text += fmt::format(" But {}.", check.text());
    }
    return text;
  }

  double HarmMax(const std::string& metric) const {
    for (const v1::ExperimentMetric& one : experiment_.metrics()) {
      if (one.name() == metric) return one.harm_max();
    }
    return 0;
  }
  double EffectMin(const std::string& metric) const {
    for (const config::Metric& one : metrics_) {
      if (one.name == metric) return one.effect_min;
    }
    return 0;
  }

  bool DecideWinner() {
    const MetricResult* best = nullptr;
    std::vector<std::string> conflicts, also;
    for (const MetricResult* better : Of("primary", "", "better")) {
      const auto worse = Of("primary", better->arm(), "worse");
      if (!worse.empty()) {
        conflicts.push_back(fmt::format("{} {}, and {}", better->arm(), Moves(*better), Moves(*worse[0])));
        continue;
      }
      if (best == nullptr ||
          (better->metric() == best->metric() && std::abs(better->effect().value()) > std::abs(best->effect().value())))
        best = better;
    }
    if (best == nullptr) {
      if (conflicts.empty()) return false;
      Set(Results::CONFLICT, "",
          fmt::format("The primary metrics disagree: {}. Which one matters more is for you to say.", conflicts[0]));
      return true;
    }
    const std::string& arm = best->arm();
    std::string text = fmt::format("{} {}.", arm, Moves(*best));
    if (best->has_lift()) {
      const v1::ResultRange& range = best->lift().always_valid();
      const double most = std::max(std::abs(range.low()), std::abs(range.high()));
      if (most < EffectMin(best->metric()))
        text += fmt::format(" That is less than the {} that would matter.", Percent(EffectMin(best->metric())));
    }
    for (const MetricResult* one : Of("primary", arm, "")) {
      if (one->metric() == best->metric()) continue;
      if (one->finding() == "better") {
        text += fmt::format(" It also {}.", Moves(*one));
      } else if (one->problem().empty()) {
        text += fmt::format(" {} is not decided: {} is possible.", one->metric(), Reach(*one));
      } else {
        text += fmt::format(" {} cannot be compared: {}.", one->metric(), one->problem());
      }
    }
    for (const MetricResult* one : Of("secondary", arm, "worse")) text += fmt::format(" It also {}.", Moves(*one));
    for (const v1::ExperimentArm& other : experiment_.arms()) {
      if (other.name() == arm || other.name() == experiment_.arms(0).name()) continue;
      if (!Of("primary", other.name(), "better").empty())
        text += fmt::format(" {} is better than {}, too; the two were not compared with each other.", other.name(),
                            experiment_.arms(0).name());
    }
    const bool open = std::ranges::any_of(Of("guardrail", arm, "open"),
                                          [&](const MetricResult* one) { return HarmMax(one->metric()) > 0; });
    text = (open ? "Wait with " + arm + ": " : "Take " + arm + ": ") + text + Cautions(arm);
    Set(open ? Results::OPEN : Results::BETTER, arm, text);
    return true;
  }

  /// An arm loses; with several of them only where all do.
  bool DecideLoss() {
    const auto worse = Of("primary", "", "worse");
    if (worse.empty()) return false;
    std::string text;
    size_t losers = 0;
    for (int arm = 1; arm < experiment_.arms_size(); ++arm) {
      const auto by = Of("primary", experiment_.arms(arm).name(), "worse");
      if (by.empty()) continue;
      ++losers;
      text += fmt::format("{}{} {}.", text.empty() ? "" : " ", by[0]->arm(), Moves(*by[0]));
    }
    if (losers + 1 < static_cast<size_t>(experiment_.arms_size())) {
      Set(Results::OPEN, "",
          fmt::format("Drop the worse arm: {} The others are not decided yet.{}", text, Cautions(worse[0]->arm())));
      return true;
    }
    Set(Results::WORSE, worse[0]->arm(), fmt::format("Keep {}: {}{}", experiment_.arms(0).name(), text, Cautions("")));
    return true;
  }

  void DecideNothing() {
    const auto primaries = Of("primary", "", "");
    const bool same = std::ranges::all_of(primaries, [](const MetricResult* one) { return one->finding() == "same"; });
    std::string reaches;
    uint64_t days = 0;
    bool unknown = false;
    for (const MetricResult* one : primaries) {
      reaches += reaches.empty() ? "" : "; ";
      if (!one->problem().empty()) {
        reaches += fmt::format("{} of {} cannot be compared ({})", one->metric(), one->arm(), one->problem());
        unknown = true;
        continue;
      }
      reaches +=
          fmt::format("{} of {} is {} of {}'s", one->metric(), one->arm(), Reach(*one), experiment_.arms(0).name());
      days = std::max(days, one->days_to_go());
      unknown = unknown || one->days_unknown();
    }
    if (same) {
      Set(Results::SAME, "",
          fmt::format("No difference that would matter: {}. Take whichever is simpler.{}", reaches, Cautions("")));
      return;
    }
    std::string next;
    if (experiment_.state() == v1::Experiment::STOPPED || experiment_.state() == v1::Experiment::DECIDED) {
      next = " It has ended, so that it will not be decided.";
    } else if (unknown) {
      next = " How long it takes to decide cannot be said yet.";
    } else if (days > 0) {
      next =
          fmt::format(" At this rate about {} more days find the smallest effect that matters, if it is there.", days);
    } else {
      next =
          " Enough users are in for a test at a fixed time of the smallest effect that matters; whoever looks each day "
          "needs more.";
    }
    Set(Results::OPEN, "", fmt::format("Not decided: {}.{}", reaches, next));
  }

  const v1::Experiment& experiment_;
  const std::vector<config::Metric>& metrics_;
  Results& results_;
};

}  // namespace

void Decide(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics, Results* results) {
  Decider(experiment, metrics, results).Run();
}

}  // namespace bowerbird::experiment::verdict
