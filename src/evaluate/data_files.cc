#include "evaluate/data_files.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::evaluate {

namespace {

constexpr size_t kChunkBytes = 1 << 20;

absl::StatusOr<std::string> Unzstd(const std::string& packed, const std::string& path) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string text;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  size_t left = 1;
  while (in.pos < in.size) {
    const size_t have = text.size();
    text.resize(have + kChunkBytes);
    ZSTD_outBuffer out{text.data() + have, kChunkBytes, 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    text.resize(have + out.pos);
    if (ZSTD_isError(left)) return absl::DataLossError(fmt::format("{}: zstd: {}", path, ZSTD_getErrorName(left)));
  }
  // What the last call could not write is still inside.
  while (left != 0) {
    const size_t have = text.size();
    text.resize(have + kChunkBytes);
    ZSTD_outBuffer out{text.data() + have, kChunkBytes, 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    text.resize(have + out.pos);
    if (ZSTD_isError(left) || (left != 0 && out.pos == 0))
      return absl::DataLossError(fmt::format("{}: zstd: cut off", path));
  }
  return text;
}

absl::StatusOr<std::string> Gunzip(const std::string& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return absl::NotFoundError(fmt::format("{}: cannot be opened", path));
  std::string text, chunk(kChunkBytes, '\0');
  int read;
  while ((read = gzread(file, chunk.data(), static_cast<unsigned>(chunk.size()))) > 0)
    text.append(chunk, 0, static_cast<size_t>(read));
  const bool whole = gzclose(file) == Z_OK && read == 0;
  if (!whole) return absl::DataLossError(fmt::format("{}: gzip: broken or cut off", path));
  return text;
}

absl::Status ForEachLine(const std::string& path,
                         absl::FunctionRef<absl::Status(size_t number, std::string_view line)> visit) {
  ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    RETURN_IF_ERROR(visit(++number, line));
    begin = end + 1;
  }
  return absl::OkStatus();
}

absl::Status BadLine(const std::string& path, size_t number, std::string_view found, std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{}:{}: found '{}'; expected {}", path, number, found.substr(0, 40), expected));
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The user and the items of each line of `user item item ...`.
absl::Status ForEachUserLine(const std::string& path,
                             absl::FunctionRef<void(uint32_t user, const std::vector<uint32_t>& items)> visit) {
  std::vector<uint32_t> items;
  return ForEachLine(path, [&](size_t line_number, std::string_view line) -> absl::Status {
    std::optional<uint32_t> user;
    items.clear();
    while (!line.empty()) {
      const size_t length = std::min(line.find_first_of(" \t"), line.size());
      if (length > 0) {
        const auto number = ParseNumber<uint32_t>(line.substr(0, length));
        // One below the greatest, so that the count fits too.
        if (!number || *number == UINT32_MAX)
          return BadLine(path, line_number, line.substr(0, length), "a number of 32 bits");
        if (user) {
          items.push_back(*number);
        } else {
          user = number;
        }
      }
      line.remove_prefix(std::min(length + 1, line.size()));
    }
    if (user) visit(*user, items);
    return absl::OkStatus();
  });
}

// Dense numbers in order of first appearance.
class Numbering {
 public:
  uint32_t operator()(uint32_t id) {
    return numbers_.try_emplace(id, static_cast<uint32_t>(numbers_.size())).first->second;
  }

 private:
  absl::flat_hash_map<uint32_t, uint32_t> numbers_;
};

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path)) return absl::NotFoundError(fmt::format("{}: cannot be opened", path));
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return Unzstd(bytes, path);
  if (bytes.starts_with("\x1f\x8b")) return Gunzip(path);
  return bytes;
}

absl::StatusOr<std::vector<Interaction>> ReadLightGcn(const std::string& path) {
  std::vector<Interaction> result;
  RETURN_IF_ERROR(ForEachUserLine(path, [&](uint32_t user, const std::vector<uint32_t>& items) {
    for (uint32_t item : items) result.push_back({user, item});
  }));
  return result;
}

absl::StatusOr<std::vector<Interaction>> ReadSequences(const std::string& path) {
  std::vector<Interaction> result;
  Numbering users, item_numbers;
  RETURN_IF_ERROR(ForEachUserLine(path, [&](uint32_t user, const std::vector<uint32_t>& items) {
    int64_t place = 0;
    for (uint32_t item : items) result.push_back({users(user), item_numbers(item), place++});
  }));
  return result;
}

absl::StatusOr<std::vector<Interaction>> ReadGloboClicks(const std::string& path) {
  std::vector<Interaction> result;
  Numbering users, items;
  std::vector<std::string_view> fields;
  std::optional<size_t> user_field, item_field, time_field;
  RETURN_IF_ERROR(ForEachLine(path, [&](size_t number, std::string_view line) -> absl::Status {
    fields.clear();
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find(',', begin), line.size());
      fields.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    const auto position = [&](std::string_view name) -> std::optional<size_t> {
      const auto found = std::find(fields.begin(), fields.end(), name);
      if (found == fields.end()) return std::nullopt;
      return found - fields.begin();
    };
    if (number == 1) {
      user_field = position("user_id");
      item_field = position("click_article_id");
      time_field = position("click_timestamp");
      if (!user_field || !item_field || !time_field) {
        return BadLine(path, number, line, "a header with user_id, click_article_id and click_timestamp");
      }
      return absl::OkStatus();
    }
    if (fields.size() <= std::max({*user_field, *item_field, *time_field}))
      return BadLine(path, number, line, "as many fields as the header");
    const auto user = ParseNumber<uint32_t>(fields[*user_field]), item = ParseNumber<uint32_t>(fields[*item_field]);
    const auto time_ms = ParseNumber<int64_t>(fields[*time_field]);
    constexpr int64_t kMaxMs = INT64_MAX / 1000;
    if (!user || !item || !time_ms || *time_ms > kMaxMs || *time_ms < -kMaxMs) {
      return BadLine(path, number, line, "numbers for user, article and milliseconds");
    }
    result.push_back({users(*user), items(*item), *time_ms * 1000});
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace bowerbird::evaluate
