#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <utility>
#include <vector>

#include "bowerbird/v1/service.pb.h"
#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;
using Headers = std::vector<std::pair<std::string, std::string>>;

std::string Gzip(const std::string& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

class IntakeTest : public testing::Test {
 protected:
  IntakeTest() : dir_(folder_.path()) { EXPECT_EQ(RunProgram({"init", "--dir", dir_}).exit_status, 0); }
  const TemporaryFolder folder_;
  const std::string dir_;
};

v1::CollectRequest TwoEvents() {
  v1::CollectRequest request;
  for (const char* item : {"a", "b"}) {
    v1::Event* event = request.add_events();
    event->set_type("click");
    event->set_user("u");
    event->set_item(item);
    event->set_client_id(std::string("c-") + item);
    event->set_position(3);
  }
  return request;
}

TEST_F(IntakeTest, TakesProtobufAndAnswersInWhatTheClientAccepts) {
  RunningServer server(dir_);
  auto client = server.Client();
  // A profile names items that the catalog knows.
  ASSERT_EQ(client.Call("PUT", "/v1/items/b", R"({"title":"B"})")->status, 200);
  v1::CollectRequest request = TwoEvents();
  request.add_events()->set_type("teleport");
  const std::string body = request.SerializeAsString();
  const Headers headers = {{"Content-Type", "application/x-protobuf"}, {"Accept", "application/x-protobuf"}};
  const auto answer = client.Call("POST", "/v1/events", body, headers);
  ASSERT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(answer->content_type, "application/x-protobuf");
  v1::CollectResponse response;
  ASSERT_TRUE(response.ParseFromString(answer->body));
  EXPECT_EQ(response.accepted(), 2u);
  ASSERT_EQ(response.verdicts_size(), 3);
  EXPECT_EQ(response.verdicts(0).verdict(), "accepted");
  EXPECT_EQ(response.verdicts(2).code(), "unknown_type");
  EXPECT_EQ(response.verdicts(2).field(), "events[2].type");
  // The same again, as JSON this time: the client ids are known.
  const auto json = client.Call("POST", "/v1/events", body, {{"Content-Type", "application/protobuf"}});
  EXPECT_EQ(At(json->body, "/accepted"), "2");
  const std::string profile = client.Call("GET", "/v1/users/u/profile", "")->body;
  EXPECT_EQ(At(profile, "/events"), "2");
  EXPECT_EQ(At(profile, "/sequence/0/item"), "b");
  EXPECT_EQ(client.Call("POST", "/v1/events", "{\"events\":[]}", headers)->status, 400);
}

TEST_F(IntakeTest, TakesCompressedBodiesAndRefusesBombs) {
  RunningServer server(dir_);
  auto client = server.Client();
  const std::string protobuf = TwoEvents().SerializeAsString();
  const auto click = [](const std::string& item) {
    return R"({"events":[{"type":"click","user":"u","item":")" + item + "\"}]}";
  };
  EXPECT_EQ(client.Call("POST", "/v1/events", Gzip(click("x")), {{"Content-Encoding", "gzip"}})->status, 200);
  EXPECT_EQ(client.Call("POST", "/v1/events", Zstd(click("y")), {{"Content-Encoding", "zstd"}})->status, 200);
  EXPECT_EQ(client
                .Call("POST", "/v1/events", Zstd(protobuf),
                      {{"Content-Encoding", "zstd"}, {"Content-Type", "application/x-protobuf"}})
                ->status,
            200);
  EXPECT_EQ(client.Call("PUT", "/v1/items/a", Gzip(R"({"title":"A"})"), {{"Content-Encoding", "gzip"}})->status, 200);
  EXPECT_EQ(At(client.Call("GET", "/v1/users/u/profile", "")->body, "/events"), "4");

  // 100 MB of nothing in some 100 KB.
  const std::string bomb(100u << 20, ' ');
  for (const auto& [encoding, body] : {std::pair("gzip", Gzip(bomb)), std::pair("zstd", Zstd(bomb))}) {
    ASSERT_LT(body.size(), 1u << 20);
    const auto answer = client.Call("POST", "/v1/events", body, {{"Content-Encoding", encoding}});
    EXPECT_EQ(answer->status, 413) << encoding;
    EXPECT_EQ(At(answer->body, "/code"), "body_too_large");
  }
  const auto damaged = client.Call("POST", "/v1/events", click("z"), {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(damaged->status, 400);
  EXPECT_THAT(damaged->body, HasSubstr("malformed_encoding"));
  EXPECT_EQ(client.Call("POST", "/v1/events", click("z"), {{"Content-Encoding", "br"}})->status, 415);
  EXPECT_EQ(server.Stop(SIGTERM), 0);
}

/// A new key's secret.
std::string MakeKey(const std::string& dir, const std::string& scope) {
  const std::string output = RunProgram({"keys", "create", "--name", scope, "--scopes", scope, "--dir", dir}).output;
  const size_t at = output.find("bb_");
  return at == std::string::npos ? output : output.substr(at, 67);
}

std::string HeaderOf(const server::HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST_F(IntakeTest, APageSendsItsEventsUnderAPublicKeyThatDoesNothingElse) {
  WriteFile(dir_, "server.toml", "[server]\nallowed_origins = [\"https://shop.example\"]\n");
  const std::string key = MakeKey(dir_, "events");
  RunningServer server(dir_);
  auto client = server.Client();
  const std::string click = R"({"events":[{"type":"click","user":"u","item":"i"}]})";
  const std::string beacon = "/v1/beacon?key=" + key;
  const Headers page = {{"Origin", "https://shop.example"}, {"Content-Type", "text/plain;charset=UTF-8"}};
  const auto sent = client.Call("POST", beacon, click, page);
  EXPECT_EQ(sent->status, 200) << sent->body;
  EXPECT_EQ(HeaderOf(*sent, "Access-Control-Allow-Origin"), "https://shop.example");
  EXPECT_EQ(client.Call("POST", beacon, click, {{"Origin", "https://other.example"}})->status, 403);
  // Nor may it come in as a client of this machine, which needs no key.
  EXPECT_EQ(client.Call("POST", "/v1/events", click, {{"Origin", "https://other.example"}})->status, 403);
  EXPECT_EQ(client.Call("POST", "/v1/beacon?key=bb_wrong", click, page)->status, 401);

  const Headers asks = {{"Origin", "https://shop.example"}, {"Access-Control-Request-Method", "POST"}};
  const auto preflight = client.Call("OPTIONS", beacon, "", asks);
  EXPECT_EQ(preflight->status, 200) << preflight->body;
  EXPECT_EQ(HeaderOf(*preflight, "Access-Control-Allow-Methods"), "POST");
  EXPECT_EQ(client.Call("OPTIONS", "/v1/events", "", asks)->status, 403);
  EXPECT_EQ(client.Call("OPTIONS", "/v1/nothing", "", asks)->status, 404);

  const Headers bearer = {{"Authorization", "Bearer " + key}};
  EXPECT_EQ(client.Call("POST", "/v1/events", click, bearer)->status, 200);
  EXPECT_EQ(client.Call("PUT", "/v1/items/i", R"({"title":"mine"})", bearer)->status, 403);
  EXPECT_EQ(client.Call("GET", "/v1/users/u/profile", "", bearer)->status, 403);
  EXPECT_EQ(client.Call("POST", "/v1/events?history=true", click, bearer)->status, 403);
  // Nor may it say who is who.
  const auto identify =
      client.Call("POST", "/v1/events", R"({"events":[{"type":"identify","user":"u","anonymous":"me"}]})", bearer);
  EXPECT_EQ(At(identify->body, "/verdicts/0/code"), "permission_denied") << identify->body;
  const auto segment =
      client.Call("POST", "/v1/i", R"({"userId":"u","anonymousId":"me","writeKey":")" + key + "\"}", page);
  EXPECT_EQ(segment->status, 200) << segment->body;
  EXPECT_EQ(At(segment->body, "/rejected"), "1") << segment->body;
  EXPECT_EQ(At(client.Call("GET", "/v1/users/u/profile", "")->body, "/events"), "2");
}

TEST_F(IntakeTest, SegmentsPathsTakeTheirMessages) {
  const std::string key = MakeKey(dir_, "collect");
  RunningServer server(dir_);
  auto client = server.Client();
  // A profile names items that the catalog knows.
  for (const char* id : {"p1", "p3"}) {
    EXPECT_EQ(client.Call("PUT", std::string("/v1/items/") + id, R"({"title":"P"})")->status, 200);
  }
  const auto track = client.Call(
      "POST", "/v1/track",
      R"({"anonymousId":"anon","event":"Product Viewed","messageId":"m1","properties":{"product_id":"p1"},"writeKey":")" +
          key + "\"}");
  EXPECT_EQ(track->status, 200) << track->body;
  EXPECT_EQ(At(track->body, "/success"), "true");
  EXPECT_EQ(At(track->body, "/accepted"), "1");
  EXPECT_EQ(client.Call("POST", "/v1/t", R"({"userId":"u","event":"Product Viewed","writeKey":"bb_wrong"})")->status,
            401);
  const auto batch = client.Call("POST", "/v1/batch", Gzip(R"({"batch":[
      {"type":"identify","userId":"user","anonymousId":"anon","messageId":"m2"},
      {"type":"track","userId":"user","event":"Order Completed","messageId":"m3",
       "properties":{"products":[{"product_id":"p2"},{"product_id":"p3"}]}},
      {"type":"track","userId":"user","event":"Nobody Knows"},
      {"type":"track","event":"Product Viewed"}]})"),
                                 {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(batch->status, 200) << batch->body;
  EXPECT_EQ(At(batch->body, "/accepted"), "2");
  EXPECT_EQ(At(batch->body, "/ignored"), "1");
  EXPECT_EQ(At(batch->body, "/rejected"), "1");
  EXPECT_EQ(At(batch->body, "/verdicts/3/field"), "batch[3].userId");
  EXPECT_EQ(client.Call("POST", "/v1/batch", "{\"batch\":7}")->status, 400);

  // The anonymous id is the user from now on: in a profile, and for what is still sent under it.
  EXPECT_EQ(client.Call("POST", "/v1/page", R"({"anonymousId":"anon","name":"Start"})")->status, 200);
  EXPECT_EQ(
      client.Call("POST", "/v1/track", R"({"anonymousId":"anon","event":"click","properties":{"product_id":"p4"}})")
          ->status,
      200);
  const std::string profile = client.Call("GET", "/v1/users/anon/profile", "")->body;
  EXPECT_EQ(At(profile, "/id"), "user");
  std::string items;
  for (int i = 0; i < 4; ++i) items += At(profile, "/sequence/" + std::to_string(i) + "/item");
  EXPECT_THAT(items, HasSubstr("p1"));
  EXPECT_THAT(items, HasSubstr("p3"));
  EXPECT_EQ(server.Stop(SIGKILL), -SIGKILL);

  // Nothing of it is lost or doubled by a crash.
  {
    RunningServer again(dir_);
    const std::string after = again.Client().Call("GET", "/v1/users/user/profile", "")->body;
    EXPECT_EQ(At(after, "/events"), "5") << after;
    EXPECT_EQ(again.Stop(SIGTERM), 0);
  }
  const Outcome verified = RunProgram({"state", "verify", "--dir", dir_});
  EXPECT_EQ(verified.exit_status, 0) << verified.output;
}

}  // namespace
}  // namespace bowerbird::end_to_end
