#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "simdjson.h"

namespace bowerbird::model {

namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they stand in the file");

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr uint64_t kMaxHeaderBytes = 16 << 20;
constexpr size_t kMaxDimensions = 8;
constexpr size_t kAlignment = 64;

uint64_t ValueSize(TensorType type) { return type == TensorType::kF32 ? 4 : 2; }

absl::Status Invalid(std::string_view tensor, std::string_view problem) {
  return absl::InvalidArgumentError(fmt::format("safetensors: tensor '{}': {}", tensor, problem));
}

// The tensor's entry in the header, its bytes cut from `data`.
absl::StatusOr<Safetensors::Tensor> ReadEntry(std::string_view name, const simdjson::dom::element& entry,
                                              std::string_view data) {
  std::string_view type_name;
  if (entry["dtype"].get_string().get(type_name)) return Invalid(name, "dtype is not a string");
  if (type_name != "F32" && type_name != "BF16") {
    return Invalid(name, fmt::format("dtype is '{}'; expected F32 or BF16", type_name));
  }
  Safetensors::Tensor tensor{.type = type_name == "F32" ? TensorType::kF32 : TensorType::kBf16};
  simdjson::dom::array shape, offsets;
  if (entry["shape"].get_array().get(shape)) return Invalid(name, "shape is not an array");
  if (entry["data_offsets"].get_array().get(offsets)) return Invalid(name, "data_offsets is not an array");
  tensor.value_count = 1;
  bool empty = false;
  for (const simdjson::dom::element size_element : shape) {
    uint64_t size;
    if (size_element.get_uint64().get(size)) return Invalid(name, "shape holds something that is not a size");
    if (tensor.shape.size() == kMaxDimensions) {
      return Invalid(name, fmt::format("shape has over {} dimensions", kMaxDimensions));
    }
    tensor.shape.push_back(size);
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(tensor.value_count, size, &tensor.value_count)) {
      return Invalid(name, "shape overflows");
    }
  }
  if (empty) tensor.value_count = 0;
  uint64_t begin, end;
  if (offsets.size() != 2 || offsets.at(0).get_uint64().get(begin) || offsets.at(1).get_uint64().get(end)) {
    return Invalid(name, "data_offsets is not a pair of offsets");
  }
  if (begin > end || end > data.size()) {
    return Invalid(
        name, fmt::format("data_offsets are [{}, {}]; expected within the {} bytes of data", begin, end, data.size()));
  }
  if (tensor.value_count > std::numeric_limits<uint64_t>::max() / ValueSize(tensor.type) ||
      tensor.value_count * ValueSize(tensor.type) != end - begin) {
    return Invalid(name, fmt::format("data_offsets give {} bytes; expected {} values of {}", end - begin,
                                     tensor.value_count, type_name));
  }
  tensor.bytes = data.substr(begin, end - begin);
  return tensor;
}

}  // namespace

void SafetensorsWriter::Add(std::string_view name, TensorType type, std::span<const uint64_t> shape,
                            std::string_view bytes) {
  uint64_t count = 1;
  for (uint64_t size : shape) count *= size;
  BOWERBIRD_CHECK(count * ValueSize(type) == bytes.size() && shape.size() <= kMaxDimensions);
  BOWERBIRD_CHECK(name != kMetadataKey);
  for (const auto& [other, entry] : entries_) BOWERBIRD_CHECK(other != name);
  std::string& data = type == TensorType::kF32 ? f32_data_ : bf16_data_;
  entries_.emplace_back(name, Entry{type, {shape.begin(), shape.end()}, data.size(), data.size() + bytes.size()});
  data.append(bytes);
}

void SafetensorsWriter::AddF32(std::string_view name, std::span<const uint64_t> shape, std::span<const float> values) {
  Add(name, TensorType::kF32, shape, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

void SafetensorsWriter::AddBf16(std::string_view name, std::span<const uint64_t> shape,
                                std::span<const uint16_t> values) {
  Add(name, TensorType::kBf16, shape, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

void SafetensorsWriter::SetMetadata(std::string_view key, std::string_view value) {
  metadata_.insert_or_assign(std::string(key), std::string(value));
}

std::string SafetensorsWriter::Finish() const {
  std::string header;
  base::JsonWriter json(&header);
  json.BeginObject();
  if (!metadata_.empty()) {
    json.Key(kMetadataKey).BeginObject();
    for (const auto& [key, value] : metadata_) json.Key(key).String(value);
    json.EndObject();
  }
  for (const auto& [name, entry] : entries_) {
    // All float32 tensors come first, so that nothing is misaligned although the format allows no holes.
    const uint64_t base = entry.type == TensorType::kF32 ? 0 : f32_data_.size();
    json.Key(name).BeginObject().Key("dtype").String(entry.type == TensorType::kF32 ? "F32" : "BF16");
    json.Key("shape").BeginArray();
    for (uint64_t size : entry.shape) json.Uint(size);
    json.EndArray()
        .Key("data_offsets")
        .BeginArray()
        .Uint(base + entry.begin)
        .Uint(base + entry.end)
        .EndArray()
        .EndObject();
  }
  json.EndObject();
  header.append((kAlignment - (sizeof(uint64_t) + header.size()) % kAlignment) % kAlignment, ' ');
  const uint64_t header_size = header.size();
  BOWERBIRD_CHECK(header_size <= kMaxHeaderBytes);
  std::string file(reinterpret_cast<const char*>(&header_size), sizeof(header_size));
  file.reserve(sizeof(header_size) + header.size() + f32_data_.size() + bf16_data_.size());
  file.append(header).append(f32_data_).append(bf16_data_);
  return file;
}

absl::StatusOr<Safetensors> Safetensors::Parse(std::string_view file) {
  uint64_t header_size;
  if (file.size() < sizeof(header_size)) {
    return absl::InvalidArgumentError(
        fmt::format("safetensors: the file has {} bytes; expected at least 8", file.size()));
  }
  std::memcpy(&header_size, file.data(), sizeof(header_size));
  file.remove_prefix(sizeof(header_size));
  if (header_size > kMaxHeaderBytes || header_size > file.size()) {
    return absl::InvalidArgumentError(
        fmt::format("safetensors: the header's length is {}; expected at most {} and within the file", header_size,
                    kMaxHeaderBytes));
  }
  const std::string_view data = file.substr(header_size);
  const simdjson::padded_string header(file.substr(0, header_size));
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (const auto error = parser.parse(header).get_object().get(object)) {
    return absl::InvalidArgumentError(
        fmt::format("safetensors: the header is not a JSON object: {}", simdjson::error_message(error)));
  }
  Safetensors result;
  for (const auto& [name, entry] : object) {
    if (name == kMetadataKey) {
      simdjson::dom::object metadata;
      if (entry.get_object().get(metadata))
        return absl::InvalidArgumentError("safetensors: __metadata__ is not an object");
      for (const auto& [key, value] : metadata) {
        std::string_view text;
        if (value.get_string().get(text)) {
          return absl::InvalidArgumentError(fmt::format("safetensors: __metadata__ '{}' is not a string", key));
        }
        result.metadata_.emplace(key, text);
      }
      continue;
    }
    ASSIGN_OR_RETURN(Tensor tensor, ReadEntry(name, entry, data));
    if (!result.tensors_.emplace(name, std::move(tensor)).second) return Invalid(name, "comes twice");
  }
  // Together the tensors are all of the data, each byte in one of them.
  std::vector<std::pair<std::string_view, std::string_view>> in_order;
  for (const auto& [name, tensor] : result.tensors_) in_order.emplace_back(tensor.bytes, name);
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.data(), a.first.size()) < std::pair(b.first.data(), b.first.size());
  });
  const char* at = data.data();
  for (const auto& [bytes, name] : in_order) {
    if (bytes.data() != at) return Invalid(name, "overlaps another or leaves a hole before it");
    at += bytes.size();
  }
  if (at != data.data() + data.size()) {
    return absl::InvalidArgumentError(
        fmt::format("safetensors: {} bytes after the last tensor", data.data() + data.size() - at));
  }
  return result;
}

absl::StatusOr<const Safetensors::Tensor*> Safetensors::Find(std::string_view name,
                                                             std::span<const uint64_t> shape) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return absl::NotFoundError(fmt::format("safetensors: no tensor '{}'", name));
  const Tensor& tensor = found->second;
  if (!std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end())) {
    return Invalid(name,
                   fmt::format("shape is [{}]; expected [{}]", fmt::join(tensor.shape, ", "), fmt::join(shape, ", ")));
  }
  return &tensor;
}

absl::StatusOr<std::vector<float>> Safetensors::ReadF32(std::string_view name, std::span<const uint64_t> shape) const {
  ASSIGN_OR_RETURN(const Tensor* tensor, Find(name, shape));
  std::vector<float> values(tensor->value_count);
  if (tensor->type == TensorType::kF32) {
    if (!values.empty()) std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
  }
  ASSIGN_OR_RETURN(const std::vector<uint16_t> halves, ReadBf16(name, shape));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::bit_cast<float>(static_cast<uint32_t>(halves[i]) << 16);
  return values;
}

absl::StatusOr<std::vector<uint16_t>> Safetensors::ReadBf16(std::string_view name,
                                                            std::span<const uint64_t> shape) const {
  ASSIGN_OR_RETURN(const Tensor* tensor, Find(name, shape));
  if (tensor->type != TensorType::kBf16) return Invalid(name, "dtype is F32; expected BF16");
  std::vector<uint16_t> values(tensor->value_count);
  if (!values.empty()) std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

}  // namespace bowerbird::model
