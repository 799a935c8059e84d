#pragma once

#include <functional>
#include <memory>

#include "bowerbird/v1/peer.grpc.pb.h"
#include "server/api.h"
#include "server/job_queue.h"

namespace bowerbird::server {

/// Answers the other nodes of a cluster: requests for users whose state is here, and what they ask about this node.
/// They need a key of scope "peer", but for nodes on this machine where the API needs none of such clients.
///
/// Threads  calls come on gRPC's threads; requests are answered on those that `post` runs its work on.
class PeerService final : public v1::Peers::CallbackService {
 public:
  PeerService(Api* api, std::function<void(std::function<void()>)> post) : api_(api), post_(std::move(post)) {}

  grpc::ServerUnaryReactor* Forward(grpc::CallbackServerContext* context, const v1::ForwardRequest* asked,
                                    v1::ForwardResponse* response) override;
  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context, const v1::PingRequest* asked,
                                 v1::PingResponse* response) override;
  grpc::ServerWriteReactor<v1::ItemCountsPart>* ItemCounts(grpc::CallbackServerContext* context,
                                                           const v1::ItemCountsRequest* asked) override;

 private:
  grpc::Status Authorize(const grpc::CallbackServerContext& context) const;

  Api* const api_;
  const std::function<void(std::function<void()>)> post_;
  JobQueue counts_{/*waiting_max=*/64};  ///< where counts are gathered: a million items take a while
};

}  // namespace bowerbird::server
