#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/vector_math.h"
#include "catalog/keys.h"
#include "expression/columns.h"
#include "index/factor_rows.h"
#include "index/item_features.h"
#include "index/key_directory.h"
#include "index/mapped_texts.h"
#include "index/ordinal.h"
#include "index/snapshot_format.h"
#include "model/fold_in.h"
#include "model/ials_objective.h"
#include "store/file.h"

namespace bowerbird::index {

/// Items that the same users acted on, best first.
struct Neighbors {
  std::span<const Ordinal> items;
  std::span<const uint16_t> scores_bf16;  ///< one an item

  size_t size() const { return items.size(); }
  float score(size_t i) const { return base::FromBf16(scores_bf16[i]); }
};

/// One attribute of the items as stored, to be handed to expression programs.
struct StoredColumn {
  std::string_view name;
  expression::ColumnView view;
};

/// The catalog as of one offset with everything that serving needs of it: a mapped, immutable file. Bytes:
/// docs/formats/snapshot.md.
///
/// Threads  immutable: any thread at once.
/// Cost     Open: one pass over the file for checksums and one over its tables; Find: two cache misses
///          (snapshot_bench).
/// Bounds   memory: the mapping; besides it 4 bytes for each 4 items and the regression's weights.
/// Errors   DataLoss: truncated, a checksum does not fit, or a table is inconsistent; the message names the section.
///          FailedPrecondition: a format version that this program does not read.
class Snapshot {
 public:
  /// `version` is the artifact's, for the served log.
  static absl::StatusOr<std::shared_ptr<const Snapshot>> Open(const std::string& path, std::string_view version);
  /// From bytes that start at a multiple of 64 and outlive the snapshot. Any bytes may be given.
  static absl::StatusOr<std::shared_ptr<const Snapshot>> Read(std::string_view bytes, std::string_view version);

  const std::string& version() const { return version_; }
  /// The catalog's applied offset at the build: changes from there on are not in it.
  uint64_t catalog_offset() const { return meta_->catalog_offset; }
  /// Version of the cf artifact; "" without one.
  std::string_view cf_version() const { return cf_version_; }
  uint32_t size() const { return meta_->item_count; }
  uint64_t file_bytes() const { return file_bytes_; }
  /// Bytes of each section, in file order.
  const std::vector<SectionSize>& sections() const { return sections_; }

  /// kNoOrdinal: not in it.
  Ordinal Find(catalog::ItemKey key) const { return directory_.Find(keys_, key); }
  // Below, ordinal.value < size().
  catalog::ItemKey Key(Ordinal ordinal) const { return catalog::ItemKey(keys_[ordinal.value]); }
  std::string_view Id(Ordinal ordinal) const { return ids_.Text(id_codes_[ordinal.value]); }
  /// As of the build; LiveView knows what changed since.
  bool Eligible(Ordinal ordinal) const { return Bit(eligible_, ordinal); }
  /// One bit an ordinal; bits past the last are 0.
  std::span<const uint64_t> eligible() const { return eligible_; }
  int64_t CreatedUs(Ordinal ordinal) const { return created_us_[ordinal.value]; }
  /// catalog::CategoryHash of each, in the item's order.
  std::span<const uint64_t> Categories(Ordinal ordinal) const {
    const uint32_t begin = category_offsets_[ordinal.value];
    return category_hashes_.subspan(begin, category_offsets_[ordinal.value + 1] - begin);
  }
  /// Asks for the cache lines that CreatedUs, Categories and inverse_norms will read.
  void Prefetch(Ordinal ordinal) const {
    __builtin_prefetch(&created_us_[ordinal.value]);
    __builtin_prefetch(&category_offsets_[ordinal.value]);
    if (dim() != 0) __builtin_prefetch(&inverse_norms_[ordinal.value]);
  }
  /// "": no item has it.
  std::string_view CategoryName(uint64_t hash) const;
  /// The item as a serialized v1::Item.
  std::string_view Document(Ordinal ordinal) const { return documents_.Text(ordinal.value); }

  /// 0 without a model; then factors() and fold_in() are empty.
  uint32_t dim() const { return meta_->dim; }
  /// One row an ordinal, learned or predicted.
  const FactorRows& factors() const { return factors_; }
  /// 1 / |row|, 0 for a zero row: for cosines.
  std::span<const float> inverse_norms() const { return inverse_norms_; }
  /// The factor was learned from events, not predicted from attributes.
  bool FactorTrained(Ordinal ordinal) const { return dim() != 0 && Bit(factor_trained_, ordinal); }
  uint32_t trained_count() const { return trained_count_; }
  /// Of the training's items, {dim, dim}.
  std::span<const float> gramian() const { return gramian_; }
  model::IalsObjective objective() const;
  /// Solves a user's factor against factors(). Null without a model.
  const model::FoldIn* fold_in() const { return fold_in_ ? &*fold_in_ : nullptr; }
  /// Predicts the factor of an item without events. Null without a model, or when there was nothing to learn from.
  const FactorPredictor* predictor() const { return predictor_ ? &*predictor_ : nullptr; }

  Neighbors CoOccurring(Ordinal ordinal) const {
    const uint32_t begin = neighbor_offsets_[ordinal.value];
    const size_t count = neighbor_offsets_[ordinal.value + 1] - begin;
    return {neighbors_.subspan(begin, count), neighbor_scores_.subspan(begin, count)};
  }
  /// All ordinals, most acted on first (count in training, then key).
  std::span<const Ordinal> by_popularity() const { return by_popularity_; }
  /// All ordinals, newest created first, then key.
  std::span<const Ordinal> by_created() const { return by_created_; }

  std::span<const StoredColumn> columns() const { return columns_; }

 private:
  friend class SnapshotReader;
  Snapshot() = default;
  static bool Bit(std::span<const uint64_t> words, Ordinal ordinal) {
    return (words[ordinal.value / 64] >> (ordinal.value % 64)) & 1;
  }

  store::MappedFile file_;
  std::string version_;
  uint64_t file_bytes_ = 0;
  std::vector<SectionSize> sections_;
  const SnapshotMeta* meta_ = nullptr;
  std::string_view cf_version_;
  std::span<const uint32_t> id_codes_;
  std::span<const uint64_t> keys_;
  KeyDirectory directory_;
  MappedTexts ids_, documents_, category_names_;
  std::span<const uint64_t> eligible_;
  std::span<const int64_t> created_us_;
  std::span<const uint32_t> category_offsets_;
  std::span<const uint64_t> category_hashes_, category_name_hashes_;
  FactorRows factors_;
  std::span<const float> inverse_norms_, gramian_;
  std::span<const uint64_t> factor_trained_;
  uint32_t trained_count_ = 0;
  std::optional<model::FoldIn> fold_in_;
  std::optional<FactorPredictor> predictor_;
  std::span<const uint32_t> neighbor_offsets_;
  std::span<const Ordinal> neighbors_;
  std::span<const uint16_t> neighbor_scores_;
  std::span<const Ordinal> by_popularity_, by_created_;
  std::vector<StoredColumn> columns_;
  std::vector<std::unique_ptr<MappedDictionary>> dictionaries_;
};

}  // namespace bowerbird::index
