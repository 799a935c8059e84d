#pragma once

#include <functional>

#include "bowerbird/v1/understanding.grpc.pb.h"
#include "server/api.h"
#include "server/profile_reader.h"

namespace bowerbird::server {

/// Profiles for other teams' services: bowerbird.v1.UserUnderstanding, under the keys, quotas and metrics of the HTTP
/// API. Each profile is read by the node that has the user's state.
///
/// Threads  calls come on gRPC's threads; profiles are read on those that `post` runs its work on.
/// Bounds   ProfileBatch's; kAheadMax ids of a stream under way, or answered and not read.
class UnderstandingService final
    : public v1::UserUnderstanding::WithRawCallbackMethod_StreamProfiles<
          v1::UserUnderstanding::WithCallbackMethod_BatchGetProfiles<
              v1::UserUnderstanding::WithCallbackMethod_GetProfile<v1::UserUnderstanding::Service>>> {
 public:
  static constexpr uint32_t kAheadMax = 8;

  /// `api` outlives it.
  UnderstandingService(Api* api, std::function<void(std::function<void()>)> post);

  grpc::ServerUnaryReactor* GetProfile(grpc::CallbackServerContext* context, const v1::GetProfileRequest* asked,
                                       v1::ProfileResponse* response) override;
  grpc::ServerUnaryReactor* BatchGetProfiles(grpc::CallbackServerContext* context,
                                             const v1::BatchGetProfilesRequest* asked,
                                             v1::BatchGetProfilesResponse* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamProfiles(
      grpc::CallbackServerContext* context) override;

 private:
  /// Who calls, if they may. The app stays open as long as the caller lives.
  grpc::Status Authorize(const grpc::CallbackServerContext& context, ProfileCaller* caller) const;

  Api* const api_;
  const std::function<void(std::function<void()>)> post_;
  const Metrics::Route get_, batch_, stream_;
};

}  // namespace bowerbird::server
