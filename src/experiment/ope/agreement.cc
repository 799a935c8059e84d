#include "experiment/ope/agreement.h"

#include "base/hash.h"
#include "base/status_macros.h"
#include "experiment/ope/reward_model.h"
#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

Contributions ClicksOf(std::span<const OpenBanditRow> rows) {
  Contributions contributions;
  for (const OpenBanditRow& row : rows) {
    contributions.terms.push_back({0, row.click, 1});
    contributions.EndRequest();
  }
  return contributions;
}

absl::Status CheckPositions(const std::string& campaign, const PolicyLog& log, const PolicyLog& target,
                            const ShownShares& shares) {
  for (const OpenBanditRow& row : log.rows) {
    if (!shares.Shares(row.position).empty()) continue;
    return absl::InvalidArgumentError(fmt::format("{}: the log of '{}' has position {}, that of '{}' does not",
                                                  campaign, log.policy, row.position + 1, target.policy));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Agreement>> JudgeByOtherLog(const std::string& campaign, const PolicyLog& log,
                                                       const PolicyLog& target, uint64_t seed) {
  const ShownShares shares = ShownShares::Of(target.rows);
  RETURN_IF_ERROR(CheckPositions(campaign, log, target, shares));
  const std::vector<LoggedSlate> slates = SlatesFor(log.rows, shares);
  ASSIGN_OR_RETURN(const std::vector<ModelledSlate> modelled,
                   CrossFit(slates, [&](const LoggedSlate& slate, size_t place) {
                     return shares.Shares(slate.positions[place].position);
                   }));
  const Contributions clicks = ClicksOf(target.rows);
  const EstimateOptions common{.seed = seed};
  // The logs are independent, and so must be their resamples.
  const std::vector<double> truths = Resample(clicks, common.resamples, base::CombineHash(seed, 1));
  std::vector<Agreement> agreements;
  for (const Estimator estimator : {Estimator::kIps, Estimator::kSnips, Estimator::kCascadeDr}) {
    EstimateOptions options = common;
    options.estimator = estimator;
    Agreement agreement{.campaign = campaign, .log = log.policy, .target = target.policy, .truth = ValueOf(clicks)};
    ASSIGN_OR_RETURN(agreement.estimate, EstimateValue(slates, modelled, options));
    agreement.difference = agreement.estimate.value - agreement.truth;
    std::vector<double> differences = agreement.estimate.resampled;
    for (size_t i = 0; i < differences.size(); ++i) differences[i] -= truths[i];
    agreement.difference_interval = PercentileInterval(std::move(differences));
    agreement.covers = agreement.difference_interval.low <= 0 && agreement.difference_interval.high >= 0;
    agreements.push_back(std::move(agreement));
  }
  return agreements;
}

}  // namespace bowerbird::experiment::ope
