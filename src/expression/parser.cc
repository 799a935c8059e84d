#include "expression/parser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/closest_name.h"
#include "base/time_text.h"
#include "expression/lexer.h"

namespace bowerbird::expression {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Instant kEarliest = {false, std::numeric_limits<int64_t>::min()};
constexpr Instant kLatest = {false, std::numeric_limits<int64_t>::max()};
constexpr std::string_view kComparisons[] = {"==", "!=", "<", "<=", ">", ">="};

struct Attribute {
  uint32_t index;
  std::string_view name;
  Type type;
};

bool IsTooLong(std::string_view text, CompileError* error) {
  if (text.size() <= Program::kTextBytesMax) return false;
  *error = {Program::kTextBytesMax + 1, fmt::format("{} bytes", text.size()),
            fmt::format("at most {} bytes", Program::kTextBytesMax)};
  return true;
}

template <typename T>
Node Wrap(T what) {
  return Node{std::move(what)};
}

/// Recursive descent. Every function returns nothing (nullopt, false) after the first error, which is then in `error_`.
class Parser {
 public:
  Parser(std::string_view text, const Schema& schema, std::vector<OpenNumber>* open, CompileError* error)
      : schema_(schema), open_(open), error_(error), lexer_(text, error) {}

  /// At the beginning of the text.
  std::optional<Node> Whole() {
    if (!Advance()) return std::nullopt;
    std::optional<Node> node = Or();
    if (node && token_.kind != Token::Kind::kEnd) return Refuse("'and', 'or' or the end of the text");
    return node;
  }
  /// At the beginning of a text that is one open number.
  bool OneOpenNumber() {
    if (!Advance()) return false;
    if (!Operand()) return false;
    if (open_->empty()) {
      RefuseAt(1, "an attribute", fmt::format("{}", fmt::join(schema_.OpenForms(), " or ")));
      return false;
    }
    if (token_.kind == Token::Kind::kEnd) return true;
    Refuse("the end of the text");
    return false;
  }

 private:
  bool Advance() { return lexer_.Next(&token_); }

  std::string Found() const {
    if (token_.kind == Token::Kind::kEnd) return "the end of the text";
    if (token_.text.size() > 40) return fmt::format("'{}...'", token_.text.substr(0, 40));
    return token_.kind == Token::Kind::kString ? std::string(token_.text) : fmt::format("'{}'", token_.text);
  }
  std::nullopt_t Refuse(std::string expected) { return RefuseAt(token_.position, Found(), std::move(expected)); }
  std::nullopt_t RefuseAt(uint32_t position, std::string found, std::string expected) {
    *error_ = {position, std::move(found), std::move(expected)};
    return std::nullopt;
  }

  std::optional<Node> Or() { return Terms("or", false, &Parser::And); }
  std::optional<Node> And() { return Terms("and", true, &Parser::Unary); }

  // One flat group however many terms, so that depth counts parentheses and `not` only.
  std::optional<Node> Terms(std::string_view word, bool all, std::optional<Node> (Parser::*term)()) {
    std::optional<Node> first = (this->*term)();
    if (!first || !token_.Is(word)) return first;
    Group group{all, {}};
    group.terms.push_back(*std::move(first));
    while (token_.Is(word)) {
      if (!Advance()) return std::nullopt;
      std::optional<Node> next = (this->*term)();
      if (!next) return std::nullopt;
      group.terms.push_back(*std::move(next));
    }
    return Wrap(std::move(group));
  }

  std::optional<Node> Unary() {
    if (token_.Is("not") || token_.Is("(")) {
      if (depth_ == Program::kDepthMax) {
        return Refuse(fmt::format("at most {} levels of parentheses and 'not'", Program::kDepthMax));
      }
      ++depth_;
      std::optional<Node> node = token_.Is("not") ? Not() : Parenthesized();
      --depth_;
      return node;
    }
    if (token_.Is("true") || token_.Is("false")) {
      const bool value = token_.Is("true");
      if (!Advance()) return std::nullopt;
      return Wrap(Constant{value});
    }
    if (token_.kind == Token::Kind::kName) return Comparison();
    return Refuse("an attribute, 'not', '(', 'true' or 'false'");
  }

  std::optional<Node> Not() {
    if (!Advance()) return std::nullopt;
    std::optional<Node> term = Unary();
    if (!term) return std::nullopt;
    return Negate(*std::move(term));
  }
  static Node Negate(Node term) { return Wrap(Negation{std::make_unique<const Node>(std::move(term))}); }

  std::optional<Node> Parenthesized() {
    if (!Advance()) return std::nullopt;
    std::optional<Node> node = Or();
    if (!node) return std::nullopt;
    if (!token_.Is(")")) return Refuse("'and', 'or' or ')'");
    if (!Advance()) return std::nullopt;
    return node;
  }

  std::optional<Node> Comparison() {
    const std::optional<Attribute> operand = Operand();
    if (!operand) return std::nullopt;
    const Attribute attribute = *operand;
    if (token_.kind == Token::Kind::kSymbol && std::ranges::find(kComparisons, token_.text) != std::end(kComparisons) &&
        attribute.type != Type::kStrings) {
      const std::string_view op = token_.text;
      if (attribute.type == Type::kBool && op != "==" && op != "!=") return Refuse(ExpectedOperator(attribute));
      if (!Advance()) return std::nullopt;
      return Compare(attribute, op);
    }
    if (token_.Is("in") && attribute.type != Type::kBool) return In(attribute);
    if (token_.Is("not") && attribute.type != Type::kBool) {
      if (!Advance()) return std::nullopt;
      if (!token_.Is("in")) return Refuse("'in' after 'not'");
      std::optional<Node> node = In(attribute);
      if (!node) return std::nullopt;
      return Negate(*std::move(node));
    }
    if (token_.Is("contains") && (attribute.type == Type::kString || attribute.type == Type::kStrings)) {
      if (!Advance()) return std::nullopt;
      std::optional<std::string> text = Text(attribute);
      if (!text) return std::nullopt;
      if (attribute.type == Type::kString) return Wrap(TextContains{attribute.index, *std::move(text)});
      return Wrap(SetContains{attribute.index, {*std::move(text)}});
    }
    if (attribute.type == Type::kBool && EndsTerm()) return Wrap(BoolTest{attribute.index, true});
    return Refuse(ExpectedOperator(attribute));
  }
  /// An attribute, an open number, or the product of two: what stands to the left of an operator.
  std::optional<Attribute> Operand() {
    const std::string_view name = token_.text;
    if (const std::optional<uint32_t> index = schema_.Find(name)) {
      if (!Advance()) return std::nullopt;
      return Attribute{*index, schema_.name(*index), schema_.type(*index)};
    }
    if (schema_.IsOpen(name)) {
      if (!Advance()) return std::nullopt;
      return Open(name, {std::string(name), ""});
    }
    if (name == "dot" && !schema_.OpenForms().empty()) return Product();
    return Refuse(ExpectedAttribute());
  }
  // At `dot`.
  std::optional<Attribute> Product() {
    const std::string_view name = token_.text;
    OpenNumber product;
    if (!Advance()) return std::nullopt;
    if (!token_.Is("(")) return Refuse("'(' and the first of two vectors");
    if (!Advance()) return std::nullopt;
    if (!Vector(&product.name)) return std::nullopt;
    if (!token_.Is(",")) return Refuse("',' and the other vector");
    if (!Advance()) return std::nullopt;
    if (!Vector(&product.other)) return std::nullopt;
    if (!token_.Is(")")) return Refuse("')'");
    if (!Advance()) return std::nullopt;
    return Open(name, std::move(product));
  }
  bool Vector(std::string* name) {
    if (!schema_.IsOpen(token_.text)) {
      Refuse(fmt::format("{}", fmt::join(schema_.OpenForms(), " or ")));
      return false;
    }
    *name = token_.text;
    return Advance();
  }
  std::optional<Attribute> Open(std::string_view shown, OpenNumber number) {
    auto at = std::ranges::find(*open_, number);
    if (at == open_->end()) {
      if (open_->size() == Program::kOpenMax) {
        return Refuse(fmt::format("at most {} numbers of tables", Program::kOpenMax));
      }
      at = open_->insert(open_->end(), std::move(number));
    }
    return Attribute{schema_.size() + static_cast<uint32_t>(at - open_->begin()), shown, Type::kNumber};
  }
  bool EndsTerm() const {
    return token_.kind == Token::Kind::kEnd || token_.Is("and") || token_.Is("or") || token_.Is(")");
  }

  std::string ExpectedAttribute() const {
    std::vector<std::string_view> names;
    for (uint32_t i = 0; i < schema_.size(); ++i) names.push_back(schema_.name(i));
    std::ranges::sort(names);
    const std::string_view closest = base::ClosestName(token_.text, names);
    const std::string hint = closest.empty() ? "" : fmt::format(" (did you mean '{}'?)", closest);
    constexpr size_t kNamed = 30;
    const std::string more = names.size() > kNamed ? fmt::format(" and {} more", names.size() - kNamed) : "";
    if (names.size() > kNamed) names.resize(kNamed);
    const std::vector<std::string> forms = schema_.OpenForms();
    const std::string open = forms.empty() ? "" : fmt::format("; or {}", fmt::join(forms, ", "));
    return fmt::format("an attribute{}: {}{}{}", hint, fmt::join(names, ", "), more, open);
  }

  static std::string ExpectedOperator(const Attribute& attribute) {
    constexpr std::string_view kOperators[] = {"==, !=, or nothing", "==, !=, <, <=, >, >=, in or not in",
                                               "==, !=, <, <=, >, >=, in, not in or contains",
                                               "==, !=, <, <=, >, >=, in or not in", "contains, in or not in"};
    return fmt::format("{} after '{}', which is {}", kOperators[static_cast<size_t>(attribute.type)], attribute.name,
                       TypeName(attribute.type));
  }
  static std::string Because(std::string_view what, const Attribute& attribute) {
    return fmt::format("{}, because '{}' is {}", what, attribute.name, TypeName(attribute.type));
  }

  std::optional<Node> Compare(const Attribute& attribute, std::string_view op) {
    switch (attribute.type) {
      case Type::kBool: {
        if (!token_.Is("true") && !token_.Is("false")) return Refuse(Because("true or false", attribute));
        const bool value = token_.Is("true") == (op == "==");
        if (!Advance()) return std::nullopt;
        return Wrap(BoolTest{attribute.index, value});
      }
      case Type::kNumber: {
        const std::optional<double> number = Number(attribute);
        if (!number) return std::nullopt;
        return Wrap(NumberComparison(attribute.index, op, *number));
      }
      case Type::kTime: {
        const std::optional<Instant> instant = Time(attribute);
        if (!instant) return std::nullopt;
        return Wrap(TimeComparison(attribute.index, op, *instant));
      }
      case Type::kString: {
        std::optional<std::string> text = Text(attribute);
        if (!text) return std::nullopt;
        if (op == "==" || op == "!=") return Wrap(TextList{attribute.index, {*std::move(text)}, op == "!="});
        return Wrap(TextOrder{attribute.index, *std::move(text), op[0] == '<', op.size() == 2});
      }
      case Type::kStrings:
        break;
    }
    return Refuse(ExpectedOperator(attribute));
  }

  static NumberRange NumberComparison(uint32_t attribute, std::string_view op, double number) {
    if (op == "<") return {attribute, -kInfinity, std::nextafter(number, -kInfinity)};
    if (op == "<=") return {attribute, -kInfinity, number};
    if (op == ">") return {attribute, std::nextafter(number, kInfinity), kInfinity};
    if (op == ">=") return {attribute, number, kInfinity};
    return {attribute, number, number, op == "!="};
  }
  static TimeRange TimeComparison(uint32_t attribute, std::string_view op, Instant instant) {
    const auto moved = [&](int64_t by) { return Instant{instant.from_now, AddSaturating(instant.us, by)}; };
    if (op == "<") return {attribute, kEarliest, moved(-1)};
    if (op == "<=") return {attribute, kEarliest, instant};
    if (op == ">") return {attribute, moved(1), kLatest};
    if (op == ">=") return {attribute, instant, kLatest};
    return {attribute, instant, instant, op == "!="};
  }

  std::optional<double> Number(const Attribute& attribute) {
    const uint32_t position = token_.position;
    const bool negative = token_.Is("-");
    if (negative && !Advance()) return std::nullopt;
    if (token_.kind != Token::Kind::kNumber) {
      return RefuseAt(position, negative ? "'-' and " + Found() : Found(), Because("a number", attribute));
    }
    const double number = negative ? -token_.number : token_.number;
    if (!Advance()) return std::nullopt;
    return number;
  }

  std::optional<std::string> Text(const Attribute& attribute) {
    if (token_.kind != Token::Kind::kString) return Refuse(Because("a string in quotes", attribute));
    std::string text = std::move(token_.string);
    if (!Advance()) return std::nullopt;
    return text;
  }

  std::optional<Instant> Time(const Attribute& attribute) {
    constexpr std::string_view kExpected =
        "now, or a time in quotes such as \"2026-11-21\" or \"2026-11-21T05:21:00Z\"";
    Instant instant;
    if (token_.Is("now")) {
      instant.from_now = true;
    } else if (token_.kind == Token::Kind::kString) {
      const absl::StatusOr<int64_t> us = base::ParseTimeUs(token_.string);
      if (!us.ok()) return Refuse(Because(kExpected, attribute));
      instant.us = *us;
    } else {
      return Refuse(Because(kExpected, attribute));
    }
    if (!Advance()) return std::nullopt;
    while (token_.Is("+") || token_.Is("-")) {
      const bool minus = token_.Is("-");
      if (!Advance()) return std::nullopt;
      if (token_.kind != Token::Kind::kDuration) return Refuse("a duration in us, ms, s, m, h, d or w such as 7d");
      instant.us = AddSaturating(instant.us, minus ? -token_.us : token_.us);
      if (!Advance()) return std::nullopt;
    }
    return instant;
  }

  // At `in`.
  std::optional<Node> In(const Attribute& attribute) {
    if (!Advance()) return std::nullopt;
    if (token_.Is("[") && attribute.type == Type::kNumber) {
      std::optional<std::vector<double>> numbers = List<double>(attribute, &Parser::Number);
      if (!numbers) return std::nullopt;
      return Wrap(NumberList{attribute.index, *std::move(numbers)});
    }
    if (token_.Is("[") && (attribute.type == Type::kString || attribute.type == Type::kStrings)) {
      std::optional<std::vector<std::string>> texts = List<std::string>(attribute, &Parser::Text);
      if (!texts) return std::nullopt;
      if (attribute.type == Type::kStrings) return Wrap(SetContains{attribute.index, *std::move(texts)});
      return Wrap(TextList{attribute.index, *std::move(texts)});
    }
    if (token_.kind == Token::Kind::kEnd || attribute.type == Type::kString || attribute.type == Type::kStrings) {
      return Refuse(Because(attribute.type == Type::kNumber ? "a list such as [1, 2] or a range such as 10..20"
                            : attribute.type == Type::kTime ? "a range such as now - 7d..now"
                                                            : "a list such as [\"a\", \"b\"]",
                            attribute));
    }
    return attribute.type == Type::kNumber ? NumberBetween(attribute) : TimeBetween(attribute);
  }

  std::optional<Node> NumberBetween(const Attribute& attribute) {
    const uint32_t position = token_.position;
    const std::optional<double> low = Number(attribute);
    if (!low || !RangePoints()) return std::nullopt;
    const std::optional<double> high = Number(attribute);
    if (!high) return std::nullopt;
    if (*low > *high)
      return RefuseAt(position, fmt::format("{}..{}", *low, *high), "a range with the smaller bound first");
    return Wrap(NumberRange{attribute.index, *low, *high});
  }
  std::optional<Node> TimeBetween(const Attribute& attribute) {
    const uint32_t position = token_.position;
    const std::optional<Instant> low = Time(attribute);
    if (!low || !RangePoints()) return std::nullopt;
    const std::optional<Instant> high = Time(attribute);
    if (!high) return std::nullopt;
    if (low->from_now == high->from_now && low->us > high->us) {
      return RefuseAt(position, "a later bound before an earlier one", "a range with the earlier bound first");
    }
    return Wrap(TimeRange{attribute.index, *low, *high});
  }
  bool RangePoints() {
    if (!token_.Is("..")) {
      Refuse("'..' and the upper bound of a range");
      return false;
    }
    return Advance();
  }

  // At `[`. Ascending and distinct, as the evaluators want them.
  template <typename T>
  std::optional<std::vector<T>> List(const Attribute& attribute,
                                     std::optional<T> (Parser::*element)(const Attribute&)) {
    std::vector<T> list;
    do {
      if (!Advance()) return std::nullopt;
      if (list.size() == Program::kListMax)
        return Refuse(fmt::format("at most {} values in a list", Program::kListMax));
      std::optional<T> value = (this->*element)(attribute);
      if (!value) return std::nullopt;
      list.push_back(*std::move(value));
    } while (token_.Is(","));
    if (!token_.Is("]")) return Refuse("',' or ']'");
    if (!Advance()) return std::nullopt;
    std::ranges::sort(list);
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  }

  const Schema& schema_;
  std::vector<OpenNumber>* open_;
  CompileError* error_;
  Lexer lexer_;
  Token token_;
  uint32_t depth_ = 0;
};

}  // namespace

std::unique_ptr<const Node> Parse(std::string_view text, const Schema& schema, std::vector<OpenNumber>* open,
                                  CompileError* error) {
  if (IsTooLong(text, error)) return nullptr;
  std::optional<Node> root = Parser(text, schema, open, error).Whole();
  if (!root) return nullptr;
  return std::make_unique<const Node>(*std::move(root));
}

std::optional<OpenNumber> ParseOpenNumber(std::string_view text, const Schema& schema, CompileError* error) {
  if (IsTooLong(text, error)) return std::nullopt;
  std::vector<OpenNumber> open;
  if (!Parser(text, schema, &open, error).OneOpenNumber()) return std::nullopt;
  return std::move(open.front());
}

}  // namespace bowerbird::expression
