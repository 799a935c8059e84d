#include "server/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "contract/manual_clock.h"

namespace bowerbird::server {
namespace {

using testing::HasSubstr;

constexpr int64_t kHourUs = 3'600'000'000;

class KeysTest : public testing::Test {
 protected:
  KeysTest() { std::filesystem::remove(path_); }
  std::unique_ptr<Keys> Open() { return *Keys::Open(path_, &clock_); }
  static std::string Make(Keys& keys, const std::vector<std::string>& scopes, const std::string& app = "shop") {
    return keys.Create({.name = "web", .app = app, .scopes = scopes})->secret;
  }
  const std::string path_ = testing::TempDir() + "/bowerbird_keys_test.json";
  log::ManualClock clock_;
};

TEST_F(KeysTest, AKeyIsFoundAfterReopenAndItsSecretIsNotStored) {
  const std::string secret = Make(*Open(), {"collect"});
  const auto keys = Open();
  const auto key = keys->Find(secret);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->app, "shop");
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

TEST_F(KeysTest, AKeyForEventsAloneMayBePublic) {
  const auto keys = Open();
  const auto page = keys->Find(Make(*keys, {"events"}));
  EXPECT_TRUE(page->Allows("events"));
  for (const char* scope : {"collect", "serve", "admin"}) EXPECT_FALSE(page->Allows(scope)) << scope;
  EXPECT_TRUE(keys->Find(Make(*keys, {"collect"}))->Allows("events"));
}

TEST_F(KeysTest, ARevokedKeyIsGoneAtOnce) {
  const auto keys = Open();
  const std::string secret = Make(*keys, {"admin"});
  EXPECT_TRUE(keys->Find(secret)->Allows("serve"));
  EXPECT_FALSE(keys->Find(secret)->Allows("operator"));
  EXPECT_TRUE(keys->Revoke(keys->List()[0].id).ok());
  EXPECT_EQ(keys->Find(secret), nullptr);
  EXPECT_TRUE(absl::IsNotFound(keys->Revoke("key_none")));
}

TEST_F(KeysTest, TheEndOfAnAppEndsItsKeysAndNoOthers) {
  const auto keys = Open();
  const std::string shop = Make(*keys, {"serve"}), news = Make(*keys, {"serve"}, "news"),
                    operates = Make(*keys, {"operator"});
  EXPECT_EQ(keys->Find(operates)->app, "");
  ASSERT_TRUE(keys->RevokeApp("shop").ok());
  EXPECT_EQ(keys->Find(shop), nullptr);
  EXPECT_NE(keys->Find(news), nullptr);
  EXPECT_NE(keys->Find(operates), nullptr);
}

TEST_F(KeysTest, ARotatedSecretIsTakenUntilTheOverlapEnds) {
  const auto keys = Open();
  const std::string first = Make(*keys, {"serve"});
  const std::string id = keys->List()[0].id;
  const std::string second = keys->Rotate(id, kHourUs)->secret;
  EXPECT_EQ(keys->Find(first)->id, id);
  EXPECT_EQ(keys->Find(second)->id, id);
  EXPECT_EQ(Open()->Find(first)->id, id);
  clock_.Set(clock_.NowUs() + kHourUs);
  EXPECT_EQ(keys->Find(first), nullptr);
  EXPECT_NE(keys->Find(second), nullptr);
  const std::string third = keys->Rotate(id, 0)->secret;
  EXPECT_EQ(keys->Find(second), nullptr);
  EXPECT_EQ(Open()->Find(third)->id, id);
  EXPECT_FALSE(keys->Rotate("key_none", 0).ok());
}

TEST_F(KeysTest, AQuotaOutlivesWhatAnotherProcessDoesToTheFile) {
  const auto keys = Open();
  const std::string secret =
      keys->Create({.name = "a", .app = "shop", .scopes = {"serve"}, .quota = {.requests_per_second = 10}})->secret;
  keys->Find(secret)->left->requests.Take(1'000, 1);
  ASSERT_TRUE(Open()->Create({.name = "b", .app = "shop", .scopes = {"serve"}}).ok());
  // A change takes the file as it is now, and so sees the other process's key.
  ASSERT_TRUE(keys->Create({.name = "c", .app = "shop", .scopes = {"serve"}}).ok());
  EXPECT_EQ(keys->List().size(), 3u);
  EXPECT_GT(keys->Find(secret)->left->requests.WaitUs(1), 0);
  EXPECT_EQ(Open()->Find(secret)->quota.requests_per_second, 10);
}

TEST_F(KeysTest, SeesAKeyThatAnotherProcessMade) {
  const auto keys = Open();
  EXPECT_EQ(keys->Find("bb_none"), nullptr);
  const std::string secret = Make(*Open(), {"serve"});
  std::shared_ptr<const ApiKey> found;
  for (int i = 0; i < 100 && found == nullptr; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    found = keys->Find(secret);
  }
  EXPECT_NE(found, nullptr);
}

TEST_F(KeysTest, AFileOfBeforeThereWereAppsIsOfTheDefaultOne) {
  std::ofstream(path_) << R"({"keys":[{"id":"key_1","name":"web","hash":"00","created_us":1,"scopes":["admin"]}]})";
  EXPECT_EQ(Open()->List()[0].app, "default");
}

TEST_F(KeysTest, RefusesUnknownScopesNoAppBadQuotasAndForeignFiles) {
  const auto keys = Open();
  EXPECT_FALSE(keys->Create({.name = "x", .app = "shop", .scopes = {"root"}}).ok());
  EXPECT_FALSE(keys->Create({.name = "x", .app = "shop"}).ok());
  EXPECT_THAT(std::string(keys->Create({.name = "x", .scopes = {"serve"}}).status().message()), HasSubstr("app"));
  EXPECT_FALSE(keys->Create({.name = "x", .app = "a", .scopes = {"serve"}, .quota = {.events_per_second = -1}}).ok());
  EXPECT_TRUE(keys->List().empty());
  std::ofstream(path_) << "not json";
  EXPECT_FALSE(Keys::Open(path_).ok());
}

}  // namespace
}  // namespace bowerbird::server
