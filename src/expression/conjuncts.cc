#include "expression/conjuncts.h"

#include "expression/lexer.h"

namespace bowerbird::expression {

std::vector<std::string_view> Conjuncts(std::string_view text) {
  std::vector<std::string_view> terms;
  CompileError error;
  Lexer lexer(text, &error);
  Token token;
  std::string_view term;  ///< so far; empty before its first token
  bool alternatives = false;
  for (int depth = 0; lexer.Next(&token) && token.kind != Token::Kind::kEnd;) {
    if (depth == 0 && token.Is("and")) {
      terms.push_back(term);
      term = {};
      continue;
    }
    if (token.Is("(") || token.Is("[")) ++depth;
    if (token.Is(")") || token.Is("]")) --depth;
    alternatives |= depth == 0 && token.Is("or");
    const char* begin = term.empty() ? token.text.data() : term.data();
    term = std::string_view(begin, static_cast<size_t>(token.text.data() + token.text.size() - begin));
  }
  terms.push_back(term);
  if (alternatives) return {text};
  return terms;
}

}  // namespace bowerbird::expression
