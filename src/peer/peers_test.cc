#include "peer/peers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bowerbird/v1/peer.grpc.pb.h"

namespace bowerbird::peer {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

/// A node that answers as it is told, or holds what it is asked until it is let go.
class OtherNode final : public v1::Peers::CallbackService {
 public:
  explicit OtherNode(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(fmt::format("127.0.0.1:{}", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~OtherNode() override {
    LetGo();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  int port() const { return port_; }

  grpc::ServerUnaryReactor* Forward(grpc::CallbackServerContext* context, const v1::ForwardRequest* asked,
                                    v1::ForwardResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const std::lock_guard lock(mutex_);
    const auto key = context->client_metadata().find("authorization");
    if (key != context->client_metadata().end()) key_ = std::string(key->second.data(), key->second.size());
    response->set_status(200);
    response->set_body("for " + asked->user());
    if (holding_) {
      held_.push_back(reactor);
    } else {
      reactor->Finish(grpc::Status::OK);
    }
    return reactor;
  }
  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context, const v1::PingRequest*,
                                 v1::PingResponse* response) override {
    response->set_node(1);
    response->set_nodes(2);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  void Hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    for (grpc::ServerUnaryReactor* reactor : held_) reactor->Finish(grpc::Status::OK);
    held_.clear();
  }
  std::string key() {
    const std::lock_guard lock(mutex_);
    return key_;
  }

 private:
  int port_ = 0;
  std::mutex mutex_;
  bool holding_ = false;
  std::vector<grpc::ServerUnaryReactor*> held_;
  std::string key_;
  std::unique_ptr<grpc::Server> server_;
};

class PeersTest : public testing::Test {
 protected:
  std::unique_ptr<Peers> Meet(int port, uint32_t in_flight_max = 256) {
    Peers::Options options;
    options.addresses = {"127.0.0.1:1", fmt::format("127.0.0.1:{}", port)};
    options.self = 0;
    options.key = "bb_secret";
    options.ping_us = 20'000;
    options.in_flight_max = in_flight_max;
    options.fits = [this](uint32_t, const v1::PingResponse& said) {
      return fits_ ? absl::OkStatus() : absl::FailedPreconditionError(fmt::format("node {}", said.node()));
    };
    options.changed = [this](uint32_t, const absl::Status& status) {
      const std::lock_guard lock(mutex_);
      changes_.push_back(status);
    };
    return Peers::Start(std::move(options));
  }
  static bool Await(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  struct Answer {
    Outcome outcome;
    v1::ForwardResponse response;
  };
  static std::future<Answer> Ask(Peers* peers, const std::string& user, int64_t timeout_us = 20'000'000) {
    const auto promise = std::make_shared<std::promise<Answer>>();
    v1::ForwardRequest request;
    request.set_user(user);
    peers->Forward(1, std::move(request), timeout_us,
                   [promise](Outcome outcome, const absl::Status&, v1::ForwardResponse response) {
                     promise->set_value({outcome, std::move(response)});
                   });
    return promise->get_future();
  }
  std::vector<absl::Status> changes() {
    const std::lock_guard lock(mutex_);
    return changes_;
  }

  std::atomic<bool> fits_ = true;
  std::mutex mutex_;
  std::vector<absl::Status> changes_;
};

TEST_F(PeersTest, BringsARequestWithTheKeyAndTheAnswerBack) {
  OtherNode node;
  const auto peers = Meet(node.port());
  ASSERT_TRUE(Await([&] { return peers->up(1); }));
  const Answer answer = Ask(peers.get(), "ann").get();
  EXPECT_EQ(answer.outcome, Outcome::kAnswered);
  EXPECT_EQ(answer.response.body(), "for ann");
  EXPECT_EQ(node.key(), "Bearer bb_secret");
}

TEST_F(PeersTest, ANodeThatIsAwayCostsNoWaitAndIsFoundAgain) {
  std::optional<OtherNode> node(std::in_place);
  const int port = node->port();
  const auto peers = Meet(port);
  ASSERT_TRUE(Await([&] { return peers->up(1); }));
  node.reset();
  ASSERT_TRUE(Await([&] { return !peers->up(1); }));
  auto refused = Ask(peers.get(), "ann");
  ASSERT_EQ(refused.wait_for(std::chrono::seconds(0)), std::future_status::ready) << "answered before Forward returns";
  EXPECT_EQ(refused.get().outcome, Outcome::kDown);
  node.emplace(port);
  ASSERT_TRUE(Await([&] { return peers->up(1); }));
  EXPECT_EQ(Ask(peers.get(), "ann").get().outcome, Outcome::kAnswered);
  const std::vector<absl::Status> told = changes();
  ASSERT_EQ(told.size(), 3) << "each change is told once";
  EXPECT_TRUE(told[0].ok() && !told[1].ok() && told[2].ok());
}

TEST_F(PeersTest, ASlowNodeIsWaitedForNoLongerThanAsked) {
  OtherNode node;
  const auto peers = Meet(node.port());
  ASSERT_TRUE(Await([&] { return peers->up(1); }));
  node.Hold();
  EXPECT_EQ(Ask(peers.get(), "ann", 50'000).get().outcome, Outcome::kLate);
  EXPECT_EQ(peers->in_flight(1), 0);
}

TEST_F(PeersTest, NoMoreThanTheBoundAreUnderWay) {
  OtherNode node;
  const auto peers = Meet(node.port(), 3);
  ASSERT_TRUE(Await([&] { return peers->up(1); }));
  node.Hold();
  std::vector<std::future<Answer>> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(Ask(peers.get(), "ann"));
  EXPECT_EQ(asked[3].get().outcome, Outcome::kBusy);
  EXPECT_EQ(asked[4].get().outcome, Outcome::kBusy);
  EXPECT_EQ(peers->in_flight(1), 3);
  node.LetGo();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(asked[static_cast<size_t>(i)].get().outcome, Outcome::kAnswered);
}

TEST_F(PeersTest, ANodeOfAnotherClusterIsNotAsked) {
  fits_ = false;
  OtherNode node;
  const auto peers = Meet(node.port());
  ASSERT_TRUE(Await([&] { return !changes().empty(); }));
  EXPECT_TRUE(absl::IsFailedPrecondition(changes()[0]));
  EXPECT_EQ(Ask(peers.get(), "ann").get().outcome, Outcome::kDown);
  fits_ = true;
  EXPECT_TRUE(Await([&] { return peers->up(1); }));
}

TEST_F(PeersTest, StopWaitsForWhatIsUnderWayAndRefusesTheRest) {
  OtherNode node;
  const auto peers = Meet(node.port());
  ASSERT_TRUE(Await([&] { return peers->up(1); }));
  node.Hold();
  auto asked = Ask(peers.get(), "ann", 200'000);
  peers->Stop();
  ASSERT_EQ(asked.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(asked.get().outcome, Outcome::kLate);
  EXPECT_EQ(Ask(peers.get(), "ann").get().outcome, Outcome::kDown);
}

}  // namespace
}  // namespace bowerbird::peer
