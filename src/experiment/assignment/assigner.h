#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "bowerbird/v1/experiment.pb.h"
#include "expression/expression.h"
#include "expression/row.h"

namespace bowerbird::experiment::assignment {

/// Why a unit is in an arm, or in none.
enum class Why : uint8_t {
  kDrawn,         ///< its bucket is the experiment's, and the arm was drawn
  kForced,        ///< it is named
  kKept,          ///< it was exposed to the arm earlier
  kHoldout,       ///< in no experiment at all
  kOtherInLayer,  ///< in another experiment of the layer
  kNotInBuckets,  ///< the experiment does not take it, as far as its ramp goes
  kNotEligible,   ///< the targeting says no
  kNoUnit,        ///< the experiment's kind of unit was not given
};
/// "drawn", "forced", "kept", "holdout", "other_in_layer", "not_in_buckets", "not_eligible", "no_unit".
std::string_view WhyName(Why why);

/// A running experiment, ready to draw from.
struct Running {
  v1::Experiment definition;
  uint32_t phase = 0;      ///< index of the last one in `ramp`
  int32_t targeting = -1;  ///< which program; -1: everybody
  int32_t unit_kind = 0;
  uint32_t layer = 0;

  const v1::ExperimentArm& arm(int index) const { return definition.arms(index); }
};

/// Who is asked about: a kind of unit, such as "user", and its value.
struct Unit {
  std::string_view kind, id;
};

/// What a unit was exposed to earlier. It counts for whoever hands it in: it is bound to the arm as long as the
/// experiment runs; in one that is not sticky, only while the targeting holds.
struct Kept {
  std::string_view experiment, arm;
};

struct Assignment {
  uint32_t experiment = 0;  ///< index in Assigner::running()
  int32_t arm = -1;         ///< -1: in none
  Why why = Why::kDrawn;
};

/// All running experiments, and whom each takes: a function of the definitions, the unit, and what `row` says.
///
/// Layers   a unit has one of 10,000 buckets in each layer, drawn by the layer's salt, and a bucket has at most one
///          experiment. The arm is another draw, by the experiment's salt, so that nothing about buckets moves anybody
///          between arms.
/// Order    a forced arm counts before everything, then the holdout, then a kept arm, then the bucket and targeting.
/// Threads  immutable: any thread at once.
/// Cost     assigner_bench: some 0.2 microseconds, and 0.03 to 0.06 for each experiment that the unit is in.
class Assigner {
 public:
  struct Options {
    double holdout = 0;        ///< share of users who are in no experiment
    std::string holdout_salt;  ///< of the app, lasting: who is held out stays so
  };
  /// Takes the running ones of `experiments`, which were checked. `schema` is that of TargetingSchema, and of the rows.
  /// InvalidArgument: a targeting that does not compile any more (an attribute has left the config); two experiments
  /// have the same bucket.
  static absl::StatusOr<std::shared_ptr<const Assigner>> Make(std::span<const v1::Experiment> experiments,
                                                              const expression::Schema& schema, Options options);

  /// The experiments that the units are in, each once. `units` has each kind at most once; `kept` is of those units.
  void Assign(std::span<const Unit> units, std::span<const Kept> kept, const expression::Row& row, int64_t now_us,
              std::vector<Assignment>* hits) const;
  /// Every running experiment, also those that the units are in no arm of, in the order of running().
  std::vector<Assignment> Explain(std::span<const Unit> units, std::span<const Kept> kept, const expression::Row& row,
                                  int64_t now_us) const;
  /// Whether the user, or where there is none the only unit, is held out of all experiments.
  bool HeldOut(std::span<const Unit> units) const;

  /// By id.
  const std::vector<Running>& running() const { return running_; }
  /// Null: no running experiment has the id.
  const Running* Find(std::string_view id) const;
  bool any_sticky() const { return any_sticky_; }

 private:
  struct Range {
    uint32_t first = 0, end = 0, experiment = 0;
  };
  struct Layer {
    uint64_t salt = 0;
    int32_t unit_kind = 0;
    std::vector<Range> ranges;  ///< ascending
  };
  struct Bound {
    uint32_t experiment = 0;
    int32_t arm = 0;
    Why why = Why::kForced;
  };
  class Eligibility;
  /// What a hit needs of an experiment, close together.
  struct Draws {
    uint64_t salt = 0;
    int32_t targeting = -1;
    uint32_t first_bound = 0;  ///< index in bounds_
  };

  absl::Status Add(const v1::Experiment& experiment, const expression::Schema& schema);
  int32_t KindIndex(std::string_view kind);
  int32_t DrawArm(const Draws& draws, uint64_t unit_hash) const;
  /// Which experiment of the layer has the bucket; null: none.
  static const Range* FindRange(const Layer& layer, uint32_t bucket);
  std::vector<Bound> BoundArms(std::span<const Unit> units, std::span<const Kept> kept, bool held_out,
                               Eligibility* eligible) const;

  Options options_;
  uint64_t holdout_salt_ = 0;
  std::vector<Running> running_;
  std::vector<Draws> draws_;    ///< of running_
  std::vector<double> bounds_;  ///< cumulative shares of each experiment's arms; the last of them is 1
  base::StringMap<uint32_t> by_id_;
  std::vector<Layer> layers_;
  base::StringMap<uint32_t> layer_index_;
  std::vector<std::string> kinds_;
  std::vector<std::shared_ptr<const expression::Program>> programs_;  ///< each text once
  base::StringMap<int32_t> program_index_;
  /// By kind and unit, whom testers have named: experiment and arm.
  absl::flat_hash_map<uint64_t, std::vector<Bound>> forced_;
  bool any_sticky_ = false;
};

}  // namespace bowerbird::experiment::assignment
