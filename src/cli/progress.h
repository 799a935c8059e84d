#pragma once

#include <cstdint>
#include <string>

namespace bowerbird::cli {

/// One line on standard error that is drawn over: "ratings  [#########-----------]  45%  45,000 rows". Where standard
/// error is not a terminal, only the end of each.
void ShowProgress(const std::string& name, double share, uint64_t rows);

/// 1234567 -> "1,234,567".
std::string Thousands(uint64_t number);

}  // namespace bowerbird::cli
