#include "store/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/hash.h"
#include "fmt/format.h"

namespace bowerbird::store {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "store_file_test_" + base::HexEncode(base::RandomBytes(6));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string folder_;
};

std::string Bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 + (i >> 8));
  return bytes;
}

TEST_F(FileTest, ReadsBackWhatWasWrittenAtEverySizeOfInterest) {
  for (const size_t size : {0UL, 1UL, 4095UL, 4096UL, (1UL << 20) - 1, 1UL << 20, (1UL << 20) + 1}) {
    const std::string bytes = Bytes(size);
    ASSERT_TRUE(AtomicWriteFile(Path("f"), bytes).ok());
    EXPECT_EQ(*ReadFile(Path("f")), bytes);
    EXPECT_EQ(*ChecksumFile(Path("f")), fmt::format("{:016x}", base::Hash64(bytes)));
    auto mapped = MappedFile::Open(Path("f"));
    ASSERT_TRUE(mapped.ok());
    EXPECT_EQ(mapped->bytes(), bytes);
  }
}

TEST_F(FileTest, AtomicWriteReplacesAndLeavesNoTemporaryFile) {
  ASSERT_TRUE(AtomicWriteFile(Path("f"), "old").ok());
  ASSERT_TRUE(AtomicWriteFile(Path("f"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("f")), "new");
  EXPECT_FALSE(std::filesystem::exists(Path("f.tmp")));
}

TEST_F(FileTest, AtomicWriteOverALeftoverOfACrashTakesNothingFromIt) {
  std::ofstream(Path("f.tmp")) << "a longer leftover of a crash";
  ASSERT_TRUE(AtomicWriteFile(Path("f"), "short").ok());
  EXPECT_EQ(*ReadFile(Path("f")), "short");
}

TEST_F(FileTest, ASecretIsForItsOwnerAloneWhateverACrashLeft) {
  std::ofstream(Path("f.tmp")) << "a leftover that everybody may read";
  ASSERT_TRUE(AtomicWriteFile(Path("f"), "secret", Privacy::kSecret).ok());
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(Path("f")).permissions(), perms::owner_read | perms::owner_write);
  EXPECT_EQ(*ReadFile(Path("f")), "secret");
}

TEST_F(FileTest, FailedAtomicWriteKeepsTheOldBytes) {
  std::filesystem::create_directories(Path("folder/inside"));
  EXPECT_FALSE(AtomicWriteFile(Path("folder"), "bytes").ok());
  EXPECT_TRUE(std::filesystem::is_directory(Path("folder/inside")));
  EXPECT_FALSE(std::filesystem::exists(Path("folder.tmp")));
}

TEST_F(FileTest, NamesWhatIsMissing) {
  for (const absl::Status& status :
       {ReadFile(Path("none")).status(), ChecksumFile(Path("none")).status(), MappedFile::Open(Path("none")).status(),
        SyncFile(Path("none")), SyncFolder(Path("none")), AtomicWriteFile(Path("none/f"), "x")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status.ToString();
    EXPECT_NE(std::string(status.message()).find(Path("none")), std::string::npos) << status.ToString();
  }
}

TEST_F(FileTest, MappingMovesWithItsOwner) {
  ASSERT_TRUE(AtomicWriteFile(Path("f"), "mapped").ok());
  MappedFile first = *MappedFile::Open(Path("f"));
  MappedFile second = std::move(first);
  EXPECT_EQ(second.bytes(), "mapped");
  MappedFile third;
  third = std::move(second);
  EXPECT_EQ(third.bytes(), "mapped");
  std::filesystem::remove(Path("f"));
  EXPECT_EQ(third.bytes(), "mapped");
}

}  // namespace
}  // namespace bowerbird::store
