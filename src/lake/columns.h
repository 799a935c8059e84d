#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/arrow_c.h"

/// Columns in memory, in the layout of Apache Arrow: what rows are gathered in before they become Parquet, and how
/// they come back.
namespace bowerbird::lake {

enum class Kind : uint8_t { kBool, kInt32, kInt64, kFloat, kDouble, kTime, kText, kBytes, kList, kStruct, kMap };

/// One column's name and type. A list has one child, a map two (key and value), a struct any number.
struct Field {
  std::string name;
  Kind kind = Kind::kText;
  bool nullable = true;
  std::vector<Field> children;
};
Field List(std::string name, Field element);
Field Struct(std::string name, std::vector<Field> children);
Field MapOf(std::string name, Field value);

/// The type in the words of DuckDB: "MAP(VARCHAR, DOUBLE)".
std::string SqlType(const Field& field);
/// The schema of rows with these columns; the caller releases it. The fields must outlive it.
ArrowSchema ExportSchema(std::span<const Field> fields);

/// One column that grows by a value at a time.
///
/// Threads  one.
/// Bounds   the bytes of all texts of one column, and the elements of one list, stay below 2^31: whoever fills it
/// starts another batch before (kBatchBytesMax).
class Column {
 public:
  explicit Column(const Field& field);

  void Null();
  void Bool(bool value);
  void Int32(int32_t value) { Fixed(&value, sizeof(value)); }
  void Int64(int64_t value) { Fixed(&value, sizeof(value)); }
  void Float(float value) { Fixed(&value, sizeof(value)); }
  void Double(double value) { Fixed(&value, sizeof(value)); }
  void Text(std::string_view value);
  /// Null for the empty text.
  void TextOrNull(std::string_view value) { value.empty() ? Null() : Text(value); }
  /// Ends a list or map whose elements were added to child(0), and child(1), since the last one.
  void EndList();
  /// Ends a struct of which each child was given a value.
  void EndStruct() { Valid(); }
  Column& child(size_t index) { return children_[index]; }

  int64_t length() const { return length_; }
  /// Of all buffers, about.
  size_t bytes() const;
  /// Moves what was gathered to `out`, which owns it, and begins anew.
  void Export(ArrowArray* out);

 private:
  void Valid();
  void AddValidity(bool valid);
  void Fixed(const void* value, size_t bytes) {
    const auto* first = static_cast<const uint8_t*>(value);
    data_.insert(data_.end(), first, first + bytes);
    Valid();
  }

  Kind kind_;
  size_t width_ = 0;  ///< bytes of a fixed value
  int64_t length_ = 0, null_count_ = 0;
  std::vector<uint8_t> validity_;  ///< bits; empty as long as nothing is null
  std::vector<uint8_t> data_;      ///< fixed values, bits of bools, bytes of texts
  std::vector<int32_t> offsets_;   ///< of texts and lists; one more than there are
  std::vector<Column> children_;
};

/// Rows of several columns.
class Batch {
 public:
  explicit Batch(std::span<const Field> fields);
  Column& column(size_t index) { return columns_[index]; }
  int64_t rows() const { return columns_.front().length(); }
  size_t bytes() const;
  /// Moves the rows to `out` as a struct array, and begins anew.
  void Export(ArrowArray* out);

 private:
  std::vector<Column> columns_;
};

/// A view of one column of an ArrowArray whose type was checked against a Field.
///
/// Threads  any; the array outlives it.
class ColumnView {
 public:
  ColumnView() = default;
  explicit ColumnView(const ArrowArray* array) : array_(array) {}
  bool IsNull(int64_t row) const;
  bool Bool(int64_t row) const;
  int32_t Int32(int64_t row) const { return At<int32_t>(row); }
  int64_t Int64(int64_t row) const { return At<int64_t>(row); }
  float Float(int64_t row) const { return At<float>(row); }
  double Double(int64_t row) const { return At<double>(row); }
  /// Empty for null.
  std::string_view Text(int64_t row) const;
  /// The elements of a list or map: rows [first, last) of child(0), and of key and value for a map.
  int64_t ListFirst(int64_t row) const { return Offsets()[row + array_->offset]; }
  int64_t ListLast(int64_t row) const { return Offsets()[row + array_->offset + 1]; }
  /// Of a struct or list; of a map, 0 is the key and 1 the value. Rows of a struct's child count as the struct's.
  ColumnView child(size_t index) const { return ColumnView(array_->children[index], array_->offset + shift_); }
  /// Elements of lists and maps count from the child's own beginning.
  ColumnView element() const { return ColumnView(array_->children[0]); }
  ColumnView key() const { return ColumnView(array_->children[0]->children[0], array_->children[0]->offset); }
  ColumnView value() const { return ColumnView(array_->children[0]->children[1], array_->children[0]->offset); }

 private:
  ColumnView(const ArrowArray* array, int64_t shift) : array_(array), shift_(shift) {}
  template <typename T>
  T At(int64_t row) const {
    return static_cast<const T*>(array_->buffers[1])[row + array_->offset + shift_];
  }
  const int32_t* Offsets() const { return static_cast<const int32_t*>(array_->buffers[1]) + shift_; }

  const ArrowArray* array_ = nullptr;
  int64_t shift_ = 0;  ///< the offset of the struct that holds it
};

}  // namespace bowerbird::lake
