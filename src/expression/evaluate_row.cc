#include "expression/evaluate_row.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

namespace bowerbird::expression {
namespace {

bool Holds(const std::vector<std::string>& sorted, std::string_view text) {
  return std::binary_search(sorted.begin(), sorted.end(), text, std::less<>());
}

struct RowEvaluator {
  const Row& row;
  int64_t now_us;

  bool operator()(const Constant& node) const { return node.value; }
  bool operator()(const Negation& node) const { return !EvaluateRow(*node.term, row, now_us); }
  bool operator()(const Group& node) const {
    for (const Node& term : node.terms) {
      if (EvaluateRow(term, row, now_us) != node.all) return !node.all;
    }
    return node.all;
  }
  bool operator()(const BoolTest& node) const {
    const ValueView view = row.Get(node.attribute);
    const bool* value = std::get_if<bool>(&view);
    return value != nullptr && *value == node.value;
  }
  bool operator()(const NumberRange& node) const {
    const ValueView view = row.Get(node.attribute);
    const double* value = std::get_if<double>(&view);
    if (value == nullptr) return false;
    return node.outside ? *value < node.low || *value > node.high : *value >= node.low && *value <= node.high;
  }
  bool operator()(const NumberList& node) const {
    const ValueView view = row.Get(node.attribute);
    const double* value = std::get_if<double>(&view);
    return value != nullptr && !std::isnan(*value) &&
           std::binary_search(node.numbers.begin(), node.numbers.end(), *value);
  }
  bool operator()(const TimeRange& node) const {
    const ValueView view = row.Get(node.attribute);
    const TimeUs* value = std::get_if<TimeUs>(&view);
    if (value == nullptr) return false;
    const bool inside = value->value >= node.low.At(now_us) && value->value <= node.high.At(now_us);
    return inside != node.outside;
  }
  bool operator()(const TextList& node) const {
    const ValueView view = row.Get(node.attribute);
    const std::string_view* value = std::get_if<std::string_view>(&view);
    return value != nullptr && Holds(node.texts, *value) != node.outside;
  }
  bool operator()(const TextOrder& node) const { return TextMatches(node); }
  bool operator()(const TextContains& node) const { return TextMatches(node); }
  bool operator()(const SetContains& node) const {
    const ValueView view = row.Get(node.attribute);
    const auto any = [&](const auto& set) {
      return std::any_of(set.begin(), set.end(), [&](std::string_view text) { return Holds(node.texts, text); });
    };
    if (const auto* strings = std::get_if<std::span<const std::string>>(&view)) return any(*strings);
    if (const auto* views = std::get_if<std::span<const std::string_view>>(&view)) return any(*views);
    return false;
  }

  template <typename T>
  bool TextMatches(const T& node) const {
    const ValueView view = row.Get(node.attribute);
    const std::string_view* value = std::get_if<std::string_view>(&view);
    return value != nullptr && node.Matches(*value);
  }
};

}  // namespace

bool EvaluateRow(const Node& node, const Row& row, int64_t now_us) {
  return std::visit(RowEvaluator{row, now_us}, node.what);
}

}  // namespace bowerbird::expression
