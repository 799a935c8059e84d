#include "peer/peers.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "bowerbird/v1/peer.grpc.pb.h"

namespace bowerbird::peer {
namespace {

/// A ping that takes longer has failed, however often there are pings.
constexpr int64_t kPingUsMin = 1'000'000;
constexpr int kReconnectMsMin = 100, kReconnectMsMax = 1'000;

/// The codes of the two libraries are the same numbers.
absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

std::chrono::system_clock::time_point After(int64_t us) {
  return std::chrono::system_clock::now() + std::chrono::microseconds(us);
}

struct Node {
  uint32_t index = 0;
  std::unique_ptr<v1::Peers::Stub> stub;
  std::atomic<bool> up = false;
  std::atomic<uint32_t> in_flight = 0;
  std::atomic<bool> pinging = false;
  std::mutex mutex;    ///< of what follows
  absl::Status known;  ///< what `changed` was told last
  bool told = false;
};

class GrpcPeers final : public Peers {
 public:
  explicit GrpcPeers(Options options)
      : Peers(options.self, static_cast<uint32_t>(options.addresses.size())), options_(std::move(options)) {
    for (uint32_t i = 0; i < size(); ++i) {
      nodes_.push_back(std::make_unique<Node>());
      nodes_[i]->index = i;
      if (i != self()) nodes_[i]->stub = v1::Peers::NewStub(Connect(options_.addresses[i]));
    }
    pinger_ = std::thread([this] { PingLoop(); });
  }
  ~GrpcPeers() override { GrpcPeers::Stop(); }

  bool up(uint32_t node) const override { return nodes_[node]->up; }
  uint32_t in_flight(uint32_t node) const override { return nodes_[node]->in_flight; }

  void Forward(uint32_t index, v1::ForwardRequest request, int64_t timeout_us, Done done) override {
    Node& node = *nodes_[index];
    if (!Begin()) return done(Outcome::kDown, absl::UnavailableError("this node is stopping"), {});
    const auto refuse = [&](Outcome outcome, std::string_view why) {
      End();
      done(outcome, absl::UnavailableError(fmt::format("node {}: {}", index, why)), {});
    };
    if (!node.up) return refuse(Outcome::kDown, "does not answer");
    if (node.in_flight.fetch_add(1) >= options_.in_flight_max) {
      --node.in_flight;
      return refuse(Outcome::kBusy, "too many requests to it are under way");
    }
    struct Call {
      grpc::ClientContext context;
      v1::ForwardRequest request;
      v1::ForwardResponse response;
      Done done;
    };
    const auto call = std::make_shared<Call>();
    call->request = std::move(request);
    call->done = std::move(done);
    Prepare(timeout_us, &call->context);
    node.stub->async()->Forward(&call->context, &call->request, &call->response,
                                [this, &node, call](const grpc::Status& status) {
                                  --node.in_flight;
                                  Outcome outcome = Outcome::kAnswered;
                                  if (!status.ok()) {
                                    const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
                                    outcome = late ? Outcome::kLate : Outcome::kFailed;
                                    if (status.error_code() == grpc::StatusCode::UNAVAILABLE)
                                      Note(&node, FromGrpc(status));
                                  }
                                  call->done(outcome, FromGrpc(status), std::move(call->response));
                                  End();
                                });
  }

  absl::Status ItemCounts(uint32_t index, const v1::ItemCountsRequest& request, int64_t timeout_us,
                          const std::function<bool(const v1::ItemCountsPart&)>& part) override {
    Node& node = *nodes_[index];
    if (!Begin()) return absl::UnavailableError("this node is stopping");
    if (!node.up) {
      End();
      return absl::UnavailableError(fmt::format("node {}: does not answer", index));
    }
    grpc::ClientContext context;
    Prepare(timeout_us, &context);
    const auto reader = node.stub->ItemCounts(&context, request);
    v1::ItemCountsPart one;
    while (reader->Read(&one)) {
      if (part(one)) continue;
      context.TryCancel();
      while (reader->Read(&one)) {
      }
      break;
    }
    const grpc::Status status = reader->Finish();
    End();
    return FromGrpc(status);
  }

  void Stop() override {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return under_way_ == 0; });
    lock.unlock();
    if (pinger_.joinable()) pinger_.join();
  }

 private:
  std::shared_ptr<grpc::Channel> Connect(const std::string& address) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsMin);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMsMin);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(std::min<uint64_t>(options_.message_bytes_max, 1u << 30)));
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options_.ca_pem;
    return grpc::CreateCustomChannel(
        address, options_.ca_pem.empty() ? grpc::InsecureChannelCredentials() : grpc::SslCredentials(tls), arguments);
  }

  void Prepare(int64_t timeout_us, grpc::ClientContext* context) const {
    context->set_deadline(After(timeout_us));
    if (!options_.key.empty()) context->AddMetadata("authorization", "Bearer " + options_.key);
  }

  bool Begin() {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    ++under_way_;
    return true;
  }
  void End() {
    const std::lock_guard lock(mutex_);
    --under_way_;
    changed_.notify_all();
  }

  void PingLoop() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      for (const auto& node : nodes_) {
        if (node->stub != nullptr && !node->pinging.exchange(true)) Ping(node.get());
      }
      lock.lock();
      changed_.wait_for(lock, std::chrono::microseconds(options_.ping_us), [this] { return stopping_; });
    }
  }

  void Ping(Node* node) {
    if (!Begin()) return;
    struct Call {
      grpc::ClientContext context;
      v1::PingRequest request;
      v1::PingResponse response;
    };
    const auto call = std::make_shared<Call>();
    call->request.set_node(self());
    call->request.set_nodes(size());
    Prepare(std::max(options_.ping_us, kPingUsMin), &call->context);
    node->stub->async()->Ping(&call->context, &call->request, &call->response,
                              [this, node, call](const grpc::Status& status) {
                                Note(node, status.ok() ? options_.fits(node->index, call->response) : FromGrpc(status));
                                node->pinging = false;
                                End();
                              });
  }

  void Note(Node* node, const absl::Status& status) {
    const std::lock_guard lock(node->mutex);
    node->up = status.ok();
    if (node->told && node->known.ok() == status.ok()) return;
    node->told = true;
    node->known = status;
    options_.changed(node->index, status);
  }

  const Options options_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  bool stopping_ = false;
  uint64_t under_way_ = 0;
  std::thread pinger_;
};

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  constexpr std::string_view kNames[kOutcomes] = {"answered", "down", "busy", "late", "failed"};
  return kNames[static_cast<size_t>(outcome)];
}

std::unique_ptr<Peers> Peers::Start(Options options) { return std::make_unique<GrpcPeers>(std::move(options)); }

}  // namespace bowerbird::peer
