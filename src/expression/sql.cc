#include "expression/sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "base/time_text.h"
#include "expression/node.h"
#include "expression/parser.h"

namespace bowerbird::expression {
namespace {

/// Every comparison with an absent value is false.
std::string Known(std::string_view comparison) { return fmt::format("COALESCE({}, FALSE)", comparison); }

template <typename T, typename F>
std::string ListOf(const std::vector<T>& values, F literal) {
  std::string list;
  for (const T& value : values) list += (list.empty() ? "" : ", ") + literal(value);
  return list;
}

bool NamesNow(const Node& node) {
  if (const auto* group = std::get_if<Group>(&node.what)) return std::ranges::any_of(group->terms, NamesNow);
  if (const auto* negation = std::get_if<Negation>(&node.what)) return NamesNow(*negation->term);
  const auto* time = std::get_if<TimeRange>(&node.what);
  return time != nullptr && (time->low.from_now || time->high.from_now);
}

struct SqlWriter {
  const SqlColumn& column;

  std::string Write(const Node& node) const { return std::visit(*this, node.what); }

  std::string operator()(const Constant& node) const { return node.value ? "TRUE" : "FALSE"; }
  std::string operator()(const Negation& node) const {
    const std::string term = Write(*node.term);
    return fmt::format("NOT {}", term);
  }
  std::string operator()(const Group& node) const {
    std::string text;
    for (const Node& one : node.terms) {
      const std::string term = Write(one);
      text += text.empty() ? "" : node.all ? " AND " : " OR ";
      text += term;
    }
    if (text.empty()) return node.all ? "TRUE" : "FALSE";
    return "(" + text + ")";
  }
  std::string operator()(const BoolTest& node) const {
    return Known(fmt::format("{} = {}", column(node.attribute), node.value ? "TRUE" : "FALSE"));
  }
  std::string operator()(const NumberRange& node) const {
    const std::string value = fmt::format("CAST({} AS DOUBLE)", column(node.attribute));
    const auto bound = [&](std::string_view sign, double limit) {
      if (std::isfinite(limit)) return fmt::format("{} {} {}", value, sign, SqlNumber(limit));
      const bool always = (limit > 0) == (sign.front() == '<');
      return always ? fmt::format("{} IS NOT NULL", value) : std::string("FALSE");
    };
    if (node.outside) return Known(fmt::format("({} OR {})", bound("<", node.low), bound(">", node.high)));
    return Known(fmt::format("({} AND {})", bound(">=", node.low), bound("<=", node.high)));
  }
  std::string operator()(const NumberList& node) const {
    if (node.numbers.empty()) return "FALSE";
    return Known(fmt::format("CAST({} AS DOUBLE) IN ({})", column(node.attribute), ListOf(node.numbers, SqlNumber)));
  }
  std::string operator()(const TimeRange& node) const {
    const std::string value = column(node.attribute);
    const auto bound = [&](std::string_view sign, int64_t us) {
      const bool least = us == std::numeric_limits<int64_t>::min(),
                 greatest = us == std::numeric_limits<int64_t>::max();
      if (!least && !greatest) {
        std::string time = base::FormatTimeUs(us);
        while (!time.empty() && time.back() == 'Z') time.pop_back();
        for (char& c : time) c = c == 'T' ? ' ' : c;
        return fmt::format("{} {} TIMESTAMP '{}'", value, sign, time);
      }
      const bool always = greatest == (sign.front() == '<');
      return always ? fmt::format("{} IS NOT NULL", value) : std::string("FALSE");
    };
    if (node.outside) return Known(fmt::format("({} OR {})", bound("<", node.low.us), bound(">", node.high.us)));
    return Known(fmt::format("({} AND {})", bound(">=", node.low.us), bound("<=", node.high.us)));
  }
  std::string operator()(const TextList& node) const {
    if (node.texts.empty())
      return node.outside ? fmt::format("{} IS NOT NULL", column(node.attribute)) : std::string("FALSE");
    return Known(
        fmt::format("{} {} ({})", column(node.attribute), node.outside ? "NOT IN" : "IN", ListOf(node.texts, SqlText)));
  }
  std::string operator()(const TextOrder& node) const {
    return Known(fmt::format("{} {}{} {}", column(node.attribute), node.less ? "<" : ">", node.or_equal ? "=" : "",
                             SqlText(node.text)));
  }
  std::string operator()(const TextContains& node) const {
    return Known(fmt::format("contains({}, {})", column(node.attribute), SqlText(node.part)));
  }
  std::string operator()(const SetContains& node) const {
    std::string text;
    for (const std::string& one : node.texts) {
      text += text.empty() ? "" : " OR ";
      text += Known(fmt::format("array_contains({}, {})", column(node.attribute), SqlText(one)));
    }
    return text.empty() ? "FALSE" : "(" + text + ")";
  }
};

}  // namespace

std::string SqlText(std::string_view text) {
  std::string literal = "'";
  bool parts = false;
  for (const char c : text) {
    if (c == '\\' || c == '\'') {
      fmt::format_to(std::back_inserter(literal), "', chr({}), '", static_cast<int>(c));
      parts = true;
    } else {
      literal += c;
    }
  }
  literal += "'";
  return parts ? "concat(" + literal + ")" : literal;
}

std::string SqlNumber(double number) {
  std::string text = fmt::format("{}", number);
  // Without an exponent it would be a decimal.
  if (text.find('e') == text.npos) text += "e0";
  return text;
}

std::optional<std::string> ToSql(std::string_view text, const Schema& schema, const SqlColumn& column,
                                 CompileError* error) {
  std::vector<OpenNumber> open;
  const std::unique_ptr<const Node> root = Parse(text, schema, &open, error);
  if (root == nullptr) return std::nullopt;
  if (NamesNow(*root)) {
    *error = {1, "\"now\"", "times that are written out: a table has no time of asking"};
    return std::nullopt;
  }
  return SqlWriter{column}.Write(*root);
}

}  // namespace bowerbird::expression
