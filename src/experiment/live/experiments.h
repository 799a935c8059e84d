#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/published.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_service.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "catalog/catalog.h"
#include "catalog/keys.h"
#include "experiment/assignment/assigner.h"
#include "experiment/live/definitions.h"
#include "experiment/live/exposures.h"
#include "experiment/live/first_exposures.h"
#include "experiment/live/recipes.h"
#include "experiment/live/subject.h"
#include "features/tables.h"
#include "serve/arms.h"
#include "state/user_state.h"

namespace bowerbird::experiment::live {

/// One flag for one unit.
struct FlagValue {
  std::string key;
  v1::Value value;
  std::string experiment, variant;
  assignment::Why why = assignment::Why::kDrawn;
};

/// The experiments of an app: their definitions, who is in them, what that makes of answers, and who was exposed.
///
/// Threads  any. Changes take turns; Choose and Assign work on what was published last.
/// Errors   NotFound: no such experiment, with the field `id`. AlreadyExists. Those of assignment/check.h,
///          assignment/lifecycle.h and recipes.h. Unavailable: the log.
class Experiments {
 public:
  /// What it is wired to; all of it outlives it.
  struct Sources {
    log::EventLog* log = nullptr;
    const base::Clock* clock = nullptr;
    catalog::KeyHasher hasher{base::HashSeed{}};
    const catalog::Catalog* catalog = nullptr;
    std::string folder;  ///< of the first exposures
    std::function<std::shared_ptr<const features::TableSet>()> features;
    /// The state that answers for an id, also of the user whom it has become.
    std::function<absl::StatusOr<std::shared_ptr<const state::UserState>>(std::string_view id)> user;
    /// What arms are made of now.
    std::function<absl::StatusOr<RecipeSource>()> recipes;
    std::function<bool(std::string_view)> has_metric;  ///< empty: any name will do
    /// Whether one item can earn the metric, so that an interleaved experiment can be decided by it; empty: any can.
    std::function<bool(std::string_view)> is_earned_by_items;
    std::function<void(const std::string&)> on_warning;
  };
  /// Takes in all that the log has of experiments and exposures.
  static absl::StatusOr<std::unique_ptr<Experiments>> Open(Sources sources);

  /// Takes in what has been appended since, by other nodes too.
  absl::Status Follow();
  /// The config in force is another one.
  absl::Status ConfigChanged();

  /// What the experiments make of a request.
  serve::Arms Choose(const serve::ArmsQuestion& question);
  /// Writes the exposures that the record tells of.
  void Served(const v1::ServedRecord& record);
  absl::StatusOr<v1::AssignResponse> Assign(const v1::AssignRequest& request);
  /// The flags of the experiments that the unit is in; writes its exposures to those of them that are asked for: `key`,
  /// or with an empty one all. Attributes of another type than declared are left out.
  absl::StatusOr<std::vector<FlagValue>> Evaluate(std::string_view targeting_key,
                                                  const google::protobuf::Map<std::string, v1::Value>& attributes,
                                                  std::string_view key);
  /// Whether a running experiment has the flag.
  bool HasFlag(std::string_view key) const;

  std::vector<v1::Experiment> List() const { return definitions_.All(); }
  absl::StatusOr<v1::Experiment> Get(std::string_view id) const;
  absl::StatusOr<v1::Experiment> Create(v1::Experiment experiment);
  /// Whole, in the place of the one with its id.
  absl::StatusOr<v1::Experiment> Edit(v1::Experiment edited);
  absl::Status Delete(std::string_view id);
  absl::StatusOr<v1::Experiment> Start(std::string_view id);
  absl::StatusOr<v1::Experiment> Ramp(std::string_view id, double traffic);
  absl::StatusOr<v1::Experiment> Stop(std::string_view id, std::string reason);
  absl::StatusOr<v1::Experiment> Decide(std::string_view id, std::string_view winner);
  absl::StatusOr<v1::DiffExperimentResponse> Diff(std::string_view id) const;

  /// The users are not remembered as exposed.
  absl::Status Forget(std::span<const catalog::UserKey> users);

  struct Counters {
    uint64_t running = 0, assignments = 0, exposures = 0, exposures_failed = 0, recipes_failed = 0;
  };
  Counters counters() const;

 private:
  /// What requests are answered by.
  struct Live {
    std::shared_ptr<const config::Config> config;
    expression::Schema schema;
    std::shared_ptr<const assignment::Assigner> assigner;
    std::shared_ptr<Recipes> recipes;
  };

  explicit Experiments(Sources sources);
  absl::Status Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(publishing_);
  Subject MakeSubject(const Live& live, std::string_view user, const state::UserState* state, int64_t now_us) const;
  uint64_t UnitKey(std::string_view kind, std::string_view id) const;
  /// The exposures that bind whoever asks.
  std::vector<FirstExposure> KeptOf(const Live& live, std::string_view user, const state::UserState* state,
                                    std::span<const assignment::Unit> units) const;
  void Expose(const assignment::Running& running, std::string_view arm, bool forced, std::string_view unit_id,
              std::string_view user, int64_t time_us, std::string_view surface, std::string_view request_id);
  absl::StatusOr<std::shared_ptr<const state::UserState>> StateOf(std::string_view user) const;
  absl::StatusOr<v1::Experiment> Change(std::string_view id,
                                        const std::function<absl::StatusOr<v1::Experiment>(v1::Experiment)>& change);
  absl::Status CheckWhole(const v1::Experiment& experiment) const;

  const Sources sources_;
  Definitions definitions_;
  std::unique_ptr<FirstExposures> first_;
  Exposures exposures_;
  absl::Mutex changing_;
  absl::Mutex publishing_ ABSL_ACQUIRED_AFTER(changing_);
  base::Published<Live> live_;
  std::atomic<uint64_t> assignments_ = 0, recipes_failed_ = 0;
};

}  // namespace bowerbird::experiment::live
