#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/clock.h"
#include "base/rng.h"
#include "features/tables.h"
#include "lake/parquet_file.h"
#include "store/file.h"

namespace bowerbird::features {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Values {
  std::optional<double> score;
  std::vector<float> vector;  ///< empty: null
  bool operator==(const Values&) const = default;
};
using Rows = std::vector<std::pair<std::string, Values>>;

class FeaturesTest : public testing::Test {
 protected:
  FeaturesTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FeaturesTest() override { fs::remove_all(folder_); }

  std::string Write(const Rows& rows) const {
    const std::vector<lake::Field> fields = {{"who", lake::Kind::kText, true, {}},
                                             {"score", lake::Kind::kDouble, true, {}},
                                             lake::List("vector", {"element", lake::Kind::kFloat, true, {}}),
                                             {"note", lake::Kind::kText, true, {}}};
    const std::string path = folder_ + "/in.parquet";
    const auto writer = lake::CreateParquet(path, fields);
    EXPECT_TRUE(writer.ok()) << writer.status();
    lake::Batch batch(fields);
    for (const auto& [id, values] : rows) {
      batch.column(0).TextOrNull(id);
      values.score.has_value() ? batch.column(1).Double(*values.score) : batch.column(1).Null();
      for (const float value : values.vector) batch.column(2).child(0).Float(value);
      values.vector.empty() ? batch.column(2).Null() : batch.column(2).EndList();
      batch.column(3).Text("of no use");
    }
    ArrowArray out;
    batch.Export(&out);
    EXPECT_TRUE((*writer)->Write(&out).ok());
    EXPECT_TRUE((*writer)->Close({}).ok());
    return path;
  }
  Source Of(const Rows& rows) const { return {Write(rows), Entity::kUser, "who", {"score", "vector"}, 77}; }
  std::optional<Values> Find(const Table& table, const std::string& id) const {
    const auto row = table.Find(RowKey::Of(hasher_, id));
    if (!row.has_value()) return std::nullopt;
    const auto vector = row->Vector(1);
    return Values{row->Number(0), {vector.begin(), vector.end()}};
  }

  const std::string folder_ = testing::TempDir() + "features_test_" +
                              testing::UnitTest::GetInstance()->current_test_info()->name() + std::to_string(getpid());
  const catalog::KeyHasher hasher_{base::HashSeed{3}};
};

TEST_F(FeaturesTest, ATableHoldsWhatTheFileSaysInHoweverManyPasses) {
  base::Rng rng(5);
  for (const size_t count : {size_t{1}, size_t{2}, size_t{3'000}}) {
    std::map<std::string, Values> expected;
    Rows rows;
    for (size_t i = 0; i < count; ++i) {
      Values values;
      if (!rng.Bernoulli(0.2)) values.score = rng.Uniform() * 100;
      if (!rng.Bernoulli(0.2) || i == 0) values.vector = {static_cast<float>(i), -1, 2.5F};
      rows.emplace_back(fmt::format("user-{}", i * 7), values);
      expected[rows.back().first] = values;
    }
    const Source source = Of(rows);
    for (const uint64_t memory : {uint64_t{1} << 30, uint64_t{20'000}}) {
      const std::string path = folder_ + "/rows.bin";
      const auto report = BuildTable(source, hasher_, path, memory, nullptr);
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->rows, count);
      EXPECT_EQ(report->passes > 1, count > 1'000 && memory < 1'000'000);
      const auto table = Table::Open(path);
      ASSERT_TRUE(table.ok()) << table.status();
      EXPECT_EQ((*table)->as_of_us(), 77);
      ASSERT_THAT((*table)->columns(), SizeIs(2));
      EXPECT_EQ((*table)->columns()[1].dim, 3u);
      for (size_t i = 0; i < 7 * count; ++i) {
        const std::string id = fmt::format("user-{}", i);
        const auto found = expected.find(id);
        ASSERT_EQ(Find(**table, id), found == expected.end() ? std::nullopt : std::optional(found->second)) << id;
      }
      const std::string bytes = *store::ReadFile(path);
      EXPECT_EQ(bytes.find("user-"), bytes.npos) << "an id";
    }
  }
}

TEST_F(FeaturesTest, WhatDoesNotFitIsRefusedWithItsPlace) {
  const auto refused = [&](const Source& source) {
    const auto report = BuildTable(source, hasher_, folder_ + "/rows.bin", kBuildBytes, nullptr);
    EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument) << report.status();
    return std::string(report.status().message());
  };
  EXPECT_THAT(refused(Of({{"a", {1, {1}}}, {"b", {1, {1}}}, {"a", {2, {1}}}})), HasSubstr("rows 1 and 3"));
  EXPECT_THAT(refused(Of({{"a", {1, {1}}}, {"", {1, {1}}}})), HasSubstr("0 bytes in row 2"));
  EXPECT_THAT(refused(Of({{"a", {1, {1, 2}}}, {"b", {1, {1}}}})), HasSubstr("vector: found 1 values in row 2"));
  EXPECT_THAT(refused(Of({{"a", {1, {NAN}}}})), HasSubstr("row 1"));
  EXPECT_THAT(refused(Of({{"a", {1, {}}}})), HasSubstr("no row with a vector"));
  Source source = Of({{"a", {1, {1}}}});
  source.columns = {"note"};
  EXPECT_THAT(refused(source), HasSubstr("note: found string"));
  source.columns = {"who"};
  EXPECT_THAT(refused(source), HasSubstr("\"who\""));
  source.key_column = "score";
  EXPECT_THAT(refused(source), HasSubstr("score: found double"));
  source.key_column = "nothing";
  EXPECT_THAT(refused(source), HasSubstr("a column of the file: who, score, vector, note"));
  source.file = folder_ + "/absent";
  EXPECT_EQ(BuildTable(source, hasher_, folder_ + "/rows.bin", kBuildBytes, nullptr).status().code(),
            absl::StatusCode::kNotFound);
  std::ofstream(source.file) << "PAR1 and nothing else PAR1";
  EXPECT_EQ(BuildTable(source, hasher_, folder_ + "/rows.bin", kBuildBytes, nullptr).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(FeaturesTest, VersionsAreSwappedAndReadAsOfWhenTheyWere) {
  registry::Registry registry(folder_ + "/artifacts", &base::SystemClock::Get());
  Tables tables(&registry, hasher_);
  ASSERT_THAT(*tables.Open(), IsEmpty());
  std::vector<int64_t> after_us;
  for (int round = 0; round < 5; ++round) {
    const auto held = tables.Get();
    const auto report = tables.Load("scores", Of({{"a", {round, {1}}}}), nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    const NamedTable* former = held->Find("scores");
    EXPECT_EQ(former == nullptr ? -1 : Find(*former->newest().table, "a")->score, round - 1) << "what a reader holds";
    after_us.push_back(base::SystemClock::Get().NowUs());
  }
  Tables again(&registry, hasher_);
  ASSERT_THAT(*again.Open(), IsEmpty());
  for (const auto& set : {tables.Get(), again.Get()}) {
    const NamedTable* table = set->Find("scores");
    ASSERT_NE(table, nullptr);
    EXPECT_THAT(table->versions, SizeIs(Tables::kVersionsKept));
    EXPECT_EQ(Find(*table->newest().table, "a")->score, 4);
    EXPECT_EQ(Find(*table->At(after_us[3])->table, "a")->score, 3);
    EXPECT_EQ(table->At(after_us[0]), nullptr) << "no longer kept";
    EXPECT_EQ(set->Find("others"), nullptr);
  }
  Source source = Of({{"a", {1, {1}}}});
  source.entity = Entity::kItem;
  EXPECT_THAT(std::string(tables.Load("scores", source, nullptr).status().message()), HasSubstr("expected \"user\""));
  EXPECT_EQ(tables.Load("scores", Of({{"", {1, {1}}}}), nullptr).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Find(*tables.Get()->Find("scores")->newest().table, "a")->score, 4) << "a refused file changes nothing";
  // A flipped bit takes one version away, not the table.
  const std::string path =
      folder_ + "/artifacts/features/scores/" + tables.Get()->Find("scores")->newest().version + "/rows.bin";
  std::string bytes = *store::ReadFile(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_THAT(*again.Open(), ElementsAre(HasSubstr("rows.bin")));
  EXPECT_EQ(Find(*again.Get()->Find("scores")->newest().table, "a")->score, 3);
}

TEST_F(FeaturesTest, UsersAreTakenOutOfEveryVersion) {
  registry::Registry registry(folder_ + "/artifacts", &base::SystemClock::Get());
  Tables tables(&registry, hasher_);
  Rows rows;
  for (int i = 0; i < 300; ++i) rows.emplace_back(fmt::format("user-{}", i), Values{static_cast<double>(i), {1}});
  ASSERT_TRUE(tables.Load("scores", Of(rows), nullptr).ok());
  ASSERT_TRUE(tables.Load("scores", Of(rows), nullptr).ok());
  ASSERT_TRUE(tables.Load("others", Of({{"somebody", {1, {1}}}}), nullptr).ok());
  const RowKey gone[] = {RowKey::Of(hasher_, "user-17"), RowKey::Of(hasher_, "nobody"), RowKey::Of(hasher_, "user-0"),
                         RowKey::Of(hasher_, "user-17")};
  EXPECT_EQ(*tables.RemoveUsers(gone), 1u);
  EXPECT_EQ(*tables.RemoveUsers(gone), 0u);
  Tables again(&registry, hasher_);
  ASSERT_THAT(*again.Open(), IsEmpty());
  for (const auto& set : {tables.Get(), again.Get()}) {
    EXPECT_THAT(set->Find("scores")->versions, SizeIs(1));
    const Table& table = *set->Find("scores")->newest().table;
    EXPECT_EQ(table.rows(), 298u);
    for (int i = 0; i < 300; ++i) EXPECT_EQ(Find(table, fmt::format("user-{}", i)).has_value(), i != 0 && i != 17) << i;
    EXPECT_EQ(set->Find("others")->newest().version, "000001");
  }
}

}  // namespace
}  // namespace bowerbird::features
