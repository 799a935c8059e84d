#include "index/snapshot_builder.h"

#include <algorithm>
#include <bit>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "base/vector_math.h"
#include "catalog/item_rules.h"
#include "fmt/format.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "index/column_builder.h"
#include "index/factor_builder.h"
#include "index/item_values.h"
#include "index/section_writer.h"
#include "index/snapshot_format.h"
#include "store/file.h"

namespace bowerbird::index {
namespace {

template <typename T>
std::span<const T> Span(const std::vector<T>& values) {
  return values;
}

/// Equal items give equal bytes: attributes in the order of their names.
void SerializeItem(const v1::Item& item, std::string* out) {
  out->clear();
  google::protobuf::io::StringOutputStream stream(out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  item.SerializeToCodedStream(&coded);
}

void AppendNumberedName(uint32_t number, std::string_view name, std::string* out) {
  const uint32_t head[2] = {number, static_cast<uint32_t>(name.size())};
  out->append(reinterpret_cast<const char*>(head), sizeof(head));
  out->append(name);
}

/// Ordinals by `value`, largest first, then by ordinal.
template <typename T>
std::vector<Ordinal> Descending(const std::vector<T>& values) {
  std::vector<Ordinal> order(values.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = Ordinal(i);
  std::ranges::stable_sort(order, std::ranges::greater(), [&](Ordinal o) { return values[o.value]; });
  return order;
}

}  // namespace

struct SnapshotBuilder::Impl {
  Impl(std::string path_, std::shared_ptr<const config::Config> config_, std::unique_ptr<SectionWriter> writer_)
      : path(std::move(path_)), config(std::move(config_)), reader(*config), writer(std::move(writer_)) {
    for (uint32_t attribute = 0; attribute < reader.schema().size(); ++attribute) {
      columns.emplace_back(reader.schema().type(attribute));
    }
    writer->Begin(SectionKind::kDocumentBytes);
  }

  void AddCategories(const v1::Item& item) {
    for (const std::string& category : catalog::CategoriesOf(item, *config)) {
      const uint64_t hash = catalog::CategoryHash(category);
      category_hashes.push_back(hash);
      category_names.try_emplace(hash, category);
    }
    category_offsets.push_back(static_cast<uint32_t>(category_hashes.size()));
  }
  void WriteCategories() {
    writer->Write(SectionKind::kCategoryOffsets, 0, Span(category_offsets));
    writer->Write(SectionKind::kCategoryHashes, 0, Span(category_hashes));
    const std::map<uint64_t, std::string> sorted(category_names.begin(), category_names.end());
    std::vector<uint64_t> hashes, offsets = {0};
    std::string bytes;
    for (const auto& [hash, name] : sorted) {
      hashes.push_back(hash);
      bytes += name;
      offsets.push_back(bytes.size());
    }
    writer->Write(SectionKind::kCategoryNameHashes, 0, Span(hashes));
    writer->Write(SectionKind::kCategoryNameOffsets, 0, Span(offsets));
    writer->Write(SectionKind::kCategoryNameBytes, 0, std::string_view(bytes));
  }
  void WriteColumns() {
    std::string names;
    for (uint32_t attribute = 0; attribute < columns.size(); ++attribute) {
      AppendNumberedName(static_cast<uint32_t>(reader.schema().type(attribute)), reader.schema().name(attribute),
                         &names);
      columns[attribute].Write(attribute, writer.get());
    }
    writer->Write(SectionKind::kColumns, 0, std::string_view(names));
  }
  void WriteOrders(const CfModel* model, std::span<const Ordinal> ordinals) {
    std::vector<uint64_t> counts(keys.size(), 0);
    for (size_t row = 0; row < ordinals.size(); ++row) {
      if (ordinals[row] != kNoOrdinal) counts[ordinals[row].value] = model->item_counts[row];
    }
    writer->Write(SectionKind::kByPopularity, 0, Span(Descending(counts)));
    const uint32_t created = *reader.schema().Find("created");
    writer->Write(SectionKind::kByCreated, 0, Span(Descending(columns[created].times())));
  }
  void WriteNeighbors(const CfModel* model, std::span<const Ordinal> ordinals, uint32_t neighbors_max) {
    std::vector<uint32_t> row_of(keys.size(), UINT32_MAX);
    for (uint32_t row = 0; row < ordinals.size(); ++row) {
      if (ordinals[row] != kNoOrdinal) row_of[ordinals[row].value] = row;
    }
    const bool any = model != nullptr && !model->neighbor_offsets.empty();
    std::vector<uint32_t> offsets = {0};
    std::vector<Ordinal> neighbors;
    std::vector<uint16_t> scores;
    for (const uint32_t row : row_of) {
      if (any && row != UINT32_MAX) {
        size_t left = neighbors_max;
        for (uint64_t k = model->neighbor_offsets[row]; k < model->neighbor_offsets[row + 1] && left > 0; ++k) {
          const Ordinal neighbor = ordinals[model->neighbors[k]];
          if (neighbor == kNoOrdinal) continue;
          neighbors.push_back(neighbor);
          scores.push_back(base::ToBf16(model->neighbor_scores[k]));
          --left;
        }
      }
      offsets.push_back(static_cast<uint32_t>(neighbors.size()));
    }
    writer->Write(SectionKind::kNeighborOffsets, 0, Span(offsets));
    writer->Write(SectionKind::kNeighbors, 0, Span(neighbors));
    writer->Write(SectionKind::kNeighborScores, 0, Span(scores));
  }
  absl::StatusOr<BuiltFactors> MakeFactors(const CfModel& model, std::span<const Ordinal> ordinals,
                                           const BuildOptions& options) {
    // The documents are in the file already: they are read from there, not kept.
    RETURN_IF_ERROR(writer->Flush());
    ASSIGN_OR_RETURN(const store::MappedFile file, store::MappedFile::Open(path));
    const std::string_view documents = file.bytes().substr(writer->sections().front().offset);
    const auto read_item = [&](Ordinal ordinal) {
      v1::Item item;
      const uint64_t begin = document_offsets[ordinal.value];
      BOWERBIRD_CHECK(
          item.ParseFromArray(documents.data() + begin, static_cast<int>(document_offsets[ordinal.value + 1] - begin)));
      return item;
    };
    return BuildFactors(model, ordinals, static_cast<uint32_t>(keys.size()), read_item, *config, options);
  }
  void WriteFactors(const CfModel& model, const BuiltFactors& factors) {
    writer->Write(SectionKind::kFactors, 0, Span(factors.rows));
    writer->Write(SectionKind::kFactorTrained, 0, Span(factors.trained));
    writer->Write(SectionKind::kInverseNorms, 0, Span(factors.inverse_norms));
    writer->Write(SectionKind::kGramian, 0, Span(model.gramian));
    if (factors.regression_weights.empty()) return;
    writer->Write(SectionKind::kRegressionWeights, 0, Span(factors.regression_weights));
    std::string names;
    for (const EmbeddingInput& input : factors.embeddings) AppendNumberedName(input.dim, input.name, &names);
    writer->Write(SectionKind::kRegressionEmbeddings, 0, std::string_view(names));
  }

  const std::string path;
  const std::shared_ptr<const config::Config> config;
  const ItemReader reader;
  const std::unique_ptr<SectionWriter> writer;
  std::vector<uint64_t> keys, eligible;
  std::vector<uint64_t> document_offsets = {0};
  std::vector<uint32_t> category_offsets = {0};
  std::vector<uint64_t> category_hashes;
  absl::flat_hash_map<uint64_t, std::string> category_names;
  std::vector<ColumnBuilder> columns;
  std::string document;  ///< reused
  ItemValues values;     ///< reused
};

absl::StatusOr<std::unique_ptr<SnapshotBuilder>> SnapshotBuilder::Create(const std::string& path,
                                                                         std::shared_ptr<const config::Config> config) {
  ASSIGN_OR_RETURN(auto writer, SectionWriter::Create(path));
  return std::unique_ptr<SnapshotBuilder>(
      new SnapshotBuilder(std::make_unique<Impl>(path, std::move(config), std::move(writer))));
}

SnapshotBuilder::SnapshotBuilder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotBuilder::~SnapshotBuilder() = default;

absl::Status SnapshotBuilder::Add(catalog::ItemKey key, const v1::Item& item) {
  Impl& impl = *impl_;
  if (!impl.keys.empty() && key.value <= impl.keys.back()) {
    return absl::InvalidArgumentError(fmt::format(
        "item '{}': found a key that is not above the one before; expected ascending keys, each once", item.id()));
  }
  if (item.id().empty()) return absl::InvalidArgumentError("item: id: found nothing; expected an id");
  if (impl.keys.size() >= kItemsMax) {
    return absl::InvalidArgumentError(fmt::format("items: expected at most {}", kItemsMax));
  }
  const size_t ordinal = impl.keys.size();
  impl.keys.push_back(key.value);
  if (ordinal % 64 == 0) impl.eligible.push_back(0);
  if (catalog::Eligible(item)) impl.eligible.back() |= uint64_t{1} << (ordinal % 64);
  impl.AddCategories(item);
  impl.reader.Read(item, &impl.values);
  for (uint32_t attribute = 0; attribute < impl.columns.size(); ++attribute) {
    impl.columns[attribute].Add(impl.values.Get(attribute));
  }
  SerializeItem(item, &impl.document);
  impl.writer->Append(impl.document);
  impl.document_offsets.push_back(impl.document_offsets.back() + impl.document.size());
  return absl::OkStatus();
}

absl::StatusOr<BuildReport> SnapshotBuilder::Finish(uint64_t catalog_offset, const CfModel* model,
                                                    const BuildOptions& options) {
  Impl& impl = *impl_;
  impl.writer->End();
  SnapshotMeta meta = {};
  meta.catalog_offset = catalog_offset;
  meta.item_count = static_cast<uint32_t>(impl.keys.size());
  meta.column_count = static_cast<uint32_t>(impl.columns.size());
  BuildReport report;
  report.items = meta.item_count;
  for (const uint64_t word : impl.eligible) report.eligible += static_cast<uint32_t>(std::popcount(word));

  std::vector<Ordinal> ordinals;
  if (model != nullptr) {
    RETURN_IF_ERROR(CheckModel(*model));
    ordinals = OrdinalsOf(*model, impl.keys);
  }
  if (model != nullptr && model->dim != 0) {
    ASSIGN_OR_RETURN(const BuiltFactors factors, impl.MakeFactors(*model, ordinals, options));
    impl.WriteFactors(*model, factors);
    meta.dim = model->dim;
    meta.model_item_count = model->items.size();
    meta.unobserved_weight = model->objective.unobserved_weight;
    meta.regularization = model->objective.regularization;
    meta.frequency_exponent = model->objective.frequency_exponent;
    meta.regression_columns = factors.regression_columns;
    meta.regression_dense_dim = factors.regression_dense_dim;
    report.trained = factors.trained_count;
    report.predicted = factors.predicted_count;
  }
  impl.writer->Write(SectionKind::kMeta, 0, std::span<const SnapshotMeta>(&meta, 1));
  impl.writer->Write(SectionKind::kCfVersion, 0, model == nullptr ? std::string_view() : model->version);
  impl.writer->Write(SectionKind::kKeys, 0, Span(impl.keys));
  impl.writer->Write(SectionKind::kEligible, 0, Span(impl.eligible));
  impl.writer->Write(SectionKind::kDocumentOffsets, 0, Span(impl.document_offsets));
  impl.WriteCategories();
  impl.WriteOrders(model, ordinals);
  impl.WriteNeighbors(model, ordinals, options.neighbors_max);
  impl.WriteColumns();
  const auto is_text = [](const SectionEntry& section) {
    const auto kind = static_cast<SectionKind>(section.kind);
    return kind == SectionKind::kDocumentBytes || kind == SectionKind::kDocumentOffsets ||
           kind == SectionKind::kColumnTextBytes;
  };
  ASSIGN_OR_RETURN(report.bytes, impl.writer->Finish());
  report.retrieval_bytes = report.bytes;
  for (const SectionEntry& section : impl.writer->sections()) {
    if (is_text(section)) report.retrieval_bytes -= section.size;
  }
  return report;
}

}  // namespace bowerbird::index
