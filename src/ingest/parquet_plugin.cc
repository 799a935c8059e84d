#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>

#include <utility>

#include "ingest/row_source.h"

namespace bowerbird::ingest {
namespace {

absl::Status FromArrow(const arrow::Status& status, const std::string& path) {
  const std::string message = fmt::format("{}: {}", path, status.message());
  return status.IsIOError() ? absl::DataLossError(message) : absl::InvalidArgumentError(message);
}

class ParquetSource final : public RowSource {
 public:
  explicit ParquetSource(std::string path) : path_(std::move(path)) {}

  absl::Status Open() {
    auto file = arrow::io::ReadableFile::Open(path_);
    if (!file.ok()) return absl::NotFoundError(fmt::format("{}: {}", path_, file.status().message()));
    auto opened = parquet::arrow::OpenFile(*file, arrow::default_memory_pool());
    if (!opened.ok()) return FromArrow(opened.status(), path_);
    reader_ = *std::move(opened);
    auto batches = reader_->GetRecordBatchReader();
    if (!batches.ok()) return FromArrow(batches.status(), path_);
    batches_ = *std::move(batches);
    columns_.clear();
    for (const auto& field : batches_->schema()->fields()) columns_.push_back(field->name());
    total_ = static_cast<uint64_t>(std::max<int64_t>(1, reader_->parquet_reader()->metadata()->num_rows()));
    return absl::OkStatus();
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  absl::StatusOr<bool> Next(Row* row) override {
    while (batch_ == nullptr || position_ == batch_->num_rows()) {
      if (const arrow::Status status = batches_->ReadNext(&batch_); !status.ok()) return FromArrow(status, path_);
      position_ = 0;
      if (batch_ == nullptr) return false;
    }
    row->line = ++rows_;
    row->raw.clear();
    row->error.clear();
    row->cells.assign(columns_.size(), {});
    for (int c = 0; c < batch_->num_columns(); ++c) {
      Read(*batch_->column(c), position_, &row->cells[static_cast<size_t>(c)]);
      const Row::Cell& cell = row->cells[static_cast<size_t>(c)];
      fmt::format_to(std::back_inserter(row->raw), "{}{}", c == 0 ? "" : ",",
                     cell.is_list ? fmt::format("{}", fmt::join(cell.list, "|")) : cell.text);
    }
    ++position_;
    return true;
  }

  absl::Status Rewind() override {
    batch_ = nullptr;
    position_ = 0;
    rows_ = 0;
    return Open();
  }

  double progress() const override { return static_cast<double>(rows_) / static_cast<double>(total_); }

 private:
  static std::string Text(const arrow::Array& array, int64_t i) {
    switch (array.type_id()) {
      case arrow::Type::STRING:
        return std::string(static_cast<const arrow::StringArray&>(array).GetView(i));
      case arrow::Type::LARGE_STRING:
        return std::string(static_cast<const arrow::LargeStringArray&>(array).GetView(i));
      case arrow::Type::TIMESTAMP: {
        // As a plain number of seconds, so that one reading of times serves every file.
        const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
        const int64_t value = static_cast<const arrow::TimestampArray&>(array).Value(i);
        const int64_t per_second = type.unit() == arrow::TimeUnit::SECOND  ? 1
                                   : type.unit() == arrow::TimeUnit::MILLI ? 1'000
                                   : type.unit() == arrow::TimeUnit::MICRO ? 1'000'000
                                                                           : 1'000'000'000;
        const int64_t in_second = (value % per_second + per_second) % per_second;
        const int64_t seconds = (value - in_second) / per_second;
        const int64_t micros = in_second * 1'000'000 / per_second;
        // Before 1970 the fraction counts from the second below: -1 and .5 are -0.5 together.
        if (seconds >= 0 || micros == 0) return fmt::format("{}.{:06}", seconds, micros);
        return fmt::format("-{}.{:06}", -seconds - 1, 1'000'000 - micros);
      }
      case arrow::Type::DICTIONARY: {
        const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
        return Text(*dictionary.dictionary(), dictionary.GetValueIndex(i));
      }
      default: {
        const auto scalar = array.GetScalar(i);
        return scalar.ok() ? (*scalar)->ToString() : "";
      }
    }
  }

  static void Read(const arrow::Array& array, int64_t i, Row::Cell* cell) {
    if (array.IsNull(i)) return;
    cell->present = true;
    if (array.type_id() == arrow::Type::LIST) return ReadList(static_cast<const arrow::ListArray&>(array), i, cell);
    if (array.type_id() == arrow::Type::LARGE_LIST)
      return ReadList(static_cast<const arrow::LargeListArray&>(array), i, cell);
    cell->text = Text(array, i);
  }

  template <typename List>
  static void ReadList(const List& list, int64_t i, Row::Cell* cell) {
    cell->is_list = true;
    for (int64_t v = list.value_offset(i); v < list.value_offset(i + 1); ++v) {
      if (!list.values()->IsNull(v)) cell->list.push_back(Text(*list.values(), v));
    }
  }

  const std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::vector<std::string> columns_;
  int64_t position_ = 0;
  uint64_t rows_ = 0, total_ = 1;
};

}  // namespace
}  // namespace bowerbird::ingest

/// The plugin's one door; see parquet_source.cc for who calls it and why it is a plugin.
extern "C" __attribute__((visibility("default"))) bowerbird::ingest::RowSource* bowerbird_open_parquet(
    const char* path, absl::Status* status);
extern "C" bowerbird::ingest::RowSource* bowerbird_open_parquet(const char* path, absl::Status* status) {
  auto source = std::make_unique<bowerbird::ingest::ParquetSource>(path);
  *status = source->Open();
  return status->ok() ? source.release() : nullptr;
}
