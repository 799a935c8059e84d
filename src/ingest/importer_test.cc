#include "ingest/importer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ingest/movielens.h"

namespace bowerbird::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// Keeps what it is sent; refuses objects that hold `refuse`; fails the batch number `fail_at`.
class RecordingSink final : public Sink {
 public:
  absl::StatusOr<Result> Send(Kind kind, const std::vector<std::string>& objects) override {
    if (++batches == fail_at) return absl::UnavailableError("gone");
    Result result;
    for (size_t i = 0; i < objects.size(); ++i) {
      if (!refuse.empty() && objects[i].find(refuse) != std::string::npos) {
        result.rejected.push_back({i, "refused"});
      } else {
        (kind == Kind::kEvents ? events : items).push_back(objects[i]);
        ++result.accepted;
      }
    }
    return result;
  }
  int batches = 0, fail_at = -1;
  std::string refuse;
  std::vector<std::string> events, items;
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class ImporterTest : public testing::Test {
 protected:
  ImporterTest() {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    WriteRows("u1,a,1\nu2,b,never\nu3,c,3\nu4,d,4\nu5,e,5\n");
    options_.name = "e.csv";
    options_.checkpoint_path = dir_ + "/checkpoint";
    options_.rejects_path = dir_ + "/rejected.tsv";
    options_.batch_rows = 2;
  }
  void WriteRows(const std::string& rows) { std::ofstream(dir_ + "/e.csv") << "user,item,time\n" << rows; }
  absl::StatusOr<ImportReport> Run(RecordingSink& sink) {
    auto source = *OpenCsv(dir_ + "/e.csv", ",");
    Mapping mapping = *MakeMapping(Kind::kEvents, source->columns(), "", {}, "click");
    mapping.client_id_seed = "e";
    return Import(*source, mapping, sink, options_);
  }
  const std::string dir_ = testing::TempDir() + "/importer_test";
  ImportOptions options_;
};

TEST_F(ImporterTest, SendsGoodRowsAndNamesLineAndReasonOfBadOnes) {
  RecordingSink sink;
  sink.refuse = "u4";
  const ImportReport report = *Run(sink);
  EXPECT_EQ(report.accepted, 3u);
  EXPECT_EQ(report.rejected, 2u);
  const std::string rejects = ReadAll(options_.rejects_path);
  EXPECT_THAT(rejects, HasSubstr("3\ttime: found 'never'; expected"));
  EXPECT_THAT(rejects, HasSubstr("5\trefused\tu4,d,4"));
}

TEST_F(ImporterTest, GoesOnWhereItWasStoppedWithTheSameClientIds) {
  RecordingSink first;
  first.fail_at = 2;
  EXPECT_FALSE(Run(first).ok());
  EXPECT_THAT(first.events, ElementsAre(HasSubstr("\"u1\""), HasSubstr("\"u3\"")));
  RecordingSink second;
  const ImportReport report = *Run(second);
  EXPECT_EQ(report.skipped, 3u);
  EXPECT_THAT(second.events, ElementsAre(HasSubstr("\"u4\""), HasSubstr("\"u5\"")));
  EXPECT_FALSE(report.changed);

  // What a run without a stop would have sent.
  std::filesystem::remove(options_.checkpoint_path);
  RecordingSink whole;
  ASSERT_TRUE(Run(whole).ok());
  std::vector<std::string> both = first.events;
  both.insert(both.end(), second.events.begin(), second.events.end());
  EXPECT_EQ(whole.events, both);
}

TEST_F(ImporterTest, AFileThatGrewGoesOnAtItsNewRows) {
  WriteRows("u1,a,1\nu2,b,2\n");
  RecordingSink first;
  ASSERT_TRUE(Run(first).ok());
  WriteRows("u1,a,1\nu2,b,2\nu3,c,3\n");
  RecordingSink second;
  const ImportReport report = *Run(second);
  EXPECT_EQ(report.skipped, 2u);
  EXPECT_FALSE(report.changed);
  EXPECT_THAT(second.events, ElementsAre(HasSubstr("\"u3\"")));
}

TEST_F(ImporterTest, AFileThatWasReplacedIsReadFromItsStart) {
  WriteRows("u1,a,1\nu2,b,never\n");
  RecordingSink first;
  ASSERT_TRUE(Run(first).ok());
  for (const char* rows : {"u1,a,1\nu2,z,2\nu3,c,3\n", "u9,q,9\n"}) {
    WriteRows(rows);
    RecordingSink second;
    const ImportReport report = *Run(second);
    EXPECT_TRUE(report.changed);
    EXPECT_EQ(report.skipped, 0u);
    EXPECT_EQ(report.accepted, report.rows);
    EXPECT_FALSE(std::filesystem::exists(options_.rejects_path));  // those of the file before
  }
}

TEST_F(ImporterTest, MovieLensFilmsCarryYearGenresAndTags) {
  std::ofstream(dir_ + "/movies.csv")
      << "movieId,title,genres\n1,\"Toy Story, The (1995)\",Animation|Children\n2,Odd,(no genres listed)\n";
  std::ofstream(dir_ + "/ratings.csv") << "userId,movieId,rating,timestamp\n9,1,4.5,1260759144\n";
  std::ofstream(dir_ + "/tags.csv") << "userId,movieId,tag,timestamp\n9,1,Pixar,1\n8,1,pixar,1\n8,1,Fun,1\n";
  RecordingSink sink;
  const auto report = ImportMovieLens(dir_, sink, dir_, dir_, 100, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(
      sink.items,
      ElementsAre(
          R"j({"id":"1","title":"Toy Story, The (1995)","categories":["Animation","Children"],"attributes":{"year":1995,"tags":["pixar","fun"]}})j",
          R"j({"id":"2","title":"Odd"})j"));
  EXPECT_THAT(
      sink.events,
      ElementsAre(StartsWith(
          R"j({"user":"9","item":"1","value":4.5,"event_time_us":1260759144000000,"type":"rating","client_id":")j")));
  EXPECT_FALSE(ImportMovieLens(dir_ + "/nowhere", sink, dir_, dir_, 100, nullptr).ok());
}

}  // namespace
}  // namespace bowerbird::ingest
