#include "index/column_builder.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace bowerbird::index {
namespace {

void SetBit(std::vector<uint64_t>* words, uint32_t row) { (*words)[row / 64] |= uint64_t{1} << (row % 64); }

template <typename T>
std::span<const T> Span(const std::vector<T>& values) {
  return values;
}

}  // namespace

uint32_t ColumnBuilder::Code(std::string_view text) {
  if (const auto found = dictionary_.find(text); found != dictionary_.end()) return found->second;
  const auto code = static_cast<uint32_t>(dictionary_.size());
  dictionary_.emplace(text, code);
  return code;
}

void ColumnBuilder::Add(const expression::ValueView& value) {
  using expression::Type;
  const uint32_t row = rows_++;
  const bool has_present = type_ == Type::kBool || type_ == Type::kNumber || type_ == Type::kTime;
  if (has_present && row % 64 == 0) present_.push_back(0);
  if (has_present && !std::holds_alternative<std::monostate>(value)) SetBit(&present_, row);
  switch (type_) {
    case Type::kBool: {
      if (row % 64 == 0) bools_.push_back(0);
      const bool* held = std::get_if<bool>(&value);
      if (held != nullptr && *held) SetBit(&bools_, row);
      break;
    }
    case Type::kNumber: {
      const double* held = std::get_if<double>(&value);
      numbers_.push_back(held == nullptr ? 0 : *held);
      break;
    }
    case Type::kTime: {
      const auto* held = std::get_if<expression::TimeUs>(&value);
      times_.push_back(held == nullptr ? 0 : held->value);
      break;
    }
    case Type::kString: {
      const auto* held = std::get_if<std::string_view>(&value);
      codes_.push_back(held == nullptr ? expression::kNoCode : Code(*held));
      break;
    }
    case Type::kStrings: {
      if (const auto* held = std::get_if<std::span<const std::string_view>>(&value)) {
        for (const std::string_view text : *held) codes_.push_back(Code(text));
      }
      offsets_.push_back(static_cast<uint32_t>(codes_.size()));
      break;
    }
  }
}

void ColumnBuilder::WriteTexts(uint32_t index, SectionWriter* writer) {
  std::vector<std::pair<std::string_view, uint32_t>> sorted(dictionary_.begin(), dictionary_.end());
  std::ranges::sort(sorted);
  std::vector<uint32_t> renumbered(sorted.size());
  std::vector<uint64_t> offsets = {0};
  writer->Begin(SectionKind::kColumnTextBytes, index);
  for (uint32_t code = 0; code < sorted.size(); ++code) {
    renumbered[sorted[code].second] = code;
    writer->Append(sorted[code].first);
    offsets.push_back(offsets.back() + sorted[code].first.size());
  }
  writer->End();
  writer->Write(SectionKind::kColumnTextOffsets, index, Span(offsets));
  for (uint32_t& code : codes_) {
    if (code != expression::kNoCode) code = renumbered[code];
  }
  writer->Write(SectionKind::kColumnCodes, index, Span(codes_));
}

void ColumnBuilder::Write(uint32_t index, SectionWriter* writer) {
  using expression::Type;
  switch (type_) {
    case Type::kBool:
      writer->Write(SectionKind::kColumnBools, index, Span(bools_));
      break;
    case Type::kNumber:
      writer->Write(SectionKind::kColumnNumbers, index, Span(numbers_));
      break;
    case Type::kTime:
      writer->Write(SectionKind::kColumnTimes, index, Span(times_));
      break;
    case Type::kString:
      WriteTexts(index, writer);
      return;
    case Type::kStrings:
      WriteTexts(index, writer);
      writer->Write(SectionKind::kColumnOffsets, index, Span(offsets_));
      return;
  }
  writer->Write(SectionKind::kColumnPresent, index, Span(present_));
}

}  // namespace bowerbird::index
