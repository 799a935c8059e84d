#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "expression/expression.h"
#include "expression/node.h"

namespace bowerbird::expression {

/// The tree of `text`, types checked against `schema`; attributes from schema.size() on are those of `open`. Null when
/// refused; then `error` says why.
std::unique_ptr<const Node> Parse(std::string_view text, const Schema& schema, std::vector<OpenNumber>* open,
                                  CompileError* error);

}  // namespace bowerbird::expression
