#include <fmt/format.h>

#include <utility>

#include "base/status_macros.h"
#include "ingest/line_reader.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {
namespace {

class CsvSource final : public RowSource {
 public:
  CsvSource(std::string path, LineReader reader, std::string separator, std::vector<std::string> given)
      : path_(std::move(path)),
        reader_(std::move(reader)),
        separator_(std::move(separator)),
        given_(std::move(given)) {}

  absl::Status ReadHeader() {
    columns_ = given_;
    if (!given_.empty()) return absl::OkStatus();
    Row header;
    ASSIGN_OR_RETURN(const bool any, ReadRecord(&header));
    if (!any || !header.error.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("line 1: found {}; expected a header with the columns' names", any ? header.error : "nothing"));
    }
    for (Row::Cell& cell : header.cells) {
      if (columns_.empty() && cell.text.starts_with("\xef\xbb\xbf")) cell.text.erase(0, 3);
      columns_.push_back(cell.text);
    }
    return absl::OkStatus();
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool any, ReadRecord(row));
      if (!any) return false;
      if (row->raw.empty()) continue;  // a blank line is not a row
      if (row->error.empty() && row->cells.size() != columns_.size()) {
        row->error = fmt::format("found {} fields; expected {}", row->cells.size(), columns_.size());
      }
      return true;
    }
  }

  absl::Status Rewind() override {
    ASSIGN_OR_RETURN(reader_, LineReader::Open(path_));
    return ReadHeader();
  }

  double progress() const override {
    return reader_.bytes_total() == 0
               ? 1
               : static_cast<double>(reader_.bytes_read()) / static_cast<double>(reader_.bytes_total());
  }

 private:
  /// One record, which may span lines inside quotes.
  absl::StatusOr<bool> ReadRecord(Row* row) {
    row->cells.clear();
    row->error.clear();
    bool truncated = false;
    ASSIGN_OR_RETURN(const bool any, reader_.Next(&row->raw, &truncated));
    if (!any) return false;
    row->line = reader_.line_number();
    if (truncated) {
      row->error = "the line is too long";
      return true;
    }
    size_t position = 0;
    while (true) {
      Row::Cell cell;
      cell.present = true;
      if (position < row->raw.size() && row->raw[position] == '"') {
        ++position;
        while (true) {
          const size_t quote = row->raw.find('"', position);
          if (quote == std::string::npos) {
            // The quoted text goes on in the next line; a quote that is never closed must not eat the file.
            std::string next;
            if (row->raw.size() > kRecordBytesMax) {
              row->error = "a quote is not closed";
              return true;
            }
            ASSIGN_OR_RETURN(const bool more, reader_.Next(&next, &truncated));
            if (!more || truncated) {
              row->error = "a quote is not closed";
              return true;
            }
            row->raw.push_back('\n');
            row->raw += next;
            continue;
          }
          cell.text.append(row->raw, position, quote - position);
          position = quote + 1;
          if (position < row->raw.size() && row->raw[position] == '"') {
            cell.text.push_back('"');
            ++position;
            continue;
          }
          break;
        }
        const size_t end = std::min(row->raw.find(separator_, position), row->raw.size());
        cell.text.append(row->raw, position, end - position);
        position = end;
      } else {
        const size_t end = std::min(row->raw.find(separator_, position), row->raw.size());
        cell.text.assign(row->raw, position, end - position);
        position = end;
      }
      cell.present = !cell.text.empty();
      row->cells.push_back(std::move(cell));
      if (position >= row->raw.size()) return true;
      position += separator_.size();
    }
  }

  static constexpr size_t kRecordBytesMax = 1u << 20;
  const std::string path_;
  LineReader reader_;
  const std::string separator_;
  const std::vector<std::string> given_;
  std::vector<std::string> columns_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowSource>> OpenCsv(const std::string& path, std::string_view separator,
                                                   std::vector<std::string> columns_without_header) {
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(path));
  auto source =
      std::make_unique<CsvSource>(path, std::move(reader), std::string(separator), std::move(columns_without_header));
  RETURN_IF_ERROR(source->ReadHeader());
  return std::unique_ptr<RowSource>(std::move(source));
}

}  // namespace bowerbird::ingest
