#include "ingest/row_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <fstream>

#include "ingest/line_reader.h"

namespace bowerbird::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Write(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + "/ingest_" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::vector<std::string> Texts(const Row& row) {
  std::vector<std::string> texts;
  for (const Row::Cell& cell : row.cells) texts.push_back(cell.text);
  return texts;
}

std::vector<Row> All(RowSource& source) {
  std::vector<Row> rows;
  Row row;
  while (*source.Next(&row)) rows.push_back(row);
  return rows;
}

TEST(CsvTest, ReadsQuotesNewlinesInQuotesAndBlankLines) {
  auto source = *OpenCsv(Write("a.csv", "\xef\xbb\xbfuser,title\r\na,\"x, \"\"y\"\"\nz\"\r\n\r\nb,\n"), ",");
  EXPECT_THAT(source->columns(), ElementsAre("user", "title"));
  const auto rows = All(*source);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(Texts(rows[0]), ElementsAre("a", "x, \"y\"\nz"));
  EXPECT_EQ(rows[0].line, 2u);
  EXPECT_EQ(rows[1].line, 5u);
  EXPECT_FALSE(rows[1].cells[1].present);
  ASSERT_TRUE(source->Rewind().ok());
  EXPECT_EQ(All(*source).size(), 2u);
  EXPECT_THAT(source->columns(), ElementsAre("user", "title"));
}

TEST(CsvTest, ABadRowIsReportedAndTheNextOneRead) {
  auto source = *OpenCsv(Write("b.csv", "a,b\n1\n2,3\n\"open"), ",");
  const auto rows = All(*source);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_THAT(rows[0].error, HasSubstr("found 1 fields; expected 2"));
  EXPECT_EQ(rows[1].error, "");
  EXPECT_THAT(rows[2].error, HasSubstr("not closed"));
}

TEST(CsvTest, ReadsTheOldMovieLensForm) {
  auto source = *OpenCsv(Write("c.dat", "1::Toy Story (1995)::Animation|Children\n"), "::", {"id", "title", "genres"});
  EXPECT_THAT(Texts(All(*source)[0]), ElementsAre("1", "Toy Story (1995)", "Animation|Children"));
}

TEST(LineReaderTest, ReadsGzipMembersAndZstdFramesAndRefusesBrokenOnes) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "line " + std::to_string(i) + "\n";
  std::string zstd(ZSTD_compressBound(text.size()), '\0');
  zstd.resize(ZSTD_compress(zstd.data(), zstd.size(), text.data(), text.size(), 3));
  const std::string gz_path = testing::TempDir() + "/ingest_lines.gz";
  gzFile gz = gzopen(gz_path.c_str(), "wb");
  gzwrite(gz, text.data(), static_cast<unsigned>(text.size()));
  gzclose(gz);
  for (const std::string& path : {Write("lines", text), Write("lines.zst", zstd), gz_path}) {
    LineReader reader = *LineReader::Open(path);
    std::string line, last;
    bool truncated = false;
    while (*reader.Next(&line, &truncated)) last = line;
    EXPECT_EQ(reader.line_number(), 50'000u) << path;
    EXPECT_EQ(last, "line 49999");
  }
  LineReader broken = *LineReader::Open(Write("broken.zst", zstd.substr(0, zstd.size() / 2)));
  std::string line;
  bool truncated = false;
  absl::StatusOr<bool> next = true;
  while (next.ok() && *next) next = broken.Next(&line, &truncated);
  EXPECT_EQ(next.status().code(), absl::StatusCode::kDataLoss);
}

TEST(JsonLinesTest, FlattensOneLevelAndReportsBadLines) {
  auto source = *OpenJsonLines(Write("a.jsonl", R"({"user":"u","n":1.5,"tags":["a","b"],"ctx":{"os":"x"}})"
                                                "\nnot json\n"
                                                R"({"user":null})"
                                                "\n"));
  EXPECT_THAT(source->columns(), ElementsAre("user", "n", "tags", "ctx.os"));
  const auto rows = All(*source);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_THAT(rows[0].cells[2].list, ElementsAre("a", "b"));
  EXPECT_EQ(rows[0].cells[1].text, "1.5");
  EXPECT_THAT(rows[1].error, HasSubstr("not a JSON object"));
  EXPECT_FALSE(rows[2].cells[0].present);
  ASSERT_TRUE(source->Rewind().ok());
  EXPECT_EQ(All(*source).size(), 3u);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPluginsLoad = false;  // the sanitizer's runtime refuses a library that binds to itself first
#else
constexpr bool kPluginsLoad = true;
#endif

TEST(ParquetTest, ReadsTextNumbersTimesAndLists) {
  if (!kPluginsLoad) GTEST_SKIP() << "the address sanitizer does not open plugins bound to themselves";
  const std::string path = testing::TempDir() + "/ingest_a.parquet";
  const std::string program =
      "import datetime, pyarrow as pa, pyarrow.parquet as pq\n"
      "pq.write_table(pa.table({'user': ['u1', None], 'time': pa.array([1500, -1500], pa.timestamp('ms')), "
      "'tags': [['a', 'b'], None], 'more': pa.array([['x', None], []], pa.large_list(pa.string()))}), '" +
      path + "')";
  ASSERT_EQ(std::system((std::string(BOWERBIRD_PYTHON) + " -c \"" + program + "\"").c_str()), 0);
  auto source = *OpenParquet(path);
  const auto rows = All(*source);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].cells[1].text, "1.500000");
  EXPECT_EQ(rows[1].cells[1].text, "-1.500000");
  EXPECT_THAT(rows[0].cells[2].list, ElementsAre("a", "b"));
  EXPECT_THAT(rows[0].cells[3].list, ElementsAre("x"));
  EXPECT_FALSE(rows[1].cells[0].present);
  ASSERT_TRUE(source->Rewind().ok());
  EXPECT_EQ(All(*source).size(), 2u);
  EXPECT_FALSE(OpenParquet(Write("not.parquet", "hello")).ok());
}

}  // namespace
}  // namespace bowerbird::ingest
