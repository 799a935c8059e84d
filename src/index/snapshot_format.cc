#include "index/snapshot_format.h"

#include "fmt/format.h"

namespace bowerbird::index {
namespace {

std::string_view KindName(SectionKind kind) {
  switch (kind) {
    case SectionKind::kMeta:
      return "meta";
    case SectionKind::kCfVersion:
      return "cf version";
    case SectionKind::kKeys:
      return "keys";
    case SectionKind::kEligible:
      return "eligible";
    case SectionKind::kCategoryOffsets:
      return "category offsets";
    case SectionKind::kCategoryHashes:
      return "category hashes";
    case SectionKind::kCategoryNameHashes:
      return "category name hashes";
    case SectionKind::kCategoryNameOffsets:
      return "category name offsets";
    case SectionKind::kCategoryNameBytes:
      return "category name bytes";
    case SectionKind::kDocumentOffsets:
      return "document offsets";
    case SectionKind::kDocumentBytes:
      return "document bytes";
    case SectionKind::kFactors:
      return "factors";
    case SectionKind::kFactorTrained:
      return "factor trained";
    case SectionKind::kInverseNorms:
      return "inverse norms";
    case SectionKind::kGramian:
      return "gramian";
    case SectionKind::kRegressionWeights:
      return "regression weights";
    case SectionKind::kRegressionEmbeddings:
      return "regression embeddings";
    case SectionKind::kNeighborOffsets:
      return "neighbor offsets";
    case SectionKind::kNeighbors:
      return "neighbors";
    case SectionKind::kNeighborScores:
      return "neighbor scores";
    case SectionKind::kByPopularity:
      return "by popularity";
    case SectionKind::kByCreated:
      return "by created";
    case SectionKind::kColumns:
      return "columns";
    case SectionKind::kColumnPresent:
      return "present";
    case SectionKind::kColumnBools:
      return "bools";
    case SectionKind::kColumnNumbers:
      return "numbers";
    case SectionKind::kColumnTimes:
      return "times";
    case SectionKind::kColumnCodes:
      return "codes";
    case SectionKind::kColumnOffsets:
      return "offsets";
    case SectionKind::kColumnTextOffsets:
      return "text offsets";
    case SectionKind::kColumnTextBytes:
      return "text bytes";
  }
  return "unknown";
}

}  // namespace

std::string SectionName(SectionKind kind, uint32_t index) {
  if (kind >= SectionKind::kColumnPresent) return fmt::format("column {} {}", index, KindName(kind));
  return std::string(KindName(kind));
}

}  // namespace bowerbird::index
