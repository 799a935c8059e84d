#include "expression/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/time_text.h"

namespace bowerbird::expression {
namespace {

// Longest first.
constexpr std::string_view kSymbols[] = {"==", "!=", "<=", ">=", "..", "<", ">", "(", ")", "[", "]", ",", "+", "-"};
constexpr std::string_view kWords[] = {"and", "or", "not", "in", "contains", "true", "false", "now"};
// What people type out of habit from other languages, and what it is here.
constexpr std::pair<std::string_view, std::string_view> kHabits[] = {
    {"&&", "and"}, {"||", "or"}, {"!", "not"}, {"=", "=="}, {"<>", "!="}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool StartsName(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool ContinuesName(char c) { return StartsName(c) || IsDigit(c); }

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (code >> 6)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | (code >> 12)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | (code >> 18)));
    out->push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

}  // namespace

bool Lexer::Fail(size_t offset, std::string found, std::string expected) {
  *error_ = {static_cast<uint32_t>(offset + 1), std::move(found), std::move(expected)};
  return false;
}

bool Lexer::Next(Token* token) {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
    ++at_;
  *token = Token();
  token->position = static_cast<uint32_t>(at_ + 1);
  if (at_ == text_.size()) return true;
  const std::string_view rest = text_.substr(at_);
  if (IsDigit(rest[0])) return Number(token);
  if (rest[0] == '"' || rest[0] == '\'') return String(token);
  if (StartsName(rest[0])) {
    size_t size = 1;
    while (size < rest.size() &&
           (ContinuesName(rest[size]) || (rest[size] == '.' && size + 1 < rest.size() && StartsName(rest[size + 1])))) {
      ++size;
    }
    token->text = rest.substr(0, size);
    const bool word = std::find(std::begin(kWords), std::end(kWords), token->text) != std::end(kWords);
    token->kind = word ? Token::Kind::kWord : Token::Kind::kName;
    at_ += size;
    return true;
  }
  for (const auto& [habit, ours] : kHabits) {
    const bool longer_symbol = rest.starts_with("==") || rest.starts_with("!=");
    if (rest.starts_with(habit) && !longer_symbol)
      return Fail(at_, fmt::format("'{}'", habit), fmt::format("'{}'", ours));
  }
  for (std::string_view symbol : kSymbols) {
    if (!rest.starts_with(symbol)) continue;
    token->kind = Token::Kind::kSymbol;
    token->text = rest.substr(0, symbol.size());
    at_ += symbol.size();
    return true;
  }
  const auto byte = static_cast<unsigned char>(rest[0]);
  return Fail(at_, byte > ' ' && byte < 0x7F ? fmt::format("'{}'", rest[0]) : fmt::format("the byte 0x{:02x}", byte),
              "an attribute, a literal, an operator or a parenthesis");
}

bool Lexer::Number(Token* token) {
  const size_t begin = at_;
  size_t end = begin;
  while (end < text_.size() && IsDigit(text_[end])) ++end;
  // A point belongs to the number only before a digit, so that 10..20 is a range.
  if (end + 1 < text_.size() && text_[end] == '.' && IsDigit(text_[end + 1])) {
    ++end;
    while (end < text_.size() && IsDigit(text_[end])) ++end;
  }
  size_t exponent = end;
  if (exponent < text_.size() && (text_[exponent] == 'e' || text_[exponent] == 'E')) {
    ++exponent;
    if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
    if (exponent < text_.size() && IsDigit(text_[exponent])) {
      end = exponent;
      while (end < text_.size() && IsDigit(text_[end])) ++end;
    }
  }
  const size_t digits_end = end;
  while (end < text_.size() && ContinuesName(text_[end])) ++end;
  token->text = text_.substr(begin, end - begin);
  at_ = end;
  if (end > digits_end) {
    const absl::StatusOr<int64_t> us = base::ParseDurationUs(token->text);
    if (!us.ok()) {
      return Fail(begin, fmt::format("'{}'", token->text.substr(0, 40)),
                  "a number, or a duration in us, ms, s, m, h, d or w such as 7d");
    }
    token->kind = Token::Kind::kDuration;
    token->us = *us;
    return true;
  }
  const auto [stop, code] = std::from_chars(text_.data() + begin, text_.data() + end, token->number);
  if (code == std::errc::result_out_of_range && token->text.size() < 400 && token->text.find('-') != token->text.npos) {
    token->number = 0;  // too small to tell from 0
  } else if (code != std::errc() || stop != text_.data() + end || !std::isfinite(token->number)) {
    return Fail(begin, fmt::format("'{}'", token->text.substr(0, 40)), "a number within the range of a double");
  }
  token->kind = Token::Kind::kNumber;
  return true;
}

bool Lexer::String(Token* token) {
  const size_t begin = at_;
  const char quote = text_[at_++];
  while (at_ < text_.size() && text_[at_] != quote) {
    if (text_[at_] == '\\') {
      if (!Escape(&token->string)) return false;
    } else {
      token->string.push_back(text_[at_++]);
    }
  }
  if (at_ == text_.size()) {
    return Fail(begin, "a string without its end", fmt::format("a closing {} before the end of the text", quote));
  }
  ++at_;
  token->kind = Token::Kind::kString;
  token->text = text_.substr(begin, at_ - begin);
  return true;
}

bool Lexer::Escape(std::string* out) {
  constexpr std::string_view kExpected = R"(one of \" \' \\ \/ \n \r \t \uXXXX)";
  const size_t begin = at_++;
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  switch (c) {
    case '"':
    case '\'':
    case '\\':
    case '/':
      out->push_back(c);
      return true;
    case 'n':
      out->push_back('\n');
      return true;
    case 'r':
      out->push_back('\r');
      return true;
    case 't':
      out->push_back('\t');
      return true;
    case 'u': {
      uint32_t code = 0;
      bool valid = HexUnit(&code);
      if (valid && code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
        uint32_t low = 0;
        at_ += 2;
        valid = HexUnit(&low) && low >= 0xDC00 && low < 0xE000;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else if (code >= 0xD800 && code < 0xE000) {
        valid = false;
      }
      if (!valid) break;
      AppendUtf8(code, out);
      return true;
    }
    default:
      break;
  }
  return Fail(begin, fmt::format("'{}'", text_.substr(begin, c == 'u' ? 6 : 2)), std::string(kExpected));
}

bool Lexer::HexUnit(uint32_t* unit) {
  if (text_.size() - at_ < 4) return false;
  const char* first = text_.data() + at_;
  const auto [stop, code] = std::from_chars(first, first + 4, *unit, 16);
  at_ += 4;
  return code == std::errc() && stop == first + 4;
}

}  // namespace bowerbird::expression
