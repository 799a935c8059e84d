#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_results.pb.h"
#include "server/api.h"

namespace bowerbird::server {

/// The experiment of an id, as whoever keeps the app's experiments has it. NotFound: none.
using ExperimentById = std::function<absl::StatusOr<v1::Experiment>(app::App& app, std::string_view id)>;

/// As GET /v1/experiments:power answers it.
std::string ToJson(const v1::ExperimentPower& power);

/// Adds what experiments come to: their results, and what one could tell.
void AddExperimentResultRoutes(const ExperimentById& find, Api* api);

}  // namespace bowerbird::server
