#pragma once

#include <cstdint>
#include <span>

#include "expression/columns.h"
#include "expression/node.h"

namespace bowerbird::expression {

/// One bit a row of [begin, end) for the tree under `root`; see Program::EvaluateColumns.
void EvaluateTree(const Node& root, const Columns& columns, uint32_t begin, uint32_t end, int64_t now_us,
                  std::span<uint64_t> bitmap);

}  // namespace bowerbird::expression
