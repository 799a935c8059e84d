#include "server/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace bowerbird::server {
namespace {

class KeysTest : public testing::Test {
 protected:
  KeysTest() { std::filesystem::remove(path_); }
  const std::string path_ = testing::TempDir() + "/bowerbird_keys_test.json";
};

TEST_F(KeysTest, AKeyIsFoundAfterReopenAndItsSecretIsNotStored) {
  auto keys = *Keys::Open(path_);
  const std::string secret = *keys->Create("web", "shop", {"collect"}, 1);
  keys = *Keys::Open(path_);
  const auto key = keys->Find(secret);
  ASSERT_NE(key, nullptr);
  EXPECT_TRUE(key->Allows("collect"));
  EXPECT_FALSE(key->Allows("serve"));
  EXPECT_EQ(keys->Find(secret + "0"), nullptr);
  std::ifstream in(path_);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text.find(secret.substr(3)), std::string::npos);
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(KeysTest, ARevokedKeyIsGoneAtOnce) {
  auto keys = *Keys::Open(path_);
  const std::string secret = *keys->Create("web", "shop", {"admin"}, 1);
  EXPECT_TRUE(keys->Find(secret)->Allows("serve"));
  EXPECT_TRUE(keys->Revoke(keys->List()[0].id).ok());
  EXPECT_EQ(keys->Find(secret), nullptr);
  EXPECT_FALSE(keys->Revoke("key_none").ok());
}

TEST_F(KeysTest, SeesAKeyThatAnotherProcessMade) {
  auto keys = *Keys::Open(path_);
  EXPECT_EQ(keys->Find("bb_none"), nullptr);
  const std::string secret = *(*Keys::Open(path_))->Create("web", "shop", {"serve"}, 1);
  std::shared_ptr<const ApiKey> found;
  for (int i = 0; i < 100 && found == nullptr; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    found = keys->Find(secret);
  }
  EXPECT_NE(found, nullptr);
}

TEST_F(KeysTest, RefusesUnknownScopesAndForeignFiles) {
  auto keys = *Keys::Open(path_);
  EXPECT_FALSE(keys->Create("x", "shop", {"root"}, 1).ok());
  EXPECT_FALSE(keys->Create("x", "shop", {}, 1).ok());
  std::ofstream(path_) << "not json";
  EXPECT_FALSE(Keys::Open(path_).ok());
}

}  // namespace
}  // namespace bowerbird::server
