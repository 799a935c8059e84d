// Profiles over gRPC: what they say, who may ask, and what a hostile client meets.
#include "server/understanding_service.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/synchronization/notification.h"
#include "bowerbird/v1/understanding.grpc.pb.h"
#include "server/certificate_for_test.h"
#include "server/grpc_server.h"
#include "server/serve_json.h"
#include "store/file.h"

namespace bowerbird::server {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr char kConfig[] = R"(
[app]
partitions = 4
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
[segments.clickers]
where = "signals.clicks >= 2"
)";

class UnderstandingServiceTest : public testing::Test {
 protected:
  UnderstandingServiceTest() {
    std::filesystem::remove_all(dir_);
    EXPECT_TRUE(app::App::InitFolder(dir_, "default", kConfig).ok());
    AppHost::Options options;
    options.dir = dir_;
    options.pipeline = false;
    apps_ = std::make_unique<AppHost>(std::move(options));
    apps_->OpenAll();
    keys_ = *Keys::Open(dir_ + "/keys.json");
    Api::Options api_options;
    api_options.open_on_loopback = false;
    api_ = std::make_unique<Api>(apps_.get(), keys_.get(), &audit_, &metrics_, api_options);
    Serve({});
    key_ = keys_->Create({.name = "test", .app = "default", .scopes = {"serve"}})->secret;
    PutItems();
    for (int user = 0; user < 20; ++user) {
      for (int click = 0; click <= user % 4; ++click) Click(fmt::format("u{}", user), fmt::format("i{}", click));
    }
    EXPECT_TRUE(App().state().CatchUp().ok());
  }
  void Serve(GrpcServer::Options options) {
    server_ = *GrpcServer::Start(options, api_.get());
    stub_ = v1::UserUnderstanding::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()), grpc::InsecureChannelCredentials()));
  }
  app::App& App() { return (*apps_->Find("default"))->app(); }
  void PutItems() {
    for (int i = 0; i < 4; ++i) {
      v1::Item item;
      item.set_id(fmt::format("i{}", i));
      item.add_categories("lamps");
      EXPECT_TRUE(App().catalog_intake().Put(item).ok());
    }
  }
  void Click(const std::string& user, const std::string& item) {
    v1::Event event;
    event.set_type("click");
    event.set_user(user);
    event.set_item(item);
    event.set_client_id(fmt::format("{}-{}", user, clicks_++));
    absl::Notification done;
    App().collector().CollectEvents({event}, collect::Collector::Source::kLive,
                                    [&](const absl::StatusOr<collect::CollectResult>& result) {
                                      EXPECT_TRUE(result.ok());
                                      done.Notify();
                                    });
    done.WaitForNotification();
  }
  void Authorize(grpc::ClientContext* context) { context->AddMetadata("authorization", "Bearer " + key_); }
  grpc::Status Batch(const v1::BatchGetProfilesRequest& request, v1::BatchGetProfilesResponse* response) {
    grpc::ClientContext context;
    Authorize(&context);
    return stub_->BatchGetProfiles(&context, request, response);
  }
  HttpResponse Http(const std::string& method, const std::string& path, const std::string& body = "") {
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    request->path = path.substr(0, path.find('?'));
    if (const size_t at = path.find("?parts="); at != path.npos) request->query["parts"] = path.substr(at + 7);
    request->body = body;
    request->headers["authorization"] = "Bearer " + key_;
    HttpResponse response;
    absl::Notification done;
    api_->Handle(request, [&](HttpResponse answer) {
      response = std::move(answer);
      done.Notify();
    });
    done.WaitForNotification();
    return response;
  }
  /// The JSON of a profile without the moment in which it was made.
  static std::string Json(v1::ProfileResponse profile) {
    profile.set_time_us(0);
    for (v1::Interest& interest : *profile.mutable_interests()) interest.set_weight(1);
    for (v1::Interest& interest : *profile.mutable_short_interests()) interest.set_weight(1);
    std::string text;
    WriteProfile(profile, &text);
    return text;
  }

  const std::string dir_ = testing::TempDir() + "/understanding_service_test";
  Metrics metrics_;
  AuditLog audit_{dir_ + "/audit.log"};
  std::unique_ptr<AppHost> apps_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::UserUnderstanding::Stub> stub_;
  std::string key_;
  int clicks_ = 0;
};

TEST_F(UnderstandingServiceTest, EveryWayGivesTheProfileThatHttpGives) {
  // The HTTP API gives the same message to whoever accepts protobuf.
  const auto http = [&](const std::string& user) {
    auto request = std::make_shared<HttpRequest>();
    request->method = "GET";
    request->path = "/v1/users/" + user + "/profile";
    request->headers["authorization"] = "Bearer " + key_;
    request->headers["accept"] = "application/x-protobuf";
    v1::ProfileResponse profile;
    api_->Handle(request, [&](const HttpResponse& answer) {
      EXPECT_EQ(answer.content_type, "application/x-protobuf");
      EXPECT_TRUE(profile.ParseFromString(answer.body));
    });
    return profile;
  };
  v1::BatchGetProfilesRequest batch;
  for (const char* user : {"u3", "u0", "nobody", "u3"}) batch.add_ids(user);
  v1::BatchGetProfilesResponse profiles;
  ASSERT_TRUE(Batch(batch, &profiles).ok());
  ASSERT_THAT(profiles.results(), SizeIs(4));
  for (int i = 0; i < 4; ++i) {
    const std::string& user = batch.ids(i);
    EXPECT_EQ(profiles.results(i).id(), user);
    EXPECT_EQ(profiles.results(i).status(), 0);
    grpc::ClientContext context;
    Authorize(&context);
    v1::GetProfileRequest request;
    request.set_id(user);
    v1::ProfileResponse one;
    ASSERT_TRUE(stub_->GetProfile(&context, request, &one).ok());
    EXPECT_EQ(Json(one), Json(http(user)));
    EXPECT_EQ(Json(profiles.results(i).profile()), Json(one));
  }
  const v1::ProfileResponse& u3 = profiles.results(0).profile();
  EXPECT_EQ(u3.events(), 4u);
  EXPECT_THAT(u3.segments(), testing::ElementsAre("clickers"));
  EXPECT_EQ(profiles.results(2).profile().events(), 0u) << "whom nobody knows has an empty profile, as over HTTP";
}

TEST_F(UnderstandingServiceTest, APartIsWhatIsAskedForAndNothingElse) {
  v1::BatchGetProfilesRequest batch;
  batch.add_ids("u3");
  batch.add_parts("signals");
  batch.add_parts("segments");
  v1::BatchGetProfilesResponse profiles;
  ASSERT_TRUE(Batch(batch, &profiles).ok());
  const v1::ProfileResponse& profile = profiles.results(0).profile();
  EXPECT_EQ(profile.events(), 4u);
  EXPECT_EQ(profile.lifecycle(), "new");
  EXPECT_THAT(profile.signals(), SizeIs(1));
  EXPECT_THAT(profile.segments(), SizeIs(1));
  EXPECT_THAT(profile.sequence(), SizeIs(0));
  EXPECT_THAT(profile.interests(), SizeIs(0));
  EXPECT_THAT(profile.short_interests(), SizeIs(0));
  const HttpResponse http = Http("GET", "/v1/users/u3/profile?parts=sequence");
  EXPECT_THAT(http.body, HasSubstr("\"item\":\"i0\""));
  EXPECT_THAT(http.body, HasSubstr("\"signals\":[]"));
  batch.add_parts("everything");
  const grpc::Status refused = Batch(batch, &profiles);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("interests, signals"));
  EXPECT_EQ(Http("GET", "/v1/users/u3/profile?parts=everything").status, 400);
}

TEST_F(UnderstandingServiceTest, HttpTakesTheSameBatch) {
  const HttpResponse answer =
      Http("POST", "/v1/users:profiles", R"({"ids":["u1",")" + std::string(300, 'x') + R"("],"parts":["signals"]})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(R"({"results":[{"id":"u1","status":0,"profile":{"id":"u1","events":2,)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("status":3,"code":"too_long")"));
  EXPECT_EQ(Http("POST", "/v1/users:profiles", R"({"ids":[]})").status, 400);
  EXPECT_EQ(Http("POST", "/v1/users:profiles", R"({"ids":["u1"],"fields":[]})").status, 400);
}

TEST_F(UnderstandingServiceTest, AnIdThatCannotBeIsRefusedByItself) {
  v1::BatchGetProfilesRequest batch;
  batch.add_ids("u1");
  batch.add_ids("");
  batch.add_ids(std::string(100'000, 'x'));
  batch.add_ids("u2");
  v1::BatchGetProfilesResponse profiles;
  ASSERT_TRUE(Batch(batch, &profiles).ok());
  EXPECT_EQ(profiles.results(0).status(), 0);
  EXPECT_EQ(profiles.results(1).status(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(profiles.results(1).code(), "missing_field");
  EXPECT_EQ(profiles.results(2).status(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(profiles.results(2).code(), "too_long");
  EXPECT_EQ(profiles.results(3).status(), 0);
}

TEST_F(UnderstandingServiceTest, ABatchHasABound) {
  v1::BatchGetProfilesRequest batch;
  v1::BatchGetProfilesResponse profiles;
  EXPECT_EQ(Batch(batch, &profiles).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (int i = 0; i < ProfileBatch::kIdsMax; ++i) batch.add_ids(fmt::format("u{}", i % 25));
  ASSERT_TRUE(Batch(batch, &profiles).ok());
  ASSERT_THAT(profiles.results(), SizeIs(ProfileBatch::kIdsMax));
  for (int i = 0; i < ProfileBatch::kIdsMax; ++i) {
    EXPECT_EQ(profiles.results(i).id(), batch.ids(i));
    EXPECT_EQ(profiles.results(i).profile().events(), i % 25 >= 20 ? 0u : static_cast<uint64_t>(i % 25 % 4 + 1));
  }
  batch.add_ids("one more");
  const grpc::Status refused = Batch(batch, &profiles);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("found 501 ids"));
}

TEST_F(UnderstandingServiceTest, KeysScopesAndQuotasAreThoseOfHttp) {
  v1::GetProfileRequest request;
  request.set_id("u1");
  v1::ProfileResponse profile;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->GetProfile(&context, request, &profile).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  key_ = keys_->Create({.name = "test", .app = "default", .scopes = {"collect"}})->secret;
  {
    grpc::ClientContext context;
    Authorize(&context);
    EXPECT_EQ(stub_->GetProfile(&context, request, &profile).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  {
    grpc::ClientContext context;
    Authorize(&context);
    const auto stream = stub_->StreamProfiles(&context);
    v1::ProfileResult result;
    EXPECT_FALSE(stream->Read(&result));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  // Each profile takes one request, however it is asked for.
  key_ = keys_->Create({.name = "test", .app = "default", .scopes = {"serve"}, .quota = {.requests_per_second = 0.001}})
             ->secret;
  v1::BatchGetProfilesRequest batch;
  for (int i = 0; i < 20; ++i) batch.add_ids("u1");
  v1::BatchGetProfilesResponse profiles;
  ASSERT_TRUE(Batch(batch, &profiles).ok());
  const auto refused =
      std::count_if(profiles.results().begin(), profiles.results().end(), [](const v1::ProfileResult& result) {
        return result.status() == grpc::StatusCode::RESOURCE_EXHAUSTED && result.code() == "quota_exceeded";
      });
  EXPECT_GE(refused, 18);
}

TEST_F(UnderstandingServiceTest, AStreamAnswersInOrderAndARefusedIdDoesNotEndIt) {
  grpc::ClientContext context;
  Authorize(&context);
  const auto stream = stub_->StreamProfiles(&context);
  constexpr int kIds = 300;
  std::thread writer([&] {
    for (int i = 0; i < kIds; ++i) {
      v1::StreamProfilesRequest request;
      request.set_id(i % 10 == 9 ? std::string(1'000, 'y') : fmt::format("u{}", i % 20));
      if (i % 2 == 0) request.add_parts("signals");
      EXPECT_TRUE(stream->Write(request));
    }
    EXPECT_TRUE(stream->WritesDone());
  });
  v1::ProfileResult result;
  int answered = 0;
  for (; stream->Read(&result); ++answered) {
    if (answered % 10 == 9) {
      EXPECT_EQ(result.code(), "too_long");
      continue;
    }
    EXPECT_EQ(result.id(), fmt::format("u{}", answered % 20));
    EXPECT_EQ(result.profile().sequence().empty(), answered % 2 == 0);
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answered, kIds);
}

TEST_F(UnderstandingServiceTest, AClientThatDoesNotReadIsNotReadFromEither) {
  grpc::ClientContext context;
  Authorize(&context);
  const auto stream = stub_->StreamProfiles(&context);
  // A client that writes for ever without reading is held up: by the server's window and gRPC's.
  std::atomic<int> written = 0;
  std::thread writer([&] {
    v1::StreamProfilesRequest request;
    request.set_id("u3" + std::string(200, 'z'));
    while (stream->Write(request) && written < 200'000) ++written;
  });
  int before = -1;
  for (int tries = 0; tries < 600 && before != written; ++tries) {
    before = written;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  EXPECT_LT(written, 200'000);
  // Nothing is lost: what it reads now comes in order, and it goes on.
  v1::ProfileResult result;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(stream->Read(&result));
  context.TryCancel();
  writer.join();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(UnderstandingServiceTest, ACallThatIsCancelledMidwayLeavesNothingBehind) {
  for (int round = 0; round < 20; ++round) {
    grpc::ClientContext context;
    Authorize(&context);
    const auto stream = stub_->StreamProfiles(&context);
    v1::StreamProfilesRequest request;
    request.set_id("u1");
    for (int i = 0; i < 5; ++i) stream->Write(request);
    v1::ProfileResult result;
    EXPECT_TRUE(stream->Read(&result));
    context.TryCancel();
  }
  {
    grpc::ClientContext context;
    Authorize(&context);
    context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
    v1::BatchGetProfilesRequest batch;
    for (int i = 0; i < 500; ++i) batch.add_ids("u1");
    v1::BatchGetProfilesResponse profiles;
    EXPECT_EQ(stub_->BatchGetProfiles(&context, batch, &profiles).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  // Waits for every call.
  server_->Drain(5'000'000);
}

TEST_F(UnderstandingServiceTest, WorkRunsWhereItIsPostedAndABatchGivesWay) {
  server_.reset();
  std::atomic<int> posted = 0;
  GrpcServer::Options options;
  options.post = [&](const std::function<void()>& work) {
    ++posted;
    work();
  };
  Serve(options);
  v1::BatchGetProfilesRequest batch;
  for (int i = 0; i < 100; ++i) batch.add_ids("u1");
  v1::BatchGetProfilesResponse profiles;
  ASSERT_TRUE(Batch(batch, &profiles).ok());
  EXPECT_GE(posted, 100 / static_cast<int>(ProfileBatch::kSlice));
  EXPECT_EQ(profiles.results(99).profile().events(), 2u);
}

TEST_F(UnderstandingServiceTest, SpeaksTlsWhereTheServerHasACertificate) {
  MakeCertificate(dir_, "feed.example");
  server_.reset();
  GrpcServer::Options options;
  options.tls = {dir_ + "/feed.example.crt", dir_ + "/feed.example.key"};
  const auto server = *GrpcServer::Start(options, api_.get());
  const std::string address = fmt::format("127.0.0.1:{}", server->port());
  const auto ask = [&](const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("feed.example");
    const auto stub = v1::UserUnderstanding::NewStub(grpc::CreateCustomChannel(address, credentials, arguments));
    grpc::ClientContext context;
    Authorize(&context);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::GetProfileRequest request;
    request.set_id("u1");
    v1::ProfileResponse profile;
    return stub->GetProfile(&context, request, &profile);
  };
  grpc::SslCredentialsOptions trusted;
  trusted.pem_root_certs = *store::ReadFile(options.tls.certificate);
  const grpc::Status status = ask(grpc::SslCredentials(trusted));
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(ask(grpc::InsecureChannelCredentials()).ok());
}

}  // namespace
}  // namespace bowerbird::server
