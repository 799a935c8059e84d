#include "experiment/served/judge.h"

#include <array>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "experiment/ope/reward_model.h"
#include "fmt/format.h"
#include "rows/join.h"

namespace bowerbird::experiment::served {
namespace {

constexpr std::string_view kOpenWindow = "open_window", kMarkedUser = "marked_user", kConfigGone = "config_gone";

/// A drawn answer with what it earned, and where it lies.
struct Drawn {
  uint32_t partition = 0;
  log::Offset offset = 0;
  ope::LoggedSlate slate;  ///< without probabilities
};

/// By the user's hash, so that no user's reward is predicted from what the same user did.
size_t FoldOf(const ope::LoggedSlate& slate) { return base::CombineHash(slate.cluster, 0) & 1; }

ope::Contributions EarnedBy(std::span<const ope::LoggedSlate> slates) {
  ope::Contributions earned;
  for (const ope::LoggedSlate& slate : slates) {
    double sum = 0;
    for (const ope::LoggedPosition& position : slate.positions) sum += position.reward;
    earned.terms.push_back({0, sum, 1});
    earned.EndRequest(slate.cluster);
  }
  return earned;
}

class Judge {
 public:
  Judge(const Sources& sources, std::span<const Recipe> recipes, const JudgeOptions& options)
      : sources_(sources),
        recipes_(recipes),
        options_(options),
        join_(sources.config, sources.objectives, sources.log, {options.from_us, options.to_us, sources.on_step}) {}

  absl::StatusOr<Judgement> Run() {
    RETURN_IF_ERROR(join_.Begin());
    for (uint32_t p = 0; p < join_.partitions(); ++p) {
      ASSIGN_OR_RETURN(std::vector<rows::Request>* const requests, join_.ReadPartition(p));
      for (const rows::Request& request : *requests) RETURN_IF_ERROR(Take(request));
    }
    ReadEarned();
    for (const Recipe& recipe : recipes_) {
      Laid& laid = laid_.emplace_back();
      laid.scoring = Scoring::Of(*recipe.config, *recipe.config->FindSurface(options_.surface));
      result_.recipes.push_back({.name = recipe.name});
    }
    RETURN_IF_ERROR(LayRecipes());
    for (size_t r = 0; r < recipes_.size(); ++r) RETURN_IF_ERROR(Estimate(r));
    return std::move(result_);
  }

 private:
  /// A config that answers were logged under, and what its log cannot say of each recipe.
  struct Logged {
    std::shared_ptr<const config::Config> config;  ///< null: it is gone
    const config::Surface* surface = nullptr;
    Scoring scoring;
    std::vector<std::string> other_candidates;  ///< by recipe
  };
  /// A recipe laid over the log.
  struct Laid {
    Scoring scoring;
    std::vector<ope::LoggedSlate> slates;
    std::vector<ope::ModelledSlate> modelled;
    std::string other_candidates;  ///< of some answers
  };

  const Logged& LoggedUnder(const std::string& version) {
    const auto [at, is_new] = logged_.try_emplace(version);
    Logged& logged = at->second;
    if (!is_new) return logged;
    auto config = sources_.config_of(version);
    if (!config.ok() || (*config)->FindSurface(options_.surface) == nullptr) return logged;
    logged.config = *std::move(config);
    logged.surface = logged.config->FindSurface(options_.surface);
    logged.scoring = Scoring::Of(*logged.config, *logged.surface);
    for (const Recipe& recipe : recipes_)
      logged.other_candidates.push_back(WhyOtherCandidates(*logged.config, *recipe.config, options_.surface));
    return logged;
  }

  absl::Status LeaveOut(std::string_view why) {
    ++result_.left_out[std::string(why)];
    return absl::OkStatus();
  }

  absl::Status Take(const rows::Request& request) {
    if (request.record.empty()) return absl::OkStatus();
    if (!record_.ParseFromString(request.record)) return absl::InternalError("a record that decoded does no more");
    if (record_.kind() != "recommend" || record_.request().surface() != options_.surface) return absl::OkStatus();
    if (request.marked) return LeaveOut(kMarkedUser);
    const Logged& logged = LoggedUnder(record_.config_version());
    if (logged.config == nullptr) return LeaveOut(kConfigGone);
    const std::string_view why = answer_.Read(record_, *logged.surface, logged.scoring, sources_.categories);
    if (!why.empty()) return LeaveOut(why);
    if (request.time_us + sources_.objectives->window_us_max() >= join_.as_of_us()) return LeaveOut(kOpenWindow);
    Drawn drawn{request.partition, request.offset, {.request = request.id, .positions = {}, .cluster = request.user}};
    for (uint32_t place = 0; place < answer_.positions(); ++place) {
      double reward = 0;
      for (uint64_t left = request.shown[place].hits; left != 0; left &= left - 1)
        reward += (*sources_.objectives)[static_cast<size_t>(__builtin_ctzll(left))].weight;
      drawn.slate.positions.push_back({.position = place, .item = answer_.item(place), .reward = reward});
    }
    drawn_.push_back(std::move(drawn));
    return absl::OkStatus();
  }

  void ReadEarned() {
    std::vector<ope::LoggedSlate> slates;
    slates.reserve(drawn_.size());
    for (const Drawn& drawn : drawn_) slates.push_back(drawn.slate);
    result_.answers = slates.size();
    if (slates.empty()) return;
    const ope::Contributions earned = EarnedBy(slates);
    result_.earned = ope::ValueOf(earned);
    result_.earned_interval = ope::PercentileInterval(ope::Resample(earned, options_.resamples, options_.seed));
    for (const size_t fold : {0u, 1u})
      models_[fold] = ope::MeanRewardModel::Fit(slates, [&](size_t slate) { return FoldOf(slates[slate]) == fold; });
  }

  absl::Status LayRecipes() {
    size_t next = 0;
    while (next < drawn_.size()) {
      const uint32_t partition = drawn_[next].partition;
      RETURN_IF_ERROR(join_.ForEachServed(partition, options_.from_us, options_.to_us, [&](const log::Record& stored) {
        if (next == drawn_.size() || drawn_[next].partition != partition) return absl::CancelledError();
        if (stored.offset != drawn_[next].offset) return absl::OkStatus();
        return LayOver(stored, drawn_[next++].slate);
      }));
      if (next < drawn_.size() && drawn_[next].partition == partition)
        return absl::UnavailableError("served: answers left the log while it was read; try again");
    }
    return absl::OkStatus();
  }

  absl::Status LayOver(const log::Record& stored, const ope::LoggedSlate& drawn) {
    if (!record_.ParseFromString(stored.value)) return absl::InternalError("a record that decoded does no more");
    const Logged& logged = LoggedUnder(record_.config_version());
    if (!answer_.Read(record_, *logged.surface, logged.scoring, sources_.categories).empty())
      return absl::UnavailableError("catalog: categories changed while the log was read; try again");
    const ope::MeanRewardModel& model = models_[1 - FoldOf(drawn)];
    const uint32_t count = answer_.candidates();
    to_earn_.resize(size_t{answer_.positions()} * count);
    for (uint32_t place = 0; place < answer_.positions(); ++place) {
      for (uint32_t i = 0; i < count; ++i) to_earn_[place * count + i] = model.Predict(place, answer_.item(i));
    }
    for (size_t r = 0; r < laid_.size(); ++r) {
      Laid& laid = laid_[r];
      std::string_view why = logged.other_candidates[r];
      if (why.empty()) {
        why = answer_.Lay(laid.scoring, &places_);
      } else {
        laid.other_candidates = why;
        why = "other_candidates";
      }
      if (!why.empty()) {
        ++result_.recipes[r].left_out[std::string(why)];
        continue;
      }
      ope::LoggedSlate slate = drawn;
      ope::ModelledSlate modelled(slate.positions.size());
      for (uint32_t place = 0; place < slate.positions.size(); ++place) {
        ope::LoggedPosition& position = slate.positions[place];
        position.logged.conditional = answer_.propensity(place);
        position.target.conditional = places_[place].probability;
        position.target_on_support = places_[place].on_support;
        modelled[place].shown = to_earn_[place * count + place];
        for (const LoggedAnswer::Place::Share& share : places_[place].shares)
          modelled[place].expected += share.probability * to_earn_[place * count + share.candidate];
      }
      laid.slates.push_back(std::move(slate));
      laid.modelled.push_back(std::move(modelled));
    }
    return absl::OkStatus();
  }

  absl::Status Estimate(size_t r) {
    Laid& laid = laid_[r];
    JudgedRecipe& judged = result_.recipes[r];
    if (laid.slates.empty()) {
      judged.refused = !laid.other_candidates.empty() ? laid.other_candidates
                       : judged.left_out.empty()
                           ? fmt::format("found no drawn answer of {}; expected some: surfaces.{}.explore",
                                         options_.surface, options_.surface)
                           : fmt::format(
                                 "found no answer that says something of it ({}); expected the ranked "
                                 "candidates in the log: served.l2_sample",
                                 judged.left_out.begin()->first);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(
        judged.estimate,
        ope::EstimateValue(laid.slates, laid.modelled,
                           {.estimator = options_.estimator, .resamples = options_.resamples, .seed = options_.seed}));
    judged.refused = judged.estimate.refused;
    const ope::Contributions earned = EarnedBy(laid.slates);
    judged.difference = judged.estimate.value - ope::ValueOf(earned);
    // Of one seed: the same users are drawn for both.
    std::vector<double> differences = ope::Resample(earned, options_.resamples, options_.seed);
    for (size_t i = 0; i < differences.size(); ++i) differences[i] = judged.estimate.resampled[i] - differences[i];
    judged.difference_interval = ope::PercentileInterval(std::move(differences));
    laid = {};
    return absl::OkStatus();
  }

  const Sources& sources_;
  const std::span<const Recipe> recipes_;
  const JudgeOptions& options_;
  rows::Join join_;
  std::map<std::string, Logged> logged_;  ///< by version; places in it stay where they are
  std::vector<Drawn> drawn_;              ///< by partition and offset
  std::array<ope::MeanRewardModel, 2> models_;
  std::vector<Laid> laid_;  ///< by recipe
  Judgement result_;

  // Reused, so that their memory is allocated once.
  v1::ServedRecord record_;
  LoggedAnswer answer_;
  std::vector<LoggedAnswer::Place> places_;
  std::vector<double> to_earn_;  ///< {places, candidates}: what the model says
};

}  // namespace

absl::StatusOr<Judgement> JudgeRecipes(const Sources& sources, std::span<const Recipe> recipes,
                                       const JudgeOptions& options) {
  if (sources.objectives->size() == 0) {
    return absl::InvalidArgumentError(
        "objectives: found none; expected at least one [objectives.NAME] in the config: what is earned");
  }
  if (ope::KindOf(options.estimator) == ope::PropensityKind::kMarginal) {
    return absl::InvalidArgumentError(fmt::format(
        "estimator: found {}; expected cascade_dr or rips: pools change with what stands above, so that marginal "
        "probabilities are not known",
        ope::NameOf(options.estimator)));
  }
  for (const Recipe& recipe : recipes) {
    if (recipe.config->FindSurface(options.surface) != nullptr) continue;
    return absl::InvalidArgumentError(
        fmt::format("surface: found {}; expected one of the recipe {}", options.surface, recipe.name));
  }
  return Judge(sources, recipes, options).Run();
}

}  // namespace bowerbird::experiment::served
