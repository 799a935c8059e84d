#include "stats/methods.h"

#include <array>
#include <map>
#include <string>

#include "base/status_macros.h"
#include "experiment/stats/compare.h"
#include "experiment/stats/cuped.h"
#include "experiment/stats/heterogeneity.h"
#include "experiment/stats/interaction.h"
#include "experiment/stats/multiple_testing.h"
#include "experiment/stats/novelty.h"
#include "experiment/stats/posterior.h"
#include "experiment/stats/power.h"
#include "experiment/stats/quantile.h"
#include "experiment/stats/sample_ratio.h"
#include "experiment/stats/sequential.h"
#include "experiment/stats/strata.h"
#include "experiment/stats/thompson.h"

namespace bowerbird::experiment::stats {
namespace {

using Numbers = absl::StatusOr<std::vector<double>>;

Numbers Of(const absl::StatusOr<Comparison>& found) {
  if (!found.ok()) return found.status();
  return std::vector{found->effect.value, found->effect.standard_error(), found->interval.low, found->interval.high,
                     found->p_value};
}

Numbers Of(const absl::StatusOr<ArmSizes>& sizes) {
  if (!sizes.ok()) return sizes.status();
  return std::vector{static_cast<double>(sizes->control), static_cast<double>(sizes->treatment)};
}

Numbers Of(const absl::StatusOr<double>& number) {
  if (!number.ok()) return number.status();
  return std::vector{*number};
}

PowerPlan PlanOf(const Case& asked) {
  return {asked.Number("alpha"), asked.Number("power"), asked.Number("share"), asked.Number("reduction")};
}

ArmSizes SizesOf(const Case& asked) {
  const std::vector<double> sizes = asked.Numbers("sizes");
  return {static_cast<uint64_t>(sizes.at(0)), static_cast<uint64_t>(sizes.at(1))};
}

SequentialPlan SequentialOf(const Case& asked) { return {asked.Number("alpha"), asked.Number("target")}; }

Numbers Means(const Case& asked) {
  return Of(CompareMeans(asked.MomentsOf("control"), asked.MomentsOf("treatment"), asked.Number("alpha")));
}

Numbers Proportions(const Case& asked) {
  return Of(CompareProportions(asked.ProportionOf("control"), asked.ProportionOf("treatment"), asked.Number("alpha")));
}

Numbers Ratios(const Case& asked) {
  return Of(CompareRatios(asked.BothOf("control"), asked.BothOf("treatment"), asked.Number("alpha")));
}

Numbers LiftOfMeans(const Case& asked) {
  ASSIGN_OR_RETURN(const Estimate control, MeanOf("control", asked.MomentsOf("control")));
  ASSIGN_OR_RETURN(const Estimate treatment, MeanOf("treatment", asked.MomentsOf("treatment")));
  return Of(CompareLift(control, treatment, asked.Number("alpha")));
}

Numbers LiftOfRatios(const Case& asked) {
  ASSIGN_OR_RETURN(const Estimate control, RatioOf("control", asked.BothOf("control")));
  ASSIGN_OR_RETURN(const Estimate treatment, RatioOf("treatment", asked.BothOf("treatment")));
  return Of(CompareLift(control, treatment, asked.Number("alpha")));
}

Numbers Fieller(const Case& asked) {
  ASSIGN_OR_RETURN(const Estimate control, MeanOf("control", asked.MomentsOf("control")));
  ASSIGN_OR_RETURN(const Estimate treatment, MeanOf("treatment", asked.MomentsOf("treatment")));
  ASSIGN_OR_RETURN(const Interval lift, FiellerLift(control, treatment, asked.Number("alpha")));
  return std::vector{lift.low, lift.high};
}

/// theta, the reduction, and the comparison of the adjusted means.
Numbers Cuped(const Case& asked) {
  ASSIGN_OR_RETURN(const CupedMeans adjusted,
                   AdjustByCovariate(std::array{asked.BothOf("control"), asked.BothOf("treatment")}));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(adjusted.arms[0], adjusted.arms[1]));
  ASSIGN_OR_RETURN(std::vector<double> numbers, Of(TestAgainstZero(difference, asked.Number("alpha"))));
  numbers.insert(numbers.begin(), {adjusted.theta, adjusted.variance_reduction});
  return numbers;
}

/// Rows of control and of treatment, one a stratum; weights of their own, or none.
Numbers Strata(const Case& asked) {
  const std::vector<std::vector<double>> control = asked.Rows("control"), treatment = asked.Rows("treatment");
  const std::vector<double> weights = asked.Numbers("weights");
  std::vector<Stratum> strata;
  for (size_t s = 0; s < control.size(); ++s) {
    ASSIGN_OR_RETURN(Stratum stratum, PooledStratum(std::array{Moments::Of(control[s]), Moments::Of(treatment[s])}));
    if (!weights.empty()) stratum.weight = weights[s];
    strata.push_back(std::move(stratum));
  }
  ASSIGN_OR_RETURN(const std::vector<Estimate> arms, PostStratify(strata));
  ASSIGN_OR_RETURN(const Estimate difference, DifferenceOf(arms[0], arms[1]));
  return Of(TestAgainstZero(difference, asked.Number("alpha")));
}

Numbers LookMeans(const Case& asked) {
  return Of(LookAtMeans(asked.MomentsOf("control"), asked.MomentsOf("treatment"), SequentialOf(asked)));
}

Numbers LookProportions(const Case& asked) {
  return Of(LookAtProportions(asked.ProportionOf("control"), asked.ProportionOf("treatment"), SequentialOf(asked)));
}

Numbers Quantile(const Case& asked) {
  QuantileQuestion question{asked.Number("quantile"), asked.Number("alpha")};
  if (!asked.Numbers("unit_x").empty()) {
    ASSIGN_OR_RETURN(const Estimate share, RatioOf("unit", asked.BothOf("unit")));
    question.share_variance = share.variance;
  }
  ASSIGN_OR_RETURN(const Estimate found, QuantileOfSorted(asked.Numbers("values"), question));
  return std::vector{found.value, found.standard_error()};
}

Numbers Ratio(const Case& asked) {
  std::vector<uint64_t> counts;
  for (const double count : asked.Numbers("counts")) counts.push_back(static_cast<uint64_t>(count));
  ASSIGN_OR_RETURN(const SampleRatio found, CheckSampleRatio(counts, asked.Numbers("weights")));
  return std::vector{found.chi_squared, found.p_value};
}

Numbers Interaction(const Case& asked) {
  std::vector<Estimate> cells;
  for (const std::vector<double>& values : asked.Rows("cells")) {
    ASSIGN_OR_RETURN(const Estimate mean, MeanOf("cell", Moments::Of(values)));
    cells.push_back(mean);
  }
  return Of(CheckInteraction({cells.at(0), cells.at(1), cells.at(2), cells.at(3)}, asked.Number("alpha")));
}

std::vector<Estimate> EstimatesOf(const Case& asked) {
  std::vector<Estimate> estimates;
  for (const std::vector<double>& row : asked.Rows("effects")) estimates.push_back({row.at(0), row.at(1)});
  return estimates;
}

Numbers Segments(const Case& asked) {
  ASSIGN_OR_RETURN(const Heterogeneity found, CompareSegments(EstimatesOf(asked)));
  return std::vector{found.common.value, found.common.standard_error(), found.q, found.p_value, found.i_squared};
}

Numbers Trend(const Case& asked) {
  const std::vector<double> days = asked.Numbers("days");
  const std::vector<Estimate> effects = EstimatesOf(asked);
  std::vector<DayEffect> by_day;
  for (size_t i = 0; i < days.size(); ++i) by_day.push_back({days[i], effects.at(i)});
  return Of(TrendOf(by_day, asked.Number("alpha")));
}

Numbers PosteriorNumbers(const Case& asked) {
  const std::vector<double> prior = asked.Numbers("prior");
  const NormalPrior belief = prior.empty() ? NormalPrior{} : NormalPrior{prior.at(0), prior.at(1)};
  ASSIGN_OR_RETURN(const Posterior found, PosteriorOf(EstimatesOf(asked).at(0), belief, asked.Number("alpha")));
  return std::vector{found.mean,
                     found.standard_deviation,
                     found.interval.low,
                     found.interval.high,
                     found.probability_above_0,
                     found.loss_of_control,
                     found.loss_of_treatment};
}

Numbers BestRate(const Case& asked) {
  std::vector<BetaArm> arms;
  for (const std::vector<double>& row : asked.Rows("arms")) arms.push_back({row.at(0), row.at(1)});
  return ProbabilityBest(arms);
}

Numbers BestMean(const Case& asked) {
  std::vector<NormalArm> arms;
  for (const std::vector<double>& row : asked.Rows("arms")) arms.push_back({row.at(0), row.at(1)});
  return ProbabilityBest(arms);
}

}  // namespace

absl::StatusOr<std::vector<double>> Answer(const Case& asked) {
  static const std::map<std::string, Numbers (*)(const Case&), std::less<>> kMethods = {
      {"means", Means},
      {"proportions", Proportions},
      {"ratios", Ratios},
      {"lift_of_means", LiftOfMeans},
      {"lift_of_ratios", LiftOfRatios},
      {"fieller", Fieller},
      {"cuped", Cuped},
      {"strata", Strata},
      {"look_means", LookMeans},
      {"look_proportions", LookProportions},
      {"quantile", Quantile},
      {"holm", [](const Case& c) { return HolmAdjusted(c.Numbers("p_values")); }},
      {"benjamini_hochberg", [](const Case& c) { return BenjaminiHochbergAdjusted(c.Numbers("p_values")); }},
      {"sample_ratio", Ratio},
      {"sizes_for_means",
       [](const Case& c) { return Of(SizesForMeans(c.Number("deviation"), c.Number("effect"), PlanOf(c))); }},
      {"sizes_for_proportions",
       [](const Case& c) { return Of(SizesForProportions(c.Number("baseline"), c.Number("effect"), PlanOf(c))); }},
      {"detectable_mean",
       [](const Case& c) { return Of(DetectableMean(c.Number("deviation"), SizesOf(c), PlanOf(c))); }},
      {"detectable_proportion",
       [](const Case& c) { return Of(DetectableProportion(c.Number("baseline"), SizesOf(c), PlanOf(c))); }},
      {"interaction", Interaction},
      {"segments", Segments},
      {"trend", Trend},
      {"posterior", PosteriorNumbers},
      {"best_rate", BestRate},
      {"best_mean", BestMean},
  };
  const auto method = kMethods.find(asked.Text("method"));
  if (method == kMethods.end()) return absl::NotFoundError(std::string(asked.Text("method")));
  return method->second(asked);
}

}  // namespace bowerbird::experiment::stats
