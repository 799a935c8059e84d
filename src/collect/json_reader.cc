#include "collect/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/time_text.h"
#include "base/utf8.h"

namespace bowerbird::collect {
namespace {

namespace ondemand = simdjson::ondemand;

/// More bad bytes than this are not a slip in some string.
constexpr size_t kBadUtf8Max = 1000;

/// The token's text without the white space behind it.
std::string_view Token(JsonReader::Value value) {
  const std::string_view token = value.raw_json_token();
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

bool IsNumber(std::string_view token) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t from = at;
    while (at < token.size() && token[at] >= '0' && token[at] <= '9') ++at;
    return at - from;
  };
  if (at < token.size() && token[at] == '-') ++at;
  const size_t first = at;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && token[first] == '0')) return false;
  if (at < token.size() && token[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    ++at;
    if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == token.size();
}

/// What some writers put where JSON has no number.
bool IsNotFinite(std::string_view token) {
  if (token.starts_with('-')) token.remove_prefix(1);
  return token == "NaN" || token == "nan" || token == "Infinity" || token == "inf";
}

/// The text between a token's quotes; empty for what is not a plain string.
std::string_view Unquoted(std::string_view token) {
  return token.size() >= 2 && token.front() == '"' ? token.substr(1, token.size() - 2) : std::string_view();
}

template <typename Number>
bool ParseWhole(std::string_view text, Number* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string JsonPath::ToString() const {
  std::string text = parent == nullptr ? "" : parent->ToString();
  if (index >= 0) return fmt::format("{}[{}]", text, index);
  if (name.empty()) return text;
  if (!text.empty()) text.push_back('.');
  constexpr size_t kShown = 64;
  if (name.size() > kShown || !base::IsValidUtf8(name)) return text + "...";
  return text.append(name);
}

bool JsonReader::Begin(std::string_view body, uint64_t bytes_max) {
  refused_.reset();
  problem_.reset();
  bad_utf8_.clear();
  if (body.size() > bytes_max) {
    Refuse("body_too_large", "", fmt::format("found a body of {} bytes; expected at most {}", body.size(), bytes_max));
    return false;
  }
  const size_t needed = body.size() + simdjson::SIMDJSON_PADDING;
  if (buffer_size_ < needed) {
    buffer_.reset(new char[needed]);
    buffer_size_ = needed;
  }
  std::memcpy(buffer_.get(), body.data(), body.size());
  std::memset(buffer_.get() + body.size(), 0, simdjson::SIMDJSON_PADDING);
  body_size_ = body.size();
  auto error = parser_.iterate(buffer_.get(), body_size_, buffer_size_).get(document_);
  if (error == simdjson::UTF8_ERROR) {
    ReplaceBadUtf8(body);
    if (refused()) return false;
    error = parser_.iterate(buffer_.get(), body_size_, buffer_size_).get(document_);
  }
  if (error == simdjson::EMPTY) {
    Refuse("malformed_json", "", "found an empty body; expected JSON");
  } else if (error) {
    Refuse("malformed_json", "", fmt::format("found a body that is not JSON ({})", simdjson::error_message(error)));
  }
  return !refused();
}

void JsonReader::ReplaceBadUtf8(std::string_view body) {
  for (size_t at = base::FindInvalidUtf8(body); at != std::string_view::npos;
       at = base::FindInvalidUtf8(body, at + 1)) {
    if (bad_utf8_.size() == kBadUtf8Max) {
      Refuse("invalid_utf8", "",
             fmt::format("found byte 0x{:02x} at position {} of the body, and {} like it; expected UTF-8",
                         static_cast<uint8_t>(body[bad_utf8_[0]]), bad_utf8_[0], kBadUtf8Max));
      return;
    }
    bad_utf8_.push_back(at);
    buffer_[at] = '?';
  }
}

void JsonReader::End() {
  const char* location = nullptr;
  // Behind the last token there is no location.
  if (!refused() && !document_.current_location().get(location)) RefuseMalformed(simdjson::TRAILING_CONTENT);
}

void JsonReader::Shrink(size_t bytes) {
  if (buffer_size_ <= bytes) return;
  buffer_.reset();
  buffer_size_ = 0;
  parser_ = ondemand::parser();
}

void JsonReader::Refuse(std::string_view code, std::string field, std::string detail) {
  if (!refused_) refused_ = catalog::Problem{std::string(code), std::move(field), std::move(detail)};
}

void JsonReader::RefuseMalformed(simdjson::error_code error) {
  const char* location = nullptr;
  std::string where;
  if (!document_.current_location().get(location) && location >= buffer_.get() &&
      location <= buffer_.get() + body_size_) {
    where = fmt::format(" near byte {}", location - buffer_.get());
  }
  Refuse("malformed_json", "", fmt::format("found what is not JSON{} ({})", where, simdjson::error_message(error)));
}

void JsonReader::Reject(std::string_view code, const JsonPath& path, std::string detail) {
  if (!problem_) problem_ = catalog::Problem{std::string(code), path.ToString(), std::move(detail)};
}

std::string_view JsonReader::Key(ondemand::field& field) {
  const char* const begin = field.key().raw();
  const char* end = begin;
  while (*end != '"' && *end != '\\') ++end;
  const bool escaped = *end == '\\';
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  raw_key_ = {begin, static_cast<size_t>(end - begin)};
  if (!escaped) return raw_key_;
  std::string_view key;
  if (const auto error = field.unescaped_key().get(key)) {
    RefuseMalformed(error);
    return {};
  }
  // The parser's string space may move on before the key is used.
  key_.assign(key);
  return key_;
}

bool JsonReader::IsNull(Value value) {
  bool null = false;
  return !value.is_null().get(null) && null;
}

std::string JsonReader::Describe(Value value) {
  const std::string_view token = Token(value);
  switch (token.empty() ? '\0' : token.front()) {
    case '{':
      return "an object";
    case '[':
      return "a list";
    case '"':
      return fmt::format("string {}{}", token.substr(0, 66), token.size() > 66 ? "..." : "");
    case 't':
    case 'f':
      return fmt::format("bool {}", token);
    case 'n':
      return "null";
    default:
      return fmt::format("number {}{}", token.substr(0, 40), token.size() > 40 ? "..." : "");
  }
}

bool JsonReader::Expect(Value value, char first, const JsonPath& path, std::string_view expected) {
  if (Token(value).starts_with(first)) return true;
  RejectType(value, path, expected);
  return false;
}

void JsonReader::RejectType(Value value, const JsonPath& path, std::string_view expected) {
  if (IsNull(value) && null_is_absent_) return;
  const std::string_view token = Token(value);
  if (IsNotFinite(token)) {
    Reject("not_finite", path, fmt::format("found {}; expected {}", token, expected));
  } else {
    Reject("wrong_type", path, fmt::format("found {}; expected {}", Describe(value), expected));
  }
  Skip(value);
}

void JsonReader::RejectNumber(Value value, const JsonPath& path, std::string_view expected) {
  const std::string_view token = Token(value);
  const std::string_view text = Unquoted(token);
  if (IsNotFinite(text)) {
    Reject("not_finite", path, fmt::format("found \"{}\"; expected {}", text, expected));
    Skip(value);
  } else if (IsNumber(token) || IsNumber(text)) {
    Reject("out_of_range", path, fmt::format("found {}; expected {}", Describe(value), expected));
    Skip(value);
  } else {
    RejectType(value, path, expected);
  }
}

bool JsonReader::BadUtf8(std::string_view token, const JsonPath& path) {
  const size_t begin = static_cast<size_t>(token.data() - buffer_.get());
  const auto bad = std::lower_bound(bad_utf8_.begin(), bad_utf8_.end(), begin);
  if (bad == bad_utf8_.end() || *bad >= begin + token.size()) return false;
  Reject("invalid_utf8", path,
         fmt::format("found a byte that is not UTF-8 at position {} of the body; expected UTF-8", *bad));
  return true;
}

bool JsonReader::ReadText(Value value, const JsonPath& path, std::string* out) {
  if (!bad_utf8_.empty() && BadUtf8(Token(value), path)) {
    Skip(value);
    return false;
  }
  std::string_view text;
  const auto error = value.get_string().get(text);
  if (!error) {
    out->assign(text);
    return true;
  }
  if (error == simdjson::STRING_ERROR) {
    Reject("invalid_utf8", path, "found an escape that is no character; expected UTF-8");
  } else {
    RejectType(value, path, "a string");
  }
  return false;
}

bool JsonReader::ReadNumber(Value value, const JsonPath& path, double* out) {
  double number = 0;
  if (!value.get_double().get(number)) {
    *out = number;
    return true;
  }
  // Numbers may come as strings, as protobuf's JSON allows.
  const std::string_view text = Unquoted(Token(value));
  if (IsNumber(text) && ParseWhole(text, &number) && std::isfinite(number)) {
    Skip(value);
    *out = number;
    return true;
  }
  RejectNumber(value, path, "a finite number");
  return false;
}

bool JsonReader::ReadInteger(Value value, const JsonPath& path, int64_t min, int64_t max, int64_t* out) {
  int64_t number = 0;
  bool read = !value.get_int64().get(number);
  if (!read) {
    const std::string_view token = Token(value);
    const std::string_view text = token.starts_with('"') ? Unquoted(token) : token;
    double real = 0;
    // A whole number may be written as 1.0 or 1e3, exactly up to 2^53.
    if (IsNumber(text) && ParseWhole(text, &number)) {
      read = true;
    } else if (IsNumber(text) && ParseWhole(text, &real) && real == std::trunc(real) && std::abs(real) <= 0x1p53) {
      number = static_cast<int64_t>(real);
      read = true;
    }
    if (read) Skip(value);
  }
  if (read && number >= min && number <= max) {
    *out = number;
    return true;
  }
  const std::string expected = fmt::format("a whole number from {} to {}", min, max);
  if (read) {
    Reject("out_of_range", path, fmt::format("found number {}; expected {}", number, expected));
  } else {
    RejectNumber(value, path, expected);
  }
  return false;
}

bool JsonReader::ReadBool(Value value, const JsonPath& path, bool* out) {
  if (!value.get_bool().get(*out)) return true;
  RejectType(value, path, "true or false");
  return false;
}

bool JsonReader::ReadTime(Value value, const JsonPath& path, int64_t* out) {
  std::string text;
  if (!ReadText(value, path, &text)) return false;
  const absl::StatusOr<int64_t> time = base::ParseTimeUs(text);
  if (!time.ok()) {
    Reject("wrong_type", path,
           fmt::format("found string \"{}\"; expected a time in RFC 3339, such as 2026-11-21T05:21:00Z",
                       text.substr(0, 64)));
    return false;
  }
  *out = *time;
  return true;
}

void JsonReader::ReadAttribute(std::string_view name, Value value, const JsonPath& attributes,
                               google::protobuf::Map<std::string, v1::Value>* out) {
  const JsonPath path{&attributes, name};
  if (rejected() || (!bad_utf8_.empty() && BadUtf8(raw_key_, path))) return Skip(value);
  const bool null = IsNull(value);
  if (null && null_is_absent_) return;
  const auto [slot, added] = out->insert({std::string(name), v1::Value()});
  if (!added) {
    Reject("duplicate_field", path, "found twice; expected once");
    return Skip(value);
  }
  if (!null) ReadPlain(value, path, &slot->second);
}

bool JsonReader::ReadPlain(Value value, const JsonPath& path, v1::Value* out) {
  const std::string_view token = Token(value);
  switch (token.empty() ? '\0' : token.front()) {
    case '"':
      return ReadText(value, path, out->mutable_string_value());
    case '[': {
      v1::StringList* list = out->mutable_strings();
      ReadArray(value, path, [&](int64_t index, Value element) {
        const JsonPath element_path{&path, {}, index};
        if (!Expect(element, '"', element_path, "a string")) return;
        ReadText(element, element_path, list->add_values());
      });
      return !rejected() && !refused();
    }
    case 't':
    case 'f': {
      bool truth = false;
      if (!ReadBool(value, path, &truth)) return false;
      out->set_bool_value(truth);
      return true;
    }
    case '{':
      RejectType(value, path, "a string, a number, true or false, or a list of strings");
      return false;
    default: {
      double number = 0;
      if (!ReadNumber(value, path, &number)) return false;
      out->set_number_value(number);
      return true;
    }
  }
}

void JsonReader::Skip(Value value, int depth) {
  if (depth > kDepthMax) {
    return Refuse("too_deep", "",
                  fmt::format("found more than {} levels; expected what this call documents", kDepthMax));
  }
  const std::string_view token = Token(value);
  switch (token.empty() ? '\0' : token.front()) {
    case '{': {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return RefuseMalformed(error);
      return VisitFields(object, [&](std::string_view, Value field) { Skip(field, depth + 1); });
    }
    case '[': {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return RefuseMalformed(error);
      return VisitElements(array, [&](int64_t, Value element) { Skip(element, depth + 1); });
    }
    case '"': {
      // An escape that is no character is a matter of the string, not of the body.
      std::string_view text;
      if (const auto error = value.get_string().get(text); error && error != simdjson::STRING_ERROR)
        RefuseMalformed(error);
      return;
    }
    default:
      if (token != "true" && token != "false" && token != "null" && !IsNumber(token) && !IsNotFinite(token)) {
        RefuseMalformed(simdjson::TAPE_ERROR);
      }
  }
}

}  // namespace bowerbird::collect
