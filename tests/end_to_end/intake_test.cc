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

}  // namespace
}  // namespace bowerbird::end_to_end
