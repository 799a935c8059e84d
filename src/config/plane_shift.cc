#include "config/plane_shift.h"

#include <cstddef>
#include <cstdint>

namespace bowerbird::config {
namespace {

constexpr uint32_t kFirst = 0x80, kLast = 0xFEFF;

/// The low six bits of the `count` continuation bytes from `at` on, behind `lead`. False: they are not there.
bool Decode(std::string_view text, size_t at, size_t count, uint32_t lead, uint32_t* code) {
  *code = lead;
  for (size_t i = 1; i <= count; ++i) {
    if (at + i >= text.size()) return false;
    const auto byte = static_cast<uint8_t>(text[at + i]);
    if ((byte & 0xC0) != 0x80) return false;
    *code = *code << 6 | (byte & 0x3F);
  }
  return true;
}

/// The character of the private plane that starts at `at`, as the one it stands for; 0 when none does.
uint32_t ShiftedAt(std::string_view text, size_t at) {
  uint32_t code = 0;
  if (static_cast<uint8_t>(text[at]) != 0xF3 || !Decode(text, at, 3, 3, &code)) return 0;
  return code >= 0xF0000 + kFirst && code <= 0xF0000 + kLast ? code - 0xF0000 : 0;
}

}  // namespace

std::string ShiftUp(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string shifted;
  shifted.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t more = lead >= 0xC2 && lead < 0xE0 ? 1 : lead >= 0xE0 && lead < 0xF0 ? 2 : 0;
    uint32_t code = 0;
    const bool valid = more > 0 && Decode(text, i, more, lead & (more == 1 ? 0x1F : 0x0F), &code) &&
                       code >= (more == 1 ? kFirst : 0x800) && code <= kLast && (code < 0xD800 || code > 0xDFFF);
    if (!valid) {
      shifted += text[i++];
      continue;
    }
    code += 0xF0000;
    shifted += static_cast<char>(0xF3);
    shifted += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    shifted += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    shifted += static_cast<char>(0x80 | (code & 0x3F));
    i += more + 1;
  }
  return shifted;
}

std::string ShiftDown(std::string_view text) {
  std::string home;
  home.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const uint32_t code = ShiftedAt(text, i);
    if (code == 0) {
      home += text[i++];
      continue;
    }
    if (code < 0x800) {
      home += static_cast<char>(0xC0 | code >> 6);
    } else {
      home += static_cast<char>(0xE0 | code >> 12);
      home += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    }
    home += static_cast<char>(0x80 | (code & 0x3F));
    i += 4;
  }
  return home;
}

bool HasShifted(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (ShiftedAt(text, i) != 0) return true;
  }
  return false;
}

}  // namespace bowerbird::config
