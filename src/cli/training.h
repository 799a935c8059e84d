#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cli/commands.h"

namespace bowerbird::cli {

struct RowsOptions {
  Folder folder;
  std::string from, to;  ///< days; empty: what is not closed yet
  double negatives = 1;
  std::string correction = "none";
  bool json = false;
};
/// DataLoss: rows knew something of after their request (they are left out, and counted).
absl::Status RowsBuild(const RowsOptions& options);
/// FailedPrecondition: a set is outside of its bounds.
absl::Status RowsReport(const RowsOptions& options);

struct RankerOptions {
  Folder folder;
  std::string surface = "home", from, to, version;
  bool promote = false, none = false, json = false;
};
absl::Status TrainRanker(const RankerOptions& options);
absl::Status PromoteRanker(const RankerOptions& options);

struct SimRankerOptions {
  std::string dir;  ///< empty: a temporary folder
  std::string family = "mixture";
  uint64_t seed = 1;
  uint32_t items = 1500, users = 1000;
  uint32_t days = 6;         ///< that are logged and learned from
  uint32_t judged_days = 6;  ///< that follow
  bool json = false;
};
/// FailedPrecondition: the trained ranker is not better than the order by iALS.
absl::Status SimRanker(const SimRankerOptions& options);

struct SimOpeOptions {
  std::string dir;  ///< empty: a temporary folder
  std::string family = "mixture";
  uint64_t seed = 1;
  uint32_t items = 1500, users = 4000;
  double days = 20;          ///< of history
  uint64_t requests = 8000;  ///< logged, and of each deployed recipe
  uint32_t recipes = 20;     ///< the first of OpeRecipes()
  bool json = false;
};
/// FailedPrecondition: the intervals cover too few of the deployed values, the order of recipes is another one, or a
/// recipe that the log says nothing of was not refused.
absl::Status SimOpe(const SimOpeOptions& options);

}  // namespace bowerbird::cli
