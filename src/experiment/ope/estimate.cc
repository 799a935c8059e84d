#include "experiment/ope/estimate.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "experiment/ope/weights.h"
#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

constexpr std::string_view kItemPositionModel =
    "item-position model: the reward at a position depends on the item there and on the position, not on other items";
constexpr std::string_view kCascadeModel =
    "cascade model: the reward at a position depends on the items from the top down to it, not on those below";

// Prefix weights of slates of one position each are marginal weights.
std::string_view AssumptionOf(std::span<const LoggedSlate> slates, PropensityKind kind) {
  const bool any_prefix =
      std::any_of(slates.begin(), slates.end(), [](const LoggedSlate& slate) { return slate.positions.size() > 1; });
  return kind == PropensityKind::kConditional && any_prefix ? kCascadeModel : kItemPositionModel;
}

absl::Status CheckModel(std::span<const LoggedSlate> slates, std::span<const ModelledSlate> modelled) {
  if (modelled.size() != slates.size()) {
    return absl::InvalidArgumentError(
        fmt::format("the model speaks of {} requests; expected {}", modelled.size(), slates.size()));
  }
  for (size_t s = 0; s < slates.size(); ++s) {
    if (modelled[s].size() != slates[s].positions.size()) {
      return absl::InvalidArgumentError(fmt::format("request '{}': the model speaks of {} positions; expected {}",
                                                    slates[s].request, modelled[s].size(), slates[s].positions.size()));
    }
    for (const ModelledPosition& at : modelled[s]) {
      if (!(std::abs(at.shown) <= kMagnitudeMax && std::abs(at.expected) <= kMagnitudeMax)) {
        return absl::InvalidArgumentError(fmt::format("request '{}': the model says {} and {}; expected numbers",
                                                      slates[s].request, at.shown, at.expected));
      }
    }
  }
  return absl::OkStatus();
}

// One term a position, so that each is divided by its own weights.
Contributions ByPosition(std::span<const LoggedSlate> slates, const Weights& weights) {
  Contributions contributions;
  for (size_t s = 0; s < slates.size(); ++s) {
    const std::span<const double> w = weights.of(s);
    for (size_t place = 0; place < w.size(); ++place) {
      const LoggedPosition& shown = slates[s].positions[place];
      contributions.terms.push_back({shown.position, w[place] * shown.reward, w[place]});
    }
    contributions.EndRequest(slates[s].cluster);
  }
  return contributions;
}

// One term a request. `modelled` is empty without a model.
Contributions ByRequest(std::span<const LoggedSlate> slates, const Weights& weights,
                        std::span<const ModelledSlate> modelled) {
  Contributions contributions;
  for (size_t s = 0; s < slates.size(); ++s) {
    const std::span<const double> w = weights.of(s);
    double sum = 0, above = 1;
    for (size_t place = 0; place < w.size(); ++place) {
      const ModelledPosition model = modelled.empty() ? ModelledPosition{} : modelled[s][place];
      sum += w[place] * (slates[s].positions[place].reward - model.shown) + above * model.expected;
      above = w[place];
    }
    contributions.terms.push_back({0, sum, 1});
    contributions.EndRequest(slates[s].cluster);
  }
  return contributions;
}

}  // namespace

std::string_view NameOf(Estimator estimator) {
  switch (estimator) {
    case Estimator::kIps:
      return "ips";
    case Estimator::kSnips:
      return "snips";
    case Estimator::kRips:
      return "rips";
    case Estimator::kCascadeDr:
      return "cascade_dr";
  }
  return "";
}

PropensityKind KindOf(Estimator estimator) {
  return estimator == Estimator::kIps || estimator == Estimator::kSnips ? PropensityKind::kMarginal
                                                                        : PropensityKind::kConditional;
}

absl::StatusOr<Estimate> EstimateValue(std::span<const LoggedSlate> slates, std::span<const ModelledSlate> modelled,
                                       const EstimateOptions& options) {
  if (options.weight_max && !(*options.weight_max > 0)) {
    return absl::InvalidArgumentError(fmt::format("weight_max is {}; expected above 0", *options.weight_max));
  }
  if (options.resamples == 0) return absl::InvalidArgumentError("resamples is 0; expected at least 1");
  const PropensityKind kind = KindOf(options.estimator);
  RETURN_IF_ERROR(CheckSlates(slates, kind));
  if (options.estimator == Estimator::kCascadeDr) {
    RETURN_IF_ERROR(CheckModel(slates, modelled));
  } else {
    modelled = {};
  }
  const Weights weights = WeighSlates(slates, kind, options.weight_max);
  const Contributions contributions =
      options.estimator == Estimator::kSnips ? ByPosition(slates, weights) : ByRequest(slates, weights, modelled);
  Estimate estimate{.estimator = options.estimator,
                    .assumption = AssumptionOf(slates, kind),
                    .value = ValueOf(contributions),
                    .standard_error = StandardError(InfluenceValues(contributions), contributions.clusters),
                    .resampled = Resample(contributions, options.resamples, options.seed),
                    .weight_max = options.weight_max,
                    .diagnostics = Diagnose(slates, weights, kind)};
  estimate.normal = NormalInterval(estimate.value, estimate.standard_error);
  estimate.bootstrap = PercentileInterval(estimate.resampled);
  estimate.refused = WhyRefused(estimate.diagnostics);
  return estimate;
}

}  // namespace bowerbird::experiment::ope
