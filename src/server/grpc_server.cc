#include "server/grpc_server.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/string_map.h"
#include "bowerbird/v1/stream.grpc.pb.h"
#include "catalog/problem.h"
#include "collect/collector.h"

namespace bowerbird::server {
namespace {

using collect::Collector;

/// The codes of the two libraries are the same numbers.
grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

/// What the HTTP API would answer, in gRPC's words.
grpc::Status ToGrpc(const HttpResponse& problem) {
  const auto code = [&] {
    switch (problem.status) {
      case 400:
      case 413:
        return grpc::StatusCode::INVALID_ARGUMENT;
      case 401:
        return grpc::StatusCode::UNAUTHENTICATED;
      case 403:
        return grpc::StatusCode::PERMISSION_DENIED;
      case 404:
        return grpc::StatusCode::NOT_FOUND;
      case 429:
        return grpc::StatusCode::RESOURCE_EXHAUSTED;
      case 503:
        return grpc::StatusCode::UNAVAILABLE;
      default:
        return grpc::StatusCode::INTERNAL;
    }
  };
  return grpc::Status(code(), problem.body);
}

/// 2, 4 or 5, as the first digit of HTTP's statuses.
size_t ClassOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return 2;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::UNKNOWN:
      return 5;
    default:
      return 4;
  }
}

bool IsLoopback(const std::string& peer) {
  return peer.starts_with("ipv4:127.") || peer.starts_with("ipv6:%5B::1%5D") || peer.starts_with("ipv6:[::1]");
}

/// Who calls, as the HTTP API asks it.
struct Caller {
  explicit Caller(const grpc::CallbackServerContext& context) : loopback(IsLoopback(context.peer())) {
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

/// Takes batches in.
class Intake {
 public:
  Intake(Api* api, const Metrics::Route& counts) : api_(api), counts_(counts) {}

  /// Whether the caller may send events at all; asked before the first batch, too, so that a stream without a key ends
  /// at once.
  grpc::Status Authorize(const Caller& caller) const {
    HttpRequest request;
    HttpResponse problem;
    return Authorize(caller, &request, &problem) ? grpc::Status::OK : ToGrpc(problem);
  }

  /// Calls `done` once, on this thread or the log's, with the response's bytes. The key is asked for each batch: one
  /// that was revoked ends a stream, and a stream does not hold the app while it is silent.
  using Done = std::function<void(const grpc::Status&, const grpc::ByteBuffer& response)>;
  void Collect(const Caller& caller, const grpc::ByteBuffer& message, Done done) const {
    const int64_t start_us = base::MonotonicUs();
    const auto finish = [counts = counts_, start_us, done = std::move(done)](const grpc::Status& status,
                                                                             const grpc::ByteBuffer& response) {
      counts.seconds->Observe(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
      counts.by_class[ClassOf(status)]->Increment();
      done(status, response);
    };
    const auto request = std::make_shared<HttpRequest>();
    HttpResponse problem;
    if (!Authorize(caller, request.get(), &problem)) return finish(ToGrpc(problem), {});
    if (!api_->TakeRequest(*request, &problem) || !api_->EventsLeft(*request, &problem)) {
      return finish(ToGrpc(problem), {});
    }
    const auto source =
        api_->Authorize(request.get(), "collect", &problem) ? Collector::Source::kLive : Collector::Source::kPublic;
    grpc::Slice bytes;
    if (const grpc::Status status = message.DumpToSingleSlice(&bytes); !status.ok()) return finish(status, {});
    const uint64_t size = bytes.size();
    if (const auto full = api_->in_flight().TryTake(size, request->app->app().log().crowded()))
      return finish(ToGrpc(*full), {});
    request->app->app().collector().CollectProtobuf(
        std::string_view(reinterpret_cast<const char*>(bytes.begin()), size), source,
        [finish, size, request, api = api_](const absl::StatusOr<collect::CollectResult>& result) {
          api->in_flight().Give(size);
          if (!result.ok()) return finish(ToGrpc(result.status()), {});
          Api::ChargeEvents(*request, uint64_t{result->accepted} + result->rejected);
          const HostedApp::CollectMetrics& metrics = request->app->collect_metrics();
          metrics.accepted->Increment(result->accepted);
          metrics.rejected->Increment(result->rejected);
          std::string response;
          collect::AppendProtobuf(*result, &response);
          const grpc::Slice slice(response);
          finish(grpc::Status::OK, grpc::ByteBuffer(&slice, 1));
        });
  }

 private:
  bool Authorize(const Caller& caller, HttpRequest* request, HttpResponse* problem) const {
    request->headers = caller.headers;
    request->loopback = caller.loopback;
    return api_->Authorize(request, "events", problem);
  }

  Api* const api_;
  const Metrics::Route counts_;
};

/// One stream: reads batches ahead, collects them, and answers in the order they came.
///
/// The lock is held for a few steps at a time; what the collector calls back takes it again. The object goes when gRPC
/// says that it is done, perhaps on another thread as soon as Finish is called; so that is the last step of whoever
/// takes it, without the lock, when every batch is answered.
class StreamReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  StreamReactor(const Intake* intake, Caller caller) : intake_(intake), caller_(std::move(caller)) {
    Advance(std::unique_lock(mutex_));
  }

  void OnReadDone(bool ok) override {
    std::shared_ptr<Batch> batch;
    grpc::ByteBuffer message;
    {
      std::unique_lock lock(mutex_);
      reading_ = false;
      // A batch that was on its way when the stream was refused is dropped: nothing of it was acknowledged, and the
      // object may go at any moment.
      if (!ok || closed_) {
        closed_ = true;
        return Advance(std::move(lock));
      }
      batch = batches_.emplace_back(std::make_shared<Batch>());
      message.Swap(&incoming_);
      Advance(std::move(lock));
    }
    // Without the lock: it may be answered before this returns. The batch keeps the stream open until it is.
    intake_->Collect(caller_, message, [this, batch](const grpc::Status& status, const grpc::ByteBuffer& response) {
      std::unique_lock lock(mutex_);
      batch->answered = true;
      batch->status = status;
      batch->response = response;
      Advance(std::move(lock));
    });
  }
  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok) closed_ = failed_ = true;
    Advance(std::move(lock));
  }
  void OnDone() override { delete this; }

 private:
  struct Batch {
    bool answered = false;
    grpc::Status status;
    grpc::ByteBuffer response;
  };

  /// Starts whatever can go on. The object may be gone when it returns.
  void Advance(std::unique_lock<std::mutex> lock) {
    if (finished_) return;
    while (!writing_ && !batches_.empty() && batches_.front()->answered) {
      const std::shared_ptr<Batch> batch = batches_.front();
      batches_.pop_front();
      // The first refusal ends the stream; what was taken after it is durable, and the client sends it again in vain.
      if (!batch->status.ok() && !failed_) {
        closed_ = failed_ = true;
        status_ = batch->status;
      }
      if (failed_) continue;
      writing_ = true;
      outgoing_.Swap(&batch->response);
      StartWrite(&outgoing_);
    }
    if (!reading_ && !closed_ && batches_.size() < GrpcServer::kBatchesMax) {
      reading_ = true;
      StartRead(&incoming_);
    }
    if (closed_ && !writing_ && batches_.empty()) {
      finished_ = true;
      const grpc::Status status = status_;
      lock.unlock();
      Finish(status);
    }
  }

  const Intake* const intake_;
  const Caller caller_;
  std::mutex mutex_;  ///< of what follows
  grpc::ByteBuffer incoming_, outgoing_;
  std::deque<std::shared_ptr<Batch>> batches_;
  bool reading_ = false, writing_ = false;
  bool closed_ = false;  ///< nothing more is read
  bool failed_ = false;  ///< nothing more is written
  bool finished_ = false;
  grpc::Status status_;
};

/// A stream that is refused before its first batch.
class RefusedReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedReactor(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

/// Messages as bytes: the collector reads them where they lie, as it reads the bodies of HTTP.
using RawService =
    v1::Intake::WithRawCallbackMethod_Stream<v1::Intake::WithRawCallbackMethod_Collect<v1::Intake::Service>>;

class Service final : public RawService {
 public:
  explicit Service(Api* api)
      : stream_(api, api->metrics().ForRoute("GRPC", "Intake/Stream")),
        unary_(api, api->metrics().ForRoute("GRPC", "Intake/Collect")) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(grpc::CallbackServerContext* context) override {
    Caller caller(*context);
    if (const grpc::Status status = stream_.Authorize(caller); !status.ok()) return new RefusedReactor(status);
    return new StreamReactor(&stream_, std::move(caller));
  }

  grpc::ServerUnaryReactor* Collect(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    unary_.Collect(Caller(*context), *request,
                   [reactor, response](const grpc::Status& status, const grpc::ByteBuffer& bytes) {
                     if (status.ok()) *response = bytes;
                     reactor->Finish(status);
                   });
    return reactor;
  }

 private:
  const Intake stream_, unary_;
};

std::shared_ptr<grpc::ServerCredentials> Credentials(const config::TlsFiles& files) {
  if (files.certificate.empty()) return grpc::InsecureServerCredentials();
  const auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, GrpcServer::kTlsAgeS);
  grpc::experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  return grpc::experimental::TlsServerCredentials(options);
}

class Server final : public GrpcServer {
 public:
  explicit Server(Api* api) : service_(api) {}
  ~Server() override { Drain(0); }

  absl::Status Open(const Options& options) {
    const bool v6 = options.listen.find(':') != std::string::npos;
    const std::string address = fmt::format("{}{}{}:{}", v6 ? "[" : "", options.listen, v6 ? "]" : "", options.port);
    grpc::ServerBuilder builder;
    int port = 0;
    // A port that another process has is refused, not shared with it.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, Credentials(options.tls), &port);
    // What is compressed is unfolded before anybody knows how large it becomes, and before the key is asked for.
    for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
      builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
    }
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(GrpcServer::kStreamsMax));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, GrpcServer::kIdleMsMax);
    grpc::ResourceQuota quota("intake");
    quota.Resize(GrpcServer::kMemoryBytes);
    builder.SetResourceQuota(quota);
    // The fields around the events of a batch at the bound.
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<uint64_t>(options.message_bytes_max, 1u << 30)) + 1024);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(fmt::format("gRPC cannot listen on {}", address));
    }
    port_ = static_cast<uint16_t>(port);
    return absl::OkStatus();
  }
  uint16_t port() const override { return port_; }
  void Drain(int64_t timeout_us) override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::microseconds(timeout_us));
    server_->Wait();
    server_ = nullptr;
  }

 private:
  Service service_;
  uint16_t port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options, Api* api) {
  auto server = std::make_unique<Server>(api);
  if (absl::Status status = server->Open(options); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace bowerbird::server
