#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bowerbird/v1/experiment.pb.h"

namespace bowerbird::experiment::assignment {

/// The ways of an experiment from draft to decision, as functions of its definition. Each gives the definition as it is
/// to be, with the next revision; nothing else changes it.
///
/// `others` are all experiments that are known, itself among them or not: who owns which buckets is read from the
/// running ones.
/// Errors   FailedPrecondition with code and field: its state does not allow it, or the buckets do not.
/// InvalidArgument:
///          what was asked for.

/// The layer that it lives in; its own where it names none.
std::string LayerOf(const v1::Experiment& experiment);

/// A new draft: what only the server says is cleared. `experiment` was checked.
v1::Experiment NewDraft(v1::Experiment experiment, std::string salt, int64_t now_us);

/// `edited`, checked, takes the place of a draft. Of a running experiment that is sticky, weights, targeting and forced
/// arms may change, and of any running one the forced arms, description, owner and metrics.
absl::StatusOr<v1::Experiment> Edit(const v1::Experiment& experiment, v1::Experiment edited);

/// Takes buckets for `traffic`.
absl::StatusOr<v1::Experiment> Start(v1::Experiment experiment, std::span<const v1::Experiment> others, int64_t now_us);

/// Takes more buckets, gives none back: nobody leaves, and nobody changes arms.
absl::StatusOr<v1::Experiment> Ramp(v1::Experiment experiment, double traffic, std::span<const v1::Experiment> others,
                                    int64_t now_us);

/// Its buckets are free again.
absl::StatusOr<v1::Experiment> Stop(v1::Experiment experiment, std::string reason, int64_t now_us);

/// Stops it where it runs. What the winner changes is for the operator to put into the config.
absl::StatusOr<v1::Experiment> Decide(v1::Experiment experiment, std::string_view winner, int64_t now_us);

/// "draft", "running", "stopped", "decided".
std::string_view StateName(v1::Experiment::State state);

/// Buckets that a share of a layer is.
uint32_t BucketsOf(double traffic);

}  // namespace bowerbird::experiment::assignment
