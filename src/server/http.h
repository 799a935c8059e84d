#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/string_map.h"

namespace bowerbird::server {

struct ApiKey;
struct Forwarded;
class HostedApp;

struct HttpRequest {
  std::string method;
  std::string path;                      ///< as sent, without the query; still percent-encoded
  base::StringMap<std::string> query;    ///< decoded
  base::StringMap<std::string> headers;  ///< names in lower case
  std::string body;
  base::StringMap<std::string> path_parameters;  ///< set by the Router: {id} -> decoded value
  std::string secret;                            ///< an API key that stood elsewhere than in the Authorization header
  bool loopback = false;                         ///< the peer's address is a loopback one
  int64_t waited_us = 0;                         ///< for its turn on its thread, from its last byte on, about
  bool local = false;                            ///< came by the folder's own socket or in-process: the operator
  int64_t peer_uid = -1;                         ///< of a local one: whose process sent it
  /// Set by the Api before the handler of a route with a scope: whose request it is (null: a client of this machine
  /// that needs no key), and the app that it is about, which stays open as long as the request lives (null: none).
  std::shared_ptr<const ApiKey> key;
  std::shared_ptr<HostedApp> app;
  /// Set where another node of the cluster brought the request; null for a client's own.
  std::shared_ptr<Forwarded> forwarded;
  /// What the audit log says about it, where the path does not tell; a handler's to set. Never a secret.
  std::string audit_detail;
  /// Runs a function on the I/O thread of this request, for work that a callback of another module must not do on its
  /// own thread. In-process it runs at once.
  std::function<void(std::function<void()>)> post = [](const std::function<void()>& work) { work(); };
  /// Whether the client has gone, or at least sends nothing any more: for a handler that works for long, and stops.
  /// From any thread, until the request is answered.
  std::function<bool()> client_gone = [] { return false; };
  const std::string* Header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Answers one request. Called exactly once, from any thread.
using Responder = std::function<void(HttpResponse)>;
/// Handles a request on an I/O thread; must not block for long. The request lives until `respond` was called.
using Handler = std::function<void(std::shared_ptr<HttpRequest> request, Responder respond)>;

/// An RFC 9457 problem document. `code` is stable, for programs; `detail` says what was found and what would be
/// accepted.
HttpResponse ProblemResponse(int status, std::string_view code, std::string_view detail, std::string_view field = "");
/// The one table from status codes to HTTP. A catalog::Problem on the status is carried over.
HttpResponse ProblemResponse(const absl::Status& status);

/// Percent-decodes; false on a malformed escape.
bool PercentDecode(std::string_view text, bool plus_is_space, std::string* out);
std::string PercentEncode(std::string_view text);

/// Where a request may have its API key when it has no Authorization header.
enum class KeyPlace : uint8_t {
  kHeader,  ///< nowhere else
  kQuery,   ///< `?key=`
  kBody,    ///< the field `writeKey` of a JSON body
};

/// Method and path -> handler.
///
/// Data     patterns such as "/v1/items/{id}" and "/v1/items/{id}:withdraw"; a parameter takes one path segment,
/// decoded after the split,
///          so that an id may hold an encoded slash. Fixed segments win over parameters.
/// Threads  Add before the first Handle; Handle from any thread.
class Router {
 public:
  struct Route {
    std::string method;
    std::string pattern;
    std::string scope;  ///< "events", "collect", "serve" or "admin": of one app; "operator", "peer": of the process;
                        ///< empty: open
    Handler handler;
    KeyPlace key_place = KeyPlace::kHeader;
    bool browser = false;  ///< pages of allowed origins may call it
  };
  void Add(Route route);
  /// Null: no such path (404), or another method (405, `allowed` filled). Fills request->path_parameters.
  const Route* Find(HttpRequest* request, std::vector<std::string>* allowed, HttpResponse* problem) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Pattern {
    std::vector<std::string> segments;
    std::string verb;  ///< after the last ':' of the last segment
  };
  std::vector<Route> routes_;
  std::vector<Pattern> patterns_;
  base::StringMap<std::vector<size_t>> fixed_;  ///< whole path -> routes without parameters
};

}  // namespace bowerbird::server
