#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluate/interaction.h"
#include "evaluate/metrics.h"

namespace bowerbird::evaluate {

enum class Protocol : uint8_t { kSplit, kLastOut, kTemporal };  // "split", "loo", "temporal"
enum class ModelKind : uint8_t {
  kIals,
  kCoOccurrence,
  kPopularity,
  kRandom
};  // "ials", "co_occurrence", "popularity", "random"

/// InvalidArgument: names the model found and those accepted.
absl::StatusOr<ModelKind> ParseModelKind(std::string_view name);

struct Options {
  Protocol protocol = Protocol::kSplit;
  ModelKind model = ModelKind::kIals;
  /// All actions; for kSplit those of the train part.
  std::vector<Interaction> interactions;
  std::vector<Interaction> test;  // kSplit only
  double test_share = 0.1;        // kTemporal only
  uint32_t factors = 128;         // kIals only
  std::vector<uint32_t> cutoffs = {10, 20, 50};
  uint64_t seed = 1;
  uint32_t threads = 0;  // 0: all
};

struct Report {
  std::string protocol, model;
  std::string split_hash;
  uint64_t users = 0, items = 0, train = 0, validation = 0, test = 0, test_users = 0, repeats_dropped = 0;
  std::vector<Metrics> metrics, popularity, random;   // one a cutoff
  std::vector<std::pair<std::string, double>> tuned;  // settings, chosen on the validation part alone
  double validation_ndcg = 0;                         // theirs, at kTuningCutoff; 0 for models without settings
  double epoch_s = 0;                                 // median, iALS only
  double tune_s = 0, train_s = 0, evaluate_s = 0;
};

/// Cuts the data, chooses settings on a part cut from train, fits on all of train, reads the test part once: all items
/// ranked, train masked, popularity and random beside it. Lines for a person go to `log` while it runs.
///
/// Errors  InvalidArgument: a cutoff is 0 or there is none, a bad weight, a part comes out empty (holdout.h).
absl::StatusOr<Report> Run(const Options& options, std::ostream& log);

/// The report as one JSON object in one line: the model's own metrics on top (`recall@20`, ...), the baselines' nested.
std::string ToJson(const Report& report);

}  // namespace bowerbird::evaluate
