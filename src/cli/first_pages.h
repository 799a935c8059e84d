#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/served.pb.h"
#include "cli/simulated_app.h"
#include "config/config.h"
#include "config/objectives.h"
#include "experiment/ope/interval.h"
#include "sim/world/world.h"

namespace bowerbird::cli {

/// First pages for users of a simulated world, each asked for on its own: everybody is as they were when the history
/// ended, whatever other requests showed, so that policies meet the same users in the same state.
class FirstPages {
 public:
  struct Options {
    std::string surface = "home";
    uint32_t page = 8;                  ///< items
    int64_t begin_us = 0, span_us = 0;  ///< when they are asked for
  };
  /// Which half of the users is asked: nobody is in both.
  enum class Half : uint8_t { kLogged, kDeployed };

  /// All outlive it. `simulated` has folded the history, and folds nothing more.
  FirstPages(SimulatedApp* simulated, const sim::world::World* world, std::vector<config::EventObjective> objectives,
             const Options& options);

  /// Serves `requests` pages by the config in force, and leaves answers and events in the app's log. Hides are not
  /// sent: they would change later answers.
  absl::Status Log(Half half, uint64_t requests, uint64_t seed);
  /// Serves as many by `config`, and leaves nothing: what each page earned by the objectives, with its user as cluster.
  ///
  /// Threads  any number at once, while Log does not run.
  absl::StatusOr<experiment::ope::Contributions> Deploy(std::shared_ptr<const config::Config> config, Half half,
                                                        uint64_t requests, uint64_t seed) const;

 private:
  struct Asked {
    sim::world::UserNumber user;
    int64_t time_us = 0;
    uint64_t seed = 0;
  };
  /// Users of the half at random, in the order of time.
  std::vector<Asked> Draw(Half half, uint64_t requests, uint64_t seed) const;
  std::unique_ptr<serve::Engine> MakeEngine(std::shared_ptr<const config::Config> config, const base::Clock* clock,
                                            uint64_t seed, std::function<void(v1::ServedRecord)> served) const;
  struct Seen {
    std::string request_id;
    sim::world::PageOutcome outcome;
  };
  absl::StatusOr<Seen> Serve(serve::Engine& engine, const Asked& asked) const;
  double Earned(const sim::world::PageOutcome& outcome) const;

  SimulatedApp& simulated_;
  const sim::world::World& world_;
  const std::vector<config::EventObjective> objectives_;
  const Options options_;
  std::vector<sim::world::UserNumber> halves_[2];
  uint64_t events_ = 0;
};

}  // namespace bowerbird::cli
