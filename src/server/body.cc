#include "server/body.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>

namespace bowerbird::server {
namespace {

constexpr std::string_view kProtobufTypes[] = {"application/x-protobuf", "application/protobuf",
                                               "application/vnd.google.protobuf"};
constexpr int kZstdWindowLogMax = 23;

enum class Outcome : uint8_t { kDone, kDamaged, kTooLarge };

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

/// Room for more output: doubles, within the bound. False at the bound.
bool Grow(size_t used, uint64_t bytes_max, std::string* out) {
  // One byte more than allowed, so that an output of exactly the bound is told from one beyond it.
  if (used > bytes_max) return false;
  out->resize(std::min<uint64_t>(bytes_max + 1, std::max<uint64_t>(uint64_t{used} * 2, 16 * 1024)));
  return true;
}

/// One member or several, one behind the other (RFC 1952).
Outcome Gunzip(std::string_view in, uint64_t bytes_max, std::string* out) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return Outcome::kDamaged;
  const auto end = [](z_stream* s) { inflateEnd(s); };
  const std::unique_ptr<z_stream, decltype(end)> ended(&stream, end);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  size_t used = 0;
  while (true) {
    if (used == out->size() && !Grow(used, bytes_max, out)) return Outcome::kTooLarge;
    stream.next_out = reinterpret_cast<Bytef*>(out->data() + used);
    stream.avail_out = static_cast<uInt>(out->size() - used);
    const int status = inflate(&stream, Z_NO_FLUSH);
    used = out->size() - stream.avail_out;
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      if (inflateReset(&stream) != Z_OK) return Outcome::kDamaged;
      continue;
    }
    // Input that ends early gives Z_BUF_ERROR while there is still room.
    if (status != Z_OK && !(status == Z_BUF_ERROR && stream.avail_out == 0)) return Outcome::kDamaged;
  }
  if (used > bytes_max) return Outcome::kTooLarge;
  out->erase(used);
  return Outcome::kDone;
}

/// One frame or several.
Outcome Unzstd(std::string_view in, uint64_t bytes_max, std::string* out) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (context == nullptr ||
      ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax)) != 0) {
    return Outcome::kDamaged;
  }
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  size_t used = 0;
  while (true) {
    if (used == out->size() && !Grow(used, bytes_max, out)) return Outcome::kTooLarge;
    ZSTD_outBuffer output{out->data(), out->size(), used};
    const size_t left = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(left) != 0) return Outcome::kDamaged;
    const bool progress = output.pos > used;
    used = output.pos;
    if (input.pos < input.size) continue;
    if (left == 0) break;
    if (!progress && used < out->size()) return Outcome::kDamaged;  // the frame ends early
  }
  if (used > bytes_max) return Outcome::kTooLarge;
  out->erase(used);
  return Outcome::kDone;
}

}  // namespace

std::optional<HttpResponse> DecodeBody(uint64_t bytes_max, HttpRequest* request) {
  const std::string* header = request->Header("content-encoding");
  if (header == nullptr) return std::nullopt;
  const std::string_view encoding = Trimmed(*header);
  if (encoding.empty() || EqualsIgnoringCase(encoding, "identity")) return std::nullopt;
  const bool gzip = EqualsIgnoringCase(encoding, "gzip") || EqualsIgnoringCase(encoding, "x-gzip");
  if (!gzip && !EqualsIgnoringCase(encoding, "zstd")) {
    HttpResponse problem = ProblemResponse(
        415, "unsupported_encoding",
        fmt::format("found Content-Encoding '{}'; expected gzip, zstd or none", encoding.substr(0, 64)));
    problem.headers.emplace_back("Accept-Encoding", "gzip, zstd");
    return problem;
  }
  std::string plain;
  switch (gzip ? Gunzip(request->body, bytes_max, &plain) : Unzstd(request->body, bytes_max, &plain)) {
    case Outcome::kDamaged:
      return ProblemResponse(400, "malformed_encoding",
                             fmt::format("found a body that is not {} from its first byte to its last", encoding));
    case Outcome::kTooLarge:
      return ProblemResponse(413, "body_too_large", fmt::format("the body unfolds to over {} bytes", bytes_max));
    case Outcome::kDone:
      break;
  }
  request->body = std::move(plain);
  request->headers.erase("content-encoding");
  return std::nullopt;
}

bool HasProtobufBody(const HttpRequest& request) {
  const std::string* header = request.Header("content-type");
  if (header == nullptr) return false;
  const std::string_view type = Trimmed(std::string_view(*header).substr(0, header->find(';')));
  return std::any_of(std::begin(kProtobufTypes), std::end(kProtobufTypes),
                     [&](std::string_view known) { return EqualsIgnoringCase(type, known); });
}

bool AcceptsProtobuf(const HttpRequest& request) {
  const std::string* header = request.Header("accept");
  return header != nullptr && std::any_of(std::begin(kProtobufTypes), std::end(kProtobufTypes),
                                          [&](auto known) { return header->find(known) != std::string::npos; });
}

}  // namespace bowerbird::server
