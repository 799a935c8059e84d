#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bowerbird::index {

/// The bytes of a snapshot file, as docs/formats/snapshot.md describes them: a header, sections at multiples of 64
/// bytes, the table of sections. Little endian.
inline constexpr char kSnapshotMagic[8] = {'B', 'W', 'B', 'S', 'N', 'A', 'P', '\n'};
inline constexpr uint32_t kSnapshotFormat = 1;
inline constexpr size_t kSectionAlignment = 64;
inline constexpr uint32_t kSectionsMax = 16384;
inline constexpr uint32_t kItemsMax = 0xfffffff0u;

struct SnapshotHeader {
  char magic[8];
  uint32_t format;
  uint32_t section_count;
  uint64_t table_offset;
  uint64_t file_size;
  uint64_t table_checksum;   ///< XXH3 of the table
  uint64_t reserved[2];      ///< 0
  uint64_t header_checksum;  ///< XXH3 of the 56 bytes before
};
static_assert(sizeof(SnapshotHeader) == 64);

/// The number is part of the format. `index` of an entry tells sections of one kind apart: the attribute's number for
/// those of columns, 0 for others.
enum class SectionKind : uint32_t {
  kMeta = 1,
  kCfVersion = 2,
  kKeys = 3,
  kEligible = 4,
  kCategoryOffsets = 5,
  kCategoryHashes = 6,
  kCategoryNameHashes = 7,
  kCategoryNameOffsets = 8,
  kCategoryNameBytes = 9,
  kDocumentOffsets = 10,
  kDocumentBytes = 11,
  kFactors = 12,
  kFactorTrained = 13,
  kInverseNorms = 14,
  kGramian = 15,
  kRegressionWeights = 16,
  kRegressionEmbeddings = 17,
  kNeighborOffsets = 18,
  kNeighbors = 19,
  kNeighborScores = 20,
  kByPopularity = 21,
  kByCreated = 22,
  kColumns = 23,
  kColumnPresent = 32,
  kColumnBools = 33,
  kColumnNumbers = 34,
  kColumnTimes = 35,
  kColumnCodes = 36,
  kColumnOffsets = 37,
  kColumnTextOffsets = 38,
  kColumnTextBytes = 39,
};

struct SectionEntry {
  uint32_t kind;
  uint32_t index;
  uint64_t offset;
  uint64_t size;
  uint64_t checksum;  ///< XXH3 of the section's bytes
};
static_assert(sizeof(SectionEntry) == 32);

/// "factors", "column 3 codes": for messages and reports.
std::string SectionName(SectionKind kind, uint32_t index);

struct SectionSize {
  std::string name;
  uint64_t bytes = 0;
};

/// The section kMeta.
struct SnapshotMeta {
  uint64_t catalog_offset;
  uint64_t model_item_count;  ///< items of the training
  uint32_t item_count;
  uint32_t column_count;
  uint32_t dim;  ///< 0 without a model
  float unobserved_weight;
  float regularization;
  float frequency_exponent;
  uint32_t regression_columns;  ///< 0 without a regression
  uint32_t regression_dense_dim;
};
static_assert(sizeof(SnapshotMeta) == 48);

}  // namespace bowerbird::index
