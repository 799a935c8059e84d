#include "experiment/verdict/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiment/stats/compare.h"
#include "experiment/stats/sample_ratio.h"
#include "experiment/verdict/verdict.h"

namespace bowerbird::experiment::verdict {
namespace {

using metrics::ArmCell;
using metrics::Statistics;

/// The question is asked of every phase each day.
constexpr double kSampleRatioAlpha = 0.001;
constexpr double kTwoArmsWarning = 0.01, kTwoArmsBroken = 0.05;
constexpr double kNoArmBroken = 0.01;
constexpr double kRepeatedWarning = 0.05;
constexpr double kSkewWarning = 0.01;
constexpr double kSkewDiffersAlpha = 0.001;
constexpr double kHeavyShare = 0.05;
constexpr double kTrendAlpha = 0.01;
constexpr double kDayUs = 86'400e6;

std::string Percent(double share) { return fmt::format("{:.3g}%", 100 * share); }

class Checker {
 public:
  Checker(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics, const Statistics& statistics,
          v1::ExperimentResults* results)
      : experiment_(experiment), metrics_(metrics), statistics_(statistics), results_(*results) {
    for (size_t arm = 0; arm < statistics.arms; ++arm) {
      arms_.push_back(statistics.Arm(arm));
      units_ += arms_.back().units;
    }
  }

  void Run() {
    CheckArms();
    CheckSampleRatio();
    CheckLeftOut();
    CheckExposures();
    CheckClocks();
    CheckValues();
    CheckTime();
  }

 private:
  std::string Name(size_t arm) const { return experiment_.arms(static_cast<int>(arm)).name(); }
  void Add(const char* check, v1::HealthCheck::Level level, std::string text) {
    v1::HealthCheck* one = results_.add_health();
    one->set_check(check);
    one->set_level(level);
    one->set_text(std::move(text));
  }

  void CheckArms() {
    if (units_ == 0) return;
    for (size_t arm = 0; arm < arms_.size(); ++arm) {
      if (arms_[arm].units == 0)
        Add("empty_arm", v1::HealthCheck::WARNING, fmt::format("nobody was counted in arm {}", Name(arm)));
    }
  }

  /// Of the units that were exposed: of all, and of those of each phase.
  void CheckSampleRatio() {
    std::vector<double> weights;
    for (const v1::ExperimentArm& arm : experiment_.arms()) weights.push_back(arm.weight());
    std::map<std::string, std::vector<uint64_t>> counts;
    for (const auto& [key, cell] : statistics_.by_arm_and_phase) {
      for (const std::string& of : {std::string("all phases"), fmt::format("phase {}", key.second)}) {
        std::vector<uint64_t>& units = counts[of];
        units.resize(arms_.size());
        units[key.first] += cell.units;
      }
    }
    double least_p = 1;
    std::string worst;
    for (const auto& [of, units] : counts) {
      const auto found = stats::CheckSampleRatio(units, weights);
      if (!found.ok()) continue;
      const double p = std::min(1.0, found->p_value * static_cast<double>(counts.size()));
      if (p > least_p) continue;
      least_p = p;
      worst = of;
      for (size_t arm = 0; arm < units.size(); ++arm)
        worst += fmt::format(", {} {} ({:.0f} expected)", Name(arm), units[arm], found->expected[arm]);
    }
    if (counts.empty() || worst.empty()) return;
    if (least_p < kSampleRatioAlpha) {
      Add("sample_ratio", v1::HealthCheck::BROKEN,
          fmt::format("the arms did not get the units that their weights say (p = {:.2g}; {}): assignment or logging "
                      "differs by arm",
                      least_p, worst));
    } else {
      Add("sample_ratio", v1::HealthCheck::OK,
          fmt::format("the arms got the units that their weights say (p = {:.2g})", least_p));
    }
  }

  double ShareOfAll(uint64_t units) const {
    const uint64_t all = units_ + units;
    return all == 0 ? 0 : static_cast<double>(units) / static_cast<double>(all);
  }

  void CheckLeftOut() {
    const metrics::LeftOut& out = statistics_.left_out;
    if (out.two_arms > 0) {
      const double share = ShareOfAll(out.two_arms);
      Add("two_arms",
          share > kTwoArmsBroken    ? v1::HealthCheck::BROKEN
          : share > kTwoArmsWarning ? v1::HealthCheck::WARNING
                                    : v1::HealthCheck::OK,
          fmt::format("{} users ({}) were shown more than one arm, and are left out", out.two_arms, Percent(share)));
    }
    if (out.no_arm > 0) {
      const double share = ShareOfAll(out.no_arm);
      Add("no_arm", share > kNoArmBroken ? v1::HealthCheck::BROKEN : v1::HealthCheck::WARNING,
          fmt::format("{} users ({}) were shown an arm that the experiment does not have", out.no_arm, Percent(share)));
    }
    if (out.no_user > 0) {
      Add("no_user", units_ == 0 ? v1::HealthCheck::BROKEN : v1::HealthCheck::WARNING,
          fmt::format("{} units stand for no user: what they did cannot be counted", out.no_user));
    }
    if (out.merged_arms > 0) {
      Add("merged_arms", ShareOfAll(out.merged_arms) > kTwoArmsWarning ? v1::HealthCheck::WARNING : v1::HealthCheck::OK,
          fmt::format("{} users had other ids with another arm, and count for the earlier one", out.merged_arms));
    }
    if (out.forced > 0)
      Add("forced", v1::HealthCheck::OK, fmt::format("{} testers, whose arm was forced, are left out", out.forced));
    if (out.marked > 0)
      Add("marked", v1::HealthCheck::OK, fmt::format("{} users who are no persons are left out", out.marked));
  }

  void CheckExposures() {
    uint64_t rows = 0, repeated = 0;
    for (const ArmCell& arm : arms_) {
      rows += arm.exposures;
      repeated += arm.repeated;
    }
    if (repeated == 0) return;
    const double share = static_cast<double>(repeated) / static_cast<double>(rows);
    Add("repeated_exposures", share > kRepeatedWarning ? v1::HealthCheck::WARNING : v1::HealthCheck::OK,
        fmt::format("at least {} of {} exposures are beyond one a day; only the first one counts", repeated, rows));
  }

  void CheckClocks() {
    uint64_t skewed = 0, events = 0;
    for (const ArmCell& arm : arms_) {
      skewed += arm.skewed;
      events += arm.events;
    }
    if (skewed == 0 || events == 0) return;
    const double share = static_cast<double>(skewed) / static_cast<double>(events);
    bool differs = false;
    for (size_t arm = 1; arm < arms_.size(); ++arm) {
      const auto found =
          stats::CompareProportions({arms_[0].skewed, arms_[0].events}, {arms_[arm].skewed, arms_[arm].events}, kAlpha);
      differs = differs || (found.ok() && found->p_value < kSkewDiffersAlpha);
    }
    Add("clock_skew", share > kSkewWarning || differs ? v1::HealthCheck::WARNING : v1::HealthCheck::OK,
        fmt::format("{} events ({}) came in after the first exposure and say that they are from before, and are left "
                    "out{}",
                    skewed, Percent(share), differs ? "; their share differs by arm" : ""));
  }

  void CheckValues() {
    for (size_t i = 0; i < metrics_.size(); ++i) {
      uint64_t cut = 0;
      for (size_t arm = 0; arm < arms_.size(); ++arm) {
        if (arms_[arm].metrics.size() <= i) continue;
        const metrics::MetricCell& cell = arms_[arm].metrics[i];
        cut += cell.cut;
        if (arms_[arm].units < kUnitsMin || !(cell.largest > kHeavyShare * std::abs(cell.total))) continue;
        if (metrics_[i].kind != config::Metric::Kind::kMean && metrics_[i].kind != config::Metric::Kind::kRatio)
          continue;
        const bool is_cut = metrics_[i].winsorize < 1;
        Add("heavy_unit", v1::HealthCheck::WARNING,
            fmt::format(
                "one user makes {} of {} in arm {}{}", Percent(cell.largest / std::abs(cell.total)), metrics_[i].name,
                Name(arm),
                is_cut ? ", and is cut" : ", and is not cut, as metrics." + metrics_[i].name + ".winsorize is 1"));
      }
      if (cut > 0)
        Add("winsorized", v1::HealthCheck::OK, fmt::format("values of {} users were cut in {}", cut, metrics_[i].name));
    }
    for (const v1::MetricResult& result : results_.metrics()) {
      if (!result.problem().empty() && units_ > 0) {
        Add("no_effect", v1::HealthCheck::WARNING,
            fmt::format("{} of {} cannot be compared: {}", result.metric(), result.arm(), result.problem()));
      }
      if (result.role() != "primary") continue;
      if (result.novelty_p() < kTrendAlpha) {
        Add("novelty", v1::HealthCheck::WARNING,
            fmt::format(
                "the effect of {} on {} changes by day (p = {:.2g}): what it is now is not what it was at first",
                result.arm(), result.metric(), result.novelty_p()));
      }
      if (result.weekday_p() < kTrendAlpha) {
        Add("weekdays", v1::HealthCheck::WARNING,
            fmt::format("the effect of {} on {} differs by day of the week (p = {:.2g}): read it over whole weeks",
                        result.arm(), result.metric(), result.weekday_p()));
      }
      if (result.segments_p() < kTrendAlpha) {
        Add("segments", v1::HealthCheck::WARNING,
            fmt::format("the effect of {} on {} differs by segment (p = {:.2g})", result.arm(), result.metric(),
                        result.segments_p()));
      }
    }
    for (const v1::InteractionResult& one : results_.interactions()) {
      if (one.p_adjusted() >= kTrendAlpha) continue;
      Add("interaction", v1::HealthCheck::WARNING,
          fmt::format(
              "the effect of {} on {} differs where {} is {} (p = {:.2g}): the two cannot be read by themselves",
              one.arm(), one.metric(), one.experiment(), one.other_arm(), one.p_adjusted()));
    }
  }

  void CheckTime() {
    const double days = static_cast<double>(statistics_.end_us - statistics_.begin_us) / kDayUs;
    if (units_ > 0 && days < 7) {
      Add("short", v1::HealthCheck::WARNING,
          fmt::format("it has run for {:.1f} days: not every day of the week is in it", days));
    }
  }

  const v1::Experiment& experiment_;
  const std::vector<config::Metric>& metrics_;
  const Statistics& statistics_;
  v1::ExperimentResults& results_;
  std::vector<ArmCell> arms_;
  uint64_t units_ = 0;
};

}  // namespace

void AddHealth(const v1::Experiment& experiment, const std::vector<config::Metric>& metrics,
               const Statistics& statistics, v1::ExperimentResults* results) {
  Checker(experiment, metrics, statistics, results).Run();
}

}  // namespace bowerbird::experiment::verdict
