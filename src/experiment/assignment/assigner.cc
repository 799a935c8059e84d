#include "experiment/assignment/assigner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "experiment/assignment/check.h"
#include "experiment/assignment/draw.h"
#include "experiment/assignment/lifecycle.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::assignment {
namespace {

constexpr size_t kKindsMax = 16;

const Unit* FindUnit(std::span<const Unit> units, std::string_view kind) {
  const auto found = std::ranges::find(units, kind, &Unit::kind);
  return found == units.end() || found->id.empty() ? nullptr : &*found;
}

/// Whose holdout counts: the user's.
const Unit* Held(std::span<const Unit> units) {
  const Unit* user = FindUnit(units, kUserUnit);
  return user == nullptr && units.size() == 1 && !units[0].id.empty() ? units.data() : user;
}

}  // namespace

std::string_view WhyName(Why why) {
  switch (why) {
    case Why::kDrawn:
      return "drawn";
    case Why::kForced:
      return "forced";
    case Why::kKept:
      return "kept";
    case Why::kHoldout:
      return "holdout";
    case Why::kOtherInLayer:
      return "other_in_layer";
    case Why::kNotInBuckets:
      return "not_in_buckets";
    case Why::kNotEligible:
      return "not_eligible";
    case Why::kNoUnit:
      return "no_unit";
  }
  return "unknown";
}

/// Asks each program once.
class Assigner::Eligibility {
 public:
  Eligibility(const Assigner& assigner, const expression::Row& row, int64_t now_us)
      : assigner_(assigner), row_(row), now_us_(now_us) {}

  bool Of(int32_t targeting) {
    if (targeting < 0) return true;
    const auto index = static_cast<size_t>(targeting);
    const size_t bit = index % kRemembered;
    if (index >= kRemembered) return assigner_.programs_[index]->Evaluate(row_, now_us_);
    if (answers_[bit] == Answer::kUnknown) {
      answers_[bit] = assigner_.programs_[index]->Evaluate(row_, now_us_) ? Answer::kYes : Answer::kNo;
    }
    return answers_[bit] == Answer::kYes;
  }

 private:
  enum class Answer : uint8_t { kUnknown, kYes, kNo };
  static constexpr size_t kRemembered = 256;
  const Assigner& assigner_;
  const expression::Row& row_;
  const int64_t now_us_;
  std::array<Answer, kRemembered> answers_ = {};
};

absl::StatusOr<std::shared_ptr<const Assigner>> Assigner::Make(std::span<const v1::Experiment> experiments,
                                                               const expression::Schema& schema, Options options) {
  auto assigner = std::make_shared<Assigner>();
  assigner->options_ = std::move(options);
  assigner->holdout_salt_ = base::Hash64("holdout:" + assigner->options_.holdout_salt);
  std::vector<const v1::Experiment*> running;
  for (const v1::Experiment& experiment : experiments) {
    if (experiment.state() == v1::Experiment::RUNNING) running.push_back(&experiment);
  }
  std::ranges::sort(running, {}, &v1::Experiment::id);
  for (const v1::Experiment* experiment : running) RETURN_IF_ERROR(assigner->Add(*experiment, schema));
  for (Layer& layer : assigner->layers_) {
    std::ranges::sort(layer.ranges, {}, &Range::first);
    for (size_t i = 1; i < layer.ranges.size(); ++i) {
      if (layer.ranges[i].first >= layer.ranges[i - 1].end) continue;
      return absl::InvalidArgumentError(fmt::format("experiments '{}' and '{}' both have bucket {} of a layer",
                                                    assigner->running_[layer.ranges[i - 1].experiment].definition.id(),
                                                    assigner->running_[layer.ranges[i].experiment].definition.id(),
                                                    layer.ranges[i].first));
    }
  }
  return std::shared_ptr<const Assigner>(std::move(assigner));
}

int32_t Assigner::KindIndex(std::string_view kind) {
  const auto found = std::ranges::find(kinds_, kind);
  if (found != kinds_.end()) return static_cast<int32_t>(found - kinds_.begin());
  kinds_.emplace_back(kind);
  return static_cast<int32_t>(kinds_.size() - 1);
}

absl::Status Assigner::Add(const v1::Experiment& experiment, const expression::Schema& schema) {
  Running running;
  running.definition = experiment;
  running.phase = experiment.ramp_size() == 0 ? 0 : static_cast<uint32_t>(experiment.ramp_size() - 1);
  Draws draws{base::Hash64("arm:" + experiment.salt()), -1, static_cast<uint32_t>(bounds_.size())};
  double sum = 0, so_far = 0;
  for (const v1::ExperimentArm& arm : experiment.arms()) sum += arm.weight();
  for (const v1::ExperimentArm& arm : experiment.arms()) bounds_.push_back((so_far += arm.weight()) / sum);
  bounds_.back() = 1;
  running.unit_kind = KindIndex(experiment.unit());
  if (kinds_.size() > kKindsMax) {
    return absl::InvalidArgumentError(
        fmt::format("experiment '{}': unit: found the kind of unit number {}; expected "
                    "at most {} kinds over all running experiments",
                    experiment.id(), kinds_.size(), kKindsMax));
  }
  if (!experiment.targeting().empty()) {
    const auto [known, fresh] =
        program_index_.try_emplace(experiment.targeting(), static_cast<int32_t>(programs_.size()));
    if (fresh) {
      ASSIGN_OR_RETURN(auto program, CompileTargeting(experiment.targeting(), schema));
      programs_.push_back(std::move(program));
    }
    running.targeting = draws.targeting = known->second;
  }
  const auto index = static_cast<uint32_t>(running_.size());
  const std::string name = LayerOf(experiment);
  const auto [layer, fresh] = layer_index_.try_emplace(name, static_cast<uint32_t>(layers_.size()));
  if (fresh) layers_.push_back({base::Hash64("layer:" + name), running.unit_kind, {}});
  running.layer = layer->second;
  if (layers_[running.layer].unit_kind != running.unit_kind) {
    return absl::InvalidArgumentError(
        fmt::format("experiment '{}': unit: found '{}'; expected '{}', as of the others in layer '{}'", experiment.id(),
                    experiment.unit(), kinds_[static_cast<size_t>(layers_[running.layer].unit_kind)], name));
  }
  for (const v1::BucketRange& range : experiment.buckets())
    layers_[running.layer].ranges.push_back({range.first(), range.end(), index});
  for (const v1::ForcedArm& forced : experiment.forced()) {
    const int arm = FindArm(experiment, forced.arm());
    if (arm >= 0) forced_[UnitHash(experiment.unit(), forced.unit())].push_back({index, arm, Why::kForced});
  }
  any_sticky_ = any_sticky_ || experiment.sticky();
  by_id_.emplace(experiment.id(), index);
  running_.push_back(std::move(running));
  draws_.push_back(draws);
  return absl::OkStatus();
}

const Running* Assigner::Find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &running_[found->second];
}

bool Assigner::HeldOut(std::span<const Unit> units) const {
  if (options_.holdout <= 0) return false;
  const Unit* unit = Held(units);
  return unit != nullptr && Uniform(Draw(UnitHash(unit->kind, unit->id), holdout_salt_)) < options_.holdout;
}

int32_t Assigner::DrawArm(const Draws& draws, uint64_t unit_hash) const {
  const double u = Uniform(Draw(unit_hash, draws.salt));
  const double* bound = &bounds_[draws.first_bound];
  int32_t arm = 0;
  while (u >= bound[arm]) ++arm;
  return arm;
}

const Assigner::Range* Assigner::FindRange(const Layer& layer, uint32_t bucket) {
  const auto after = std::ranges::upper_bound(layer.ranges, bucket, {}, &Range::first);
  if (after == layer.ranges.begin()) return nullptr;
  const Range& range = *(after - 1);
  return bucket < range.end ? &range : nullptr;
}

std::vector<Assigner::Bound> Assigner::BoundArms(std::span<const Unit> units, std::span<const Kept> kept, bool held_out,
                                                 Eligibility* eligible) const {
  std::vector<Bound> bound;
  if (!forced_.empty()) {
    for (const Unit& unit : units) {
      const auto found = forced_.find(UnitHash(unit.kind, unit.id));
      if (found != forced_.end()) bound.insert(bound.end(), found->second.begin(), found->second.end());
    }
  }
  const auto layer_taken = [&](uint32_t layer) {
    return std::ranges::any_of(bound, [&](const Bound& one) { return running_[one.experiment].layer == layer; });
  };
  for (const Kept& one : kept) {
    const auto found = by_id_.find(one.experiment);
    if (held_out || found == by_id_.end()) continue;
    const Running& running = running_[found->second];
    const int arm = FindArm(running.definition, one.arm);
    if (arm < 0 || layer_taken(running.layer)) continue;
    if (running.definition.sticky() || eligible->Of(running.targeting))
      bound.push_back({found->second, arm, Why::kKept});
  }
  return bound;
}

void Assigner::Assign(std::span<const Unit> units, std::span<const Kept> kept, const expression::Row& row,
                      int64_t now_us, std::vector<Assignment>* hits) const {
  hits->clear();
  if (running_.empty()) return;
  const bool held_out = HeldOut(units);
  if (held_out && forced_.empty()) return;
  std::array<uint64_t, kKindsMax> hashes = {};
  std::array<bool, kKindsMax> given = {};
  for (size_t kind = 0; kind < kinds_.size(); ++kind) {
    const Unit* unit = FindUnit(units, kinds_[kind]);
    given[kind] = unit != nullptr;
    if (unit != nullptr) hashes[kind] = UnitHash(unit->kind, unit->id);
  }
  Eligibility eligible(*this, row, now_us);
  const std::vector<Bound> bound =
      forced_.empty() && kept.empty() ? std::vector<Bound>() : BoundArms(units, kept, held_out, &eligible);
  for (const Bound& one : bound) hits->push_back({one.experiment, one.arm, one.why});
  if (!held_out) {
    for (uint32_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = layers_[l];
      const auto kind = static_cast<size_t>(layer.unit_kind);
      if (!given[kind]) continue;
      const Range* range = FindRange(layer, Below(Draw(hashes[kind], layer.salt), kBuckets));
      if (range == nullptr) continue;
      if (!bound.empty() &&
          std::ranges::any_of(bound, [&](const Bound& one) { return running_[one.experiment].layer == l; })) {
        continue;
      }
      const Draws& draws = draws_[range->experiment];
      if (eligible.Of(draws.targeting)) hits->push_back({range->experiment, DrawArm(draws, hashes[kind]), Why::kDrawn});
    }
  }
}

std::vector<Assignment> Assigner::Explain(std::span<const Unit> units, std::span<const Kept> kept,
                                          const expression::Row& row, int64_t now_us) const {
  std::vector<Assignment> hits, all;
  Assign(units, kept, row, now_us, &hits);
  std::ranges::sort(hits, {}, &Assignment::experiment);
  const bool held_out = HeldOut(units);
  auto hit = hits.begin();
  for (uint32_t i = 0; i < running_.size(); ++i) {
    if (hit != hits.end() && hit->experiment == i) {
      all.push_back(*hit++);
      continue;
    }
    const Running& running = running_[i];
    const Unit* unit = FindUnit(units, kinds_[static_cast<size_t>(running.unit_kind)]);
    const auto none = [&](Why why) { all.push_back({i, -1, why}); };
    if (unit == nullptr) {
      none(Why::kNoUnit);
    } else if (held_out) {
      none(Why::kHoldout);
    } else if (std::ranges::any_of(
                   hits, [&](const Assignment& one) { return running_[one.experiment].layer == running.layer; })) {
      none(Why::kOtherInLayer);
    } else {
      const Layer& layer = layers_[running.layer];
      const Range* range = FindRange(layer, Below(Draw(UnitHash(unit->kind, unit->id), layer.salt), kBuckets));
      none(range != nullptr && range->experiment == i ? Why::kNotEligible : Why::kNotInBuckets);
    }
  }
  return all;
}

}  // namespace bowerbird::experiment::assignment
