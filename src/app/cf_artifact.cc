#include "app/cf_artifact.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <span>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "model/safetensors.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

static_assert(std::endian::native == std::endian::little, "lists.bin is little endian");
constexpr std::string_view kMagic = "bbcflst1";

/// Sections of lists.bin: a count as uint64, then the values.
template <typename T>
void AppendSection(std::span<const T> values, std::string* out) {
  const uint64_t count = values.size();
  out->append(reinterpret_cast<const char*>(&count), sizeof(count));
  out->append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

template <typename T>
bool TakeSection(std::string_view* bytes, std::vector<T>* values) {
  uint64_t count = 0;
  if (bytes->size() < sizeof(count)) return false;
  std::memcpy(&count, bytes->data(), sizeof(count));
  bytes->remove_prefix(sizeof(count));
  if (count > bytes->size() / sizeof(T)) return false;
  values->resize(count);
  std::memcpy(values->data(), bytes->data(), count * sizeof(T));
  bytes->remove_prefix(count * sizeof(T));
  return true;
}

absl::StatusOr<float> ReadNumber(const model::Safetensors& file, std::string_view name) {
  const auto it = file.metadata().find(name);
  float value = 0;
  if (it == file.metadata().end() || !absl::SimpleAtof(it->second, &value)) {
    return absl::DataLossError(fmt::format("model.safetensors: the metadata has no number '{}'", name));
  }
  return value;
}

}  // namespace

absl::Status WriteCfArtifact(const index::CfModel& model, const std::string& folder) {
  model::SafetensorsWriter writer;
  const uint64_t items_shape[] = {model.items.size(), model.dim};
  const uint64_t gramian_shape[] = {model.dim, model.dim};
  writer.AddF32("items", items_shape, model.factors);
  writer.AddF32("gramian", gramian_shape, model.gramian);
  writer.SetMetadata("dim", fmt::format("{}", model.dim));
  writer.SetMetadata("unobserved_weight", fmt::format("{}", model.objective.unobserved_weight));
  writer.SetMetadata("regularization", fmt::format("{}", model.objective.regularization));
  writer.SetMetadata("frequency_exponent", fmt::format("{}", model.objective.frequency_exponent));
  RETURN_IF_ERROR(store::AtomicWriteFile(folder + "/model.safetensors", writer.Finish()));
  std::string lists(kMagic);
  std::vector<uint64_t> keys;
  keys.reserve(model.items.size());
  for (const catalog::ItemKey key : model.items) keys.push_back(key.value);
  AppendSection<uint64_t>(keys, &lists);
  AppendSection<uint64_t>(model.item_counts, &lists);
  AppendSection<uint64_t>(model.neighbor_offsets, &lists);
  AppendSection<uint32_t>(model.neighbors, &lists);
  AppendSection<float>(model.neighbor_scores, &lists);
  return store::AtomicWriteFile(folder + "/lists.bin", lists);
}

absl::StatusOr<index::CfModel> ReadCfArtifact(const registry::Artifact& artifact) {
  index::CfModel model;
  model.version = artifact.manifest.version;
  ASSIGN_OR_RETURN(const std::string lists, store::ReadFile(artifact.Path("lists.bin")));
  std::string_view rest = lists;
  std::vector<uint64_t> keys;
  if (!rest.starts_with(kMagic)) return absl::DataLossError("lists.bin: found another header; expected bbcflst1");
  rest.remove_prefix(kMagic.size());
  if (!TakeSection(&rest, &keys) || !TakeSection(&rest, &model.item_counts) ||
      !TakeSection(&rest, &model.neighbor_offsets) || !TakeSection(&rest, &model.neighbors) ||
      !TakeSection(&rest, &model.neighbor_scores) || !rest.empty()) {
    return absl::DataLossError("lists.bin: the sections do not fill the file");
  }
  for (const uint64_t key : keys) model.items.emplace_back(key);
  ASSIGN_OR_RETURN(const std::string bytes, store::ReadFile(artifact.Path("model.safetensors")));
  ASSIGN_OR_RETURN(const model::Safetensors file, model::Safetensors::Parse(bytes));
  ASSIGN_OR_RETURN(const float dim, ReadNumber(file, "dim"));
  model.dim = static_cast<uint32_t>(dim);
  ASSIGN_OR_RETURN(model.objective.unobserved_weight, ReadNumber(file, "unobserved_weight"));
  ASSIGN_OR_RETURN(model.objective.regularization, ReadNumber(file, "regularization"));
  ASSIGN_OR_RETURN(model.objective.frequency_exponent, ReadNumber(file, "frequency_exponent"));
  const uint64_t items_shape[] = {model.items.size(), model.dim};
  const uint64_t gramian_shape[] = {model.dim, model.dim};
  ASSIGN_OR_RETURN(model.factors, file.ReadF32("items", items_shape));
  ASSIGN_OR_RETURN(model.gramian, file.ReadF32("gramian", gramian_shape));
  return model;
}

}  // namespace bowerbird::app
