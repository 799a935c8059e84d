#include "base/json_writer.h"

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
