#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "config/sections.h"

namespace bowerbird::config {

/// The expression under `key`, over the item attributes; null when absent or refused.
std::shared_ptr<const expression::Program> ReadExpression(TableReader* table, std::string_view key, const Draft& draft);

/// The [[...rules]] of a surface.
std::vector<Rule> ReadRules(TableReader* surface, Draft* draft);

}  // namespace bowerbird::config
