#include "index/snapshot_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::index {
namespace {

static_assert(std::endian::native == std::endian::little, "snapshots are read in place");

constexpr uint32_t kColumnsMax = 1024;
constexpr uint32_t kDenseMax = 1u << 20;

/// Length-prefixed names with a number: the sections kColumns and kRegressionEmbeddings.
class NumberedNames {
 public:
  explicit NumberedNames(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  /// False: the bytes end too soon.
  bool Next(uint32_t* number, std::string_view* name) {
    uint32_t head[2];
    if (bytes_.size() < sizeof(head)) return false;
    std::memcpy(head, bytes_.data(), sizeof(head));
    bytes_.remove_prefix(sizeof(head));
    if (head[1] > bytes_.size()) return false;
    *number = head[0];
    *name = bytes_.substr(0, head[1]);
    bytes_.remove_prefix(head[1]);
    return true;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

absl::Status SnapshotReader::Wrong(SectionKind kind, uint32_t index, std::string_view what) {
  return absl::DataLossError(fmt::format("section '{}': {}", SectionName(kind, index), what));
}

absl::StatusOr<std::string_view> SnapshotReader::Bytes(SectionKind kind, uint32_t index) const {
  const auto found = sections_.find({kind, index});
  if (found == sections_.end()) return Wrong(kind, index, "it is missing");
  return found->second;
}

template <typename T>
absl::StatusOr<std::span<const T>> SnapshotReader::Values(SectionKind kind, uint32_t index) const {
  ASSIGN_OR_RETURN(const std::string_view bytes, Bytes(kind, index));
  if (bytes.size() % sizeof(T) != 0) {
    return Wrong(kind, index, fmt::format("found {} bytes; expected a multiple of {}", bytes.size(), sizeof(T)));
  }
  // Sections start at multiples of 64 bytes, and a mapped file's bytes have no other type.
  return std::span(reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T));
}

template <typename T>
absl::StatusOr<std::span<const T>> SnapshotReader::Values(SectionKind kind, uint32_t index, uint64_t count) const {
  ASSIGN_OR_RETURN(const std::span<const T> values, Values<T>(kind, index));
  if (values.size() != count) {
    return Wrong(kind, index, fmt::format("found {} values; expected {}", values.size(), count));
  }
  return values;
}

template <typename T>
absl::StatusOr<std::span<const T>> SnapshotReader::Offsets(SectionKind kind, uint32_t index, uint64_t count,
                                                           uint64_t end) const {
  ASSIGN_OR_RETURN(const std::span<const T> offsets, Values<T>(kind, index, count + 1));
  if (!std::is_sorted(offsets.begin(), offsets.end()) || offsets.back() > end) {
    return Wrong(kind, index, fmt::format("its values do not ascend to at most {}", end));
  }
  return offsets;
}

absl::StatusOr<std::span<const uint64_t>> SnapshotReader::Bitmap(SectionKind kind, uint32_t index) const {
  ASSIGN_OR_RETURN(const std::span<const uint64_t> words, Values<uint64_t>(kind, index, (items_ + 63) / 64));
  if (items_ % 64 != 0 && (words.back() >> (items_ % 64)) != 0) {
    return Wrong(kind, index, "a bit past the last item is set");
  }
  return words;
}

absl::StatusOr<std::span<const Ordinal>> SnapshotReader::Ordinals(SectionKind kind, uint64_t count) const {
  static_assert(sizeof(Ordinal) == sizeof(uint32_t));
  ASSIGN_OR_RETURN(const std::span<const Ordinal> ordinals, Values<Ordinal>(kind, 0, count));
  const auto inside = [&](Ordinal ordinal) { return ordinal.value < items_; };
  if (!std::all_of(ordinals.begin(), ordinals.end(), inside))
    return Wrong(kind, 0, "it names an item that is not there");
  return ordinals;
}

absl::StatusOr<MappedTexts> SnapshotReader::Texts(SectionKind offsets_kind, SectionKind bytes_kind,
                                                  uint32_t index) const {
  MappedTexts texts;
  ASSIGN_OR_RETURN(texts.bytes, Bytes(bytes_kind, index));
  ASSIGN_OR_RETURN(const std::span<const uint64_t> values, Values<uint64_t>(offsets_kind, index));
  if (values.empty() || values.size() > kItemsMax) return Wrong(offsets_kind, index, "it has no end, or too many");
  ASSIGN_OR_RETURN(texts.offsets, Offsets<uint64_t>(offsets_kind, index, values.size() - 1, texts.bytes.size()));
  return texts;
}

absl::Status SnapshotReader::ReadTable(Snapshot* snapshot) {
  const auto bad = [](std::string_view what) { return absl::DataLossError(fmt::format("header: {}", what)); };
  SnapshotHeader header;
  if (bytes_.size() < sizeof(header)) {
    return bad(fmt::format("found {} bytes; expected at least {}", bytes_.size(), sizeof(header)));
  }
  std::memcpy(&header, bytes_.data(), sizeof(header));
  if (std::memcmp(header.magic, kSnapshotMagic, sizeof(kSnapshotMagic)) != 0) return bad("this is no snapshot");
  if (header.header_checksum != base::Hash64(bytes_.substr(0, offsetof(SnapshotHeader, header_checksum)))) {
    return bad("its checksum does not fit");
  }
  if (header.format != kSnapshotFormat) {
    return absl::FailedPreconditionError(
        fmt::format("format: found {}; this program reads {}: build the index again", header.format, kSnapshotFormat));
  }
  if (header.file_size != bytes_.size()) {
    return bad(fmt::format("the file has {} bytes; expected {}: it is truncated", bytes_.size(), header.file_size));
  }
  const uint64_t table_bytes = uint64_t{header.section_count} * sizeof(SectionEntry);
  if (header.section_count > kSectionsMax || header.table_offset > bytes_.size() ||
      header.table_offset % kSectionAlignment != 0 || table_bytes != bytes_.size() - header.table_offset) {
    return bad("the table of sections is not at the end of the file");
  }
  const std::string_view table = bytes_.substr(header.table_offset);
  if (header.table_checksum != base::Hash64(table)) return bad("the checksum of the table of sections does not fit");

  // Sections follow one another with only zeros between them, so that no byte of the file goes unchecked.
  uint64_t at = sizeof(header);
  const auto is_next = [&](uint64_t offset) {
    return offset >= at && offset - at < kSectionAlignment && offset <= header.table_offset &&
           bytes_.substr(at, offset - at).find_first_not_of('\0') == std::string_view::npos;
  };
  for (uint32_t i = 0; i < header.section_count; ++i) {
    SectionEntry entry;
    std::memcpy(&entry, table.data() + i * sizeof(entry), sizeof(entry));
    const auto kind = static_cast<SectionKind>(entry.kind);
    if (entry.offset % kSectionAlignment != 0 || !is_next(entry.offset) ||
        entry.size > header.table_offset - entry.offset) {
      return Wrong(kind, entry.index, "it does not follow the section before");
    }
    const std::string_view section = bytes_.substr(entry.offset, entry.size);
    if (base::Hash64(section) != entry.checksum) return Wrong(kind, entry.index, "its checksum does not fit");
    if (!sections_.emplace(SectionId(kind, entry.index), section).second) {
      return Wrong(kind, entry.index, "it is there twice");
    }
    snapshot->sections_.push_back({SectionName(kind, entry.index), entry.size});
    at = entry.offset + entry.size;
  }
  if (!is_next(header.table_offset)) return bad("there are bytes between the last section and the table");
  snapshot->file_bytes_ = bytes_.size();
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadMeta(Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto meta, Values<SnapshotMeta>(SectionKind::kMeta, 0, 1));
  snapshot->meta_ = meta.data();
  ASSIGN_OR_RETURN(snapshot->cf_version_, Bytes(SectionKind::kCfVersion));
  if (meta[0].item_count > kItemsMax || meta[0].column_count > kColumnsMax || meta[0].dim > model::FoldIn::kMaxDim ||
      meta[0].regression_dense_dim > kDenseMax) {
    return Wrong(SectionKind::kMeta, 0, "a count is beyond its bound");
  }
  items_ = meta[0].item_count;
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadItems(Snapshot* snapshot) {
  ASSIGN_OR_RETURN(snapshot->keys_, Values<uint64_t>(SectionKind::kKeys, 0, items_));
  const auto keys = snapshot->keys_;
  if (std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<>()) != keys.end()) {
    return Wrong(SectionKind::kKeys, 0, "they do not ascend");
  }
  snapshot->directory_ = KeyDirectory(keys);
  ASSIGN_OR_RETURN(snapshot->eligible_, Bitmap(SectionKind::kEligible));
  ASSIGN_OR_RETURN(snapshot->documents_, Texts(SectionKind::kDocumentOffsets, SectionKind::kDocumentBytes));
  if (snapshot->documents_.size() != items_) {
    return Wrong(SectionKind::kDocumentOffsets, 0, "there are not as many as items");
  }
  ASSIGN_OR_RETURN(snapshot->by_popularity_, Ordinals(SectionKind::kByPopularity, items_));
  ASSIGN_OR_RETURN(snapshot->by_created_, Ordinals(SectionKind::kByCreated, items_));
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadCategories(Snapshot* snapshot) {
  ASSIGN_OR_RETURN(snapshot->category_hashes_, Values<uint64_t>(SectionKind::kCategoryHashes));
  ASSIGN_OR_RETURN(snapshot->category_offsets_,
                   Offsets<uint32_t>(SectionKind::kCategoryOffsets, 0, items_, snapshot->category_hashes_.size()));
  ASSIGN_OR_RETURN(snapshot->category_name_hashes_, Values<uint64_t>(SectionKind::kCategoryNameHashes));
  ASSIGN_OR_RETURN(snapshot->category_names_,
                   Texts(SectionKind::kCategoryNameOffsets, SectionKind::kCategoryNameBytes));
  if (snapshot->category_names_.size() != snapshot->category_name_hashes_.size()) {
    return Wrong(SectionKind::kCategoryNameHashes, 0, "there are not as many as names");
  }
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadModel(Snapshot* snapshot) {
  const SnapshotMeta& meta = *snapshot->meta_;
  if (meta.dim == 0) return absl::OkStatus();
  const uint64_t stride = FactorRows::Stride(meta.dim);
  ASSIGN_OR_RETURN(const auto rows, Values<uint16_t>(SectionKind::kFactors, 0, items_ * stride));
  snapshot->factors_ = {rows.data(), meta.item_count, meta.dim};
  ASSIGN_OR_RETURN(snapshot->factor_trained_, Bitmap(SectionKind::kFactorTrained));
  for (const uint64_t word : snapshot->factor_trained_) {
    snapshot->trained_count_ += static_cast<uint32_t>(std::popcount(word));
  }
  ASSIGN_OR_RETURN(snapshot->inverse_norms_, Values<float>(SectionKind::kInverseNorms, 0, items_));
  ASSIGN_OR_RETURN(snapshot->gramian_, Values<float>(SectionKind::kGramian, 0, uint64_t{meta.dim} * meta.dim));
  auto fold_in = model::FoldIn::Create(snapshot->objective(), meta.model_item_count, meta.dim, snapshot->gramian_);
  if (!fold_in.ok()) return Wrong(SectionKind::kGramian, 0, std::string(fold_in.status().message()));
  snapshot->fold_in_ = *std::move(fold_in);
  return ReadRegression(snapshot);
}

absl::Status SnapshotReader::ReadRegression(Snapshot* snapshot) {
  const SnapshotMeta& meta = *snapshot->meta_;
  if (meta.regression_columns == 0) return absl::OkStatus();
  const uint64_t unknowns = uint64_t{1} + meta.regression_columns + meta.regression_dense_dim;
  ASSIGN_OR_RETURN(const auto weights, Values<float>(SectionKind::kRegressionWeights, 0, unknowns * meta.dim));
  ASSIGN_OR_RETURN(const std::string_view names, Bytes(SectionKind::kRegressionEmbeddings));
  std::vector<EmbeddingInput> embeddings;
  for (NumberedNames left(names); !left.done();) {
    uint32_t dim = 0;
    std::string_view name;
    if (!left.Next(&dim, &name)) return Wrong(SectionKind::kRegressionEmbeddings, 0, "it ends too soon");
    embeddings.push_back({std::string(name), dim});
  }
  auto regression = model::AttributeRegression::FromWeights(meta.regression_columns, meta.regression_dense_dim,
                                                            meta.dim, {weights.begin(), weights.end()});
  if (!regression.ok()) return Wrong(SectionKind::kRegressionWeights, 0, std::string(regression.status().message()));
  auto predictor = FactorPredictor::Create(*std::move(regression), std::move(embeddings));
  if (!predictor.ok()) return Wrong(SectionKind::kRegressionEmbeddings, 0, std::string(predictor.status().message()));
  snapshot->predictor_ = *std::move(predictor);
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadNeighbors(Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto neighbors, Values<uint32_t>(SectionKind::kNeighbors));
  ASSIGN_OR_RETURN(snapshot->neighbors_, Ordinals(SectionKind::kNeighbors, neighbors.size()));
  ASSIGN_OR_RETURN(snapshot->neighbor_scores_, Values<uint16_t>(SectionKind::kNeighborScores, 0, neighbors.size()));
  ASSIGN_OR_RETURN(snapshot->neighbor_offsets_,
                   Offsets<uint32_t>(SectionKind::kNeighborOffsets, 0, items_, neighbors.size()));
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadColumn(uint32_t index, expression::Type type, std::string_view name,
                                        Snapshot* snapshot) {
  expression::ColumnView view;
  view.type = type;
  if (type == expression::Type::kString || type == expression::Type::kStrings) {
    ASSIGN_OR_RETURN(const MappedTexts texts,
                     Texts(SectionKind::kColumnTextOffsets, SectionKind::kColumnTextBytes, index));
    for (uint32_t code = 1; code < texts.size(); ++code) {
      if (texts.Text(code - 1) >= texts.Text(code)) {
        return Wrong(SectionKind::kColumnTextBytes, index, "the texts do not ascend");
      }
    }
    snapshot->dictionaries_.push_back(std::make_unique<MappedDictionary>(texts));
    view.dictionary = snapshot->dictionaries_.back().get();
    ASSIGN_OR_RETURN(view.codes, Values<uint32_t>(SectionKind::kColumnCodes, index));
  }
  switch (type) {
    case expression::Type::kBool: {
      ASSIGN_OR_RETURN(view.bools, Bitmap(SectionKind::kColumnBools, index));
      break;
    }
    case expression::Type::kNumber: {
      ASSIGN_OR_RETURN(view.numbers, Values<double>(SectionKind::kColumnNumbers, index, items_));
      break;
    }
    case expression::Type::kTime: {
      ASSIGN_OR_RETURN(view.times, Values<int64_t>(SectionKind::kColumnTimes, index, items_));
      break;
    }
    case expression::Type::kString:
      if (view.codes.size() != items_) {
        return Wrong(SectionKind::kColumnCodes, index, "there are not as many as items");
      }
      snapshot->columns_.push_back({name, view});
      return absl::OkStatus();
    case expression::Type::kStrings: {
      ASSIGN_OR_RETURN(view.offsets, Offsets<uint32_t>(SectionKind::kColumnOffsets, index, items_, view.codes.size()));
      snapshot->columns_.push_back({name, view});
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(view.present, Bitmap(SectionKind::kColumnPresent, index));
  snapshot->columns_.push_back({name, view});
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadColumns(Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const std::string_view names, Bytes(SectionKind::kColumns));
  NumberedNames left(names);
  for (uint32_t index = 0; index < snapshot->meta_->column_count; ++index) {
    uint32_t type = 0;
    std::string_view name;
    if (!left.Next(&type, &name) || type > static_cast<uint32_t>(expression::Type::kStrings)) {
      return Wrong(SectionKind::kColumns, 0, "it ends too soon, or has an unknown type");
    }
    RETURN_IF_ERROR(ReadColumn(index, static_cast<expression::Type>(type), name, snapshot));
  }
  // The ids and the created times are columns like others; serving needs them.
  const auto find = [&](std::string_view name, expression::Type type) {
    return std::ranges::find_if(snapshot->columns_,
                                [&](const StoredColumn& c) { return c.name == name && c.view.type == type; });
  };
  const auto id = find("id", expression::Type::kString);
  const auto created = find("created", expression::Type::kTime);
  if (id == snapshot->columns_.end() || created == snapshot->columns_.end()) {
    return Wrong(SectionKind::kColumns, 0, "there is no string column 'id', or no time column 'created'");
  }
  const auto index = static_cast<uint32_t>(id - snapshot->columns_.begin());
  ASSIGN_OR_RETURN(snapshot->ids_, Texts(SectionKind::kColumnTextOffsets, SectionKind::kColumnTextBytes, index));
  snapshot->id_codes_ = id->view.codes;
  snapshot->created_us_ = created->view.times;
  const auto inside = [&](uint32_t code) { return code < snapshot->ids_.size(); };
  if (!std::all_of(snapshot->id_codes_.begin(), snapshot->id_codes_.end(), inside)) {
    return Wrong(SectionKind::kColumnCodes, index, "an item has no id");
  }
  return absl::OkStatus();
}

absl::Status SnapshotReader::ReadInto(Snapshot* snapshot) {
  BOWERBIRD_CHECK(reinterpret_cast<uintptr_t>(bytes_.data()) % kSectionAlignment == 0);
  RETURN_IF_ERROR(ReadTable(snapshot));
  RETURN_IF_ERROR(ReadMeta(snapshot));
  RETURN_IF_ERROR(ReadItems(snapshot));
  RETURN_IF_ERROR(ReadCategories(snapshot));
  RETURN_IF_ERROR(ReadModel(snapshot));
  RETURN_IF_ERROR(ReadNeighbors(snapshot));
  return ReadColumns(snapshot);
}

}  // namespace bowerbird::index
