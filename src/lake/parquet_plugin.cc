// What Arrow does for the lake; parquet_file.h says why it is a plugin.
#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/compute/cast.h>
#include <arrow/io/file.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <parquet/statistics.h>

#include <exception>
#include <optional>
#include <utility>

#include "lake/parquet_file.h"

namespace bowerbird::lake {
namespace {

// Small enough that whoever wants the records of one partition reads few of the others.
constexpr int64_t kRowGroupRows = 64 << 10;
constexpr int64_t kRowGroupBytes = 64 << 20;
constexpr int64_t kReadRows = 64 << 10;
constexpr int64_t kPageBytes = 256 << 10;

absl::Status WriteError(const std::string& path, const arrow::Status& status) {
  const std::string message = fmt::format("{}: {}", path, status.message());
  return status.IsIOError() ? absl::UnavailableError(message) : absl::InternalError(message);
}

absl::Status ReadError(const std::string& path, const arrow::Status& status) {
  return absl::DataLossError(fmt::format("{}: damaged, or no Parquet file of the lake: {}", path, status.message()));
}

class Writer final : public ParquetWriter {
 public:
  explicit Writer(std::string path) : path_(std::move(path)) {}

  absl::Status Open(ArrowSchema* schema, const std::vector<std::string>& ascending) {
    auto imported = arrow::ImportSchema(schema);
    if (!imported.ok()) return WriteError(path_, imported.status());
    schema_ = *imported;
    auto file = arrow::io::FileOutputStream::Open(path_);
    if (!file.ok()) return WriteError(path_, file.status());
    file_ = *file;
    parquet::WriterProperties::Builder properties;
    properties.compression(parquet::Compression::ZSTD)
        ->compression_level(1)
        ->version(parquet::ParquetVersion::PARQUET_2_6)
        ->max_row_group_length(kRowGroupRows)
        ->data_pagesize(kPageBytes)
        ->enable_page_checksum();
    for (const std::string& column : ascending)
      properties.disable_dictionary(column)->encoding(column, parquet::Encoding::DELTA_BINARY_PACKED);
    auto writer = parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), file_, properties.build());
    if (!writer.ok()) return WriteError(path_, writer.status());
    writer_ = *std::move(writer);
    return absl::OkStatus();
  }

  absl::Status Write(ArrowArray* rows) override {
    auto batch = arrow::ImportRecordBatch(rows, schema_);
    if (!batch.ok()) return WriteError(path_, batch.status());
    const int64_t bytes = arrow::util::TotalBufferSize(**batch);
    arrow::Status written;
    if (group_rows_ > 0 && group_bytes_ + bytes > kRowGroupBytes) {
      written = writer_->NewBufferedRowGroup();
      group_rows_ = group_bytes_ = 0;
    }
    if (written.ok()) written = writer_->WriteRecordBatch(**batch);
    group_rows_ += (*batch)->num_rows();
    group_bytes_ = group_rows_ >= kRowGroupRows ? 0 : group_bytes_ + bytes;
    group_rows_ %= kRowGroupRows;
    return written.ok() ? absl::OkStatus() : WriteError(path_, written);
  }

  absl::Status Close(const KeyValues& metadata) override {
    auto pairs = std::make_shared<arrow::KeyValueMetadata>();
    for (const auto& [key, value] : metadata) pairs->Append(key, value);
    arrow::Status status = writer_->AddKeyValueMetadata(pairs);
    if (status.ok()) status = writer_->Close();
    if (status.ok()) status = file_->Close();
    return status.ok() ? absl::OkStatus() : WriteError(path_, status);
  }

 private:
  const std::string path_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::FileOutputStream> file_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t group_rows_ = 0, group_bytes_ = 0;  ///< of the row group that is being filled
};

class Reader final : public ParquetReader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  absl::Status Open(ArrowSchema* schema) {
    auto imported = arrow::ImportSchema(schema);
    if (!imported.ok()) return ReadError(path_, imported.status());
    schema_ = *imported;
    if (absl::Status begun = Begin(); !begun.ok()) return begun;
    return CheckTypes();
  }

  /// Reads whatever columns there are; see ForeignParquet.
  absl::Status OpenForeign(std::vector<Field>* fields, std::vector<std::string>* types) {
    if (absl::Status begun = Begin(); !begun.ok()) return begun;
    arrow::FieldVector wanted;
    for (const auto& field : batches_->schema()->fields()) {
      fields->push_back(ForeignField(*field));
      types->push_back(field->type()->ToString());
      wanted.push_back(arrow::field(field->name(), ForeignType(fields->back())));
    }
    schema_ = arrow::schema(wanted);
    casts_ = true;
    return absl::OkStatus();
  }

  const KeyValues& metadata() const override { return metadata_; }
  int64_t rows() const override { return rows_; }

  absl::StatusOr<bool> Next(ArrowArray* rows) override {
    try {
      return ReadNext(rows);
    } catch (const std::exception& exception) {
      return ReadError(path_, arrow::Status::IOError(exception.what()));
    }
  }

  absl::StatusOr<std::vector<RowGroup>> Groups(const std::vector<std::string>& columns) const override {
    try {
      const auto end = reader_->parquet_reader()->metadata();
      std::vector<RowGroup> groups(static_cast<size_t>(end->num_row_groups()));
      for (int i = 0; i < end->num_row_groups(); ++i) {
        RowGroup& group = groups[static_cast<size_t>(i)];
        const auto described = end->RowGroup(i);
        group.rows = described->num_rows();
        for (const std::string& column : columns) {
          const int index = end->schema()->ColumnIndex(column);
          group.bounds.push_back(index < 0 ? std::nullopt : BoundsOf(*described->ColumnChunk(index)));
        }
      }
      return groups;
    } catch (const std::exception& exception) {
      return ReadError(path_, arrow::Status::IOError(exception.what()));
    }
  }

  absl::Status SelectGroup(size_t group) override {
    try {
      const int groups = reader_->parquet_reader()->metadata()->num_row_groups();
      if (group >= static_cast<size_t>(groups))
        return absl::OutOfRangeError(fmt::format("{}: row group is {}; there are {}", path_, group, groups));
      auto batches = reader_->GetRecordBatchReader({static_cast<int>(group)});
      if (!batches.ok()) return ReadError(path_, batches.status());
      batches_ = *std::move(batches);
      return absl::OkStatus();
    } catch (const std::exception& exception) {
      return ReadError(path_, arrow::Status::IOError(exception.what()));
    }
  }

 private:
  static std::optional<std::pair<int64_t, int64_t>> BoundsOf(const parquet::ColumnChunkMetaData& chunk) {
    const auto statistics = chunk.is_stats_set() ? chunk.statistics() : nullptr;
    if (statistics == nullptr || !statistics->HasMinMax()) return std::nullopt;
    if (statistics->physical_type() == parquet::Type::INT32) {
      const auto& typed = static_cast<const parquet::Int32Statistics&>(*statistics);
      return std::pair<int64_t, int64_t>(typed.min(), typed.max());
    }
    if (statistics->physical_type() == parquet::Type::INT64) {
      const auto& typed = static_cast<const parquet::Int64Statistics&>(*statistics);
      return std::pair<int64_t, int64_t>(typed.min(), typed.max());
    }
    return std::nullopt;
  }

  absl::Status Begin() {
    auto file = arrow::io::ReadableFile::Open(path_);
    if (!file.ok()) return absl::NotFoundError(fmt::format("{}: {}", path_, file.status().message()));
    parquet::ReaderProperties properties;
    properties.set_page_checksum_verification(true);
    parquet::arrow::FileReaderBuilder builder;
    if (const arrow::Status opened = builder.Open(*file, properties); !opened.ok()) return ReadError(path_, opened);
    auto reader = builder.Build();
    if (!reader.ok()) return ReadError(path_, reader.status());
    reader_ = *std::move(reader);
    reader_->set_batch_size(kReadRows);
    const auto end = reader_->parquet_reader()->metadata();
    rows_ = end->num_rows();
    if (const auto pairs = end->key_value_metadata(); pairs != nullptr) {
      for (int64_t i = 0; i < pairs->size(); ++i) metadata_.emplace_back(pairs->key(i), pairs->value(i));
    }
    auto batches = reader_->GetRecordBatchReader();
    if (!batches.ok()) return ReadError(path_, batches.status());
    batches_ = *std::move(batches);
    return absl::OkStatus();
  }

  static Field ForeignField(const arrow::Field& field) {
    const arrow::DataType& type = *field.type();
    const auto is_number = [](const arrow::DataType& one) {
      return arrow::is_integer(one.id()) || arrow::is_floating(one.id()) || one.id() == arrow::Type::BOOL;
    };
    if (is_number(type)) return {field.name(), Kind::kDouble, true, {}};
    if (arrow::is_string(type.id())) return {field.name(), Kind::kText, true, {}};
    if (arrow::is_list_like(type.id()) && is_number(*type.field(0)->type())) {
      return {field.name(), Kind::kList, true, {{"element", Kind::kFloat, true, {}}}};
    }
    return {field.name(), Kind::kStruct, true, {}};
  }
  static std::shared_ptr<arrow::DataType> ForeignType(const Field& field) {
    if (field.kind == Kind::kDouble) return arrow::float64();
    if (field.kind == Kind::kList) return arrow::list(arrow::field("element", arrow::float32()));
    return arrow::utf8();
  }

  absl::StatusOr<bool> ReadNext(ArrowArray* rows) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const arrow::Status read = batches_->ReadNext(&batch); !read.ok()) return ReadError(path_, read);
    if (batch == nullptr) return false;
    std::vector<std::shared_ptr<arrow::Array>> columns;
    for (const auto& field : schema_->fields()) {
      auto column = batch->GetColumnByName(field->name());
      if (column == nullptr) {
        auto nulls = arrow::MakeArrayOfNull(field->type(), batch->num_rows());
        if (!nulls.ok()) return ReadError(path_, nulls.status());
        column = *nulls;
      } else if (casts_ && !column->type()->Equals(*field->type())) {
        // What has no counterpart is refused by whoever asks for it; nobody reads it.
        const bool none = field->type()->id() == arrow::Type::STRING && !arrow::is_string(column->type()->id());
        auto cast = none ? arrow::MakeArrayOfNull(field->type(), batch->num_rows())
                         : arrow::compute::Cast(*column, field->type(), arrow::compute::CastOptions::Unsafe());
        if (!cast.ok()) return ReadError(path_, cast.status());
        column = *cast;
      }
      columns.push_back(std::move(column));
    }
    const auto wanted = arrow::RecordBatch::Make(schema_, batch->num_rows(), std::move(columns));
    // Damage that no checksum covers, such as in the file's end, must not be followed out of a buffer.
    if (const arrow::Status valid = wanted->Validate(); !valid.ok()) return ReadError(path_, valid);
    if (const arrow::Status exported = arrow::ExportRecordBatch(*wanted, rows); !exported.ok())
      return ReadError(path_, exported);
    return true;
  }

  absl::Status CheckTypes() const {
    for (const auto& field : schema_->fields()) {
      const auto found = batches_->schema()->GetFieldByName(field->name());
      if (found == nullptr || found->type()->Equals(*field->type())) continue;
      return absl::DataLossError(fmt::format("{}: column {}: found {}; expected {}", path_, field->name(),
                                             found->type()->ToString(), field->type()->ToString()));
    }
    return absl::OkStatus();
  }

  const std::string path_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  KeyValues metadata_;
  int64_t rows_ = 0;
  bool casts_ = false;
};

class Files final : public ParquetFiles {
 public:
  absl::StatusOr<std::unique_ptr<ParquetWriter>> Create(const std::string& path, ArrowSchema* schema,
                                                        const std::vector<std::string>& ascending) override {
    auto writer = std::make_unique<Writer>(path);
    if (absl::Status opened = writer->Open(schema, ascending); !opened.ok()) return opened;
    return writer;
  }
  absl::StatusOr<std::unique_ptr<ParquetReader>> Open(const std::string& path, ArrowSchema* schema) override {
    auto reader = std::make_unique<Reader>(path);
    try {
      if (absl::Status opened = reader->Open(schema); !opened.ok()) return opened;
    } catch (const std::exception& exception) {
      return ReadError(path, arrow::Status::IOError(exception.what()));
    }
    return reader;
  }
  absl::StatusOr<ForeignParquet> OpenForeign(const std::string& path) override {
    ForeignParquet foreign;
    auto reader = std::make_unique<Reader>(path);
    try {
      if (absl::Status opened = reader->OpenForeign(&foreign.fields, &foreign.types); !opened.ok()) return opened;
    } catch (const std::exception& exception) {
      return ReadError(path, arrow::Status::IOError(exception.what()));
    }
    foreign.reader = std::move(reader);
    return foreign;
  }
};

}  // namespace
}  // namespace bowerbird::lake

extern "C" __attribute__((visibility("default"))) bowerbird::lake::ParquetFiles* bowerbird_parquet_files();
extern "C" bowerbird::lake::ParquetFiles* bowerbird_parquet_files() {
  static bowerbird::lake::Files files;
  return &files;
}
