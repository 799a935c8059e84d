#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "expression/value.h"

/// The tree that the parser makes and both evaluators walk. Depth is at most Program::kDepthMax and a little.
namespace bowerbird::expression {

/// a + b, held at the ends of int64.
inline int64_t AddSaturating(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

/// A time literal: fixed, or so far from the evaluation's now.
struct Instant {
  bool from_now = false;
  int64_t us = 0;
  int64_t At(int64_t now_us) const { return from_now ? AddSaturating(now_us, us) : us; }
};

struct Node;

struct Constant {
  bool value;
};
struct Negation {
  std::unique_ptr<const Node> term;
};
/// `and` of all terms, or `or` of any.
struct Group {
  bool all;
  std::vector<Node> terms;
};
struct BoolTest {
  uint32_t attribute;
  bool value;
};
/// Every numeric comparison: in [low, high] (strict bounds are moved to the neighbouring double), or outside of it for
/// `!=`.
struct NumberRange {
  uint32_t attribute;
  double low, high;
  bool outside = false;
};
struct NumberList {
  uint32_t attribute;
  std::vector<double> numbers;  ///< ascending, distinct
};
/// As NumberRange; times are whole microseconds, so that a strict bound is one further.
struct TimeRange {
  uint32_t attribute;
  Instant low, high;
  bool outside = false;
};
/// The string is one of `texts`, or none of them for `!=`.
struct TextList {
  uint32_t attribute;
  std::vector<std::string> texts;  ///< ascending, distinct
  bool outside = false;
};
/// Order by bytes: the string is below (`less`) or above `text`, or equal to it when `or_equal`.
struct TextOrder {
  uint32_t attribute;
  std::string text;
  bool less, or_equal;
  bool Matches(std::string_view value) const {
    const int order = value.compare(text);
    return order == 0 ? or_equal : (order < 0) == less;
  }
};
/// The string has `part` in it.
struct TextContains {
  uint32_t attribute;
  std::string part;
  bool Matches(std::string_view value) const { return value.find(part) != value.npos; }
};
/// The set holds at least one of `texts`.
struct SetContains {
  uint32_t attribute;
  std::vector<std::string> texts;  ///< ascending, distinct
};

struct Node {
  std::variant<Constant, Negation, Group, BoolTest, NumberRange, NumberList, TimeRange, TextList, TextOrder,
               TextContains, SetContains>
      what;
};

}  // namespace bowerbird::expression
