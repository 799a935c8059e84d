#include "remote/remote_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "store/file.h"

namespace bowerbird::remote {
namespace {

class RemoteFilesTest : public testing::Test {
 protected:
  RemoteFilesTest() {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    files_ = *RemoteFiles::Open(dir_ + "/elsewhere");
  }
  const std::string dir_ = testing::TempDir() + "bowerbird_remote_files_test";
  std::unique_ptr<RemoteFiles> files_;
};

TEST_F(RemoteFilesTest, WhatIsPutIsFoundAgain) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(store::AtomicWriteFile(dir_ + "/one", bytes).ok());
  ASSERT_TRUE(files_->Put(dir_ + "/one", "app/1/one").ok());
  ASSERT_TRUE(files_->PutText("text", "app/1/manifest.json").ok());
  ASSERT_TRUE(files_->PutText("text", "app/2/manifest.json").ok());
  ASSERT_TRUE(files_->Get("app/1/one", dir_ + "/back").ok());
  EXPECT_EQ(*store::ReadFile(dir_ + "/back"), bytes);
  EXPECT_EQ(*files_->GetText("app/1/manifest.json"), "text");
  EXPECT_THAT(*files_->List("app"), testing::ElementsAre("1", "2"));
  EXPECT_THAT(*files_->List("app/1"), testing::ElementsAre("manifest.json", "one"));
}

TEST_F(RemoteFilesTest, WhatIsNotThereIsSaid) {
  EXPECT_TRUE(files_->List("app")->empty());
  EXPECT_TRUE(absl::IsNotFound(files_->GetText("app/x").status()));
  EXPECT_TRUE(absl::IsNotFound(files_->Get("app/x", dir_ + "/x")));
  EXPECT_TRUE(files_->DeleteFolder("app").ok());
}

TEST_F(RemoteFilesTest, AFolderGoesWithEverythingInIt) {
  ASSERT_TRUE(files_->PutText("a", "app/1/a").ok());
  ASSERT_TRUE(files_->PutText("b", "app/2/b").ok());
  ASSERT_TRUE(files_->DeleteFolder("app/1").ok());
  EXPECT_THAT(*files_->List("app"), testing::ElementsAre("2"));
}

TEST_F(RemoteFilesTest, NamesDoNotLeadOutside) {
  for (const char* name : {"", "/etc/passwd", "../a", "a/../../b", "a/./b", "a//b/.."}) {
    EXPECT_TRUE(absl::IsInvalidArgument(files_->PutText("x", name))) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(files_->GetText(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(files_->DeleteFolder(name))) << name;
  }
}

}  // namespace
}  // namespace bowerbird::remote
