#include "config/problems.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/closest_name.h"
#include "config/problem_list.h"

namespace bowerbird::config {

namespace {

/// One line of text, whatever the file held.
std::string OneLine(std::string_view text) {
  std::string line;
  for (char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += static_cast<unsigned char>(c) < ' ' || c == 0x7F ? '?' : c;
    }
  }
  return line;
}

}  // namespace

std::string Problem::ToString() const {
  const std::string place = line == 0 ? file : fmt::format("{}:{}", file, line);
  return fmt::format("{}: {}{}found {}; expected {}", place, key, key.empty() ? "" : ": ", found, expected);
}

std::string ProblemList(const std::vector<Problem>& problems) {
  std::string list;
  for (const Problem& problem : problems)
    fmt::format_to(std::back_inserter(list), "{}{}", list.empty() ? "" : "\n", problem.ToString());
  return list;
}

void Problems::Add(uint32_t line, std::string_view key, std::string_view found, std::string_view expected) {
  problems_.push_back({file_, line, OneLine(key), OneLine(found), OneLine(expected)});
}

std::vector<Problem> Problems::Take() {
  std::ranges::stable_sort(problems_, {}, &Problem::line);
  return std::move(problems_);
}

std::string Quote(std::string_view text) {
  constexpr size_t kShown = 80;
  size_t shown = std::min(text.size(), kShown);
  // Not within a UTF-8 sequence.
  while (shown < text.size() && shown > 0 && (static_cast<unsigned char>(text[shown]) & 0xC0) == 0x80) --shown;
  return fmt::format("\"{}{}\"", text.substr(0, shown), shown < text.size() ? "..." : "");
}

std::string OneOf(std::string_view what, std::string_view found, std::span<const std::string_view> names) {
  constexpr size_t kShown = 30;
  const std::string_view closest = base::ClosestName(found, names);
  const std::string hint = closest.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", closest);
  const std::string more = names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "";
  return fmt::format("{}{}: {}{}", what, hint, fmt::join(names.first(std::min(kShown, names.size())), ", "), more);
}

}  // namespace bowerbird::config
