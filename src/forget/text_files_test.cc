#include "forget/text_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fmt/format.h"
#include "store/file.h"

namespace bowerbird::forget {
namespace {

class TextFilesTest : public testing::Test {
 protected:
  TextFilesTest() : path_(std::filesystem::temp_directory_path() / fmt::format("bowerbird_text_files_{}", getpid())) {}
  ~TextFilesTest() override { std::filesystem::remove(path_); }
  std::string Masked(LineForm form, const std::string& text, std::vector<std::string> ids) {
    std::ofstream(path_) << text;
    const auto count = MaskIds(path_, form, ids);
    EXPECT_TRUE(count.ok()) << count.status();
    return *store::ReadFile(path_);
  }
  const std::string path_;
};

TEST_F(TextFilesTest, ARejectedRowLosesTheIdAndNothingElse) {
  EXPECT_EQ(Masked(LineForm::kRejectedRow,
                   "7\trating: found 7\tann,7,joanna,ann-lee,\"ann\"\n8\tuser: found \"ann\"\tx\n", {"ann", "7"}),
            "7\trating: found *\t***,*,joanna,ann-lee,\"***\"\n8\tuser: found \"***\"\tx\n");
}

TEST_F(TextFilesTest, OnlyTheDetailOfAnAuditEntryIsLookedAt) {
  const std::string before = R"({"time":"2026-11-27T11:11:11Z","who":"ann","detail":")";
  const std::string after = R"(","status":200})";
  EXPECT_EQ(Masked(LineForm::kAuditEntry, before + "select 'ann', 11" + after + "\n", {"ann", "11", "200"}),
            before + "select '***', **" + after + "\n");
  EXPECT_EQ(Masked(LineForm::kAuditEntry, "no entry: ann\n", {"ann"}), "no entry: ann\n");
}

TEST_F(TextFilesTest, FindsTheIdAsJsonWritesIt) {
  const std::string before = R"({"detail":"x )", after = R"( y","status":200})";
  EXPECT_EQ(Masked(LineForm::kAuditEntry, before + R"(a\"b\\c)" + after, {"a\"b\\c"}), before + "*******" + after);
}

TEST_F(TextFilesTest, NoFileIsNothingToDo) { EXPECT_EQ(*MaskIds(path_ + ".none", LineForm::kRejectedRow, {}), 0u); }

}  // namespace
}  // namespace bowerbird::forget
