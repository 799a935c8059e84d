#pragma once

#include <string>

#include "bowerbird/v1/experiment_results.pb.h"

namespace bowerbird::experiment::verdict {

/// As the API answers: proto3's JSON names, every field there.
std::string ToJson(const v1::ExperimentResults& results);
/// For a terminal: the sentence, arms, metrics, and what was found beside.
std::string ToText(const v1::ExperimentResults& results);

}  // namespace bowerbird::experiment::verdict
