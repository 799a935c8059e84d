#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>

#include "absl/status/status.h"
#include "server/http.h"

namespace bowerbird::server {

/// The codes of the two libraries are the same numbers.
grpc::Status ToGrpc(const absl::Status& status);
/// What the HTTP API would answer, in gRPC's words; the message is the problem document.
grpc::Status ToGrpc(const HttpResponse& problem);
/// The code for a status of HTTP.
grpc::StatusCode CodeOfHttp(int status);
/// 2, 4 or 5, as the first digit of HTTP's statuses.
size_t ClassOf(const grpc::Status& status);

}  // namespace bowerbird::server
