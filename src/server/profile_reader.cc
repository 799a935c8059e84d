#include "server/profile_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grpcpp/grpcpp.h>
#include <simdjson.h>

#include <string_view>
#include <utility>

#include "catalog/problem.h"
#include "serve/checked_request.h"
#include "serve/profile.h"
#include "server/body.h"
#include "server/grpc_status.h"

namespace bowerbird::server {
namespace {

v1::ProfileResult Failed(const std::string& id, grpc::StatusCode status, std::string_view code,
                         std::string_view detail) {
  v1::ProfileResult result;
  result.set_id(id);
  result.set_status(status);
  result.set_code(std::string(code));
  result.set_detail(std::string(detail));
  return result;
}

v1::ProfileResult Failed(const std::string& id, const absl::Status& status) {
  const catalog::Problem problem = catalog::FromStatus(status);
  return Failed(id, static_cast<grpc::StatusCode>(status.code()), problem.code, problem.detail);
}

/// What a problem document says.
v1::ProfileResult Failed(const std::string& id, const HttpResponse& problem) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::string_view code = "internal", detail;
  if (parser.parse(problem.body.data(), problem.body.size()).get(document) == simdjson::SUCCESS) {
    if (document["code"].get(code) != simdjson::SUCCESS) code = "internal";
    if (document["detail"].get(detail) != simdjson::SUCCESS) detail = "";
  }
  return Failed(id, CodeOfHttp(problem.status), code, detail);
}

/// `result` has the profile.
v1::ProfileResult Found(const std::string& id, v1::ProfileResult result) {
  if (const size_t bytes = result.profile().ByteSizeLong(); bytes > kProfileBytesMax) {
    return Failed(id, grpc::StatusCode::RESOURCE_EXHAUSTED, "profile_too_large",
                  fmt::format("found {} bytes; expected at most {}: ask for fewer parts", bytes, kProfileBytesMax));
  }
  result.set_id(id);
  return result;
}

}  // namespace

void ReadProfile(Api* api, const ProfileCaller& caller, const std::string& id,
                 std::function<void(v1::ProfileResult result)> done) {
  const HttpRequest& asked = *caller.request;
  HttpResponse problem;
  if (!api->TakeRequest(asked, &problem)) return done(Failed(id, problem));
  if (id.empty()) {
    return done(
        Failed(id, grpc::StatusCode::INVALID_ARGUMENT, "missing_field", "found nothing; expected the user's id"));
  }
  // Before it travels to another node.
  const absl::Status checked = serve::CheckUserId(*asked.app->app().config(), id, "id");
  if (!checked.ok()) return done(Failed(id, checked));
  const auto request = std::make_shared<HttpRequest>();
  request->method = "GET";
  request->path = fmt::format("/v1/users/{}/profile", PercentEncode(id));
  if (!caller.parts.empty()) request->query["parts"] = caller.parts;
  request->headers["accept"] = kProtobufType;
  request->key = asked.key;
  request->app = asked.app;
  request->post = asked.post;
  request->loopback = asked.loopback;
  Forwarder::Asked about;
  about.user = id;
  about.timeout_us = caller.timeout_us;
  about.answer = [request, id, parts = caller.parts, done](const std::string& user) {
    v1::ProfileRequest message;
    message.set_id(user);
    message.set_parts(parts);
    v1::ProfileResult result;
    const absl::Status read = request->app->app().engine().Profile(message, result.mutable_profile());
    done(read.ok() ? Found(id, std::move(result)) : Failed(id, read));
  };
  about.without_owner = [id, done] {
    done(Failed(id, grpc::StatusCode::UNAVAILABLE, serve::kDegradedOwner,
                "the node that has the user's state does not answer; try again in a second"));
  };
  const Responder respond = [id, done](const HttpResponse& response) {
    v1::ProfileResult result;
    if (response.status != 200) return done(Failed(id, response));
    if (response.content_type != kProtobufType || !result.mutable_profile()->ParseFromString(response.body)) {
      return done(Failed(id, grpc::StatusCode::INTERNAL, "internal", "the user's node answered in another form"));
    }
    done(Found(id, std::move(result)));
  };
  api->forwarder().Bring(request, std::move(about), respond);
}

absl::Status ProfileBatch::Check(const v1::BatchGetProfilesRequest& request) {
  if (request.ids().empty()) {
    return catalog::ToStatus({"missing_field", "ids", fmt::format("found nothing; expected 1 to {} ids", kIdsMax)});
  }
  if (request.ids_size() > kIdsMax) {
    return catalog::ToStatus(
        {"too_many", "ids", fmt::format("found {} ids; expected 1 to {}", request.ids_size(), kIdsMax)});
  }
  return serve::ParseProfileParts(Joined(request.parts())).status();
}

std::string ProfileBatch::Joined(const google::protobuf::RepeatedPtrField<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

ProfileBatch::ProfileBatch(Api* api, ProfileCaller caller, const v1::BatchGetProfilesRequest& request, Done done)
    : api_(api), caller_(std::move(caller)), ids_(request.ids().begin(), request.ids().end()), done_(std::move(done)) {
  for (size_t i = 0; i < ids_.size(); ++i) response_.add_results();
}

void ProfileBatch::Run() {
  const auto self = shared_from_this();
  std::unique_lock lock(mutex_);
  for (uint32_t slice = 0; next_ < ids_.size() && under_way_ < kAheadMax; ++slice) {
    if (slice == kSlice) {
      lock.unlock();
      return caller_.request->post([self] { self->Run(); });
    }
    const size_t index = next_++;
    ++under_way_;
    lock.unlock();
    const std::string& id = ids_[index];
    if (caller_.gone()) {
      Took(index, Failed(id, grpc::StatusCode::CANCELLED, "cancelled", "nobody waits for it"));
    } else {
      ReadProfile(api_, caller_, id, [self, index](v1::ProfileResult result) { self->Took(index, std::move(result)); });
    }
    lock.lock();
  }
  running_ = false;
}

void ProfileBatch::Took(size_t index, v1::ProfileResult result) {
  std::unique_lock lock(mutex_);
  --under_way_;
  bytes_ += result.ByteSizeLong();
  if (result.has_profile() && bytes_ > kBytesMax) {
    bytes_ -= result.profile().ByteSizeLong();
    result = Failed(result.id(), grpc::StatusCode::RESOURCE_EXHAUSTED, "answer_full",
                    "the answer holds no more; ask for this one in another call, or for fewer parts");
  }
  *response_.mutable_results(static_cast<int>(index)) = std::move(result);
  if (++answered_ == ids_.size()) {
    lock.unlock();
    return done_(std::move(response_));
  }
  if (running_ || next_ == ids_.size()) return;
  running_ = true;
  lock.unlock();
  caller_.request->post([self = shared_from_this()] { self->Run(); });
}

}  // namespace bowerbird::server
