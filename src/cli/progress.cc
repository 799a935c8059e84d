#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace bowerbird::cli {

std::string Thousands(uint64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<size_t>(at), 1, ',');
  return text;
}

void ShowProgress(const std::string& name, double share, uint64_t rows) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (!terminal && share < 1) return;
  constexpr size_t kWidth = 30;
  const auto filled = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * kWidth);
  std::fprintf(stderr, "%s%-10s [%s%s] %3.0f%%  %s rows%s", terminal ? "\r" : "", name.c_str(),
               std::string(filled, '#').c_str(), std::string(kWidth - filled, '-').c_str(), share * 100,
               Thousands(rows).c_str(), share >= 1 || !terminal ? "\n" : "");
}

}  // namespace bowerbird::cli
