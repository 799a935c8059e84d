#include "experiment/ope/reward_model.h"

#include <array>
#include <cmath>

#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

constexpr double kShareError = 1e-6;  // of shares that were summed in another order, or read from text

absl::Status CheckRewards(std::span<const LoggedSlate> slates) {
  for (const LoggedSlate& slate : slates) {
    for (const LoggedPosition& shown : slate.positions) {
      if (shown.position < kPositionsMax && std::abs(shown.reward) <= kMagnitudeMax) continue;
      return absl::InvalidArgumentError(
          fmt::format("request '{}': reward {} at position {}; expected a number below position {}", slate.request,
                      shown.reward, shown.position, kPositionsMax));
    }
  }
  return absl::OkStatus();
}

}  // namespace

MeanRewardModel MeanRewardModel::Fit(std::span<const LoggedSlate> slates,
                                     absl::FunctionRef<bool(size_t slate)> included, double prior_rows) {
  MeanRewardModel model;
  model.prior_rows_ = prior_rows;
  for (size_t s = 0; s < slates.size(); ++s) {
    if (!included(s)) continue;
    double from_here = 0;
    for (auto shown = slates[s].positions.rbegin(); shown != slates[s].positions.rend(); ++shown) {
      from_here += shown->reward;
      if (shown->position >= model.by_position_.size()) model.by_position_.resize(shown->position + 1);
      for (Mean* mean : {&model.by_position_[shown->position], &model.by_item_[{shown->position, shown->item}]}) {
        mean->sum += from_here;
        ++mean->rows;
      }
    }
  }
  return model;
}

double MeanRewardModel::Predict(uint32_t position, uint64_t item) const {
  if (position >= by_position_.size() || by_position_[position].rows == 0) return 0;
  const double prior = by_position_[position].sum / by_position_[position].rows;
  const auto found = by_item_.find({position, item});
  if (found == by_item_.end()) return prior;
  return (found->second.sum + prior_rows_ * prior) / (found->second.rows + prior_rows_);
}

absl::StatusOr<std::vector<ModelledSlate>> CrossFit(std::span<const LoggedSlate> slates, TargetShares target,
                                                    double prior_rows) {
  if (absl::Status status = CheckRewards(slates); !status.ok()) return status;
  const std::array<MeanRewardModel, 2> of_fold = {MeanRewardModel::Fit(
                                                      slates, [](size_t slate) { return slate % 2 == 0; }, prior_rows),
                                                  MeanRewardModel::Fit(
                                                      slates, [](size_t slate) { return slate % 2 == 1; }, prior_rows)};
  std::vector<ModelledSlate> modelled(slates.size());
  for (size_t s = 0; s < slates.size(); ++s) {
    const MeanRewardModel& model = of_fold[1 - s % 2];
    for (size_t place = 0; place < slates[s].positions.size(); ++place) {
      const LoggedPosition& shown = slates[s].positions[place];
      ModelledPosition at{.shown = model.Predict(shown.position, shown.item)};
      double sum = 0;
      for (const ItemShare& share : target(slates[s], place)) {
        at.expected += share.probability * model.Predict(shown.position, share.item);
        sum += share.probability;
      }
      if (!(std::abs(sum - 1) <= kShareError)) {
        return absl::InvalidArgumentError(
            fmt::format("request '{}', position {}: the target's probabilities sum to {}; expected 1",
                        slates[s].request, shown.position, sum));
      }
      modelled[s].push_back(at);
    }
  }
  return modelled;
}

}  // namespace bowerbird::experiment::ope
