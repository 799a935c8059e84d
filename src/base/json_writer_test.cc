#include "base/json_writer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bowerbird::base {
namespace {

TEST(JsonWriterTest, PutsCommasBetweenValuesAtEveryDepth) {
  std::string out;
  JsonWriter(&out)
      .BeginObject()
      .Key("a")
      .BeginArray()
      .Int(-1)
      .Uint(2)
      .BeginObject()
      .EndObject()
      .EndArray()
      .Key("b")
      .Bool(true)
      .EndObject();
  EXPECT_EQ(out, R"({"a":[-1,2,{}],"b":true})");
}

TEST(JsonWriterTest, EscapesWhatJsonForbidsAndReplacesInvalidUtf8) {
  std::string out;
  JsonWriter(&out).String(std::string("q\" b\\ n\n z\x01 \xc3\xa9 \xff \xc0\x80 \xed\xa0\x80"));
  EXPECT_EQ(out,
            "\"q\\\" b\\\\ n\\n z\\u0001 \xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd "
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(JsonWriterTest, EscapesWhereverTheCharacterStands) {
  for (int c = 0; c < 128; ++c) {
    for (size_t length = 1; length < 20; ++length) {
      for (size_t at = 0; at < length; ++at) {
        std::string text(length, '~'), alone, whole;
        text[at] = static_cast<char>(c);
        JsonWriter(&alone).String(std::string(1, static_cast<char>(c)));
        JsonWriter(&whole).String(text);
        const std::string escaped = alone.substr(1, alone.size() - 2);
        ASSERT_EQ(whole, '"' + std::string(at, '~') + escaped + std::string(length - at - 1, '~') + '"');
      }
    }
  }
}

TEST(JsonWriterTest, WritesNumbersAsTheyReadBack) {
  const double doubles[] = {0, -0.0, 1, -1.5, 1e15, 1e16, 123456789012345678.0, 1e-5, 1e300, 5e-324, 1.0 / 3};
  for (const double value : doubles) {
    std::string out;
    JsonWriter(&out).Double(value);
    EXPECT_EQ(out, fmt::format("{}", value));
  }
  std::string out;
  JsonWriter(&out).BeginArray().Int(std::numeric_limits<int64_t>::min()).Uint(~uint64_t{0}).EndArray();
  EXPECT_EQ(out, "[-9223372036854775808,18446744073709551615]");
}

TEST(JsonWriterTest, WritesNumbersThatReadBackAndNullForWhatJsonLacks) {
  std::string out;
  JsonWriter(&out)
      .BeginArray()
      .Double(0.1)
      .Float(0.1f)
      .Double(NAN)
      .Double(std::numeric_limits<double>::infinity())
      .EndArray();
  EXPECT_EQ(out, "[0.1,0.1,null,null]");
}

}  // namespace
}  // namespace bowerbird::base
