#pragma once

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bowerbird/v1/value.pb.h"
#include "catalog/problem.h"

namespace bowerbird::collect {

/// Where a value stands in a body: made on the stack while reading, put into words only for a problem.
struct JsonPath {
  const JsonPath* parent = nullptr;
  std::string_view name;
  int64_t index = -1;  ///< of a list's element, whose name is empty
  std::string ToString() const;
};

/// Reads clients' JSON once, front to back, into typed places (simdjson on demand), with two kinds of problem: one that
/// refuses the whole body, and one that rejects the item being read, after which reading goes on behind it.
///
/// Threads  one at a time; keeps its buffers from body to body.
/// Bounds   kDepthMax levels; a body of the given size, for which it holds about six times that memory.
class JsonReader {
 public:
  using Value = simdjson::ondemand::value;
  static constexpr int kDepthMax = 16;

  /// Copies the body and finds its structure. False: it is refused. `bytes_max` is the config's collect.body_bytes_max.
  bool Begin(std::string_view body, uint64_t bytes_max);
  simdjson::ondemand::document& document() { return document_; }
  /// To be called behind the last value: nothing may follow it.
  void End();
  /// Gives the buffers back if they are larger than `bytes`.
  void Shrink(size_t bytes);

  /// Refused as a whole: nothing more is read.
  bool refused() const { return refused_.has_value(); }
  const catalog::Problem& refusal() const { return *refused_; }
  void Refuse(std::string_view code, std::string field, std::string detail);
  void RefuseMalformed(simdjson::error_code error);

  /// The first problem of the item being read; TakeProblem begins the next item.
  void Reject(std::string_view code, const JsonPath& path, std::string detail);
  bool rejected() const { return problem_.has_value(); }
  std::optional<catalog::Problem> TakeProblem() { return std::exchange(problem_, std::nullopt); }

  /// What null means in the fields read by the functions below: an absent field (the beginning), or a wrong type.
  void set_null_is_absent(bool absent) { null_is_absent_ = absent; }

  /// Each returns true when `out` was set; otherwise the value was null, or it was rejected or refused, and is behind
  /// us.
  bool ReadText(Value value, const JsonPath& path, std::string* out);
  bool ReadNumber(Value value, const JsonPath& path, double* out);
  bool ReadInteger(Value value, const JsonPath& path, int64_t min, int64_t max, int64_t* out);
  bool ReadBool(Value value, const JsonPath& path, bool* out);
  /// RFC 3339.
  bool ReadTime(Value value, const JsonPath& path, int64_t* out);
  /// Adds an attribute written plainly, typed as JSON has it: the config's type is the caller's matter. Null adds
  /// nothing, or, where null is not absent, a value without a kind. A name that is there already is rejected.
  void ReadAttribute(std::string_view name, Value value, const JsonPath& attributes,
                     google::protobuf::Map<std::string, v1::Value>* out);

  /// visit(key, value) for each field; it must read, Skip or leave the value. The key is valid until the next one.
  template <typename Visit>
  void ReadObject(Value value, const JsonPath& path, Visit&& visit) {
    simdjson::ondemand::object object;
    if (!Expect(value, '{', path, "an object")) return;
    if (const auto error = value.get_object().get(object)) return RefuseMalformed(error);
    VisitFields(object, visit);
  }
  template <typename Visit>
  void VisitFields(simdjson::ondemand::object& object, Visit&& visit) {
    for (auto result : object) {
      simdjson::ondemand::field field;
      if (const auto error = std::move(result).get(field)) return RefuseMalformed(error);
      const std::string_view key = Key(field);
      if (refused()) return;
      visit(key, field.value());
      if (refused()) return;
    }
  }
  /// visit(index, value) for each element.
  template <typename Visit>
  void ReadArray(Value value, const JsonPath& path, Visit&& visit) {
    simdjson::ondemand::array array;
    if (!Expect(value, '[', path, "a list")) return;
    if (const auto error = value.get_array().get(array)) return RefuseMalformed(error);
    VisitElements(array, visit);
  }
  template <typename Visit>
  void VisitElements(simdjson::ondemand::array& array, Visit&& visit) {
    int64_t index = 0;
    for (auto result : array) {
      Value element;
      if (const auto error = std::move(result).get(element)) return RefuseMalformed(error);
      visit(index++, element);
      if (refused()) return;
    }
  }

  /// Passes over a value of any kind, checking that it is JSON.
  void Skip(Value value, int depth = 0);
  static bool IsNull(Value value);
  /// "number 12", "an object": the value as messages show it.
  static std::string Describe(Value value);

 private:
  bool ReadPlain(Value value, const JsonPath& path, v1::Value* out);
  std::string_view Key(simdjson::ondemand::field& field);
  /// True if the value begins with `first`. Else it is null, or rejected: "found DESCRIBE; expected EXPECTED".
  bool Expect(Value value, char first, const JsonPath& path, std::string_view expected);
  void RejectType(Value value, const JsonPath& path, std::string_view expected);
  /// A number that simdjson cannot hold: rejects it when it is one, refuses the body when it is not JSON.
  void RejectNumber(Value value, const JsonPath& path, std::string_view expected);
  bool BadUtf8(std::string_view token, const JsonPath& path);
  void ReplaceBadUtf8(std::string_view body);

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::unique_ptr<char[]> buffer_;
  size_t buffer_size_ = 0;
  size_t body_size_ = 0;
  /// Positions of bytes that are not UTF-8, ascending; replaced in the buffer, so that the values around them can be
  /// read.
  std::vector<size_t> bad_utf8_;
  std::optional<catalog::Problem> refused_, problem_;
  std::string key_;
  std::string_view raw_key_;  ///< the last key as it stands in the buffer
  bool null_is_absent_ = true;
};

}  // namespace bowerbird::collect
