#include "features/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/byte_codec.h"
#include "base/status_macros.h"

namespace bowerbird::features {
namespace {

constexpr std::string_view kMagic = "bbfeats1";
constexpr size_t kAlign = 8;
constexpr int kGuesses = 12;
/// Told apart from the id itself, which gives the key.
constexpr std::string_view kCheckSuffix =
    "\x1f"
    "features";

size_t Aligned(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

template <typename T>
T Get(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace

std::string_view EntityName(Entity entity) { return entity == Entity::kUser ? "user" : "item"; }

std::optional<Entity> ParseEntity(std::string_view text) {
  if (text == "user") return Entity::kUser;
  if (text == "item") return Entity::kItem;
  return std::nullopt;
}

RowKey RowKey::Of(const catalog::KeyHasher& hasher, std::string_view id) {
  std::string marked(id);
  marked += kCheckSuffix;
  return {hasher.User(id).value, hasher.User(marked).value};
}

RowLayout::RowLayout(std::span<const Column> columns) : offsets(columns.size()) {
  bytes = sizeof(RowKey);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].dim > 0) continue;
    offsets[i] = bytes;
    bytes += sizeof(double);
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].dim == 0) continue;
    offsets[i] = bytes;
    bytes += columns[i].dim * static_cast<uint32_t>(sizeof(float));
  }
  nulls = bytes;
  bytes = static_cast<uint32_t>(Aligned(bytes + (columns.size() + 7) / 8));
}

std::string EncodeHeader(Entity entity, int64_t as_of_us, uint64_t rows, std::span<const Column> columns) {
  std::string body;
  base::PutFixed(static_cast<uint8_t>(entity), &body);
  base::PutSigned(as_of_us, &body);
  base::PutVarint(rows, &body);
  base::PutVarint(columns.size(), &body);
  for (const Column& column : columns) {
    base::PutString(column.name, &body);
    base::PutVarint(column.dim, &body);
  }
  std::string header(kMagic);
  base::PutFixed(static_cast<uint64_t>(body.size()), &header);
  header += body;
  header.resize(Aligned(header.size()));
  return header;
}

absl::StatusOr<std::shared_ptr<const Table>> Table::Open(const std::string& path) {
  auto table = std::shared_ptr<Table>(new Table());
  ASSIGN_OR_RETURN(table->file_, store::MappedFile::Open(path));
  if (const absl::Status read = table->Read(table->file_.bytes()); !read.ok()) {
    return absl::DataLossError(fmt::format("{}: {}", path, std::string(read.message())));
  }
  return table;
}

absl::StatusOr<std::shared_ptr<const Table>> Table::Over(std::string_view bytes) {
  auto table = std::shared_ptr<Table>(new Table());
  RETURN_IF_ERROR(table->Read(bytes));
  return table;
}

absl::Status Table::Read(std::string_view bytes) {
  base::Reader in(bytes);
  if (in.Bytes(kMagic.size()) != kMagic) return absl::DataLossError("found another header; expected bbfeats1");
  const auto body_bytes = in.Fixed<uint64_t>();
  base::Reader body(in.Bytes(body_bytes));
  const auto entity = body.Fixed<uint8_t>();
  if (entity > static_cast<uint8_t>(Entity::kItem)) return absl::DataLossError("neither of users nor of items");
  entity_ = static_cast<Entity>(entity);
  as_of_us_ = body.Signed();
  rows_ = body.Varint();
  const uint64_t columns = body.Varint();
  if (columns > kColumnsMax) {
    return absl::DataLossError(fmt::format("found {} columns; expected at most {}", columns, kColumnsMax));
  }
  for (uint64_t i = 0; i < columns && body.ok(); ++i) {
    Column column;
    column.name = body.String();
    const uint64_t dim = body.Varint();
    if (dim > kDimMax) {
      return absl::DataLossError(
          fmt::format("column {}: found {} values; expected at most {}", column.name, dim, kDimMax));
    }
    column.dim = static_cast<uint32_t>(dim);
    columns_.push_back(std::move(column));
  }
  if (!in.ok() || !body.ok() || !body.empty()) return absl::DataLossError("the header is damaged");
  layout_ = std::make_unique<RowLayout>(columns_);
  const size_t begin = Aligned(bytes.size() - in.rest().size());
  if (begin > bytes.size() || rows_ > bytes.size() / layout_->bytes || bytes.size() - begin != rows_ * layout_->bytes) {
    return absl::DataLossError("the rows do not fill the file");
  }
  first_ = bytes.data() + begin;
  return absl::OkStatus();
}

uint64_t Table::KeyAt(uint64_t row) const { return Get<uint64_t>(first_ + row * layout_->bytes); }

std::optional<Table::Row> Table::Find(const RowKey& id) const {
  // Keys are hashes, spread evenly: where one lies is guessed from its value; keys that are not are met by halving.
  uint64_t low = 0, high = rows_;  // the first row with a key that is not below is in [low, high]
  uint64_t low_key = 0, high_key = UINT64_MAX;
  for (int step = 0; low < high; ++step) {
    const double share = static_cast<double>(id.key - low_key) / (static_cast<double>(high_key - low_key) + 1.0);
    const uint64_t ahead = step < kGuesses && share < 1 ? static_cast<uint64_t>(share * static_cast<double>(high - low))
                                                        : (high - low) / 2;
    const uint64_t at = low + std::min(ahead, high - low - 1);
    const uint64_t key = KeyAt(at);
    if (key < id.key) {
      low = at + 1;
      low_key = key;
    } else {
      high = at;
      high_key = key;
    }
  }
  for (; low < rows_ && KeyAt(low) == id.key; ++low) {
    const char* row = first_ + low * layout_->bytes;
    if (Get<uint64_t>(row + sizeof(uint64_t)) == id.check) return Row(this, row);
  }
  return std::nullopt;
}

absl::Status Table::CopyWithout(std::span<const RowKey> left_out, const std::string& path) const {
  std::vector<const char*> skipped;
  for (const RowKey& id : left_out) {
    if (const auto row = Find(id); row.has_value()) skipped.push_back(row->bytes_);
  }
  std::ranges::sort(skipped);
  skipped.erase(std::ranges::unique(skipped).begin(), skipped.end());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << EncodeHeader(entity_, as_of_us_, rows_ - skipped.size(), columns_);
  const char* begin = first_;
  for (const char* row : skipped) {
    out.write(begin, row - begin);
    begin = row + layout_->bytes;
  }
  out.write(begin, first_ + rows_ * layout_->bytes - begin);
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(fmt::format("{}: it could not be written", path));
}

bool Table::Row::IsNull(size_t column) const {
  return ((static_cast<uint8_t>(bytes_[table_->layout_->nulls + column / 8]) >> (column % 8)) & 1) != 0;
}

std::optional<double> Table::Row::Number(size_t column) const {
  if (table_->columns_[column].dim > 0 || IsNull(column)) return std::nullopt;
  return Get<double>(bytes_ + table_->layout_->offsets[column]);
}

std::span<const float> Table::Row::Vector(size_t column) const {
  if (table_->columns_[column].dim == 0 || IsNull(column)) return {};
  return {reinterpret_cast<const float*>(bytes_ + table_->layout_->offsets[column]), table_->columns_[column].dim};
}

}  // namespace bowerbird::features
