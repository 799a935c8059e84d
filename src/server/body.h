#pragma once

#include <cstdint>
#include <optional>

#include "server/http.h"

namespace bowerbird::server {

/// Replaces the body of a request by what its Content-Encoding wraps: gzip or zstd. Null when that is done, or when the
/// body is plain; else the answer that refuses it: 400 `malformed_encoding`, 413 `body_too_large`, 415
/// `unsupported_encoding`.
///
/// Threads  any.
/// Bounds   at most `bytes_max` bytes come out, whatever a small body claims to unfold to; a zstd window of at most
/// 8 MiB, as RFC 8878 asks of every decoder.
std::optional<HttpResponse> DecodeBody(uint64_t bytes_max, HttpRequest* request);

inline constexpr std::string_view kProtobufType = "application/x-protobuf";  ///< of what we write

/// Whether the request's Content-Type is protobuf: application/x-protobuf, application/protobuf or
/// application/vnd.google.protobuf.
bool HasProtobufBody(const HttpRequest& request);
/// Whether the client asks for its answer in protobuf, by Accept.
bool AcceptsProtobuf(const HttpRequest& request);

}  // namespace bowerbird::server
