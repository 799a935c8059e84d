#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "experiment/ope/reward_model.h"
#include "experiment/ope/slate.h"

namespace bowerbird::experiment::ope {

/// A row of the Open Bandit Dataset (Saito et al. 2020): one slot of a page, without the page.
struct OpenBanditRow {
  uint64_t item = 0;
  uint32_t position = 0;  ///< from 0; the file counts from 1
  double click = 0;       ///< 0 or 1
  double propensity = 0;  ///< of the item at its position, by the policy that wrote the log
};

/// The rows of a CSV with a header; of its columns item_id, position, click and propensity_score are read. `name` is
/// what messages call it.
///
/// Bounds  positions 1 to kPositionsMax; memory is some 30 bytes a row.
/// Errors  InvalidArgument: no such header, a line with more or fewer fields than it (a file that was cut off ends in
///         one), a value that is not what its column holds, or no rows. Names line, what was found, what was expected.
absl::StatusOr<std::vector<OpenBanditRow>> ReadOpenBandit(std::string_view name, std::string_view text);

/// A policy as the share of each item in what it showed at a position, over its whole log: what it did on average.
///
/// Threads  immutable once made.
class ShownShares {
 public:
  static ShownShares Of(std::span<const OpenBanditRow> rows);

  /// 0 for an item that was not shown there.
  double At(uint32_t position, uint64_t item) const;
  /// Ascending by item; empty for a position that the log lacks.
  std::span<const ItemShare> Shares(uint32_t position) const;

 private:
  std::vector<std::vector<ItemShare>> by_position_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, double> share_;
};

/// Each row of a log as a slate of one, with what `target` would do. On support is what the log shows at that position
/// at least once.
std::vector<LoggedSlate> SlatesFor(std::span<const OpenBanditRow> log, const ShownShares& target);

}  // namespace bowerbird::experiment::ope
