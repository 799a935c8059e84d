#pragma once

#include <cstdint>

#include "expression/node.h"
#include "expression/row.h"

namespace bowerbird::expression {

/// The value of the tree under `node` for one row; see Program::Evaluate.
bool EvaluateRow(const Node& node, const Row& row, int64_t now_us);

}  // namespace bowerbird::expression
