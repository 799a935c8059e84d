#include "server/grpc_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "bowerbird/v1/stream.grpc.pb.h"
#include "server/certificate_for_test.h"
#include "store/file.h"

namespace bowerbird::server {
namespace {

class GrpcServerTest : public testing::Test {
 protected:
  GrpcServerTest() {
    std::filesystem::remove_all(dir_);
    EXPECT_TRUE(app::App::InitFolder(dir_, "default", config::StarterText()).ok());
    AppHost::Options options;
    options.dir = dir_;
    options.pipeline = false;
    apps_ = std::make_unique<AppHost>(std::move(options));
    apps_->OpenAll();
    keys_ = *Keys::Open(dir_ + "/keys.json");
    Api::Options api_options;
    api_options.open_on_loopback = false;
    api_ = std::make_unique<Api>(apps_.get(), keys_.get(), &audit_, &metrics_, api_options);
    server_ = *GrpcServer::Start({}, api_.get());
    stub_ = v1::Intake::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()), grpc::InsecureChannelCredentials()));
  }
  void Authorize(grpc::ClientContext* context, const std::string& scope) {
    context->AddMetadata("authorization",
                         "Bearer " + keys_->Create({.name = "test", .app = "default", .scopes = {scope}})->secret);
  }
  static v1::CollectRequest Click(const std::string& user, const std::string& item) {
    v1::CollectRequest request;
    v1::Event* event = request.add_events();
    event->set_type("click");
    event->set_user(user);
    event->set_item(item);
    event->set_client_id("c-" + item);
    return request;
  }
  uint64_t EventsOf(const std::string& user) {
    const auto app = *apps_->Find("default");
    EXPECT_TRUE(app->app().state().CatchUp().ok());
    v1::ProfileRequest request;
    request.set_id(user);
    v1::ProfileResponse profile;
    EXPECT_TRUE(app->app().engine().Profile(request, &profile).ok());
    return profile.events();
  }

  const std::string dir_ = testing::TempDir() + "/grpc_server_test";
  Metrics metrics_;
  AuditLog audit_{dir_ + "/audit.log"};
  std::unique_ptr<AppHost> apps_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::Intake::Stub> stub_;
};

TEST_F(GrpcServerTest, AStreamAnswersEachBatchInOrderWithItsVerdicts) {
  grpc::ClientContext context;
  Authorize(&context, "collect");
  const auto stream = stub_->Stream(&context);
  constexpr int kBatches = 100;
  std::thread writer([&] {
    for (int i = 0; i < kBatches; ++i) {
      v1::CollectRequest request = Click("u", fmt::format("i{}", i));
      for (int k = 0; k < i % 3; ++k) request.add_events()->set_type("teleport");
      EXPECT_TRUE(stream->Write(request));
    }
    EXPECT_TRUE(stream->WritesDone());
  });
  v1::CollectResponse response;
  int answered = 0;
  for (; stream->Read(&response); ++answered) {
    EXPECT_EQ(response.accepted(), 1u);
    EXPECT_EQ(response.rejected(), static_cast<uint32_t>(answered % 3)) << answered;
    if (answered % 3 > 0) {
      EXPECT_EQ(response.verdicts(1).code(), "unknown_type");
    }
  }
  writer.join();
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answered, kBatches);
  EXPECT_EQ(EventsOf("u"), uint64_t{kBatches});
}

TEST_F(GrpcServerTest, ABatchThatIsRefusedWholeEndsTheStreamAfterWhatCameBefore) {
  grpc::ClientContext context;
  Authorize(&context, "collect");
  const auto stream = stub_->Stream(&context);
  ASSERT_TRUE(stream->Write(Click("u", "a")));
  v1::CollectRequest history = Click("u", "b");
  history.set_history(true);
  ASSERT_TRUE(stream->Write(history));
  v1::CollectResponse response;
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_EQ(EventsOf("u"), 1u);
}

TEST_F(GrpcServerTest, WhatIsOnItsWayBehindARefusalIsDropped) {
  for (int round = 0; round < 20; ++round) {
    grpc::ClientContext context;
    Authorize(&context, "collect");
    const auto stream = stub_->Stream(&context);
    v1::CollectRequest history = Click("u", "a");
    history.set_history(true);
    bool open = stream->Write(history);
    for (int i = 0; i < 200 && open; ++i) open = stream->Write(Click("u", fmt::format("i{}", i)));
    stream->WritesDone();
    v1::CollectResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(GrpcServerTest, ACompressedMessageIsRefusedBeforeItIsUnfolded) {
  grpc::ClientContext context;
  Authorize(&context, "collect");
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::CollectRequest request;
  request.add_events()->set_type(std::string(1 << 20, 'x'));
  v1::CollectResponse response;
  EXPECT_EQ(stub_->Collect(&context, request, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, SpeaksTlsWhereTheServerHasACertificate) {
  MakeCertificate(dir_, "feed.example");
  GrpcServer::Options options;
  options.tls = {dir_ + "/feed.example.crt", dir_ + "/feed.example.key"};
  const auto server = *GrpcServer::Start(options, api_.get());
  const std::string address = fmt::format("127.0.0.1:{}", server->port());
  const auto collect = [&](const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("feed.example");
    const auto stub = v1::Intake::NewStub(grpc::CreateCustomChannel(address, credentials, arguments));
    grpc::ClientContext context;
    Authorize(&context, "collect");
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::CollectResponse response;
    return stub->Collect(&context, Click("u", "a"), &response);
  };
  grpc::SslCredentialsOptions trusted;
  trusted.pem_root_certs = *store::ReadFile(options.tls.certificate);
  const grpc::Status status = collect(grpc::SslCredentials(trusted));
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(collect(grpc::InsecureChannelCredentials()).ok());
  EXPECT_EQ(EventsOf("u"), 1u);
}

TEST_F(GrpcServerTest, KeysAndScopesAreThoseOfHttp) {
  v1::CollectResponse response;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->Collect(&context, Click("u", "a"), &response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  {
    grpc::ClientContext context;
    Authorize(&context, "serve");
    const auto stream = stub_->Stream(&context);
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  grpc::ClientContext context;
  Authorize(&context, "events");
  v1::CollectRequest request = Click("u", "a");
  v1::Event* identify = request.add_events();
  identify->set_type("identify");
  identify->set_user("u");
  identify->set_anonymous("victim");
  const grpc::Status status = stub_->Collect(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.accepted(), 1u);
  EXPECT_EQ(response.verdicts(1).code(), "permission_denied");
}

TEST_F(GrpcServerTest, AClientThatGoesAwayLeavesWhatItSent) {
  {
    grpc::ClientContext context;
    Authorize(&context, "collect");
    const auto stream = stub_->Stream(&context);
    ASSERT_TRUE(stream->Write(Click("u", "a")));
    v1::CollectResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
  }
  // Waits for every call.
  server_->Drain(5'000'000);
  EXPECT_EQ(EventsOf("u"), 1u);
}

}  // namespace
}  // namespace bowerbird::server
