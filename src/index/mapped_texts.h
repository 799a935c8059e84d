#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "expression/columns.h"

namespace bowerbird::index {

/// Many byte strings, one after another: string i is bytes[offsets[i] .. offsets[i + 1]). Nothing is owned; the reader
/// has checked that the offsets ascend within the bytes.
struct MappedTexts {
  std::span<const uint64_t> offsets;  ///< one more than there are strings
  std::string_view bytes;

  uint32_t size() const { return offsets.empty() ? 0 : static_cast<uint32_t>(offsets.size() - 1); }
  std::string_view Text(uint32_t i) const { return bytes.substr(offsets[i], offsets[i + 1] - offsets[i]); }
};

/// The distinct texts of a column, sorted by their bytes.
class MappedDictionary final : public expression::Dictionary {
 public:
  explicit MappedDictionary(const MappedTexts& texts) : texts_(texts) {}
  uint32_t size() const override { return texts_.size(); }
  std::string_view Text(uint32_t code) const override { return texts_.Text(code); }
  std::optional<uint32_t> Find(std::string_view text) const override;

 private:
  MappedTexts texts_;
};

}  // namespace bowerbird::index
