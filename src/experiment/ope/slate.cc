#include "experiment/ope/slate.h"

#include <cmath>

#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

absl::Status CheckPosition(const LoggedPosition& shown, PropensityKind kind) {
  const std::string_view name = kind == PropensityKind::kMarginal ? "marginal" : "conditional";
  for (const auto& [whose, propensity] : {std::pair{"logged", &shown.logged}, std::pair{"target's", &shown.target}}) {
    const std::optional<double>& value =
        kind == PropensityKind::kMarginal ? propensity->marginal : propensity->conditional;
    if (!value) return absl::InvalidArgumentError(fmt::format("the {} {} probability is missing", whose, name));
    const bool zero_fits = propensity == &shown.target;
    if (!(*value <= 1) || *value < 0 || (*value == 0 && !zero_fits)) {
      return absl::InvalidArgumentError(fmt::format("the {} {} probability is {}; expected {}, and at most 1", whose,
                                                    name, *value, zero_fits ? "at least 0" : "above 0"));
    }
  }
  if (!(shown.target_on_support >= 0 && shown.target_on_support <= 1)) {
    return absl::InvalidArgumentError(
        fmt::format("target_on_support is {}; expected a share in [0, 1]", shown.target_on_support));
  }
  if (!(std::abs(shown.reward) <= kMagnitudeMax)) {
    return absl::InvalidArgumentError(
        fmt::format("the reward is {}; expected at most {} either way", shown.reward, kMagnitudeMax));
  }
  return absl::OkStatus();
}

absl::Status CheckOrder(const LoggedSlate& slate, size_t place, PropensityKind kind) {
  const uint32_t position = slate.positions[place].position;
  if (position >= kPositionsMax) {
    return absl::InvalidArgumentError(fmt::format("expected positions below {}", kPositionsMax));
  }
  if (place == 0) return absl::OkStatus();
  const uint32_t above = slate.positions[place - 1].position;
  if (position <= above) {
    return absl::InvalidArgumentError(fmt::format("it comes after position {}; expected them ascending", above));
  }
  // A product of conditional probabilities with a gap is no probability of anything.
  if (kind == PropensityKind::kConditional && position != above + 1) {
    return absl::InvalidArgumentError(fmt::format("it comes after position {}; expected none left out", above));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSlates(std::span<const LoggedSlate> slates, PropensityKind kind) {
  if (slates.empty()) return absl::InvalidArgumentError("the log holds no request; expected at least one");
  for (const LoggedSlate& slate : slates) {
    for (size_t place = 0; place < slate.positions.size(); ++place) {
      absl::Status status = CheckOrder(slate, place, kind);
      if (status.ok()) status = CheckPosition(slate.positions[place], kind);
      if (!status.ok()) {
        return absl::InvalidArgumentError(fmt::format("request '{}', position {}: {}", slate.request,
                                                      slate.positions[place].position, std::string(status.message())));
      }
    }
  }
  return absl::OkStatus();
}

double Of(const Propensity& propensity, PropensityKind kind) {
  return kind == PropensityKind::kMarginal ? propensity.marginal.value() : propensity.conditional.value();
}

}  // namespace bowerbird::experiment::ope
