#include "base/json_writer.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/utf8.h"

namespace bowerbird::base {
namespace {

/// How many of the first characters need no escape and are ASCII, looked at by eights: nearly all text is.
size_t PlainPrefix(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = kOnes * 0x80;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t eight;
    std::memcpy(&eight, text.data() + i, 8);
    // The high bit of a byte: below 0x20, or not ASCII; or, where the byte is zero after the xor, the character looked
    // for. A borrow from a lower byte can only set a bit too many above one that is set rightly.
    const auto zero = [](uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
    const uint64_t escaped =
        ((eight - kOnes * 0x20) | zero(eight ^ (kOnes * '"')) | zero(eight ^ (kOnes * '\\')) | eight) & kHighs;
    if (escaped == 0) continue;
    if constexpr (std::endian::native == std::endian::little) {
      return i + static_cast<size_t>(std::countr_zero(escaped)) / 8;
    } else {
      break;
    }
  }
  while (i < text.size() && static_cast<signed char>(text[i]) >= 0x20 && text[i] != '"' && text[i] != '\\') ++i;
  return i;
}

void AppendEscaped(std::string_view text, std::string* out) {
  const size_t prefix = PlainPrefix(text);
  if (prefix == text.size()) {
    out->append(text);
    return;
  }
  size_t plain = 0;
  const auto flush = [&](size_t end) { out->append(text.data() + plain, end - plain); };
  for (size_t i = prefix; i < text.size();) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c < 0x80) {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      const size_t length = Utf8Length(text, i);
      if (length > 0) {
        i += length;
        continue;
      }
      flush(i);
      out->append("\xef\xbf\xbd");
    } else {
      flush(i);
      switch (c) {
        case '"':
          out->append("\\\"");
          break;
        case '\\':
          out->append("\\\\");
          break;
        case '\n':
          out->append("\\n");
          break;
        case '\r':
          out->append("\\r");
          break;
        case '\t':
          out->append("\\t");
          break;
        default:
          fmt::format_to(std::back_inserter(*out), "\\u{:04x}", c);
      }
    }
    plain = ++i;
  }
  flush(text.size());
}

/// As "{}" says it, without a string's growth at each digit.
template <typename Number>
void AppendNumber(Number value, std::string* out) {
  char text[32];
  out->append(text, fmt::format_to(text, FMT_COMPILE("{}"), value));
}

}  // namespace

void JsonWriter::Separate() {
  if (needs_comma_) out_->push_back(',');
  needs_comma_ = true;
}

JsonWriter& JsonWriter::BeginObject() {
  Separate();
  out_->push_back('{');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  out_->push_back('}');
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Separate();
  out_->push_back('[');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  out_->push_back(']');
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  String(key);
  out_->push_back(':');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  out_->push_back('"');
  AppendEscaped(value, out_);
  out_->push_back('"');
  return *this;
}

JsonWriter& JsonWriter::Int(int64_t value) {
  Separate();
  AppendNumber(value, out_);
  return *this;
}

JsonWriter& JsonWriter::Uint(uint64_t value) {
  Separate();
  AppendNumber(value, out_);
  return *this;
}

JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendNumber(value, out_);
  return *this;
}

JsonWriter& JsonWriter::Float(float value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendNumber(value, out_);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) { return Raw(value ? "true" : "false"); }

JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_->append(json);
  return *this;
}

}  // namespace bowerbird::base
