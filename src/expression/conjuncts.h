#pragma once

#include <string_view>
#include <vector>

namespace bowerbird::expression {

/// The terms of a compiled text that must all hold: cut at its outermost `and`s; the whole text where an outermost `or`
/// joins them, or nothing does. Each is an expression of its own, so that an explanation can name the one that fails.
///
/// Data     views into `text`, in order, from first to last token.
std::vector<std::string_view> Conjuncts(std::string_view text);

}  // namespace bowerbird::expression
