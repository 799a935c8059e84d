#include "server/peer_service.h"

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "server/forward.h"
#include "server/grpc_caller.h"
#include "server/hosted_app.h"

namespace bowerbird::server {
namespace {

constexpr size_t kPartBytes = 512u << 10;

/// Sends parts one after another.
class PartsReactor final : public grpc::ServerWriteReactor<v1::ItemCountsPart> {
 public:
  void Refuse(const grpc::Status& status) { Finish(status); }
  void Send(std::vector<v1::ItemCountsPart> parts) {
    parts_ = std::move(parts);
    Next();
  }
  void OnWriteDone(bool ok) override { ok ? Next() : Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (next_ == parts_.size()) return Finish(grpc::Status::OK);
    StartWrite(&parts_[next_++]);
  }
  std::vector<v1::ItemCountsPart> parts_;
  size_t next_ = 0;
};

std::vector<v1::ItemCountsPart> Parts(const state::ItemCountsDelta& delta) {
  std::vector<v1::ItemCountsPart> parts(1);
  size_t bytes = 0;
  for (const state::ItemCountsDelta::One& one : delta.items) {
    if (bytes >= kPartBytes) {
      parts.emplace_back();
      bytes = 0;
    }
    v1::ItemCounts* item = parts.back().add_items();
    item->set_item(one.item.value);
    item->set_record(one.record);
    item->set_next(one.next);
    bytes += 16 + one.record.size() + one.next.size();
    for (const state::ItemSignalBlock& block : one.signals) {
      v1::ItemSignalBlock* signal = item->add_signals();
      signal->set_id(block.id);
      signal->set_first(block.partitions.first);
      signal->set_end(block.partitions.end);
      signal->set_value(block.value);
      bytes += 24 + block.value.size();
    }
  }
  for (v1::ItemCountsPart& part : parts) {
    part.set_epoch(delta.epoch);
    part.set_whole(delta.whole);
  }
  parts.back().set_change(delta.change);
  parts.back().mutable_offsets()->Add(delta.offsets.begin(), delta.offsets.end());
  return parts;
}

}  // namespace

grpc::ServerWriteReactor<v1::ItemCountsPart>* PeerService::ItemCounts(grpc::CallbackServerContext* context,
                                                                      const v1::ItemCountsRequest* asked) {
  auto* reactor = new PartsReactor;
  if (const grpc::Status status = Authorize(*context); !status.ok()) {
    reactor->Refuse(status);
    return reactor;
  }
  const absl::StatusOr<std::shared_ptr<HostedApp>> app = api_->apps().Find(asked->app());
  if (!app.ok()) {
    reactor->Refuse(grpc::Status(grpc::StatusCode::NOT_FOUND, std::string(app.status().message())));
    return reactor;
  }
  const bool queued = counts_.Add([reactor, hosted = *app, epoch = asked->epoch(), change = asked->change()]() mutable {
    state::ItemCountsDelta delta = hosted->app().state().ItemCountsSince(epoch, change);
    hosted = nullptr;
    reactor->Send(Parts(delta));
  });
  if (!queued) reactor->Refuse(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many nodes ask at once"));
  return reactor;
}

grpc::Status PeerService::Authorize(const grpc::CallbackServerContext& context) const {
  GrpcCaller caller(context);
  HttpRequest request;
  request.headers = std::move(caller.headers);
  request.loopback = caller.loopback;
  HttpResponse problem;
  if (api_->Authorize(&request, "peer", &problem)) return grpc::Status::OK;
  return grpc::Status(problem.status == 401 ? grpc::StatusCode::UNAUTHENTICATED : grpc::StatusCode::PERMISSION_DENIED,
                      problem.body);
}

grpc::ServerUnaryReactor* PeerService::Forward(grpc::CallbackServerContext* context, const v1::ForwardRequest* asked,
                                               v1::ForwardResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (grpc::Status status = Authorize(*context); !status.ok()) {
    reactor->Finish(status);
    return reactor;
  }
  const auto request = std::make_shared<HttpRequest>();
  request->method = asked->method();
  request->path = asked->path();
  for (const auto& [name, value] : asked->query()) request->query[name] = value;
  request->body = asked->body();
  if (!asked->accept().empty()) request->headers["accept"] = asked->accept();
  request->post = post_;
  request->waited_us = asked->waited_us();
  request->forwarded = std::make_shared<Forwarded>();
  request->forwarded->app = asked->app();
  request->forwarded->user = asked->user();
  request->forwarded->acknowledged = asked->acknowledged();
  const auto respond = [reactor, request, response](HttpResponse answer) {
    Forwarded& forwarded = *request->forwarded;
    if (request->app != nullptr) {
      app::App& app = request->app->app();
      response->set_folded_offset(forwarded.user.empty() ? app.catalog().applied_offset()
                                                         : app.FoldedOf(forwarded.user));
    }
    if (!forwarded.becomes.empty()) {
      response->set_becomes(std::move(forwarded.becomes));
      *response->mutable_becomes_acknowledged() = std::move(forwarded.becomes_acknowledged);
    } else {
      response->set_status(static_cast<uint32_t>(answer.status));
      response->set_content_type(std::move(answer.content_type));
      response->set_body(std::move(answer.body));
      for (auto& [name, value] : answer.headers) {
        v1::HttpHeader* header = response->add_headers();
        header->set_name(std::move(name));
        header->set_value(std::move(value));
      }
    }
    // The app may be closed as soon as nobody holds it.
    request->app = nullptr;
    reactor->Finish(grpc::Status::OK);
  };
  post_([this, context, reactor, request, respond, came_us = base::MonotonicUs()] {
    // Nobody waits for it any more.
    if (context->IsCancelled()) return reactor->Finish(grpc::Status::CANCELLED);
    request->waited_us += base::MonotonicUs() - came_us;
    api_->Handle(request, respond);
  });
  return reactor;
}

grpc::ServerUnaryReactor* PeerService::Ping(grpc::CallbackServerContext* context, const v1::PingRequest*,
                                            v1::PingResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const grpc::Status status = Authorize(*context);
  if (status.ok()) {
    for (const std::shared_ptr<HostedApp>& hosted : api_->apps().OpenApps()) {
      response->set_node(hosted->app().node().index);
      response->set_nodes(hosted->app().node().count);
      v1::PingResponse::App* app = response->add_apps();
      app->set_name(hosted->name());
      app->set_fingerprint(hosted->app().secret_fingerprint());
    }
  }
  reactor->Finish(status);
  return reactor;
}

}  // namespace bowerbird::server
