#include "server/credentials.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "absl/strings/escaping.h"
#include "collect/segment_mapping.h"
#include "server/body.h"

namespace bowerbird::server {
namespace {

/// What follows the scheme; null when the header names another one.
std::optional<std::string_view> After(std::string_view scheme, std::string_view header) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ') return std::nullopt;
  const bool same = std::equal(scheme.begin(), scheme.end(), header.begin(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  });
  if (!same) return std::nullopt;
  header.remove_prefix(scheme.size() + 1);
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  return header;
}

}  // namespace

std::optional<std::string> SecretOf(const HttpRequest& request) {
  const std::string* header = request.Header("authorization");
  if (header == nullptr) {
    if (request.secret.empty()) return std::nullopt;
    return request.secret;
  }
  if (const auto key = After("bearer", *header)) return std::string(*key);
  if (const auto encoded = After("basic", *header)) {
    std::string decoded;
    if (absl::Base64Unescape(absl::string_view(encoded->data(), encoded->size()), &decoded)) {
      const size_t colon = decoded.find(':');
      if (colon != std::string::npos && colon + 1 == decoded.size()) return decoded.substr(0, colon);
    }
  }
  return std::string();
}

std::optional<HttpResponse> ReadSecret(KeyPlace place, uint64_t body_bytes_max, HttpRequest* request) {
  if (place == KeyPlace::kHeader || request->Header("authorization") != nullptr) return std::nullopt;
  if (place == KeyPlace::kQuery) {
    if (const auto key = request->query.find("key"); key != request->query.end()) request->secret = key->second;
    return std::nullopt;
  }
  const uint64_t bytes_max = std::min(body_bytes_max, kKeyedBodyBytesMax);
  if (auto refusal = DecodeBody(bytes_max, request)) return refusal;
  // A client of this machine that needs no key may send more.
  if (request->body.size() > bytes_max) return std::nullopt;
  request->secret = collect::SegmentWriteKey(request->body);
  return std::nullopt;
}

}  // namespace bowerbird::server
