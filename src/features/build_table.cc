#include "features/build_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "lake/columns.h"
#include "lake/parquet_file.h"

namespace bowerbird::features {
namespace {

constexpr size_t kIdBytesMax = 256;
constexpr uint64_t kPassesMax = 4096;

absl::Status Refuse(std::string_view column, std::string_view found, std::string_view expected) {
  return absl::InvalidArgumentError(fmt::format("{}: found {}; expected {}", column, found, expected));
}

/// The columns of a file that become a table, and where they are in what is read.
class Selection {
 public:
  static absl::StatusOr<Selection> Make(const Source& source, const lake::ForeignParquet& file) {
    const std::vector<lake::Field>& fields = file.fields;
    Selection selection;
    std::vector<std::string_view> names;
    names.reserve(fields.size());
    for (const lake::Field& field : fields) names.emplace_back(field.name);
    const auto find = [&](std::string_view name) {
      return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
    };
    selection.key_ = find(source.key_column);
    if (selection.key_ == fields.size()) {
      return Refuse("key", fmt::format("\"{}\"", source.key_column),
                    fmt::format("a column of the file: {}", fmt::join(names, ", ")));
    }
    if (fields[selection.key_].kind != lake::Kind::kText) {
      return Refuse(source.key_column, file.types[selection.key_], "a column of strings");
    }
    if (source.columns.empty()) {
      for (size_t i = 0; i < fields.size(); ++i) {
        if (i != selection.key_) selection.from_.push_back(i);
      }
    }
    for (const std::string& name : source.columns) {
      if (find(name) == fields.size() || find(name) == selection.key_) {
        return Refuse("columns", fmt::format("\"{}\"", name),
                      fmt::format("columns of the file beside the key: {}", fmt::join(names, ", ")));
      }
      selection.from_.push_back(find(name));
    }
    if (selection.from_.empty() || selection.from_.size() > Table::kColumnsMax) {
      return Refuse("columns", fmt::format("{}", selection.from_.size()), fmt::format("1 to {}", Table::kColumnsMax));
    }
    for (const size_t from : selection.from_) {
      const lake::Field& field = fields[from];
      if (field.kind != lake::Kind::kDouble && field.kind != lake::Kind::kList) {
        return Refuse(field.name, file.types[from], "numbers, or lists of numbers; `columns` chooses some");
      }
      selection.columns_.push_back({field.name, 0});
      selection.is_vector_.push_back(field.kind == lake::Kind::kList);
    }
    return selection;
  }

  size_t key() const { return key_; }
  size_t size() const { return from_.size(); }
  size_t from(size_t column) const { return from_[column]; }
  bool is_vector(size_t column) const { return is_vector_[column]; }
  std::vector<Column>& columns() { return columns_; }
  const std::vector<Column>& columns() const { return columns_; }

 private:
  size_t key_ = 0;
  std::vector<size_t> from_;
  std::vector<bool> is_vector_;
  std::vector<Column> columns_;
};

/// Rows of an ArrowArray, released with it.
class Rows {
 public:
  Rows() = default;
  ~Rows() {
    if (array_.release != nullptr) array_.release(&array_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ArrowArray* out() { return &array_; }
  int64_t length() const { return array_.length; }
  lake::ColumnView column(size_t index) const { return lake::ColumnView(&array_).child(index); }

 private:
  ArrowArray array_{};
};

/// Shows every batch of the file with the number of its first row, from 1.
absl::Status ForEachBatch(const std::string& file, const std::function<bool()>& cancelled,
                          const std::function<absl::Status(const Rows& rows, uint64_t first)>& visit) {
  ASSIGN_OR_RETURN(const lake::ForeignParquet opened, lake::OpenForeignParquet(file));
  for (uint64_t first = 1;;) {
    if (cancelled && cancelled()) return absl::UnavailableError("cancelled");
    Rows rows;
    ASSIGN_OR_RETURN(const bool more, opened.reader->Next(rows.out()));
    if (!more) return absl::OkStatus();
    RETURN_IF_ERROR(visit(rows, first));
    first += static_cast<uint64_t>(rows.length());
  }
}

/// Sets the lengths of vectors, which are those of the first ones that are not null, and counts rows.
absl::StatusOr<uint64_t> Measure(const Source& source, const std::function<bool()>& cancelled, Selection* selection) {
  uint64_t count = 0;
  RETURN_IF_ERROR(ForEachBatch(source.file, cancelled, [&](const Rows& rows, uint64_t first) {
    count += static_cast<uint64_t>(rows.length());
    for (size_t i = 0; i < selection->size(); ++i) {
      if (!selection->is_vector(i)) continue;
      const lake::ColumnView values = rows.column(selection->from(i));
      Column& column = selection->columns()[i];
      for (int64_t row = 0; row < rows.length(); ++row) {
        if (values.IsNull(row)) continue;
        const int64_t length = values.ListLast(row) - values.ListFirst(row);
        if (column.dim == 0 && length > 0 && length <= Table::kDimMax) column.dim = static_cast<uint32_t>(length);
        if (length == column.dim && length > 0) continue;
        return Refuse(column.name, fmt::format("{} values in row {}", length, first + static_cast<uint64_t>(row)),
                      column.dim == 0 ? fmt::format("1 to {}", Table::kDimMax)
                                      : fmt::format("{}, as in the rows before", column.dim));
      }
    }
    return absl::OkStatus();
  }));
  // A column of vectors of which every one is null says nothing.
  for (size_t i = 0; i < selection->size(); ++i) {
    if (selection->is_vector(i) && selection->columns()[i].dim == 0) {
      return Refuse(selection->columns()[i].name, "no row with a vector", "one at least");
    }
  }
  return count;
}

/// One part of the table: the rows whose keys begin alike.
class Pass {
 public:
  Pass(const Selection* selection, const RowLayout* layout) : selection_(selection), layout_(layout) {}

  absl::Status Add(const RowKey& key, const Rows& rows, int64_t row, uint64_t number) {
    const size_t begin = bytes_.size();
    bytes_.resize(begin + layout_->bytes);
    char* out = bytes_.data() + begin;
    std::memcpy(out, &key, sizeof(key));
    for (size_t i = 0; i < selection_->size(); ++i) {
      const lake::ColumnView values = rows.column(selection_->from(i));
      if (values.IsNull(row)) {
        SetNull(out, i);
      } else if (selection_->is_vector(i)) {
        const lake::ColumnView elements = values.element();
        char* to = out + layout_->offsets[i];
        for (int64_t at = values.ListFirst(row); at < values.ListLast(row); ++at, to += sizeof(float)) {
          const float value = elements.IsNull(at) ? NAN : elements.Float(at);
          if (!std::isfinite(value)) {
            return Refuse(selection_->columns()[i].name, fmt::format("a value that is no number in row {}", number),
                          "finite numbers, or null for the whole vector");
          }
          std::memcpy(to, &value, sizeof(value));
        }
      } else {
        const double value = values.Double(row);
        if (!std::isfinite(value)) {
          SetNull(out, i);
          continue;
        }
        std::memcpy(out + layout_->offsets[i], &value, sizeof(value));
      }
    }
    order_.push_back({key, number, begin});
    return absl::OkStatus();
  }

  absl::Status WriteTo(const std::string& key_column, std::ofstream* out) {
    std::ranges::sort(order_, [](const Entry& a, const Entry& b) {
      return std::pair(a.key.key, a.key.check) < std::pair(b.key.key, b.key.check);
    });
    for (size_t i = 1; i < order_.size(); ++i) {
      const Entry &a = order_[i - 1], &b = order_[i];
      if (a.key.key != b.key.key || a.key.check != b.key.check) continue;
      return Refuse(
          key_column,
          fmt::format("the same id in rows {} and {}", std::min(a.number, b.number), std::max(a.number, b.number)),
          "each id once");
    }
    for (const Entry& entry : order_) out->write(bytes_.data() + entry.begin, layout_->bytes);
    return absl::OkStatus();
  }

 private:
  struct Entry {
    RowKey key;
    uint64_t number;
    size_t begin;
  };
  void SetNull(char* row, size_t column) const {
    row[layout_->nulls + column / 8] = static_cast<char>(row[layout_->nulls + column / 8] | 1 << (column % 8));
  }

  const Selection* const selection_;
  const RowLayout* const layout_;
  std::vector<char> bytes_;
  std::vector<Entry> order_;
};

}  // namespace

absl::StatusOr<BuildReport> BuildTable(const Source& source, const catalog::KeyHasher& hasher, const std::string& path,
                                       uint64_t memory_bytes, const std::function<bool()>& cancelled) {
  ASSIGN_OR_RETURN(const lake::ForeignParquet opened, lake::OpenForeignParquet(source.file));
  ASSIGN_OR_RETURN(Selection selection, Selection::Make(source, opened));
  BuildReport report;
  ASSIGN_OR_RETURN(report.rows, Measure(source, cancelled, &selection));
  report.columns = selection.columns();
  const RowLayout layout(report.columns);
  report.passes = std::max<uint64_t>(1, (report.rows * layout.bytes + memory_bytes - 1) / memory_bytes);
  if (report.passes > kPassesMax) {
    return Refuse("file", fmt::format("{} rows of {} bytes", report.rows, layout.bytes),
                  fmt::format("at most {} bytes in all", kPassesMax * memory_bytes));
  }

  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << EncodeHeader(source.entity, source.as_of_us, report.rows, report.columns);
  for (uint64_t part = 0; part < report.passes; ++part) {
    Pass pass(&selection, &layout);
    RETURN_IF_ERROR(ForEachBatch(source.file, cancelled, [&](const Rows& rows, uint64_t first) {
      const lake::ColumnView ids = rows.column(selection.key());
      for (int64_t row = 0; row < rows.length(); ++row) {
        const std::string_view id = ids.Text(row);
        const uint64_t number = first + static_cast<uint64_t>(row);
        if (id.empty() || id.size() > kIdBytesMax) {
          return Refuse(source.key_column, fmt::format("an id of {} bytes in row {}", id.size(), number),
                        fmt::format("1 to {} bytes", kIdBytesMax));
        }
        const RowKey key = RowKey::Of(hasher, id);
        const auto part_of_key = static_cast<uint64_t>((static_cast<unsigned __int128>(key.key) * report.passes) >> 64);
        if (part_of_key != part) continue;
        RETURN_IF_ERROR(pass.Add(key, rows, row, number));
      }
      return absl::OkStatus();
    }));
    RETURN_IF_ERROR(pass.WriteTo(source.key_column, &out));
  }
  out.close();
  if (!out) return absl::UnavailableError(fmt::format("{}: it could not be written", path));
  report.bytes = report.rows * layout.bytes;
  return report;
}

}  // namespace bowerbird::features
