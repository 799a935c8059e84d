#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/item.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "model/ials_objective.h"

namespace bowerbird::index {

/// What training hands over: a cf artifact in memory.
struct CfModel {
  std::string version;
  std::vector<catalog::ItemKey> items;  ///< of row i; each once; the catalog need not have them all
  uint32_t dim = 0;                     ///< 0: no factors, co-occurrence and counts only
  std::vector<float> factors;           ///< {items.size(), dim}
  std::vector<float> gramian;           ///< of `factors`, {dim, dim}
  model::IalsObjective objective;
  std::vector<uint64_t> item_counts;       ///< actions in training, one an item
  std::vector<uint64_t> neighbor_offsets;  ///< items.size() + 1, or empty: no co-occurrence
  std::vector<uint32_t> neighbors;         ///< rows, best first
  std::vector<float> neighbor_scores;
};

struct BuildOptions {
  /// Co-occurring items kept an item. 24 keep the whole within 400 bytes an item at 64 dimensions; each costs 6 bytes.
  uint32_t neighbors_max = 24;
  /// The most acted-on items from which the attribute regression learns.
  uint32_t regression_items_max = 100'000;
  uint32_t threads = 0;  ///< 0: all
};

struct BuildReport {
  uint32_t items = 0, eligible = 0;
  uint32_t trained = 0;          ///< items with a factor learned from events
  uint32_t predicted = 0;        ///< items with one predicted from their content
  uint64_t bytes = 0;            ///< of the file
  uint64_t retrieval_bytes = 0;  ///< of it, without texts: documents, titles, strings
};

/// Writes one snapshot file from items as they come and a trained model.
///
/// Data     the config says which attributes are stored and where categories are.
/// Bounds   memory: about 150 bytes an item, its distinct strings, and the factors; documents go to the file at once.
/// Errors   Unavailable: the file cannot be written. The file is whole once Finish returned OK, and durable once the
///          registry published it.
class SnapshotBuilder {
 public:
  static absl::StatusOr<std::unique_ptr<SnapshotBuilder>> Create(const std::string& path,
                                                                 std::shared_ptr<const config::Config> config);
  ~SnapshotBuilder();
  SnapshotBuilder(const SnapshotBuilder&) = delete;
  SnapshotBuilder& operator=(const SnapshotBuilder&) = delete;

  /// InvalidArgument: the key is not above the last one (two ids with one key, too), or the item is not valid.
  absl::Status Add(catalog::ItemKey key, const v1::Item& item);

  /// `catalog_offset` is the catalog's applied offset in the view that the items came from. `model` may be null.
  /// InvalidArgument: the model's shapes do not fit, or a value is not finite.
  absl::StatusOr<BuildReport> Finish(uint64_t catalog_offset, const CfModel* model, const BuildOptions& options);

 private:
  struct Impl;
  explicit SnapshotBuilder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bowerbird::index
