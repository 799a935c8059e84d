#include <fmt/format.h>
#include <simdjson.h>

#include <utility>

#include "base/status_macros.h"
#include "base/string_map.h"
#include "ingest/line_reader.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {
namespace {

namespace dom = simdjson::dom;
constexpr size_t kRowsForColumns = 100'000;

std::string ScalarText(dom::element element) {
  if (element.is_string()) return std::string(std::string_view(element));
  return simdjson::minify(element);
}

class JsonLinesSource final : public RowSource {
 public:
  JsonLinesSource(std::string path, LineReader reader) : path_(std::move(path)), reader_(std::move(reader)) {}

  /// Learns the columns from the file's start, on a reader of its own.
  absl::Status ReadColumns(LineReader sample) {
    std::string line;
    bool truncated = false;
    for (size_t i = 0; i < kRowsForColumns; ++i) {
      ASSIGN_OR_RETURN(const bool any, sample.Next(&line, &truncated));
      if (!any) break;
      dom::object object;
      if (truncated || parser_.parse(line).get(object) != simdjson::SUCCESS) continue;
      AddColumns(object, "");
    }
    if (columns_.empty())
      return absl::InvalidArgumentError("found no JSON object in the first lines; expected one a line");
    return absl::OkStatus();
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  absl::StatusOr<bool> Next(Row* row) override {
    row->error.clear();
    row->cells.assign(columns_.size(), {});
    bool truncated = false;
    do {
      ASSIGN_OR_RETURN(const bool any, reader_.Next(&row->raw, &truncated));
      if (!any) return false;
    } while (row->raw.empty());
    row->line = reader_.line_number();
    dom::object object;
    const auto error = parser_.parse(row->raw).get(object);
    if (truncated || error != simdjson::SUCCESS) {
      row->error =
          truncated ? "the line is too long" : fmt::format("not a JSON object: {}", simdjson::error_message(error));
    } else {
      Fill(object, "", row);
    }
    return true;
  }

  absl::Status Rewind() override {
    ASSIGN_OR_RETURN(reader_, LineReader::Open(path_));
    return absl::OkStatus();
  }

  double progress() const override {
    return reader_.bytes_total() == 0
               ? 1
               : static_cast<double>(reader_.bytes_read()) / static_cast<double>(reader_.bytes_total());
  }

 private:
  void AddColumns(dom::object object, const std::string& prefix) {
    for (const auto field : object) {
      const std::string name = prefix + std::string(field.key);
      dom::object nested;
      if (field.value.get(nested) == simdjson::SUCCESS && prefix.empty()) {
        AddColumns(nested, name + ".");
      } else if (index_.try_emplace(name, columns_.size()).second) {
        columns_.push_back(name);
      }
    }
  }

  void Fill(dom::object object, const std::string& prefix, Row* row) {
    for (const auto field : object) {
      const std::string name = prefix + std::string(field.key);
      dom::object nested;
      if (field.value.get(nested) == simdjson::SUCCESS && prefix.empty()) {
        Fill(nested, name + ".", row);
        continue;
      }
      const auto it = index_.find(name);
      if (it == index_.end()) {
        row->error = fmt::format("'{}': found a key that the first {} rows do not have", name, kRowsForColumns);
        return;
      }
      Row::Cell& cell = row->cells[it->second];
      cell.present = !field.value.is_null();
      dom::array array;
      if (field.value.get(array) == simdjson::SUCCESS) {
        cell.is_list = true;
        for (const dom::element element : array) cell.list.push_back(ScalarText(element));
      } else if (cell.present) {
        cell.text = ScalarText(field.value);
      }
    }
  }

  const std::string path_;
  LineReader reader_;
  dom::parser parser_;
  std::vector<std::string> columns_;
  base::StringMap<size_t> index_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RowSource>> OpenJsonLines(const std::string& path) {
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(path));
  ASSIGN_OR_RETURN(LineReader sample, LineReader::Open(path));
  auto source = std::make_unique<JsonLinesSource>(path, std::move(reader));
  RETURN_IF_ERROR(source->ReadColumns(std::move(sample)));
  return std::unique_ptr<RowSource>(std::move(source));
}

}  // namespace bowerbird::ingest
