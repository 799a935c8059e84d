#pragma once

#include <optional>
#include <string>

#include "server/http.h"

namespace bowerbird::server {

/// The API key that a request presents: of `Authorization: Bearer KEY`, of `Authorization: Basic` with the key as the
/// user's name and an empty password (as Segment's clients send it), or else the one that its route found elsewhere
/// (HttpRequest::secret). Null: none. Empty: an Authorization header that is neither.
std::optional<std::string> SecretOf(const HttpRequest& request);

/// A body that holds its own key is unfolded and read for anybody: larger ones need an Authorization header. Segment's
/// own service takes no more than 500 KB at once.
inline constexpr uint64_t kKeyedBodyBytesMax = uint64_t{512} << 10;

/// Sets request->secret from where the route may have it, if there is no Authorization header. Not null: what to answer
/// to a body that had to be unfolded for it and cannot be (body.h), or is over kKeyedBodyBytesMax.
std::optional<HttpResponse> ReadSecret(KeyPlace place, uint64_t body_bytes_max, HttpRequest* request);

}  // namespace bowerbird::server
