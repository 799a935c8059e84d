#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "expression/expression.h"

namespace bowerbird::expression {

struct Token {
  enum class Kind : uint8_t {
    kEnd,
    kName,      ///< an attribute
    kWord,      ///< and, or, not, in, contains, true, false, now
    kSymbol,    ///< == != < <= > >= ( ) [ ] , .. + -
    kNumber,    ///< `number`, never negative
    kDuration,  ///< `us`
    kString,    ///< `string`, escapes resolved
  };
  Kind kind = Kind::kEnd;
  std::string_view text;  ///< as written; points into the lexer's text
  uint32_t position = 1;  ///< of its first byte, from 1
  double number = 0;
  int64_t us = 0;
  std::string string;

  bool Is(std::string_view word_or_symbol) const {
    return (kind == Kind::kWord || kind == Kind::kSymbol) && text == word_or_symbol;
  }
};

/// Cuts the text of an expression into tokens. `text` and `error` must outlive it.
class Lexer {
 public:
  Lexer(std::string_view text, CompileError* error) : text_(text), error_(error) {}
  /// False: the text cannot go on like this; `error` says why. After the last token: kEnd, as often as asked.
  bool Next(Token* token);

 private:
  bool Number(Token* token);
  bool String(Token* token);
  bool Escape(std::string* out);
  bool HexUnit(uint32_t* unit);
  bool Fail(size_t offset, std::string found, std::string expected);

  std::string_view text_;
  CompileError* error_;
  size_t at_ = 0;
};

}  // namespace bowerbird::expression
