#include "server/http.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_writer.h"
#include "catalog/problem.h"

namespace bowerbird::server {
namespace {

struct StatusRow {
  absl::StatusCode code;
  int http;
};
constexpr StatusRow kStatusTable[] = {
    {absl::StatusCode::kInvalidArgument, 400},    {absl::StatusCode::kOutOfRange, 400},
    {absl::StatusCode::kUnauthenticated, 401},    {absl::StatusCode::kPermissionDenied, 403},
    {absl::StatusCode::kNotFound, 404},           {absl::StatusCode::kAlreadyExists, 409},
    {absl::StatusCode::kFailedPrecondition, 409}, {absl::StatusCode::kAborted, 409},
    {absl::StatusCode::kResourceExhausted, 429},  {absl::StatusCode::kUnavailable, 503},
    {absl::StatusCode::kDeadlineExceeded, 504},
};

std::string_view Title(int status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 401:
      return "No valid key";
    case 403:
      return "Not allowed";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Body too large";
    case 415:
      return "Unsupported media type";
    case 429:
      return "Too many requests";
    case 431:
      return "Headers too large";
    case 503:
      return "Unavailable";
    case 504:
      return "Deadline exceeded";
    default:
      return "Internal error";
  }
}

std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> segments;
  size_t start = path.empty() || path[0] != '/' ? 0 : 1;
  while (start <= path.size()) {
    const size_t end = std::min(path.find('/', start), path.size());
    segments.emplace_back(path.substr(start, end - start));
    start = end + 1;
  }
  return segments;
}

bool IsParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

}  // namespace

const std::string* HttpRequest::Header(std::string_view name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? nullptr : &it->second;
}

HttpResponse ProblemResponse(int status, std::string_view code, std::string_view detail, std::string_view field) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("type").String(fmt::format("urn:bowerbird:problem:{}", code));
  json.Key("title").String(Title(status)).Key("status").Int(status).Key("code").String(code);
  if (!field.empty()) json.Key("field").String(field);
  json.Key("detail").String(detail).EndObject();
  return response;
}

HttpResponse ProblemResponse(const absl::Status& status) {
  int http = 500;
  for (const StatusRow& row : kStatusTable) {
    if (row.code == status.code()) http = row.http;
  }
  const catalog::Problem problem = catalog::FromStatus(status);
  return ProblemResponse(http, problem.code, problem.detail, problem.field);
}

bool PercentDecode(std::string_view text, bool plus_is_space, std::string* out) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  out->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = digit(text[i + 1]), low = digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out->push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out->push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return true;
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(static_cast<char>(c));
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", c);
    }
  }
  return out;
}

void Router::Add(Route route) {
  Pattern pattern{SplitPath(route.pattern), ""};
  std::string& last = pattern.segments.back();
  const size_t brace = last.rfind('}');
  if (brace != std::string::npos && brace + 1 < last.size()) {
    pattern.verb = last.substr(brace + 1);
    last.resize(brace + 1);
  }
  const bool has_parameter = std::any_of(pattern.segments.begin(), pattern.segments.end(), IsParameter);
  if (!has_parameter) fixed_[route.pattern].push_back(routes_.size());
  routes_.push_back(std::move(route));
  patterns_.push_back(std::move(pattern));
}

const Router::Route* Router::Find(HttpRequest* request, std::vector<std::string>* allowed,
                                  HttpResponse* problem) const {
  if (const auto it = fixed_.find(request->path); it != fixed_.end()) {
    for (const size_t i : it->second) {
      if (routes_[i].method == request->method) return &routes_[i];
      allowed->push_back(routes_[i].method);
    }
  }
  const std::vector<std::string> segments = SplitPath(request->path);
  const Route* best = nullptr;
  for (size_t i = 0; i < routes_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    if (pattern.segments.size() != segments.size()) continue;
    // A pattern with a verb is the more exact one: "/items/{id}:withdraw" wins over "/items/{id}".
    if (best != nullptr && pattern.verb.empty()) continue;
    base::StringMap<std::string> parameters;
    bool matches = true, has_parameter = false;
    for (size_t s = 0; matches && s < segments.size(); ++s) {
      std::string_view segment = segments[s];
      if (s + 1 == segments.size() && !pattern.verb.empty()) {
        matches = segment.size() > pattern.verb.size() &&
                  segment.substr(segment.size() - pattern.verb.size()) == pattern.verb;
        if (matches) segment.remove_suffix(pattern.verb.size());
      }
      if (!matches) break;
      if (IsParameter(pattern.segments[s])) {
        has_parameter = true;
        std::string value;
        if (!PercentDecode(segment, false, &value)) {
          *problem =
              ProblemResponse(400, "invalid_path", fmt::format("'{}' holds a malformed percent escape", segment));
          return nullptr;
        }
        parameters[pattern.segments[s].substr(1, pattern.segments[s].size() - 2)] = std::move(value);
      } else {
        matches = segment == pattern.segments[s];
      }
    }
    if (!matches || !has_parameter) continue;
    if (routes_[i].method != request->method) {
      allowed->push_back(routes_[i].method);
      continue;
    }
    best = &routes_[i];
    request->path_parameters = std::move(parameters);
  }
  if (best == nullptr) {
    std::sort(allowed->begin(), allowed->end());
    allowed->erase(std::unique(allowed->begin(), allowed->end()), allowed->end());
    if (allowed->empty()) {
      *problem = ProblemResponse(404, "no_such_path",
                                 fmt::format("nothing is at {}; GET /openapi.json lists what is", request->path));
    } else {
      *problem =
          ProblemResponse(405, "method_not_allowed",
                          fmt::format("found {}; this path takes {}", request->method, fmt::join(*allowed, ", ")));
      problem->headers.emplace_back("Allow", fmt::format("{}", fmt::join(*allowed, ", ")));
    }
  }
  return best;
}

}  // namespace bowerbird::server
