#include "lake/columns.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace bowerbird::lake {
namespace {

size_t WidthOf(Kind kind) {
  switch (kind) {
    case Kind::kInt32:
    case Kind::kFloat:
      return 4;
    case Kind::kInt64:
    case Kind::kDouble:
    case Kind::kTime:
      return 8;
    default:
      return 0;
  }
}

const char* FormatOf(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return "b";
    case Kind::kInt32:
      return "i";
    case Kind::kInt64:
      return "l";
    case Kind::kFloat:
      return "f";
    case Kind::kDouble:
      return "g";
    case Kind::kTime:
      return "tsu:UTC";
    case Kind::kText:
      return "u";
    case Kind::kBytes:
      return "z";
    case Kind::kList:
      return "+l";
    case Kind::kStruct:
      return "+s";
    case Kind::kMap:
      return "+m";
  }
  return "n";
}

bool HasOffsets(Kind kind) {
  return kind == Kind::kText || kind == Kind::kBytes || kind == Kind::kList || kind == Kind::kMap;
}

struct SchemaMemory {
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> pointers;
};

void ReleaseSchema(ArrowSchema* schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release != nullptr) schema->children[i]->release(schema->children[i]);
  }
  delete static_cast<SchemaMemory*>(schema->private_data);
  schema->release = nullptr;
}

void FillSchema(const char* format, const char* name, bool nullable, std::span<const Field> children,
                ArrowSchema* out) {
  auto memory = std::make_unique<SchemaMemory>();
  memory->children.resize(children.size());
  for (size_t i = 0; i < children.size(); ++i) {
    const Field& child = children[i];
    if (child.kind == Kind::kMap) {
      // A map is a list of structs in this interface: its key and value are the struct's.
      auto entries = std::make_unique<SchemaMemory>();
      entries->children.resize(1);
      FillSchema("+s", "entries", false, child.children, &entries->children[0]);
      entries->pointers = {&entries->children[0]};
      ArrowSchema& map = memory->children[i];
      map = {FormatOf(Kind::kMap),
             child.name.c_str(),
             nullptr,
             child.nullable ? ARROW_FLAG_NULLABLE : 0,
             1,
             entries->pointers.data(),
             nullptr,
             ReleaseSchema,
             entries.get()};
      (void)entries.release();
    } else {
      FillSchema(FormatOf(child.kind), child.name.c_str(), child.nullable, child.children, &memory->children[i]);
    }
    memory->pointers.push_back(&memory->children[i]);
  }
  *out = {format,
          name,
          nullptr,
          nullable ? ARROW_FLAG_NULLABLE : 0,
          static_cast<int64_t>(children.size()),
          memory->pointers.data(),
          nullptr,
          ReleaseSchema,
          memory.get()};
  (void)memory.release();
}

struct ArrayMemory {
  std::vector<uint8_t> validity, data;
  std::vector<int32_t> offsets;
  const void* buffers[3] = {};
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
};

void ReleaseArray(ArrowArray* array) {
  for (int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release != nullptr) array->children[i]->release(array->children[i]);
  }
  delete static_cast<ArrayMemory*>(array->private_data);
  array->release = nullptr;
}

ArrowArray ArrayOf(std::unique_ptr<ArrayMemory> memory, int64_t length, int64_t null_count, int64_t n_buffers) {
  for (ArrowArray& child : memory->children) memory->pointers.push_back(&child);
  ArrowArray array{};
  array.length = length;
  array.null_count = null_count;
  array.n_buffers = n_buffers;
  array.n_children = static_cast<int64_t>(memory->children.size());
  array.buffers = memory->buffers;
  array.children = memory->pointers.data();
  array.release = ReleaseArray;
  array.private_data = memory.release();
  return array;
}

// Not null, whatever an empty vector says: readers may not expect a buffer to be missing.
constexpr uint64_t kNoBytes = 0;

}  // namespace

Field List(std::string name, Field element) { return {std::move(name), Kind::kList, true, {std::move(element)}}; }

Field Struct(std::string name, std::vector<Field> children) {
  return {std::move(name), Kind::kStruct, true, std::move(children)};
}

Field MapOf(std::string name, Field value) {
  return {std::move(name), Kind::kMap, true, {{"key", Kind::kText, false, {}}, std::move(value)}};
}

std::string SqlType(const Field& field) {
  switch (field.kind) {
    case Kind::kBool:
      return "BOOLEAN";
    case Kind::kInt32:
      return "INTEGER";
    case Kind::kInt64:
      return "BIGINT";
    case Kind::kFloat:
      return "FLOAT";
    case Kind::kDouble:
      return "DOUBLE";
    case Kind::kTime:
      return "TIMESTAMP WITH TIME ZONE";
    case Kind::kText:
      return "VARCHAR";
    case Kind::kBytes:
      return "BLOB";
    case Kind::kList:
      return SqlType(field.children[0]) + "[]";
    case Kind::kMap:
      return fmt::format("MAP({}, {})", SqlType(field.children[0]), SqlType(field.children[1]));
    case Kind::kStruct:
      break;
  }
  std::string members;
  for (const Field& child : field.children)
    fmt::format_to(std::back_inserter(members), "{}\"{}\" {}", members.empty() ? "" : ", ", child.name, SqlType(child));
  return fmt::format("STRUCT({})", members);
}

ArrowSchema ExportSchema(std::span<const Field> fields) {
  ArrowSchema schema;
  FillSchema("+s", "", false, fields, &schema);
  return schema;
}

Column::Column(const Field& field) : kind_(field.kind), width_(WidthOf(field.kind)) {
  if (HasOffsets(kind_)) offsets_.push_back(0);
  for (const Field& child : field.children) children_.emplace_back(child);
}

void Column::AddValidity(bool valid) {
  const auto bit = static_cast<size_t>(length_);
  if (validity_.size() * 8 <= bit) validity_.push_back(0);
  if (valid) validity_[bit / 8] = static_cast<uint8_t>(validity_[bit / 8] | (1u << (bit % 8)));
}

void Column::Valid() {
  if (null_count_ > 0) AddValidity(true);
  ++length_;
}

void Column::Null() {
  if (null_count_ == 0) {
    validity_.assign((static_cast<size_t>(length_) + 7) / 8, 0xff);
    if (length_ % 8 != 0) validity_.back() = static_cast<uint8_t>((1u << (length_ % 8)) - 1);
  }
  ++null_count_;
  AddValidity(false);
  if (kind_ == Kind::kBool && length_ % 8 == 0) data_.push_back(0);
  data_.insert(data_.end(), width_, 0);
  if (HasOffsets(kind_)) offsets_.push_back(offsets_.back());
  if (kind_ == Kind::kStruct) {
    for (Column& child : children_) child.Null();
  }
  ++length_;
}

void Column::Bool(bool value) {
  if (length_ % 8 == 0) data_.push_back(0);
  if (value) data_.back() = static_cast<uint8_t>(data_.back() | (1u << (length_ % 8)));
  Valid();
}

void Column::Text(std::string_view value) {
  data_.insert(data_.end(), value.begin(), value.end());
  offsets_.push_back(static_cast<int32_t>(data_.size()));
  Valid();
}

void Column::EndList() {
  offsets_.push_back(static_cast<int32_t>(children_[0].length()));
  Valid();
}

size_t Column::bytes() const {
  size_t bytes = validity_.size() + data_.size() + offsets_.size() * sizeof(int32_t);
  for (const Column& child : children_) bytes += child.bytes();
  return bytes;
}

void Column::Export(ArrowArray* out) {
  auto memory = std::make_unique<ArrayMemory>();
  memory->validity = std::move(validity_);
  memory->data = std::move(data_);
  memory->offsets = std::move(offsets_);
  const int64_t elements = children_.empty() ? 0 : children_[0].length();
  memory->children.resize(children_.size());
  for (size_t i = 0; i < children_.size(); ++i) children_[i].Export(&memory->children[i]);
  if (kind_ == Kind::kMap) {
    auto entries = std::make_unique<ArrayMemory>();
    entries->children = std::move(memory->children);
    memory->children.clear();
    memory->children.push_back(ArrayOf(std::move(entries), elements, 0, 1));
  }
  const void* data = memory->data.empty() ? &kNoBytes : static_cast<const void*>(memory->data.data());
  memory->buffers[0] = null_count_ == 0 ? nullptr : memory->validity.data();
  int64_t buffers = 1;
  if (HasOffsets(kind_)) memory->buffers[buffers++] = memory->offsets.data();
  if (kind_ != Kind::kList && kind_ != Kind::kMap && kind_ != Kind::kStruct) memory->buffers[buffers++] = data;
  *out = ArrayOf(std::move(memory), length_, null_count_, buffers);
  length_ = null_count_ = 0;
  validity_.clear();
  data_.clear();
  offsets_.clear();
  if (HasOffsets(kind_)) offsets_.push_back(0);
}

Batch::Batch(std::span<const Field> fields) {
  for (const Field& field : fields) columns_.emplace_back(field);
}

size_t Batch::bytes() const {
  size_t bytes = 0;
  for (const Column& column : columns_) bytes += column.bytes();
  return bytes;
}

void Batch::Export(ArrowArray* out) {
  auto memory = std::make_unique<ArrayMemory>();
  const int64_t length = rows();
  memory->children.resize(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) columns_[i].Export(&memory->children[i]);
  *out = ArrayOf(std::move(memory), length, 0, 1);
}

bool ColumnView::IsNull(int64_t row) const {
  const auto* bits = static_cast<const uint8_t*>(array_->buffers[0]);
  if (bits == nullptr) return false;
  const int64_t bit = row + array_->offset + shift_;
  return (bits[bit / 8] >> (bit % 8) & 1) == 0;
}

bool ColumnView::Bool(int64_t row) const {
  const int64_t bit = row + array_->offset + shift_;
  return (static_cast<const uint8_t*>(array_->buffers[1])[bit / 8] >> (bit % 8) & 1) != 0;
}

std::string_view ColumnView::Text(int64_t row) const {
  if (IsNull(row)) return {};
  const int32_t* offsets = Offsets() + array_->offset;
  return {static_cast<const char*>(array_->buffers[2]) + offsets[row],
          static_cast<size_t>(offsets[row + 1] - offsets[row])};
}

}  // namespace bowerbird::lake
