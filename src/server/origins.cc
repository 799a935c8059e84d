#include "server/origins.h"

#include <fmt/format.h>

#include <algorithm>

namespace bowerbird::server {

bool Origins::Allows(std::string_view origin) const {
  return std::any_of(allowed_.begin(), allowed_.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

bool Origins::IsOwn(const HttpRequest& request) {
  const std::string* origin = request.Header("origin");
  const std::string* host = request.Header("host");
  if (origin == nullptr || host == nullptr) return false;
  // A name of elsewhere may have been made to lead here, too.
  const std::string_view name = std::string_view(*host).substr(0, host->rfind(':'));
  if (name != "localhost" && name != "[::1]" && !name.starts_with("127.")) return false;
  const size_t scheme = origin->find("://");
  return scheme != std::string::npos && std::string_view(*origin).substr(scheme + 3) == *host;
}

bool Origins::Check(const HttpRequest& request, HttpResponse* problem) const {
  const std::string* origin = request.Header("origin");
  if (origin == nullptr || Allows(*origin)) return true;
  *problem = ProblemResponse(
      403, "origin_not_allowed",
      fmt::format("found Origin '{}'; expected one of allowed_origins in server.toml", origin->substr(0, 256)));
  return false;
}

void Origins::Mark(const HttpRequest& request, HttpResponse* response) const {
  const std::string* origin = request.Header("origin");
  if (origin == nullptr || !Allows(*origin)) return;
  response->headers.emplace_back("Access-Control-Allow-Origin", *origin);
  response->headers.emplace_back("Access-Control-Expose-Headers", "Retry-After");
  response->headers.emplace_back("Vary", "Origin");
}

HttpResponse Origins::Preflight(const HttpRequest& request, const Router::Route& route) const {
  HttpResponse response;
  if (!route.browser) {
    return ProblemResponse(
        403, "origin_not_allowed",
        "found a preflight; expected none: web pages may call /v1/beacon, Segment's paths and /mcp only");
  }
  if (!Check(request, &response)) return response;
  Mark(request, &response);
  response.headers.emplace_back("Access-Control-Allow-Methods", "POST");
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                "authorization, content-type, content-encoding, accept, mcp-protocol-version");
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  return response;
}

bool TakePreflight(HttpRequest* request) {
  const std::string* method = request->Header("access-control-request-method");
  if (request->method != "OPTIONS" || method == nullptr) return false;
  request->method = *method;
  return true;
}

}  // namespace bowerbird::server
