#include "server/body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace bowerbird::server {
namespace {

std::string Gzip(const std::string& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
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

std::string Zstd(const std::string& plain, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log != 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_inBuffer input{plain.data(), plain.size(), 0};
  // A frame that states its content's size needs no window; one that is begun without the end in sight has one.
  if (window_log != 0) {
    EXPECT_EQ(ZSTD_isError(ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue)), 0u);
  }
  EXPECT_EQ(ZSTD_compressStream2(context, &output, &input, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

struct Decoded {
  int status = 200;  ///< of the refusal
  std::string body;
};

Decoded Decode(const std::string& encoding, const std::string& body, uint64_t bytes_max = 1000) {
  HttpRequest request;
  request.headers["content-encoding"] = encoding;
  request.body = body;
  const auto refusal = DecodeBody(bytes_max, &request);
  return refusal ? Decoded{refusal->status, refusal->body} : Decoded{200, request.body};
}

TEST(BodyTest, UnfoldsWhatClientsSend) {
  const std::string plain = "{\"events\":[]}";
  EXPECT_EQ(Decode("gzip", Gzip(plain)).body, plain);
  EXPECT_EQ(Decode(" GZIP", Gzip(plain)).body, plain);
  EXPECT_EQ(Decode("zstd", Zstd(plain)).body, plain);
  EXPECT_EQ(Decode("identity", plain).body, plain);
  EXPECT_EQ(Decode("", plain).body, plain);
  // Members and frames one behind the other are one body.
  EXPECT_EQ(Decode("gzip", Gzip("a") + Gzip("bc")).body, "abc");
  EXPECT_EQ(Decode("zstd", Zstd("a") + Zstd("bc")).body, "abc");
  EXPECT_EQ(Decode("gzip", Gzip("")).body, "");
}

TEST(BodyTest, TakesExactlyTheBoundAndNotOneByteMore) {
  for (const uint64_t bound : {1u, 1000u, 16'384u, 100'000u}) {
    const std::string fits(bound, 'x');
    EXPECT_EQ(Decode("gzip", Gzip(fits), bound).body.size(), bound);
    EXPECT_EQ(Decode("zstd", Zstd(fits), bound).body.size(), bound);
    EXPECT_EQ(Decode("gzip", Gzip(fits + "x"), bound).status, 413);
    EXPECT_EQ(Decode("zstd", Zstd(fits + "x"), bound).status, 413);
  }
  const std::string bomb(50'000'000, '\0');
  EXPECT_EQ(Decode("gzip", Gzip(bomb)).status, 413);
  EXPECT_EQ(Decode("zstd", Zstd(bomb)).status, 413);
}

TEST(BodyTest, RefusesWhatIsDamagedOrUnknown) {
  const std::string gzip = Gzip("some text to fold"), zstd = Zstd("some text to fold");
  for (size_t length = 0; length < gzip.size(); ++length) {
    EXPECT_EQ(Decode("gzip", gzip.substr(0, length)).status, 400) << length;
  }
  for (size_t length = 1; length < zstd.size(); ++length) {
    EXPECT_EQ(Decode("zstd", zstd.substr(0, length)).status, 400) << length;
  }
  EXPECT_EQ(Decode("gzip", gzip + "tail").status, 400);
  EXPECT_EQ(Decode("zstd", zstd + "tail").status, 400);
  EXPECT_EQ(Decode("gzip", "{}").status, 400);
  EXPECT_EQ(Decode("zstd", "{}").status, 400);
  // A window beyond 8 MiB would cost its memory before the first byte comes out.
  EXPECT_EQ(Decode("zstd", Zstd(std::string(100, 'x'), 27)).status, 400);
  EXPECT_EQ(Decode("br", "x").status, 415);
  EXPECT_EQ(Decode("gzip, gzip", Gzip(gzip)).status, 415);
  EXPECT_THAT(Decode("br", "x").body, testing::HasSubstr("expected gzip, zstd or none"));
}

TEST(BodyTest, KnowsProtobufByItsMediaType) {
  HttpRequest request;
  EXPECT_FALSE(HasProtobufBody(request));
  for (const char* type : {"application/x-protobuf", "Application/Protobuf; messageType=CollectRequest"}) {
    request.headers["content-type"] = type;
    EXPECT_TRUE(HasProtobufBody(request)) << type;
  }
  request.headers["content-type"] = "application/json";
  EXPECT_FALSE(HasProtobufBody(request));
  EXPECT_FALSE(AcceptsProtobuf(request));
  request.headers["accept"] = "application/json;q=0.5, application/x-protobuf";
  EXPECT_TRUE(AcceptsProtobuf(request));
}

}  // namespace
}  // namespace bowerbird::server
