#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "catalog/keys.h"
#include "expression/expression.h"
#include "index/live_index.h"

namespace bowerbird::retrieve {

/// The items that one request may show: eligible, within its filters, and nothing of what it leaves out. Generators
/// look only here, so that a narrow filter or a long exclude list costs candidates no place.
///
/// Data     a bitmap over the snapshot's ordinals, and the delta's items in key order. The view must outlive it.
/// Cost     Of: two scans of a bitmap and a row evaluation an item of the delta; Remove: one look-up a key.
class Pool {
 public:
  /// The eligible items for which all of `filters` (null ones apart) hold; `open` says what these name beyond the
  /// items' attributes, null: that is absent.
  static Pool Of(const index::LiveView& view, std::span<const expression::Program* const> filters, int64_t now_us,
                 const index::OpenValues* open = nullptr);
  /// Those of `keys` that are eligible. No filter.
  static Pool OfItems(const index::LiveView& view, std::span<const catalog::ItemKey> keys);

  /// Unknown keys are passed over.
  void Remove(std::span<const catalog::ItemKey> keys);

  bool Contains(const index::ItemHandle& item) const;
  uint64_t size() const { return size_; }
  const index::LiveView& view() const { return *view_; }
  /// One bit an ordinal.
  std::span<const uint64_t> ordinals() const { return ordinals_; }
  bool Contains(index::Ordinal ordinal) const {
    return ordinal.value / 64 < ordinals_.size() && ((ordinals_[ordinal.value / 64] >> (ordinal.value % 64)) & 1) != 0;
  }
  std::span<const index::ItemHandle> delta() const { return delta_; }
  /// Every item: ordinals ascending, then the delta's by key, until `visit` returns false.
  void ForEach(absl::FunctionRef<bool(const index::ItemHandle&)> visit) const;

 private:
  explicit Pool(const index::LiveView& view) : view_(&view) {}
  void Count();

  const index::LiveView* view_;
  std::vector<uint64_t> ordinals_;
  std::vector<index::ItemHandle> delta_;
  uint64_t size_ = 0;
};

}  // namespace bowerbird::retrieve
