#include "server/understanding_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "catalog/problem.h"
#include "serve/profile.h"
#include "server/grpc_caller.h"
#include "server/grpc_status.h"
#include "server/hosted_app.h"
#include "server/ordered_stream.h"

namespace bowerbird::server {
namespace {

/// Beyond it a deadline is none.
constexpr int64_t kDeadlineUsMax = int64_t{86'400} * 1'000'000;

int64_t LeftUs(const grpc::CallbackServerContext& context) {
  const auto left =
      std::chrono::duration_cast<std::chrono::microseconds>(context.deadline() - std::chrono::system_clock::now())
          .count();
  return left > kDeadlineUsMax ? 0 : std::max<int64_t>(1, left);
}

void Count(const Metrics::Route& route, int64_t start_us, const grpc::Status& status) {
  route.seconds->Observe(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
  route.by_class[ClassOf(status)]->Increment();
}

/// A refusal as the HTTP API words it.
grpc::Status Refusal(const v1::ProfileResult& result) {
  std::string text;
  base::JsonWriter(&text)
      .BeginObject()
      .Key("code")
      .String(result.code())
      .Key("detail")
      .String(result.detail())
      .EndObject();
  return {static_cast<grpc::StatusCode>(result.status()), text};
}

/// What a call that is answered once needs until then.
struct Unary {
  grpc::CallbackServerContext* context;
  grpc::ServerUnaryReactor* reactor;
  const Metrics::Route* route;
  int64_t start_us = base::MonotonicUs();
  ProfileCaller caller = {};

  void Finish(const grpc::Status& status) const {
    Count(*route, start_us, status);
    reactor->Finish(status);
  }
};

}  // namespace

UnderstandingService::UnderstandingService(Api* api, std::function<void(std::function<void()>)> post)
    : api_(api),
      post_(std::move(post)),
      get_(api->metrics().ForRoute("GRPC", "UserUnderstanding/GetProfile")),
      batch_(api->metrics().ForRoute("GRPC", "UserUnderstanding/BatchGetProfiles")),
      stream_(api->metrics().ForRoute("GRPC", "UserUnderstanding/StreamProfiles")) {}

grpc::Status UnderstandingService::Authorize(const grpc::CallbackServerContext& context, ProfileCaller* caller) const {
  GrpcCaller from(context);
  caller->request = std::make_shared<HttpRequest>();
  caller->request->headers = std::move(from.headers);
  caller->request->loopback = from.loopback;
  caller->request->post = post_;
  caller->timeout_us = LeftUs(context);
  HttpResponse problem;
  return api_->Authorize(caller->request.get(), "serve", &problem) ? grpc::Status::OK : ToGrpc(problem);
}

grpc::ServerUnaryReactor* UnderstandingService::GetProfile(grpc::CallbackServerContext* context,
                                                           const v1::GetProfileRequest* asked,
                                                           v1::ProfileResponse* response) {
  const auto call = std::make_shared<Unary>(Unary{context, context->DefaultReactor(), &get_});
  if (const grpc::Status status = Authorize(*context, &call->caller); !status.ok()) {
    call->Finish(status);
    return call->reactor;
  }
  grpc::ServerUnaryReactor* const reactor = call->reactor;
  call->caller.parts = ProfileBatch::Joined(asked->parts());
  post_([this, call, asked, response] {
    if (call->context->IsCancelled()) return call->Finish(grpc::Status::CANCELLED);
    ReadProfile(api_, call->caller, asked->id(), [call, response](v1::ProfileResult result) {
      if (result.status() != 0) return call->Finish(Refusal(result));
      response->Swap(result.mutable_profile());
      call->Finish(grpc::Status::OK);
    });
  });
  return reactor;
}

grpc::ServerUnaryReactor* UnderstandingService::BatchGetProfiles(grpc::CallbackServerContext* context,
                                                                 const v1::BatchGetProfilesRequest* asked,
                                                                 v1::BatchGetProfilesResponse* response) {
  const auto call = std::make_shared<Unary>(Unary{context, context->DefaultReactor(), &batch_});
  grpc::ServerUnaryReactor* const reactor = call->reactor;
  grpc::Status status = Authorize(*context, &call->caller);
  if (const absl::Status refused = ProfileBatch::Check(*asked); status.ok() && !refused.ok()) {
    status = ToGrpc(ProblemResponse(refused));
  }
  if (!status.ok()) {
    call->Finish(status);
    return reactor;
  }
  ProfileCaller caller = call->caller;
  caller.parts = ProfileBatch::Joined(asked->parts());
  caller.gone = [context] { return context->IsCancelled(); };
  auto batch = std::make_shared<ProfileBatch>(api_, std::move(caller), *asked,
                                              [call, response](v1::BatchGetProfilesResponse profiles) {
                                                response->Swap(&profiles);
                                                call->Finish(grpc::Status::OK);
                                              });
  post_([batch = std::move(batch)] { batch->Start(); });
  return reactor;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* UnderstandingService::StreamProfiles(
    grpc::CallbackServerContext* context) {
  ProfileCaller begins;
  if (const grpc::Status status = Authorize(*context, &begins); !status.ok()) return new RefusedStream(status);
  // The context is there as long as a message is not answered.
  const auto answer = [this, context](const grpc::ByteBuffer& message, OrderedStream::Done done) {
    const int64_t start_us = base::MonotonicUs();
    const auto finish = [this, start_us, done = std::move(done)](const grpc::Status& status,
                                                                 const grpc::ByteBuffer& response) {
      Count(stream_, start_us, status);
      done(status, response);
    };
    // For each message: a key that was revoked ends a stream, and a silent stream does not hold the app.
    ProfileCaller caller;
    if (const grpc::Status status = Authorize(*context, &caller); !status.ok()) return finish(status, {});
    grpc::Slice bytes;
    if (const grpc::Status status = message.DumpToSingleSlice(&bytes); !status.ok()) return finish(status, {});
    v1::StreamProfilesRequest asked;
    if (!asked.ParseFromArray(bytes.begin(), static_cast<int>(bytes.size()))) {
      return finish({grpc::StatusCode::INVALID_ARGUMENT, "the message is no StreamProfilesRequest"}, {});
    }
    caller.parts = ProfileBatch::Joined(asked.parts());
    post_([this, context, caller = std::move(caller), id = asked.id(), finish] {
      if (context->IsCancelled()) return finish(grpc::Status::CANCELLED, {});
      ReadProfile(api_, caller, id, [finish](const v1::ProfileResult& result) {
        const grpc::Slice slice(result.SerializeAsString());
        finish(grpc::Status::OK, grpc::ByteBuffer(&slice, 1));
      });
    });
  };
  return new OrderedStream(answer, kAheadMax);
}

}  // namespace bowerbird::server
