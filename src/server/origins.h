#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http.h"

namespace bowerbird::server {

/// The web origins whose pages may call us (CORS): "https://shop.example", or "*" for any.
///
/// Threads  immutable.
class Origins {
 public:
  explicit Origins(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}

  bool Allows(std::string_view origin) const;
  /// Whether the request comes from a page of this server itself, asked for by a name of this machine.
  static bool IsOwn(const HttpRequest& request);
  /// Whether a request to a route for browsers may go on: it has no Origin (not a page), or an allowed one. If not,
  /// `problem` is the answer.
  bool Check(const HttpRequest& request, HttpResponse* problem) const;
  /// Lets the page read the answer.
  void Mark(const HttpRequest& request, HttpResponse* response) const;
  /// The answer to a preflight for a route: 200 where the page may call it, 403 where not.
  HttpResponse Preflight(const HttpRequest& request, const Router::Route& route) const;

 private:
  const std::vector<std::string> allowed_;
};

/// A preflight takes the method that it asks about. False: it is none.
bool TakePreflight(HttpRequest* request);

}  // namespace bowerbird::server
