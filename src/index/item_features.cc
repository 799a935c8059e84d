#include "index/item_features.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/functional/function_ref.h"
#include "base/check.h"
#include "fmt/format.h"

namespace bowerbird::index {
namespace {

constexpr size_t kTitleWordsMax = 16;

/// Calls `visit` for each word of at least two bytes, in small letters where they are ASCII.
void ForEachWord(std::string_view text, absl::FunctionRef<void(std::string_view)> visit) {
  std::string word;
  size_t words = 0;
  for (size_t i = 0; i <= text.size() && words < kTitleWordsMax; ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    const bool capital = c >= 'A' && c <= 'Z';
    if (letter || capital) {
      word.push_back(capital ? static_cast<char>(c - 'A' + 'a') : c);
      continue;
    }
    if (word.size() >= 2) {
      visit(word);
      ++words;
    }
    word.clear();
  }
}

/// Numbers become columns by their magnitude in half octaves; small whole ones, such as years and counts, also one by
/// one.
void ForEachBucket(double number, absl::FunctionRef<void(std::string_view)> visit) {
  if (!std::isfinite(number)) return;
  const int magnitude = number == 0 ? -9999 : static_cast<int>(std::floor(2 * std::log2(std::abs(number))));
  visit(fmt::format("{}{}", number < 0 ? "-" : "+", magnitude));
  if (number == std::floor(number) && std::abs(number) < 10'000) visit(fmt::format("={}", static_cast<int>(number)));
}

void AppendEmbedding(const v1::Item& item, const EmbeddingInput& input, std::vector<float>* dense) {
  const size_t begin = dense->size();
  dense->resize(begin + input.dim, 0.0f);
  for (const v1::Embedding& embedding : item.embeddings()) {
    if (embedding.name() != input.name || embedding.values_size() != static_cast<int>(input.dim)) continue;
    double squares = 0;
    for (const float value : embedding.values()) squares += static_cast<double>(value) * value;
    if (!(squares > 0) || !std::isfinite(squares)) return;
    const double scale = 1 / std::sqrt(squares);
    for (uint32_t i = 0; i < input.dim; ++i) {
      (*dense)[begin + i] = static_cast<float>(embedding.values(static_cast<int>(i)) * scale);
    }
    return;
  }
}

}  // namespace

void ReadFeatures(const v1::Item& item, std::span<const std::string> categories, uint32_t column_count,
                  std::span<const EmbeddingInput> embeddings, ItemFeatures* features) {
  features->columns.clear();
  features->dense.clear();
  const auto add = [&](std::string_view name, std::string_view value) {
    features->columns.push_back(model::AttributeColumn(name, value, column_count));
  };
  // The names are those of the built-in attributes, which no declared one can have.
  for (const std::string& category : categories) add("categories", category);
  if (!item.domain().empty()) add("domain", item.domain());
  ForEachWord(item.title(), [&](std::string_view word) { add("title", word); });
  if (item.has_price()) ForEachBucket(item.price(), [&](std::string_view bucket) { add("price", bucket); });
  for (const auto& [name, value] : item.attributes()) {
    const std::string& attribute = name;
    switch (value.kind_case()) {
      case v1::Value::kBoolValue:
        add(attribute, value.bool_value() ? "true" : "false");
        break;
      case v1::Value::kNumberValue:
        ForEachBucket(value.number_value(), [&](std::string_view bucket) { add(attribute, bucket); });
        break;
      case v1::Value::kStringValue:
        add(attribute, value.string_value());
        break;
      case v1::Value::kStrings:
        for (const std::string& text : value.strings().values()) add(attribute, text);
        break;
      case v1::Value::kTimeUs:
      case v1::Value::KIND_NOT_SET:
        break;
    }
  }
  // Maps have no order; sums need one.
  std::ranges::sort(features->columns);
  const auto repeated = std::ranges::unique(features->columns);
  features->columns.erase(repeated.begin(), repeated.end());
  for (const EmbeddingInput& input : embeddings) AppendEmbedding(item, input, &features->dense);
}

absl::StatusOr<FactorPredictor> FactorPredictor::Create(model::AttributeRegression regression,
                                                        std::vector<EmbeddingInput> embeddings) {
  uint64_t dense = 0;
  for (const EmbeddingInput& input : embeddings) dense += input.dim;
  if (dense != regression.dense_dim()) {
    return absl::InvalidArgumentError(
        fmt::format("embeddings have {} values; expected {}", dense, regression.dense_dim()));
  }
  if (!std::has_single_bit(regression.column_count())) {
    return absl::InvalidArgumentError(
        fmt::format("column_count is {}; expected a power of two", regression.column_count()));
  }
  return FactorPredictor(std::move(regression), std::move(embeddings));
}

void FactorPredictor::Predict(const v1::Item& item, std::span<const std::string> categories,
                              std::span<float> factor) const {
  ItemFeatures features;
  ReadFeatures(item, categories, regression_.column_count(), embeddings_, &features);
  regression_.Predict(features.columns, {}, features.dense, factor);
}

}  // namespace bowerbird::index
