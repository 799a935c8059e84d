#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backtest/stream.h"

namespace bowerbird::backtest {

struct Options {
  std::string dir;     ///< of the app that is made; must not exist or be empty
  std::string config;  ///< its bowerbird.toml
  std::string surface = "next";
  uint32_t n = 20;      ///< items of a prediction
  double share = 0.05;  ///< of the actions: predicted before they are seen
  uint64_t seed = 1;    ///< which
  /// Called a few times a second; may be empty.
  std::function<void(double share, uint64_t actions)> progress;
};

/// Predictions and the hits of each method, in the order of Report::methods.
struct Tally {
  std::string day;  ///< "2017-10-01", UTC; empty: all
  uint64_t predictions = 0;
  uint64_t unseen = 0;  ///< the target had not been acted on by anybody: a miss for every method
  std::vector<uint64_t> hits;
};

struct Report {
  std::vector<std::string> methods;  ///< "bowerbird" first, then the baselines
  std::vector<Tally> days;
  Tally all;
  uint64_t actions = 0, items = 0, users = 0, trainings = 0;
  double seconds = 0;              ///< everything
  double train_seconds = 0;        ///< of these, in training and indexing
  double predict_seconds = 0;      ///< in answers of the engine
  double baseline_seconds = 0;     ///< in the baselines
  double events_per_second = 0;    ///< actions over the rest: collect, log, fold, item tables
  uint64_t peak_memory_bytes = 0;  ///< of the process

  /// Whether the engine has more hits than every baseline, each day and over all.
  bool BeatsAll() const;
};

/// Lets a stream happen to an App as it happened: in order of time, by a clock that says the time of each action,
/// through intake, log and fold; items enter the catalog with the first action on them; models and snapshot are made
/// anew every simulated hour. A seeded share of the actions is predicted before it is sent: the engine is asked as POST
/// /v1/recommend would for `n` items for that user, and each baseline likewise. A hit is the action's item among them.
/// What is answered rests on every action of the user, on an item table that is never older than the config's
/// item_table_interval, and on nothing from the action's time on.
///
/// Same     the same stream, config and seed give the same report, times apart.
/// Errors   InvalidArgument: the config, a type of the stream that it does not know, an option. What the App returns.
absl::StatusOr<Report> Run(const Stream& stream, const Options& options);

}  // namespace bowerbird::backtest
