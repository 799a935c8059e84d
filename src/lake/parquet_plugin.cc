// What Arrow does for the lake; parquet_file.h says why it is a plugin.
#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <exception>
#include <utility>

#include "lake/parquet_file.h"

namespace bowerbird::lake {
namespace {

constexpr int64_t kRowGroupRows = 256 << 10;
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
    const arrow::Status written = writer_->WriteRecordBatch(**batch);
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
};

class Reader final : public ParquetReader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  absl::Status Open(ArrowSchema* schema) {
    auto imported = arrow::ImportSchema(schema);
    if (!imported.ok()) return ReadError(path_, imported.status());
    schema_ = *imported;
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
    return CheckTypes();
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

 private:
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
};

}  // namespace
}  // namespace bowerbird::lake

extern "C" __attribute__((visibility("default"))) bowerbird::lake::ParquetFiles* bowerbird_parquet_files();
extern "C" bowerbird::lake::ParquetFiles* bowerbird_parquet_files() {
  static bowerbird::lake::Files files;
  return &files;
}
