#include "expression/sql.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/time_text.h"
#include "expression/node.h"

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

struct SqlWriter {
  const SqlColumn& column;

  absl::StatusOr<std::string> Write(const Node& node) const { return std::visit(*this, node.what); }

  absl::StatusOr<std::string> operator()(const Constant& node) const { return node.value ? "TRUE" : "FALSE"; }
  absl::StatusOr<std::string> operator()(const Negation& node) const {
    ASSIGN_OR_RETURN(const std::string term, Write(*node.term));
    return fmt::format("NOT {}", term);
  }
  absl::StatusOr<std::string> operator()(const Group& node) const {
    std::string text;
    for (const Node& one : node.terms) {
      ASSIGN_OR_RETURN(const std::string term, Write(one));
      text += text.empty() ? "" : node.all ? " AND " : " OR ";
      text += term;
    }
    if (text.empty()) return node.all ? "TRUE" : "FALSE";
    return "(" + text + ")";
  }
  absl::StatusOr<std::string> operator()(const BoolTest& node) const {
    return Known(fmt::format("{} = {}", column(node.attribute), node.value ? "TRUE" : "FALSE"));
  }
  absl::StatusOr<std::string> operator()(const NumberRange& node) const {
    const std::string value = fmt::format("CAST({} AS DOUBLE)", column(node.attribute));
    const auto bound = [&](std::string_view sign, double limit) {
      if (std::isfinite(limit)) return fmt::format("{} {} {}", value, sign, SqlNumber(limit));
      const bool always = (limit > 0) == (sign.front() == '<');
      return always ? fmt::format("{} IS NOT NULL", value) : std::string("FALSE");
    };
    if (node.outside) return Known(fmt::format("({} OR {})", bound("<", node.low), bound(">", node.high)));
    return Known(fmt::format("({} AND {})", bound(">=", node.low), bound("<=", node.high)));
  }
  absl::StatusOr<std::string> operator()(const NumberList& node) const {
    if (node.numbers.empty()) return "FALSE";
    return Known(fmt::format("CAST({} AS DOUBLE) IN ({})", column(node.attribute), ListOf(node.numbers, SqlNumber)));
  }
  absl::StatusOr<std::string> operator()(const TimeRange& node) const {
    if (node.low.from_now || node.high.from_now)
      return absl::InvalidArgumentError("found 'now'; expected a time that is written out");
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
  absl::StatusOr<std::string> operator()(const TextList& node) const {
    if (node.texts.empty())
      return node.outside ? fmt::format("{} IS NOT NULL", column(node.attribute)) : std::string("FALSE");
    return Known(
        fmt::format("{} {} ({})", column(node.attribute), node.outside ? "NOT IN" : "IN", ListOf(node.texts, SqlText)));
  }
  absl::StatusOr<std::string> operator()(const TextOrder& node) const {
    return Known(fmt::format("{} {}{} {}", column(node.attribute), node.less ? "<" : ">", node.or_equal ? "=" : "",
                             SqlText(node.text)));
  }
  absl::StatusOr<std::string> operator()(const TextContains& node) const {
    return Known(fmt::format("contains({}, {})", column(node.attribute), SqlText(node.part)));
  }
  absl::StatusOr<std::string> operator()(const SetContains& node) const {
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
    if (c == '\\') {
      literal += "', chr(92), '";
      parts = true;
    } else {
      literal.append(c == '\'' ? 2 : 1, c);
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

absl::StatusOr<std::string> ToSql(const Program& program, const SqlColumn& column) {
  if (!program.open().empty()) {
    return absl::InvalidArgumentError(
        fmt::format("found {}; expected fields of the event and attributes of its item", program.open()[0].Text()));
  }
  return SqlWriter{column}.Write(program.root());
}

}  // namespace bowerbird::expression
