#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/app.h"
#include "app/experiment_report.h"
#include "app/rankers.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "config/metrics.h"
#include "experiment/metrics/interleaved.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace live = experiment::live;

constexpr int64_t kFollowUs = 1'000'000;

}  // namespace

absl::StatusOr<live::RecipeSource> App::RecipeSource() const {
  live::RecipeSource source;
  source.config = config();
  ASSIGN_OR_RETURN(source.text, ConfigText(source.config->version));
  source.ranker = [this](std::string_view surface, std::string_view version) -> absl::StatusOr<serve::RankerChoice> {
    ASSIGN_OR_RETURN(auto trained, OpenRanker(*registry_, surface, version));
    return serve::RankerChoice{std::move(trained), false};
  };
  source.publish = [this](const std::string& text, const std::string& version) {
    return PublishConfig(text, version, version);
  };
  source.on_warning = [this](const std::string& warning) { Warn(warning); };
  return source;
}

absl::Status App::OpenExperiments() {
  live::Experiments::Sources sources;
  sources.log = log_.get();
  sources.clock = options_.clock;
  sources.hasher = hasher_;
  sources.catalog = catalog_.get();
  sources.folder = folder_ + "/state/exposures";
  sources.features = [this] { return features_->Get(); };
  sources.user = [this](std::string_view id) { return AnsweringUser(hasher_.User(id), id); };
  sources.recipes = [this] { return RecipeSource(); };
  sources.has_metric = [this](std::string_view name) {
    const absl::StatusOr<std::vector<config::Metric>> metrics = DeclaredMetrics(*this);
    return metrics.ok() && std::ranges::find(*metrics, name, &config::Metric::name) != metrics->end();
  };
  sources.is_earned_by_items = [this](std::string_view name) {
    const absl::StatusOr<std::vector<config::Metric>> metrics = DeclaredMetrics(*this);
    if (!metrics.ok()) return false;
    const auto found = std::ranges::find(*metrics, name, &config::Metric::name);
    return found != metrics->end() && experiment::metrics::IsCredit(*found);
  };
  sources.on_warning = [this](const std::string& warning) { Warn(warning); };
  ASSIGN_OR_RETURN(experiments_, live::Experiments::Open(std::move(sources)));
  return absl::OkStatus();
}

void App::ExperimentsLoop() {
  std::string last_problem;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(kFollowUs))) {
    const absl::Status followed = experiments_->Follow();
    const std::string problem(followed.message());
    if (!followed.ok() && JobsCancelled().ok() && problem != last_problem)
      Warn(fmt::format("experiments: {}", problem));
    last_problem = problem;
  }
}

void App::GuardrailsLoop() {
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(config()->experiments.check_interval_us))) {
    for (const v1::Experiment& experiment : experiments_->List()) {
      if (experiment.state() != v1::Experiment::RUNNING || !JobsCancelled().ok()) continue;
      const absl::StatusOr<std::optional<std::string>> harm = JudgeGuardrails(*this, experiment);
      absl::Status status = harm.status();
      if (harm.ok() && harm->has_value()) status = experiments_->Stop(experiment.id(), **harm).status();
      if (!status.ok() && JobsCancelled().ok())
        Warn(fmt::format("experiment '{}': its guardrails are not judged: {}", experiment.id(),
                         std::string(status.message())));
    }
  }
}

}  // namespace bowerbird::app
