#include "lake/mask.h"

#include <fmt/format.h>

#include <algorithm>

namespace bowerbird::lake {
namespace {

constexpr std::string_view kUser = "user_";
constexpr size_t kDigits = 16;
/// No id begins with it: a user's mask and a text's never tell of each other.
constexpr char kTextMark = '\xff';

}  // namespace

std::string MaskedUser(const base::HashSeed& seed, std::string_view id) {
  return id.empty() ? std::string() : fmt::format("{}{:016x}", kUser, base::KeyedHash64(seed, id));
}

std::string MaskedText(const base::HashSeed& seed, std::string_view text) {
  if (text.empty()) return {};
  std::string marked(1, kTextMark);
  marked += text;
  return fmt::format("text_{:016x}", base::KeyedHash64(seed, marked));
}

bool IsMaskedUser(std::string_view text) {
  if (!text.starts_with(kUser) || text.size() != kUser.size() + kDigits) return false;
  return std::all_of(text.begin() + kUser.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace bowerbird::lake
