#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/string_map.h"
#include "bowerbird/v1/experiment.pb.h"
#include "config/config.h"
#include "experiment/assignment/assigner.h"
#include "serve/arms.h"

namespace bowerbird::experiment::live {

/// What arms are made of beside their changes.
struct RecipeSource {
  std::shared_ptr<const config::Config> config;  ///< in force
  std::string text;                              ///< of it
  /// A trained ranker by surface and version, checked.
  std::function<absl::StatusOr<serve::RankerChoice>(std::string_view surface, std::string_view version)> ranker;
  /// Keeps the text of a config with changes, so that an answer of it can be run again, before it is served from.
  std::function<absl::Status(const std::string& text, const std::string& version)> publish;
  std::function<void(const std::string&)> on_warning;
};

/// What one arm makes of one surface.
struct ArmEffect {
  std::string arm;
  std::shared_ptr<const config::Config> config;
  std::vector<std::string> surfaces;  ///< that are answered otherwise than by the config in force
  std::vector<std::pair<std::string, std::string>> rankers;  ///< surface, version
};

/// Puts each arm's changes into the config and checks the whole. InvalidArgument, with the field "arms[i].changes" and
/// the problem's own text: an arm's config has one, has other surfaces, or names a ranker that is not there.
absl::StatusOr<std::vector<ArmEffect>> EffectsOf(const v1::Experiment& experiment, const RecipeSource& source);

/// Surfaces that an experiment answers otherwise in some arm than in another: alike in every arm.
std::vector<std::string> ChangedSurfaces(std::span<const ArmEffect> effects, const RecipeSource& source);

/// FailedPrecondition, with the field "arms[i].changes": an experiment that runs in another layer changes the same key,
/// or gives the same flag, so that one user would be in arms that contradict each other. With the field "design": two
/// interleaved ones in two layers would draft the same page.
absl::Status CheckConflicts(const v1::Experiment& experiment, std::span<const v1::Experiment> running,
                            const RecipeSource& source);

/// The recipes of all running experiments, and of the combinations that users of several are in.
///
/// Threads  any.
/// Cost     Choose: a look-up by the experiments that touch the surface. A combination that nobody was in yet is put
///          together on the first request of it: some milliseconds. Those of a surface that are kAheadMax or fewer are
///          made by the constructor.
/// Bounds   kRecipesMax combinations are kept; beyond, all are dropped and made again when they are asked for.
class Recipes {
 public:
  static constexpr size_t kAheadMax = 64;
  static constexpr size_t kRecipesMax = 512;

  /// An experiment whose changes fit the config no more is left as if it changed nothing, and told.
  Recipes(std::shared_ptr<const assignment::Assigner> assigner, RecipeSource source);

  /// Whether any running experiment changes answers of the surface.
  bool Touches(std::string_view surface) const { return by_surface_.contains(surface); }
  /// `hits` as Assigner::Assign gives them.
  serve::Arms Choose(std::string_view surface, std::span<const assignment::Assignment> hits);
  uint64_t failed() const { return failed_; }  ///< combinations that gave no config: answered as if nobody was in them

 private:
  /// Of a running experiment, by index.
  struct Effect {
    std::vector<ArmEffect> arms;
    std::vector<std::string> exposing;  ///< ChangedSurfaces
  };
  using Chosen = std::pair<uint32_t, int32_t>;  ///< experiment, arm

  absl::StatusOr<serve::Recipe> RecipeOf(std::string_view surface, std::span<const Chosen> chosen);
  absl::StatusOr<serve::Recipe> Make(std::string_view surface, std::span<const Chosen> chosen) const;
  bool InAllArms(const assignment::Assignment& hit) const;
  /// What the page is to be drafted out of, by the experiment at `drafted` of the chosen ones.
  void AddInterleaved(std::string_view surface, std::vector<Chosen> chosen, size_t drafted, serve::Arms* arms);
  void MakeAhead(const std::string& surface);

  const std::shared_ptr<const assignment::Assigner> assigner_;
  const RecipeSource source_;
  std::vector<Effect> effects_;
  base::StringMap<std::vector<uint32_t>> by_surface_;
  absl::Mutex mutex_;
  base::StringMap<serve::Recipe> recipes_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> failed_ = 0;
};

}  // namespace bowerbird::experiment::live
