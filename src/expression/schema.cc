#include "expression/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "expression/lexer.h"

namespace bowerbird::expression {

absl::StatusOr<uint32_t> Schema::Add(std::string_view name, Type type) {
  if (!IsAttributeName(name)) {
    return absl::InvalidArgumentError(
        fmt::format("found '{}'; expected a name of letters, digits and _ that is not a word of the language", name));
  }
  const auto [position, added] = by_name_.try_emplace(std::string(name), size());
  if (!added) return absl::AlreadyExistsError(fmt::format("the attribute '{}' is there twice", name));
  attributes_.push_back({std::string(name), type});
  return position->second;
}

std::optional<uint32_t> Schema::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

bool Schema::IsOpen(std::string_view name) const {
  return std::ranges::any_of(open_, [&](const auto& open) {
    const auto& [prefix, rest] = open;
    return name.starts_with(prefix) && std::count(name.begin() + static_cast<ptrdiff_t>(prefix.size()), name.end(),
                                                  '.') == std::count(rest.begin(), rest.end(), '.');
  });
}

std::vector<std::string> Schema::OpenForms() const {
  std::vector<std::string> forms;
  for (const auto& [prefix, rest] : open_) forms.push_back(prefix + rest);
  return forms;
}

bool IsAttributeName(std::string_view text) {
  if (text.size() > 128) return false;
  CompileError error;
  Lexer lexer(text, &error);
  Token token;
  // One name token that is the whole text: exactly what the parser will see.
  return lexer.Next(&token) && token.kind == Token::Kind::kName && token.text.size() == text.size();
}

}  // namespace bowerbird::expression
