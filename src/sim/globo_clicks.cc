#include <zstd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "sim/behaviour_report.h"

namespace bowerbird::sim {
namespace {

constexpr std::string_view kHeader = "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,";
constexpr size_t kColumns = 6;
constexpr size_t kLineMax = 4096;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
struct StreamFreer {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

/// The first six numbers of a line; false if it has none such.
bool ParseLine(std::string_view line, std::array<uint64_t, kColumns>& out) {
  const char* at = line.data();
  const char* end = at + line.size();
  for (uint64_t& value : out) {
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || next == end || *next != ',') return false;
    at = next + 1;
  }
  return true;
}

}  // namespace

absl::StatusOr<Behaviour> MeasureGlobo(const std::string& folder) {
  const std::string path = folder + "/clicks.csv.zst";
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return absl::NotFoundError(fmt::format("{}: cannot be opened", path));
  const std::unique_ptr<ZSTD_DStream, StreamFreer> stream(ZSTD_createDStream());
  BehaviourMeter meter;
  std::string in(ZSTD_DStreamInSize(), '\0');
  std::string out(ZSTD_DStreamOutSize(), '\0');
  std::string rest;
  uint64_t line_number = 0;
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("{}: line {}: {}", path, line_number, why));
  };
  while (const size_t got = std::fread(in.data(), 1, in.size(), file.get())) {
    ZSTD_inBuffer input{in.data(), got, 0};
    while (input.pos < input.size) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const size_t result = ZSTD_decompressStream(stream.get(), &output, &input);
      if (ZSTD_isError(result) != 0) return refuse(fmt::format("not zstd: {}", ZSTD_getErrorName(result)));
      rest.append(out.data(), output.pos);
      size_t begin = 0;
      for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
        const std::string_view line = std::string_view(rest).substr(begin, end - begin);
        begin = end + 1;
        ++line_number;
        if (line_number == 1) {
          if (!line.starts_with(kHeader))
            return refuse(fmt::format("found header \"{}\", expected \"{}...\"", line, kHeader));
          continue;
        }
        std::array<uint64_t, kColumns> columns;
        if (!ParseLine(line, columns)) return refuse(fmt::format("found \"{}\", expected six numbers and more", line));
        meter.Click(columns[0], columns[1], columns[4], static_cast<int64_t>(columns[5]) * 1000);
      }
      rest.erase(0, begin);
      if (rest.size() > kLineMax) return refuse("longer than 4,096 bytes");
    }
  }
  if (line_number == 0) return refuse("the file is empty");
  return meter.Measure();
}

}  // namespace bowerbird::sim
