#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "base/string_map.h"

namespace bowerbird::server {

/// Who calls by gRPC, as the HTTP API asks it.
struct GrpcCaller {
  explicit GrpcCaller(const grpc::CallbackServerContext& context) {
    const std::string peer = context.peer();
    loopback = peer.starts_with("ipv4:127.") || peer.starts_with("ipv6:%5B::1%5D") || peer.starts_with("ipv6:[::1]");
    for (const char* name : {"authorization", "bowerbird-app"}) {
      const auto found = context.client_metadata().find(name);
      if (found != context.client_metadata().end()) {
        headers[name] = std::string(found->second.data(), found->second.size());
      }
    }
  }
  base::StringMap<std::string> headers;
  bool loopback = false;
};

}  // namespace bowerbird::server
