#include "ingest/line_reader.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

namespace bowerbird::ingest {
namespace {

constexpr size_t kBufferBytes = 1u << 18;
enum class Compression { kNone, kGzip, kZstd };

}  // namespace

struct LineReader::Impl {
  ~Impl() {
    if (file != nullptr) std::fclose(file);
    if (compression == Compression::kGzip) inflateEnd(&gzip);
    ZSTD_freeDStream(zstd);
  }

  /// Refills `out`; false at the end.
  absl::StatusOr<bool> Fill() {
    out_position = out_size = 0;
    while (out_size == 0) {
      if (in_position == in_size && !at_end) {
        in_position = 0;
        in_size = std::fread(in.data(), 1, in.size(), file);
        consumed += in_size;
        if (in_size == 0) {
          if (std::ferror(file) != 0) return absl::UnavailableError(fmt::format("{}: {}", path, std::strerror(errno)));
          at_end = true;
        }
      }
      if (compression == Compression::kNone) {
        if (at_end) return false;
        std::memcpy(out.data(), in.data() + in_position, in_size - in_position);
        out_size = in_size - in_position;
        in_position = in_size;
      } else if (compression == Compression::kZstd) {
        if (at_end) {
          if (frame_open) return absl::DataLossError(fmt::format("{}: the zstd stream ends early", path));
          return false;
        }
        ZSTD_inBuffer source{in.data(), in_size, in_position};
        ZSTD_outBuffer target{out.data(), out.size(), 0};
        const size_t left = ZSTD_decompressStream(zstd, &target, &source);
        if (ZSTD_isError(left)) return absl::DataLossError(fmt::format("{}: {}", path, ZSTD_getErrorName(left)));
        in_position = source.pos;
        out_size = target.pos;
        frame_open = left != 0;
      } else {
        if (at_end) {
          if (frame_open) return absl::DataLossError(fmt::format("{}: the gzip stream ends early", path));
          return false;
        }
        gzip.next_in = reinterpret_cast<Bytef*>(in.data() + in_position);
        gzip.avail_in = static_cast<uInt>(in_size - in_position);
        gzip.next_out = reinterpret_cast<Bytef*>(out.data());
        gzip.avail_out = static_cast<uInt>(out.size());
        const int code = inflate(&gzip, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
          return absl::DataLossError(fmt::format("{}: broken gzip stream", path));
        }
        in_position = in_size - gzip.avail_in;
        out_size = out.size() - gzip.avail_out;
        frame_open = code != Z_STREAM_END;
        if (code == Z_STREAM_END) inflateReset(&gzip);  // files may be several members, one after another
      }
    }
    return true;
  }

  std::string path;
  std::FILE* file = nullptr;
  Compression compression = Compression::kNone;
  z_stream gzip{};
  ZSTD_DStream* zstd = nullptr;
  bool frame_open = false;
  bool at_end = false;
  uint64_t total = 0;
  uint64_t consumed = 0;
  uint64_t lines = 0;
  std::vector<char> in = std::vector<char>(kBufferBytes);
  std::vector<char> out = std::vector<char>(kBufferBytes);
  size_t in_position = 0, in_size = 0;
  size_t out_position = 0, out_size = 0;
};

LineReader::LineReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

absl::StatusOr<LineReader> LineReader::Open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->file = std::fopen(path.c_str(), "rb");
  if (impl->file == nullptr) return absl::NotFoundError(fmt::format("{}: {}", path, std::strerror(errno)));
  std::error_code ignored;
  impl->total = std::filesystem::file_size(path, ignored);
  unsigned char magic[4] = {};
  const size_t got = std::fread(magic, 1, sizeof(magic), impl->file);
  std::rewind(impl->file);
  if (got == 4 && magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd) {
    impl->compression = Compression::kZstd;
    impl->zstd = ZSTD_createDStream();
  } else if (got >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
    impl->compression = Compression::kGzip;
    if (inflateInit2(&impl->gzip, 15 + 16) != Z_OK) return absl::ResourceExhaustedError("zlib has no memory");
  }
  return LineReader(std::move(impl));
}

absl::StatusOr<bool> LineReader::Next(std::string* line, bool* truncated) {
  line->clear();
  *truncated = false;
  bool any = false;
  while (true) {
    if (impl_->out_position == impl_->out_size) {
      auto filled = impl_->Fill();
      if (!filled.ok()) return filled.status();
      if (!*filled) {
        if (!any) return false;
        break;
      }
    }
    any = true;
    const char* start = impl_->out.data() + impl_->out_position;
    const size_t available = impl_->out_size - impl_->out_position;
    const auto* end = static_cast<const char*>(std::memchr(start, '\n', available));
    const size_t length = end == nullptr ? available : static_cast<size_t>(end - start);
    const size_t room = kLineBytesMax - line->size();
    line->append(start, std::min(length, room));
    *truncated = *truncated || length > room;
    impl_->out_position += length + (end == nullptr ? 0 : 1);
    if (end != nullptr) break;
  }
  if (!line->empty() && line->back() == '\r') line->pop_back();
  ++impl_->lines;
  return true;
}

uint64_t LineReader::line_number() const { return impl_->lines; }
uint64_t LineReader::bytes_read() const { return impl_->consumed; }
uint64_t LineReader::bytes_total() const { return impl_->total; }

}  // namespace bowerbird::ingest
