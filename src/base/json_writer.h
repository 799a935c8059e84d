#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bowerbird::base {

/// Appends one JSON document to a string, by hand and without a tree. The caller balances Begin and End; commas,
/// escapes and numbers are ours. Not-a-number and infinities, which JSON lacks, are written as null; invalid UTF-8 as
/// U+FFFD.
class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(int64_t value);
  JsonWriter& Uint(uint64_t value);
  /// Shortest text that reads back as the same double.
  JsonWriter& Double(double value);
  /// Shortest text that reads back as the same float.
  JsonWriter& Float(float value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  /// `json` is a complete JSON value, written as it is.
  JsonWriter& Raw(std::string_view json);

 private:
  void Separate();
  std::string* out_;
  bool needs_comma_ = false;
};

}  // namespace bowerbird::base
