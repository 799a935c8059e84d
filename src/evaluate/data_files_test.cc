#include "evaluate/data_files.h"

#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::evaluate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DataFilesTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = testing::TempDir() + "/evaluate_" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string Zstd(const std::string& text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
  }
};

TEST_F(DataFilesTest, ReadsPlainZstdAndGzipAlike) {
  std::string text;
  for (int line = 0; line < 200000; ++line) text += std::to_string(line) + " 1 2 3\n";
  const std::string gz = testing::TempDir() + "/evaluate_text.gz";
  const gzFile file = gzopen(gz.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  EXPECT_EQ(ReadText(Write("plain", text)).value(), text);
  EXPECT_EQ(ReadText(Write("zst", Zstd(text))).value(), text);
  EXPECT_EQ(ReadText(gz).value(), text);
  EXPECT_EQ(ReadText(Write("two_frames", Zstd("a\n") + Zstd("b\n"))).value(), "a\nb\n");
}

TEST_F(DataFilesTest, ABrokenFileIsDataLossAndAMissingOneNotFound) {
  const std::string packed = Zstd(std::string(5000, 'x').append("y"));
  EXPECT_EQ(ReadText(Write("cut", packed.substr(0, packed.size() - 3))).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadText(Write("bad", "\x28\xb5\x2f\xfdgarbage")).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadText(Write("bad_gz", "\x1f\x8bgarbage")).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadText(testing::TempDir() + "/evaluate_none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadText(testing::TempDir()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DataFilesTest, LightGcnKeepsItsNumbers) {
  EXPECT_THAT(ReadLightGcn(Write("lightgcn", "0 5 7\n\n3\n2 1 \r\n")).value(),
              ElementsAre(Interaction{0, 5}, Interaction{0, 7}, Interaction{2, 1}));
}

TEST_F(DataFilesTest, SequencesAreNumberedAnewWithThePlaceAsTime) {
  EXPECT_THAT(ReadSequences(Write("sequences", "10 5 7\n4 7 9\n")).value(),
              ElementsAre(Interaction{0, 0, 0}, Interaction{0, 1, 1}, Interaction{1, 1, 0}, Interaction{1, 2, 1}));
}

TEST_F(DataFilesTest, GloboTimesAreMicroseconds) {
  EXPECT_THAT(
      ReadGloboClicks(Write("globo", "user_id,x,click_article_id,click_timestamp\n7,a,99,12\n7,b,98,13\n")).value(),
      ElementsAre(Interaction{0, 0, 12000}, Interaction{0, 1, 13000}));
}

TEST_F(DataFilesTest, ABadLineIsNamed) {
  const auto message = [](const auto& result) { return std::string(result.status().message()); };
  EXPECT_THAT(message(ReadLightGcn(Write("word", "0 1\n1 two\n"))), HasSubstr("word:2: found 'two'"));
  EXPECT_THAT(message(ReadLightGcn(Write("minus", "-1 2\n"))), HasSubstr(":1: found '-1'"));
  EXPECT_THAT(message(ReadLightGcn(Write("big", "4294967295 2\n"))), HasSubstr("32 bits"));
  EXPECT_THAT(message(ReadGloboClicks(Write("header", "a,b\n"))), HasSubstr("expected a header"));
  EXPECT_THAT(message(ReadGloboClicks(Write("short", "user_id,click_article_id,click_timestamp\n1,2\n"))),
              HasSubstr(":2:"));
  EXPECT_THAT(
      message(ReadGloboClicks(Write("time", "user_id,click_article_id,click_timestamp\n1,2,99999999999999999\n"))),
      HasSubstr("milliseconds"));
}

}  // namespace
}  // namespace bowerbird::evaluate
