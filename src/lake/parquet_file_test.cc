#include "lake/parquet_file.h"

#include <fstream>

#include "gmock/gmock.h"
#include "lake/lake_for_test.h"
#include "lake/log_follower.h"
#include "lake/value_columns.h"
#include "store/file.h"

namespace bowerbird::lake {
namespace {

using testing::HasSubstr;

class ParquetFileTest : public testing::Test {
 protected:
  ParquetFileTest() { std::filesystem::create_directories(dir_); }
  ~ParquetFileTest() override { std::filesystem::remove_all(dir_); }

  /// 1,000 rows of a number and a list of texts.
  void WriteFile(const std::string& path) {
    Batch batch(old_fields_);
    for (int64_t row = 0; row < 1000; ++row) {
      row % 7 == 0 ? batch.column(0).Null() : batch.column(0).Int64(row);
      for (int64_t i = 0; i < row % 3; ++i) batch.column(1).child(0).Text(fmt::format("{}.{}", row, i));
      row % 5 == 0 && row % 3 == 0 ? batch.column(1).Null() : batch.column(1).EndList();
    }
    ArrowArray rows;
    batch.Export(&rows);
    auto writer = CreateParquet(path, old_fields_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Write(&rows).ok());
    ASSERT_TRUE((*writer)->Close({{"bowerbird.schema", "99"}, {"bowerbird.ranges", "[]"}}).ok());
  }

  const std::string dir_ =
      (std::filesystem::temp_directory_path() / fmt::format("bowerbird_parquet_test_{}", getpid())).string();
  const std::vector<Field> old_fields_ = {{"n", Kind::kInt64, true, {}},
                                          List("texts", {"element", Kind::kText, true, {}})};
};

TEST_F(ParquetFileTest, AColumnThatAFileLacksIsNull) {
  WriteFile(dir_ + "/a.parquet");
  const std::vector<Field> fields = {AttributesField("attributes"), old_fields_[1], old_fields_[0]};
  auto reader = OpenParquet(dir_ + "/a.parquet", fields);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->rows(), 1000);
  ArrowArray rows;
  ASSERT_TRUE(*(*reader)->Next(&rows));
  const ColumnView all(&rows);
  for (int64_t row = 0; row < rows.length; ++row) {
    EXPECT_TRUE(all.child(0).IsNull(row));
    EXPECT_EQ(all.child(2).IsNull(row), row % 7 == 0);
    if (row % 7 != 0) {
      EXPECT_EQ(all.child(2).Int64(row), row);
    }
    EXPECT_EQ(all.child(1).IsNull(row), row % 15 == 0);
    if (row % 15 == 0) continue;
    ASSERT_EQ(all.child(1).ListLast(row) - all.child(1).ListFirst(row), row % 3);
    for (int64_t i = 0; i < row % 3; ++i)
      EXPECT_EQ(all.child(1).element().Text(all.child(1).ListFirst(row) + i), fmt::format("{}.{}", row, i));
  }
  rows.release(&rows);
}

TEST_F(ParquetFileTest, ARowGroupIsReadByItself) {
  const std::vector<Field> fields = {{"n", Kind::kInt64, true, {}}, {"text", Kind::kBytes, true, {}}};
  const std::string path = dir_ + "/groups.parquet";
  auto writer = CreateParquet(path, fields);
  ASSERT_TRUE(writer.ok()) << writer.status();
  Batch batch(fields);
  int64_t number = 0;
  const auto write = [&](int64_t rows, size_t text_bytes) {
    for (int64_t i = 0; i < rows; ++i) {
      batch.column(0).Int64(number++);
      batch.column(1).Text(std::string(text_bytes, 'x'));
    }
    ArrowArray exported;
    batch.Export(&exported);
    ASSERT_TRUE((*writer)->Write(&exported).ok());
  };
  for (int i = 0; i < 10; ++i) write(10'000, 1);
  for (int i = 0; i < 6; ++i) write(400, 64 << 10);  // some 25 MB each
  ASSERT_TRUE((*writer)->Close({}).ok());

  auto reader = OpenParquet(path, fields);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto groups = (*reader)->Groups({"n", "text", "nothing"});
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_GE(groups->size(), 4u) << "two by their rows, more by their bytes";
  int64_t first = 0;
  for (size_t group = 0; group < groups->size(); ++group) {
    const RowGroup& one = (*groups)[group];
    EXPECT_LE(one.rows, 65'536);
    EXPECT_EQ(one.bounds.at(0), std::pair(first, first + one.rows - 1));
    EXPECT_FALSE(one.bounds.at(1).has_value());
    EXPECT_FALSE(one.bounds.at(2).has_value());
    first += one.rows;
  }
  EXPECT_EQ(first, number);
  // In any order, and again.
  for (const size_t group : {groups->size() - 1, size_t{0}, size_t{1}, size_t{0}}) {
    ASSERT_TRUE((*reader)->SelectGroup(group).ok());
    int64_t next = (*groups)[group].bounds[0]->first, rows_read = 0;
    while (true) {
      ArrowArray rows;
      const auto more = (*reader)->Next(&rows);
      ASSERT_TRUE(more.ok()) << more.status();
      if (!*more) break;
      for (int64_t row = 0; row < rows.length; ++row) EXPECT_EQ(ColumnView(&rows).child(0).Int64(row), next++);
      rows_read += rows.length;
      rows.release(&rows);
    }
    EXPECT_EQ(rows_read, (*groups)[group].rows);
  }
  EXPECT_EQ((*reader)->SelectGroup(groups->size()).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(ParquetFileTest, AColumnOfAnotherTypeAndAFileOfAnotherProgramAreRefusedByName) {
  const std::string path = dir_ + "/a.parquet";
  WriteFile(path);
  const std::vector<Field> fields = {{"n", Kind::kText, true, {}}};
  const absl::Status type = OpenParquet(path, fields).status();
  EXPECT_EQ(type.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(type.message()), HasSubstr(path));
  const auto reader = OpenParquet(path, old_fields_);
  const absl::Status future = DescribePart((*reader)->metadata(), path).status();
  EXPECT_EQ(future.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(future.message()), HasSubstr(path));
  EXPECT_EQ(OpenParquet(dir_ + "/none.parquet", old_fields_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ParquetFileTest, DamageAnywhereIsAnErrorOrChangesNothingAndNeverACrash) {
  const std::string path = dir_ + "/a.parquet";
  WriteFile(path);
  const std::string bytes = *store::ReadFile(path);
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string damaged = i % 5 == 0 ? bytes.substr(0, random() % bytes.size()) : bytes;
    for (uint64_t flips = 1 + random() % 3; flips > 0 && !damaged.empty(); --flips)
      damaged[random() % damaged.size()] ^= static_cast<char>(1u << (random() % 8));
    std::ofstream(path, std::ios::binary) << damaged;
    auto reader = OpenParquet(path, old_fields_);
    absl::Status status = reader.status();
    if (status.ok()) status = (*reader)->Groups({"n"}).status();
    if (status.ok() && i % 2 == 0) status = (*reader)->SelectGroup(0);
    while (status.ok()) {
      ArrowArray rows;
      const auto more = (*reader)->Next(&rows);
      status = more.status();
      if (!more.ok() || !*more) break;
      rows.release(&rows);
    }
    refused += status.ok() ? 0 : 1;
    if (!status.ok()) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    }
  }
  EXPECT_GT(refused, 250);
}

}  // namespace
}  // namespace bowerbird::lake
