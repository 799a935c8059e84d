#include "experiment/assignment/lifecycle.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <bitset>
#include <cmath>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "catalog/problem.h"
#include "experiment/assignment/check.h"
#include "experiment/assignment/draw.h"

namespace bowerbird::experiment::assignment {
namespace {

using google::protobuf::util::MessageDifferencer;

absl::Status Precondition(std::string field, std::string detail) {
  return catalog::ToStatus({"failed_precondition", std::move(field), std::move(detail)},
                           absl::StatusCode::kFailedPrecondition);
}

absl::Status NeedState(const v1::Experiment& experiment, v1::Experiment::State wanted) {
  if (experiment.state() == wanted) return absl::OkStatus();
  return Precondition("state", fmt::format("found {}; expected {}", StateName(experiment.state()), StateName(wanted)));
}

uint32_t Owned(const v1::Experiment& experiment) {
  uint32_t count = 0;
  for (const v1::BucketRange& range : experiment.buckets()) count += range.end() - range.first();
  return count;
}

/// Gives the experiment `count` more buckets of its layer, the lowest that are free.
absl::Status TakeBuckets(v1::Experiment* experiment, uint32_t count, std::span<const v1::Experiment> others) {
  std::bitset<kBuckets> taken;
  std::string owners;
  const auto mark = [&](const v1::Experiment& owner) {
    for (const v1::BucketRange& range : owner.buckets()) {
      for (uint32_t b = range.first(); b < std::min(range.end(), kBuckets); ++b) taken.set(b);
    }
  };
  mark(*experiment);
  const std::string layer = LayerOf(*experiment);
  for (const v1::Experiment& other : others) {
    if (other.id() == experiment->id() || other.state() != v1::Experiment::RUNNING || LayerOf(other) != layer) continue;
    if (other.unit() != experiment->unit()) {
      return Precondition("unit", fmt::format("found '{}'; expected '{}', the unit of '{}', which runs in layer '{}'",
                                              experiment->unit(), other.unit(), other.id(), layer));
    }
    mark(other);
    fmt::format_to(std::back_inserter(owners), "{}'{}' has {:g}%", owners.empty() ? "" : ", ", other.id(),
                   Owned(other) * 100.0 / kBuckets);
  }
  const auto free = static_cast<uint32_t>(kBuckets - taken.count());
  if (free < count) {
    return Precondition(
        "traffic",
        fmt::format("{:g}% more of layer '{}' is asked for, and {:g}% is free{}; expected less traffic, "
                    "another layer, or an experiment of this one to be stopped",
                    count * 100.0 / kBuckets, layer, free * 100.0 / kBuckets, owners.empty() ? "" : ": " + owners));
  }
  for (uint32_t b = 0; b < kBuckets && count > 0; ++b) {
    if (taken.test(b)) continue;
    --count;
    auto* ranges = experiment->mutable_buckets();
    if (!ranges->empty() && (*ranges)[ranges->size() - 1].end() == b) {
      (*ranges)[ranges->size() - 1].set_end(b + 1);
      continue;
    }
    v1::BucketRange* range = ranges->Add();
    range->set_first(b);
    range->set_end(b + 1);
  }
  return absl::OkStatus();
}

void AddPhase(v1::Experiment* experiment, double traffic, int64_t now_us) {
  v1::RampPhase* phase = experiment->add_ramp();
  phase->set_from_us(now_us);
  phase->set_traffic(traffic);
  experiment->set_revision(experiment->revision() + 1);
}

/// What the server says about `from`, put into `to`.
void KeepServerFields(const v1::Experiment& from, v1::Experiment* to) {
  to->set_state(from.state());
  *to->mutable_ramp() = from.ramp();
  to->set_created_us(from.created_us());
  to->set_started_us(from.started_us());
  to->set_stopped_us(from.stopped_us());
  to->set_stop_reason(from.stop_reason());
  to->set_winner(from.winner());
  to->set_revision(from.revision());
  *to->mutable_buckets() = from.buckets();
  to->set_salt(from.salt());
}

}  // namespace

std::string_view StateName(v1::Experiment::State state) {
  switch (state) {
    case v1::Experiment::DRAFT:
      return "draft";
    case v1::Experiment::RUNNING:
      return "running";
    case v1::Experiment::STOPPED:
      return "stopped";
    case v1::Experiment::DECIDED:
      return "decided";
    default:
      return "unknown";
  }
}

std::string LayerOf(const v1::Experiment& experiment) {
  // Nobody can name it: an id has no ':'.
  return experiment.layer().empty() ? "of:" + experiment.id() : experiment.layer();
}

uint32_t BucketsOf(double traffic) {
  const double buckets = std::round(traffic * kBuckets);
  return static_cast<uint32_t>(std::clamp(buckets, 1.0, static_cast<double>(kBuckets)));
}

v1::Experiment NewDraft(v1::Experiment experiment, std::string salt, int64_t now_us) {
  v1::Experiment fresh;
  fresh.set_salt(std::move(salt));
  fresh.set_created_us(now_us);
  fresh.set_revision(1);
  KeepServerFields(fresh, &experiment);
  return experiment;
}

absl::StatusOr<v1::Experiment> Edit(const v1::Experiment& experiment, v1::Experiment edited) {
  KeepServerFields(experiment, &edited);
  edited.set_revision(experiment.revision() + 1);
  if (experiment.state() == v1::Experiment::DRAFT) return edited;
  RETURN_IF_ERROR(NeedState(experiment, v1::Experiment::RUNNING));
  // What is left must be equal once all that may differ has been made equal.
  v1::Experiment same = edited;
  same.set_revision(experiment.revision());
  same.set_description(experiment.description());
  same.set_owner(experiment.owner());
  *same.mutable_metrics() = experiment.metrics();
  *same.mutable_forced() = experiment.forced();
  if (experiment.sticky() && same.arms_size() == experiment.arms_size()) {
    same.set_targeting(experiment.targeting());
    for (int i = 0; i < same.arms_size(); ++i) same.mutable_arms(i)->set_weight(experiment.arms(i).weight());
  }
  if (MessageDifferencer::Equals(same, experiment)) return edited;
  const bool moves =
      same.targeting() != experiment.targeting() ||
      !std::ranges::equal(same.arms(), experiment.arms(), {}, &v1::ExperimentArm::weight, &v1::ExperimentArm::weight);
  return Precondition(
      "state", moves ? "found running; expected a draft, or a sticky experiment, to change weights or targeting: users "
                       "would change arms"
                     : "found running; expected a draft: of a running experiment only description, owner, metrics and "
                       "forced arms can change, and weights and targeting of a sticky one");
}

absl::StatusOr<v1::Experiment> Start(v1::Experiment experiment, std::span<const v1::Experiment> others,
                                     int64_t now_us) {
  RETURN_IF_ERROR(NeedState(experiment, v1::Experiment::DRAFT));
  RETURN_IF_ERROR(TakeBuckets(&experiment, BucketsOf(experiment.traffic()), others));
  experiment.set_state(v1::Experiment::RUNNING);
  experiment.set_started_us(now_us);
  AddPhase(&experiment, experiment.traffic(), now_us);
  return experiment;
}

absl::StatusOr<v1::Experiment> Ramp(v1::Experiment experiment, double traffic, std::span<const v1::Experiment> others,
                                    int64_t now_us) {
  RETURN_IF_ERROR(NeedState(experiment, v1::Experiment::RUNNING));
  const double now = experiment.ramp_size() == 0 ? 0 : experiment.ramp(experiment.ramp_size() - 1).traffic();
  const uint32_t owned = Owned(experiment);
  if (!(traffic > now && traffic <= 1) || BucketsOf(traffic) <= owned) {
    return catalog::ToStatus({"invalid_argument", "traffic",
                              fmt::format("found {}; expected a share over {}, at most 1: shares never fall within a "
                                          "running experiment",
                                          traffic, now)});
  }
  RETURN_IF_ERROR(TakeBuckets(&experiment, BucketsOf(traffic) - owned, others));
  AddPhase(&experiment, traffic, now_us);
  return experiment;
}

absl::StatusOr<v1::Experiment> Stop(v1::Experiment experiment, std::string reason, int64_t now_us) {
  RETURN_IF_ERROR(NeedState(experiment, v1::Experiment::RUNNING));
  if (reason.size() > kTextBytesMax)
    return catalog::ToStatus(
        {"too_long", "reason", fmt::format("found {} bytes; expected at most {}", reason.size(), kTextBytesMax)});
  experiment.set_state(v1::Experiment::STOPPED);
  experiment.set_stopped_us(now_us);
  experiment.set_stop_reason(std::move(reason));
  experiment.set_revision(experiment.revision() + 1);
  return experiment;
}

absl::StatusOr<v1::Experiment> Decide(v1::Experiment experiment, std::string_view winner, int64_t now_us) {
  if (experiment.state() != v1::Experiment::STOPPED) {
    if (experiment.state() != v1::Experiment::RUNNING)
      return Precondition("state", fmt::format("found {}; expected running or stopped", StateName(experiment.state())));
    ASSIGN_OR_RETURN(experiment, Stop(std::move(experiment), "decided", now_us));
    experiment.set_revision(experiment.revision() - 1);
  }
  if (FindArm(experiment, winner) < 0) {
    std::string names;
    for (const v1::ExperimentArm& arm : experiment.arms())
      fmt::format_to(std::back_inserter(names), "{}'{}'", names.empty() ? "" : ", ", arm.name());
    return catalog::ToStatus(
        {"invalid_argument", "winner", fmt::format("found '{}'; expected one of {}", winner.substr(0, 64), names)});
  }
  experiment.set_state(v1::Experiment::DECIDED);
  experiment.set_winner(std::string(winner));
  experiment.set_revision(experiment.revision() + 1);
  return experiment;
}

}  // namespace bowerbird::experiment::assignment
