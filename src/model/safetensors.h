#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bowerbird::model {

/// Named tensors in the safetensors format, which other tools read too (https://github.com/huggingface/safetensors): 8
/// bytes little endian header length, a JSON header, the tensors' bytes without holes.
enum class TensorType : uint8_t { kF32, kBf16 };

/// Writes a file's bytes: add tensors, then take Finish().
class SafetensorsWriter {
 public:
  /// Row-major values; the product of `shape` is the number of values. Names are unique and not "__metadata__" (a bug
  /// otherwise).
  void AddF32(std::string_view name, std::span<const uint64_t> shape, std::span<const float> values);
  void AddBf16(std::string_view name, std::span<const uint64_t> shape, std::span<const uint16_t> values);
  void SetMetadata(std::string_view key, std::string_view value);

  /// The file: header padded with spaces so that tensors start at a multiple of 64 bytes, each tensor at a multiple of
  /// its value's size.
  std::string Finish() const;

 private:
  struct Entry {
    TensorType type;
    std::vector<uint64_t> shape;
    uint64_t begin, end;  // within the data of its type
  };
  void Add(std::string_view name, TensorType type, std::span<const uint64_t> shape, std::string_view bytes);

  std::vector<std::pair<std::string, Entry>> entries_;
  std::map<std::string, std::string> metadata_;
  std::string f32_data_, bf16_data_;
};

/// Reads such a file from memory (mapped or loaded), which must outlive the reader. Any bytes are safe to give.
///
/// Bounds   header of at most 16 MiB, 8 dimensions a tensor. Types other than F32 and BF16 are refused.
class Safetensors {
 public:
  struct Tensor {
    TensorType type;
    std::vector<uint64_t> shape;
    uint64_t value_count;
    std::string_view bytes;  // little endian; not necessarily aligned
  };

  /// InvalidArgument, saying which tensor and what: truncated, header not JSON, unknown type, shape and offsets
  /// disagree, tensors overlap or leave holes, a name twice.
  static absl::StatusOr<Safetensors> Parse(std::string_view file);

  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }

  /// The values as float32 (widened from BF16). NotFound: no such tensor. InvalidArgument: its shape is not `shape`.
  absl::StatusOr<std::vector<float>> ReadF32(std::string_view name, std::span<const uint64_t> shape) const;
  /// The same, unwidened; InvalidArgument also when the tensor is not BF16.
  absl::StatusOr<std::vector<uint16_t>> ReadBf16(std::string_view name, std::span<const uint64_t> shape) const;

 private:
  absl::StatusOr<const Tensor*> Find(std::string_view name, std::span<const uint64_t> shape) const;

  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace bowerbird::model
