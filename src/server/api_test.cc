#include "server/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "config/config.h"

namespace bowerbird::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// The API of a folder with the apps "a" and "b", called as a client from elsewhere calls it.
class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    EXPECT_TRUE(apps_.Create("a", "[users.attributes]\ncountry = \"string\"\n").ok());
    EXPECT_TRUE(apps_.Create("b", "[collect]\nbody_bytes_max = 1024\n").ok());
    keys_ = *Keys::Open(dir_ + "/keys.json");
    api_ = std::make_unique<Api>(&apps_, keys_.get(), &audit_, &metrics_, Api::Options());
  }
  std::string Key(const std::string& app, const std::vector<std::string>& scopes) {
    return keys_->Create({.name = "test", .app = app, .scopes = scopes})->secret;
  }
  void Start(const std::string& key, const std::string& method, const std::string& path, const std::string& body,
             const std::string& app, const Responder& respond) {
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    request->path = path;
    request->body = body;
    if (!key.empty()) request->headers["authorization"] = "Bearer " + key;
    if (!app.empty()) request->headers["bowerbird-app"] = app;
    api_->Handle(std::move(request), respond);
  }
  HttpResponse Call(const std::string& key, const std::string& method, const std::string& path,
                    const std::string& body = "", const std::string& app = "") {
    HttpResponse response;
    absl::Notification done;
    Start(key, method, path, body, app, [&](HttpResponse answer) {
      response = std::move(answer);
      done.Notify();
    });
    done.WaitForNotification();
    return response;
  }
  const std::string dir_ = testing::TempDir() + "/api_test";
  AppHost apps_{{.dir = dir_, .pipeline = false}};
  std::unique_ptr<Keys> keys_;
  AuditLog audit_{dir_ + "/audit.log"};
  Metrics metrics_;
  std::unique_ptr<Api> api_;
};

constexpr char kItem[] = R"({"title":"Lamp"})";

TEST_F(ApiTest, AKeyReadsAndWritesItsOwnAppOnly) {
  const std::string a = Key("a", {"collect", "serve"}), b = Key("b", {"collect", "serve"});
  EXPECT_EQ(Call(a, "PUT", "/v1/items/x", kItem).status, 200);
  EXPECT_EQ(Call(a, "GET", "/v1/items/x").status, 200);
  EXPECT_EQ(Call(b, "GET", "/v1/items/x").status, 404);
  EXPECT_EQ(Call(b, "GET", "/v1/items/x", "", "a").status, 403);
  EXPECT_EQ(Call(a, "GET", "/v1/items/x", "", "a").status, 200);
  EXPECT_EQ(Call("", "GET", "/v1/items/x", "", "a").status, 401);
  EXPECT_EQ(Call("bb_no", "GET", "/v1/items/x").status, 401);
}

TEST_F(ApiTest, WritesThatWaitForADiskHoldUpNobodyElse) {
  const std::string a = Key("a", {"collect", "serve"}), b = Key("b", {"collect"});
  ASSERT_EQ(Call(a, "PUT", "/v1/items/x", kItem).status, 200);
  const std::shared_ptr<HostedApp> hosted = *apps_.Find("a");
  absl::Notification disk;
  absl::BlockingCounter answered(2);
  ASSERT_TRUE(hosted->writes().Add([&] { disk.WaitForNotification(); }));
  int put_status = 0, identify_status = 0;
  Start(a, "PUT", "/v1/items/y", kItem, "", [&](HttpResponse answer) {
    put_status = answer.status;
    answered.DecrementCount();
  });
  Start(a, "POST", "/v1/identify", R"({"userId":"u","traits":{"country":"NZ"}})", "", [&](HttpResponse answer) {
    identify_status = answer.status;
    answered.DecrementCount();
  });
  EXPECT_EQ(Call(a, "GET", "/v1/items/x").status, 200);
  EXPECT_EQ(Call(b, "PUT", "/v1/items/x", kItem).status, 200);
  EXPECT_EQ(put_status, 0);
  EXPECT_EQ(identify_status, 0);
  while (hosted->writes().Add([] {})) {
  }
  const HttpResponse refused = Call(a, "PUT", "/v1/items/z", kItem);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.headers, testing::Contains(testing::Pair("Retry-After", "1")));
  disk.Notify();
  answered.Wait();
  EXPECT_EQ(put_status, 200);
  EXPECT_EQ(identify_status, 200);
}

TEST_F(ApiTest, AnOperatorsKeyOpensEveryAppAndAnAdminsDoesNotOperate) {
  const std::string operates = Key("", {"operator"}), admin = Key("a", {"admin"});
  EXPECT_EQ(Call(operates, "PUT", "/v1/items/x", kItem, "b").status, 200);
  EXPECT_EQ(Call(operates, "GET", "/v1/items/x", "", "b").status, 200);
  EXPECT_EQ(Call(operates, "GET", "/v1/items/x", "", "a").status, 404);
  EXPECT_THAT(Call(operates, "GET", "/v1/items/x").body, HasSubstr("Bowerbird-App"));
  EXPECT_EQ(Call(admin, "GET", "/v1/items/x").status, 404);
  EXPECT_EQ(Call(admin, "GET", "/v1/apps").status, 403);
  EXPECT_EQ(Call(operates, "GET", "/v1/apps").status, 200);
}

TEST_F(ApiTest, AnAppsBoundOnBodiesIsItsOwn) {
  const std::string a = Key("a", {"collect"}), b = Key("b", {"collect"});
  const std::string body = "{\"title\":\"" + std::string(1500, 'x') + "\"}";
  EXPECT_EQ(Call(a, "PUT", "/v1/items/x", body).status, 200);
  EXPECT_EQ(Call(b, "PUT", "/v1/items/x", body).status, 413);
  EXPECT_GE(apps_.body_bytes_max(), 8u << 20);
}

TEST_F(ApiTest, MakesAndRemovesAppsWhileOthersServe) {
  const std::string operates = Key("", {"operator"}), a = Key("a", {"serve"});
  EXPECT_EQ(Call(operates, "POST", "/v1/apps", R"({"name":"c"})").status, 200);
  EXPECT_EQ(Call(operates, "POST", "/v1/apps", R"({"name":"c"})").status, 409);
  EXPECT_EQ(Call(operates, "POST", "/v1/apps", R"({"name":"C"})").status, 400);
  EXPECT_THAT(Call(operates, "POST", "/v1/apps", R"({"name":"d","config":"[log]\nx = 1"})").body,
              HasSubstr("bowerbird.toml:2: log.x"));
  const std::string c = Key("c", {"collect", "serve"});
  EXPECT_EQ(Call(c, "PUT", "/v1/items/x", kItem).status, 200);
  EXPECT_EQ(Call(operates, "DELETE", "/v1/apps/c").status, 200);
  EXPECT_EQ(Call(operates, "DELETE", "/v1/apps/c").status, 404);
  EXPECT_EQ(Call(a, "GET", "/v1/items/x").status, 404);
  // Who had the old app's key does not get into a new one of its name.
  EXPECT_EQ(Call(operates, "POST", "/v1/apps", R"({"name":"c"})").status, 200);
  EXPECT_EQ(Call(c, "GET", "/v1/items/x").status, 401);
  EXPECT_EQ(Call(Key("c", {"serve"}), "GET", "/v1/items/x").status, 404);
}

TEST_F(ApiTest, MetricsOfAnAppCarryItsNameAndGoWithIt) {
  const std::string a = Key("a", {"serve"});
  Call(a, "GET", "/v1/items/x");
  Call("", "GET", "/v1/items/x");
  std::string text = Call("", "GET", "/metrics").body;
  const std::string route = R"(route="GET /v1/items/{id}",status="4xx"} 1)";
  EXPECT_THAT(text, HasSubstr("{app=\"a\"," + route));
  EXPECT_THAT(text, HasSubstr("{" + route));
  EXPECT_THAT(text, HasSubstr("bowerbird_catalog_items{app=\"b\"} 0"));
  // One family, one heading: parsers refuse a second.
  EXPECT_EQ(text.find("# TYPE bowerbird_catalog_items "), text.rfind("# TYPE bowerbird_catalog_items "));
  Call(Key("", {"operator"}), "DELETE", "/v1/apps/a");
  EXPECT_THAT(Call("", "GET", "/metrics").body, Not(HasSubstr("app=\"a\"")));
}

TEST_F(ApiTest, ReadyTellsTheOperatorWhichAppIsNotAndWhy) {
  ASSERT_TRUE(app::App::InitFolder(dir_, "bad", "[app]\ncolour = 1\n").ok());
  EXPECT_FALSE(apps_.Open("bad").ok());
  const HttpResponse anybody = Call("", "GET", "/readyz");
  EXPECT_EQ(anybody.status, 200);
  EXPECT_EQ(anybody.body, R"({"status":"degraded","apps_ready":2,"apps_not_ready":1})");
  const HttpResponse operates = Call(Key("", {"operator"}), "GET", "/readyz");
  EXPECT_THAT(operates.body, HasSubstr(R"({"name":"bad","status":"failed","detail":")"));
  EXPECT_THAT(operates.body, HasSubstr("app.colour"));
  EXPECT_EQ(Call(Key("bad", {"serve"}), "GET", "/v1/items/x").status, 503);
}

TEST_F(ApiTest, AQuotaRefusesWithTheTimeToWaitAndSlowsNobodyElse) {
  const std::string operates = Key("", {"operator"});
  const auto make = [&](const std::string& quota) {
    const std::string body = R"({"name":"web","app":"a","scopes":["collect","serve"],)" + quota + "}";
    const std::string answer = Call(operates, "POST", "/v1/keys", body).body;
    return answer.substr(answer.find("bb_"), 67);
  };
  const std::string slow = make(R"("requests_per_second":0.01)"), events = make(R"("events_per_second":0.01)");
  EXPECT_EQ(Call(slow, "GET", "/v1/items/x").status, 404);
  const HttpResponse refused = Call(slow, "GET", "/v1/items/x");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.headers, testing::Contains(testing::Pair("Retry-After", testing::AnyOf("99", "100"))));
  EXPECT_THAT(refused.body, HasSubstr("quota_exceeded"));
  EXPECT_EQ(Call(Key("a", {"serve"}), "GET", "/v1/items/x").status, 404);

  const std::string body = R"({"events":[{"type":"click","user":"u","item":"x"}]})";
  EXPECT_EQ(Call(events, "POST", "/v1/events", body).status, 200);
  EXPECT_EQ(Call(events, "POST", "/v1/events", body).status, 429);
  EXPECT_EQ(Call(events, "GET", "/v1/items/x").status, 404);
  const std::string metrics = Call("", "GET", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr(R"(bowerbird_quota_refusals_total{app="a",quota="requests"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(bowerbird_quota_refusals_total{app="a",quota="events"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(bowerbird_quota_refusals_total{app="b",quota="events"} 0)"));
}

TEST_F(ApiTest, KeysAreMadeRotatedAndRevokedByTheOperatorAlone) {
  const std::string operates = Key("", {"operator"}), admin = Key("a", {"admin"});
  const std::string wanted = R"({"name":"web","app":"b","scopes":["serve"]})";
  EXPECT_EQ(Call(admin, "POST", "/v1/keys", wanted).status, 403);
  const std::string made = Call(operates, "POST", "/v1/keys", wanted).body;
  const std::string id = made.substr(made.find("key_"), 16), secret = made.substr(made.find("bb_"), 67);
  EXPECT_EQ(Call(secret, "GET", "/v1/items/x").status, 404);
  EXPECT_THAT(Call(operates, "GET", "/v1/keys").body, testing::AllOf(HasSubstr(id), Not(HasSubstr("bb_"))));
  const std::string rotated = Call(operates, "POST", "/v1/keys/" + id + ":rotate", R"({"overlap":"1h"})").body;
  EXPECT_EQ(Call(secret, "GET", "/v1/items/x").status, 404);
  EXPECT_EQ(Call(rotated.substr(rotated.find("bb_"), 67), "GET", "/v1/items/x").status, 404);
  EXPECT_EQ(Call(operates, "POST", "/v1/keys/" + id + ":rotate", R"({"overlap":"soon"})").status, 400);
  EXPECT_EQ(Call(operates, "DELETE", "/v1/keys/" + id).status, 200);
  EXPECT_EQ(Call(secret, "GET", "/v1/items/x").status, 401);
  EXPECT_EQ(Call(operates, "DELETE", "/v1/keys/" + id).status, 404);
  EXPECT_EQ(Call(operates, "POST", "/v1/keys", R"({"name":"x","app":"none","scopes":["serve"]})").status, 404);
  EXPECT_EQ(Call(operates, "POST", "/v1/keys", R"({"name":"x","app":"../a","scopes":["serve"]})").status, 404);
  EXPECT_EQ(Call(operates, "POST", "/v1/keys", R"({"name":"x","app":"a","scopes":["serve"],"hash":"0"})").status, 400);
}

TEST_F(ApiTest, WhatAdminsDidIsInTheAuditLogWithoutSecrets) {
  const std::string operates = Key("", {"operator"});
  const std::string made = Call(operates, "POST", "/v1/keys", R"({"name":"web","app":"b","scopes":["serve"]})").body;
  Call(operates, "POST", "/v1/apps", R"({"name":"c"})");
  Call(operates, "DELETE", "/v1/apps/none");
  Call(operates, "GET", "/v1/apps");
  Call(Key("a", {"serve"}), "POST", "/v1/apps", R"({"name":"d"})");
  const auto entries = *AuditLog::Read(dir_ + "/audit.log", 100);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].action, "POST /v1/keys");
  EXPECT_THAT(entries[0].who, testing::MatchesRegex("key_.* \\(test\\)"));
  EXPECT_THAT(entries[0].detail, testing::AllOf(HasSubstr(made.substr(made.find("key_"), 16)), HasSubstr("app 'b'")));
  EXPECT_EQ(entries[1].detail, "name c");
  EXPECT_EQ(entries[2].detail, "name none");
  EXPECT_EQ(entries[2].status, 404);
  std::ifstream in(dir_ + "/audit.log");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, Not(HasSubstr("bb_")));
}

}  // namespace
}  // namespace bowerbird::server
