#include "server/grpc_server.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "bowerbird/v1/stream.grpc.pb.h"
#include "catalog/problem.h"
#include "collect/collector.h"
#include "server/grpc_caller.h"
#include "server/grpc_status.h"
#include "server/ordered_stream.h"
#include "server/peer_service.h"
#include "server/understanding_service.h"

namespace bowerbird::server {
namespace {

using collect::Collector;

/// Takes batches in.
class Intake {
 public:
  Intake(Api* api, const Metrics::Route& counts) : api_(api), counts_(counts) {}

  /// Whether the caller may send events at all; asked before the first batch, too, so that a stream without a key ends
  /// at once.
  grpc::Status Authorize(const GrpcCaller& caller) const {
    HttpRequest request;
    HttpResponse problem;
    return Authorize(caller, &request, &problem) ? grpc::Status::OK : ToGrpc(problem);
  }

  /// Calls `done` once, on this thread or the log's, with the response's bytes. The key is asked for each batch: one
  /// that was revoked ends a stream, and a stream does not hold the app while it is silent.
  using Done = std::function<void(const grpc::Status&, const grpc::ByteBuffer& response)>;
  void Collect(const GrpcCaller& caller, const grpc::ByteBuffer& message, Done done) const {
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
  bool Authorize(const GrpcCaller& caller, HttpRequest* request, HttpResponse* problem) const {
    request->headers = caller.headers;
    request->loopback = caller.loopback;
    return api_->Authorize(request, "events", problem);
  }

  Api* const api_;
  const Metrics::Route counts_;
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
    GrpcCaller caller(*context);
    if (const grpc::Status status = stream_.Authorize(caller); !status.ok()) return new RefusedStream(status);
    return new OrderedStream(
        [this, caller = std::move(caller)](const grpc::ByteBuffer& message, OrderedStream::Done done) {
          stream_.Collect(caller, message, std::move(done));
        },
        GrpcServer::kBatchesMax);
  }

  grpc::ServerUnaryReactor* Collect(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    unary_.Collect(GrpcCaller(*context), *request,
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
  Server(Api* api, const Options& options) : service_(api), understanding_service_(api, options.post) {
    if (options.peers) peer_service_.emplace(api, options.post);
  }
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
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               static_cast<int>(GrpcServer::kStreamsMax + options.peer_streams_max));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, GrpcServer::kIdleMsMax);
    grpc::ResourceQuota quota("intake");
    quota.Resize(GrpcServer::kMemoryBytes);
    builder.SetResourceQuota(quota);
    // The fields around the events of a batch at the bound.
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<uint64_t>(options.message_bytes_max, 1u << 30)) + 1024);
    builder.RegisterService(&service_);
    builder.RegisterService(&understanding_service_);
    if (peer_service_.has_value()) builder.RegisterService(&*peer_service_);
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
  UnderstandingService understanding_service_;
  std::optional<PeerService> peer_service_;
  uint16_t port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options, Api* api) {
  auto server = std::make_unique<Server>(api, options);
  if (absl::Status status = server->Open(options); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace bowerbird::server
