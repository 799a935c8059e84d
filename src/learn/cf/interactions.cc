#include "learn/cf/interactions.h"

#include <algorithm>

#include "fmt/format.h"

namespace bowerbird::learn::cf {

namespace {

// Groups the entries by row (a stable counting sort): with `order` ascending in the column, columns come out ascending
// too.
SparseRows GroupByRow(uint32_t row_count, std::span<const uint32_t> rows, std::span<const uint32_t> columns,
                      std::span<const float> weights) {
  SparseRows result;
  result.offsets.assign(row_count + size_t{1}, 0);
  for (uint32_t row : rows) ++result.offsets[row + 1];
  for (size_t r = 0; r < row_count; ++r) result.offsets[r + 1] += result.offsets[r];
  result.columns.resize(rows.size());
  result.weights.resize(rows.size());
  std::vector<uint64_t> next(result.offsets.begin(), result.offsets.end() - 1);
  for (size_t k = 0; k < rows.size(); ++k) {
    const uint64_t at = next[rows[k]]++;
    result.columns[at] = columns[k];
    result.weights[at] = weights.empty() ? 1.0f : weights[k];
  }
  return result;
}

SparseRows Transpose(const SparseRows& from, uint32_t column_count) {
  std::vector<uint32_t> row_of(from.columns.size());
  for (uint32_t r = 0; r < from.row_count(); ++r) {
    std::fill(row_of.begin() + from.offsets[r], row_of.begin() + from.offsets[r + 1], r);
  }
  return GroupByRow(column_count, from.columns, row_of, from.weights);
}

// Adds up the weights of equal neighbors; columns are ascending in each row.
void MergeRepeats(SparseRows& rows) {
  uint64_t to = 0, from = 0;
  for (uint32_t r = 0; r < rows.row_count(); ++r) {
    const uint64_t end = rows.offsets[r + 1], begin = to;
    for (; from < end; ++from) {
      if (to > begin && rows.columns[to - 1] == rows.columns[from]) {
        rows.weights[to - 1] += rows.weights[from];
      } else {
        rows.columns[to] = rows.columns[from];
        rows.weights[to++] = rows.weights[from];
      }
    }
    rows.offsets[r + 1] = to;
  }
  rows.columns.resize(to);
  rows.weights.resize(to);
}

}  // namespace

absl::StatusOr<Interactions> Interactions::Build(uint32_t user_count, uint32_t item_count,
                                                 std::span<const uint32_t> users, std::span<const uint32_t> items,
                                                 std::span<const float> weights) {
  if (users.size() != items.size() || (!weights.empty() && weights.size() != users.size())) {
    return absl::InvalidArgumentError(
        fmt::format("users has {} entries, items {} and weights {}; expected equal sizes (or no weights)", users.size(),
                    items.size(), weights.size()));
  }
  for (size_t k = 0; k < users.size(); ++k) {
    if (users[k] >= user_count) {
      return absl::InvalidArgumentError(fmt::format("users[{}] is {}; expected below {}", k, users[k], user_count));
    }
    if (items[k] >= item_count) {
      return absl::InvalidArgumentError(fmt::format("items[{}] is {}; expected below {}", k, items[k], item_count));
    }
    if (!weights.empty() && !(weights[k] > 0 && weights[k] <= kMaxWeight)) {
      return absl::InvalidArgumentError(
          fmt::format("weights[{}] is {}; expected above 0 and at most {}", k, weights[k], kMaxWeight));
    }
  }
  // Grouping by item and then by user leaves each user's items ascending, whatever the order of the entries.
  Interactions result;
  result.by_user = Transpose(GroupByRow(item_count, items, users, weights), user_count);
  MergeRepeats(result.by_user);
  result.by_item = Transpose(result.by_user, item_count);
  return result;
}

}  // namespace bowerbird::learn::cf
