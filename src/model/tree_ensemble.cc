#include "model/tree_ensemble.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "model/safetensors.h"

namespace bowerbird::model {
namespace {

/// Rows whose columns and leaf numbers stay in the nearest cache.
constexpr size_t kBlock = 64;

absl::StatusOr<std::string> Metadata(const Safetensors& file, std::string_view name) {
  const auto it = file.metadata().find(name);
  if (it == file.metadata().end()) return absl::DataLossError(fmt::format("trees: the metadata has no '{}'", name));
  return it->second;
}

/// At the commas that are not in parentheses.
std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names(1);
  int depth = 0;
  for (const char byte : text) {
    depth += byte == '(' ? 1 : byte == ')' ? -1 : 0;
    if (byte == ',' && depth == 0) {
      names.emplace_back();
    } else {
      names.back() += byte;
    }
  }
  return names;
}

absl::StatusOr<TreeEnsemble> ReadTrees(std::string_view bytes) {
  ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Parse(bytes));
  TreeEnsemble trees;
  uint32_t count = 0;
  ASSIGN_OR_RETURN(const std::string count_text, Metadata(file, "trees"));
  ASSIGN_OR_RETURN(const std::string depth_text, Metadata(file, "depth"));
  ASSIGN_OR_RETURN(const std::string bias_text, Metadata(file, "bias"));
  ASSIGN_OR_RETURN(const std::string names, Metadata(file, "feature_names"));
  if (!absl::SimpleAtoi(count_text, &count) || count > TreeEnsemble::kTreesMax)
    return absl::DataLossError(fmt::format("trees: found '{}'; expected 0 to {}", count_text, TreeEnsemble::kTreesMax));
  if (!absl::SimpleAtoi(depth_text, &trees.depth) || trees.depth == 0 || trees.depth > TreeEnsemble::kDepthMax)
    return absl::DataLossError(
        fmt::format("trees: depth: found '{}'; expected 1 to {}", depth_text, TreeEnsemble::kDepthMax));
  if (!absl::SimpleAtof(bias_text, &trees.bias))
    return absl::DataLossError(fmt::format("trees: bias: found '{}'; expected a number", bias_text));
  trees.feature_names = SplitNames(names);
  if (trees.feature_names.size() > TreeEnsemble::kFeaturesMax)
    return absl::DataLossError(fmt::format("trees: found more than {} features", TreeEnsemble::kFeaturesMax));
  const uint64_t questions[] = {count, trees.depth}, values[] = {count, uint64_t{1} << trees.depth};
  ASSIGN_OR_RETURN(const std::vector<float> asked, file.ReadF32("features", questions));
  ASSIGN_OR_RETURN(trees.thresholds, file.ReadF32("thresholds", questions));
  ASSIGN_OR_RETURN(trees.leaves, file.ReadF32("leaves", values));
  for (const float feature : asked) {
    if (!(feature >= 0) || feature >= static_cast<float>(trees.feature_names.size()) || feature != std::floor(feature))
      return absl::DataLossError(
          fmt::format("trees: found feature {}; expected one below {}", feature, trees.feature_names.size()));
    trees.features.push_back(static_cast<uint32_t>(feature));
  }
  return trees;
}

}  // namespace

void TreeEnsemble::Predict(std::span<const float> rows, size_t width, std::span<float> scores) const {
  const size_t tree_count = trees(), leaf_count = size_t{1} << depth;
  std::vector<float> columns(width * kBlock);
  std::array<uint32_t, kBlock> leaf;
  std::array<float, kBlock> sums;
  for (size_t begin = 0; begin < scores.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, scores.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      for (size_t f = 0; f < width; ++f) columns[f * kBlock + i] = rows[(begin + i) * width + f];
    }
    sums.fill(bias);
    for (size_t t = 0; t < tree_count; ++t) {
      leaf.fill(0);
      for (uint32_t d = 0; d < depth; ++d) {
        const float* column = columns.data() + features[t * depth + d] * kBlock;
        const float threshold = thresholds[t * depth + d];
        for (size_t i = 0; i < kBlock; ++i) leaf[i] |= static_cast<uint32_t>(column[i] > threshold) << d;
      }
      const float* values = leaves.data() + t * leaf_count;
      for (size_t i = 0; i < kBlock; ++i) sums[i] += values[leaf[i]];
    }
    std::copy_n(sums.begin(), count, scores.begin() + static_cast<ptrdiff_t>(begin));
  }
}

absl::StatusOr<std::string> TreeEnsemble::Serialize() const {
  const size_t count = trees();
  if (depth == 0 || depth > kDepthMax || features.size() != count * depth || thresholds.size() != features.size() ||
      leaves.size() != (count << depth)) {
    return absl::InvalidArgumentError("trees: the shapes do not fit each other");
  }
  const std::vector<float> asked(features.begin(), features.end());
  const uint64_t questions[] = {count, depth}, values[] = {count, uint64_t{1} << depth};
  SafetensorsWriter writer;
  writer.AddF32("features", questions, asked);
  writer.AddF32("thresholds", questions, thresholds);
  writer.AddF32("leaves", values, leaves);
  writer.SetMetadata("trees", fmt::format("{}", count));
  writer.SetMetadata("depth", fmt::format("{}", depth));
  writer.SetMetadata("bias", fmt::format("{}", bias));
  writer.SetMetadata("feature_names", absl::StrJoin(feature_names, ","));
  return writer.Finish();
}

absl::StatusOr<TreeEnsemble> TreeEnsemble::Parse(std::string_view bytes) {
  absl::StatusOr<TreeEnsemble> read = ReadTrees(bytes);
  if (!read.ok()) return absl::DataLossError(read.status().message());
  return read;
}

}  // namespace bowerbird::model
