#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/published.h"
#include "bowerbird/v1/item.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "expression/expression.h"
#include "index/changed_ordinals.h"
#include "index/delta.h"
#include "index/item_values.h"
#include "index/snapshot.h"

namespace bowerbird::index {

/// An item within one LiveView. Valid as long as the view is held; `ordinal` never leaves the process.
struct ItemHandle {
  catalog::ItemKey key;
  Ordinal ordinal = kNoOrdinal;      ///< kNoOrdinal: only in the delta
  const DeltaItem* delta = nullptr;  ///< newest content; null: the snapshot's
};

/// What a filter names beyond an item's attributes (Program::open()), in one request.
class OpenValues {
 public:
  virtual ~OpenValues() = default;
  /// The number for an item; NaN: absent.
  virtual double Of(const ItemHandle& item, const expression::OpenNumber& number) const = 0;
  /// The same for all ordinals of the snapshot; the default column is absent everywhere. Valid as long as this is.
  virtual expression::ColumnView Column(const expression::OpenNumber& number) const = 0;
};

/// The catalog as one request sees it: an immutable snapshot, the changes since, consistent as of catalog_offset().
/// The same snapshot and the same catalog_offset give the same view, however the changes arrived.
///
/// Threads  immutable (what Delta makes is made once): any thread at once.
class LiveView {
 public:
  /// Null before the first index build: then every item is in the delta.
  const Snapshot* snapshot() const { return snapshot_.get(); }
  std::string_view snapshot_version() const;  ///< "" without one
  /// One past the offset of the last change in it.
  uint64_t catalog_offset() const { return catalog_offset_; }

  /// False: unknown or deleted. Ineligible (withdrawn, unavailable) items are found; see Eligible. `handle` is set only
  /// when true.
  bool Find(catalog::ItemKey key, ItemHandle* handle) const;
  /// The handle of a snapshot's item, such as a neighbor or a hit of exact search, as it is now. False: deleted since.
  bool FindOrdinal(Ordinal ordinal, ItemHandle* handle) const;

  bool Eligible(const ItemHandle& item) const;
  std::string_view Id(const ItemHandle& item) const;
  /// Category hashes (catalog::CategoryHash), in the item's order.
  std::span<const uint64_t> Categories(const ItemHandle& item) const {
    return item.delta != nullptr ? std::span<const uint64_t>(item.delta->categories)
                                 : snapshot_->Categories(item.ordinal);
  }
  /// "" for a hash that no item of the view has. Cost: beyond the snapshot's categories, that of the first Delta().
  std::string_view CategoryName(uint64_t hash) const;
  int64_t CreatedUs(const ItemHandle& item) const {
    return item.delta != nullptr ? item.delta->item.created_time_us() : snapshot_->CreatedUs(item.ordinal);
  }
  /// The item's factor in the snapshot's space: trained, or predicted from attributes for a new one. Empty without a
  /// model. `scratch` is used where the stored form is not float32; the span is valid until it is used again.
  std::span<const float> Factor(const ItemHandle& item, std::vector<float>* scratch) const;
  /// The same into `out`, {dim}; zeros for an item without one. Only where the snapshot has a model.
  void CopyFactor(const ItemHandle& item, std::span<float> out) const;
  /// True for a factor learned from events, false for a predicted one.
  bool FactorTrained(const ItemHandle& item) const;
  /// The whole item as the catalog has it.
  v1::Item Document(const ItemHandle& item) const;
  /// `filter` was compiled against the config's item schema. `open` says what it names beyond; null: that is absent.
  bool Matches(const ItemHandle& item, const expression::Program& filter, int64_t now_us,
               const OpenValues* open = nullptr) const;
  /// `filter` was compiled against the config's item schema and more attributes: of those from `first` on `more` has
  /// the values, from 0 on.
  bool Matches(const ItemHandle& item, const expression::Program& filter, int64_t now_us, uint32_t first,
               const expression::Row& more, const OpenValues* open) const;

  /// One bit an ordinal: in the snapshot, not changed since, eligible, and matching `filter` (may be null). The delta's
  /// items are apart: Delta(). Words are 64 bits, little end first; empty without a snapshot.
  std::vector<uint64_t> EligibleOrdinals(const expression::Program* filter, int64_t now_us,
                                         const OpenValues* open = nullptr) const;
  /// Items whose newest content is in the delta, in key order, ineligible ones included. Made by the first call of a
  /// view, O(delta_size()); later ones are free.
  const std::vector<ItemHandle>& Delta() const;
  /// Items in Delta().
  uint64_t delta_size() const { return delta_items_; }
  /// All items, eligible or not.
  uint64_t size() const;

 private:
  friend class LiveIndex;
  LiveView() = default;
  ItemHandle HandleOf(const DeltaItem& item) const { return {item.key, item.ordinal, &item}; }

  std::shared_ptr<const config::Config> config_;
  std::shared_ptr<const ItemReader> reader_;
  std::shared_ptr<const Snapshot> snapshot_;
  /// By schema index: the snapshot's column, absent where it was built without the attribute or with another type.
  std::shared_ptr<const std::vector<expression::ColumnView>> columns_;
  uint64_t catalog_offset_ = 0;
  DeltaLevels levels_;
  ChangedOrdinals changed_;
  uint64_t delta_items_ = 0;  ///< without the deletions
  uint64_t new_items_ = 0;    ///< of these, not in the snapshot
  uint64_t deleted_ = 0;      ///< items of the snapshot that are gone

  struct Lazy {
    absl::once_flag items_once, names_once;
    std::vector<ItemHandle> items;
    absl::flat_hash_map<uint64_t, std::string> names;  ///< of the delta's categories, by hash
  };
  const std::unique_ptr<Lazy> lazy_ = std::make_unique<Lazy>();
};

/// One applied change of the catalog, as collect tells it.
struct Change {
  uint64_t offset = 0;  ///< of its record in the catalog topic
  catalog::ItemKey key;
  const v1::Item* item = nullptr;  ///< null: deleted
};

/// Keeps the newest LiveView: a snapshot and, like an LSM, levels of changes merged geometrically.
///
/// Threads  Apply and SwapSnapshot from any thread, one after another inside; View from any thread, never blocked by
///          them for longer than a pointer's copy.
/// Cost     Apply: amortized O(log delta) pointers moved a change, and the item's parse; measured by live_index_bench.
/// Bounds   memory: the changes since the snapshot, about 1.5 kB and the item's text each; a build and SwapSnapshot
///          free them. An old view is freed with its last reader.
class LiveIndex {
 public:
  explicit LiveIndex(std::shared_ptr<const config::Config> config);

  /// Takes changes in the order of their offsets and publishes one new view for all of them before it returns. Changes
  /// below catalog_offset() were taken before and are passed over, so that an overlapping replay changes nothing.
  /// FailedPrecondition: another id has the key; that change is passed over, the others are taken.
  absl::Status Apply(std::span<const Change> changes);

  /// Puts `snapshot` (not null) under the changes at or beyond its catalog_offset and drops the others. Readers of the
  /// old view keep it. FailedPrecondition, and nothing changes: it is older than the changes that are still known, so
  /// that some would be lost; make a new LiveIndex and replay.
  absl::Status SwapSnapshot(std::shared_ptr<const Snapshot> snapshot);

  /// Never null.
  std::shared_ptr<const LiveView> View() const { return view_.Get(); }

 private:
  class Editor;

  const std::shared_ptr<const config::Config> config_;
  const std::shared_ptr<const ItemReader> reader_;
  absl::Mutex mutex_;
  /// Changes below are only in the snapshot.
  uint64_t known_from_ ABSL_GUARDED_BY(mutex_) = 0;
  base::Published<LiveView> view_;
};

}  // namespace bowerbird::index
