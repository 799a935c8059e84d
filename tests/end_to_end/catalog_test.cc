#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::Contains;
using testing::Not;

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() {
    MakeSmallWorld(folder_.path(), 90, 60);
    dir_ = folder_.path() + "/data";
  }
  static std::vector<std::string> Feed(server::HttpClient& client, const std::string& user, uint32_t n = 200) {
    const auto answer =
        client.Call("POST", "/v1/recommend", fmt::format(R"({{"surface":"home","user":"{}","n":{}}})", user, n));
    EXPECT_TRUE(answer.ok() && answer->status == 200) << (answer.ok() ? answer->body : "");
    return answer.ok() ? ItemIds(answer->body) : std::vector<std::string>();
  }
  const TemporaryFolder folder_;
  std::string dir_;
};

TEST_F(CatalogTest, WhatIsWithdrawnDeletedOrSoldOutIsNeverServedFromTheMomentTheCallReturns) {
  RunningServer server(dir_);
  auto client = server.Client();
  for (int round = 0; round < 10; ++round) {
    const std::vector<std::string> before = Feed(client, "new visitor");
    ASSERT_GT(before.size(), 10u);
    const std::string& id = before[static_cast<size_t>(round) % before.size()];
    const auto change = round % 3 == 0   ? client.Call("POST", "/v1/items/" + id + ":withdraw", "")
                        : round % 3 == 1 ? client.Call("DELETE", "/v1/items/" + id, "")
                                         : client.Call("PATCH", "/v1/items/" + id, R"({"available":false})");
    ASSERT_EQ(change->status, 200) << change->body;
    EXPECT_THAT(Feed(client, "new visitor"), Not(Contains(id)));
    EXPECT_THAT(Feed(client, "u1"), Not(Contains(id)));
  }
}

TEST_F(CatalogTest, AWithdrawnItemComesBackWithItsNextUpsertAndSurvivesARestart) {
  std::string id;
  {
    RunningServer server(dir_);
    auto client = server.Client();
    id = Feed(client, "new visitor")[0];
    ASSERT_EQ(client.Call("POST", "/v1/items/" + id + ":withdraw", "")->status, 200);
    server.Stop(SIGKILL);
  }
  RunningServer server(dir_);
  auto client = server.Client();
  EXPECT_THAT(Feed(client, "new visitor"), Not(Contains(id)));
  ASSERT_EQ(client.Call("PUT", "/v1/items/" + id, R"({"title":"Back","categories":["c0"]})")->status, 200);
  EXPECT_THAT(Feed(client, "new visitor"), Contains(id));
}

TEST_F(CatalogTest, AFullFeedWithdrawsWhatIsGone) {
  RunningServer server(dir_);
  auto client = server.Client();
  ASSERT_EQ(client.Call("POST", "/v1/items:batch", R"({"upsert":[{"id":"i1","title":"A"}],"feed":"monday"})")->status,
            200);
  const auto end =
      client.Call("POST", "/v1/items:batch", R"({"upsert":[{"id":"i2","title":"B"}],"feed":"monday","feed_end":true})");
  ASSERT_EQ(end->status, 200) << end->body;
  EXPECT_EQ(At(end->body, "/withdrawn"), "88");
  std::vector<std::string> feed = Feed(client, "new visitor");
  std::sort(feed.begin(), feed.end());
  EXPECT_THAT(feed, testing::ElementsAre("i1", "i2"));
}

TEST_F(CatalogTest, ANewItemIsServedAtOnceAndANewUserAfterTheFirstAction) {
  RunningServer server(dir_);
  auto client = server.Client();
  ASSERT_EQ(client.Call("PUT", "/v1/items/brand-new", R"({"title":"Brand new","categories":["c1"]})")->status, 200);
  EXPECT_THAT(Feed(client, "new visitor"), Contains("brand-new"));

  const std::vector<std::string> before = Feed(client, "someone", 10);
  ASSERT_EQ(client.Call("POST", "/v1/events", R"({"events":[{"type":"save","user":"someone","item":"i4"}]})")->status,
            200);
  const std::vector<std::string> after = Feed(client, "someone", 10);
  EXPECT_NE(before, after);
  // i4 is of category c1, whose items are 1, 4, 7, ...: the page moves there.
  const auto of_c1 = [](const std::vector<std::string>& ids) {
    return std::count_if(ids.begin(), ids.end(),
                         [](const std::string& id) { return id == "brand-new" || std::stoi(id.substr(1)) % 3 == 1; });
  };
  EXPECT_GT(of_c1(after), of_c1(before));
}

/// Damages the newest snapshot in one way; the version before it must serve on.
void Damage(const std::string& dir, bool truncate) {
  const std::filesystem::path root = std::filesystem::path(dir) / "apps/default/artifacts/snapshot/default";
  std::vector<std::string> versions;
  for (const auto& entry : std::filesystem::directory_iterator(root))
    versions.push_back(entry.path().filename().string());
  std::sort(versions.begin(), versions.end());
  ASSERT_GE(versions.size(), 2u);
  const std::filesystem::path file = root / versions.back() / "snapshot.bb";
  const auto size = std::filesystem::file_size(file);
  if (truncate) {
    std::filesystem::resize_file(file, size / 2);
  } else {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(size / 3));
    const char byte = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(static_cast<std::streamoff>(size / 3));
    stream.put(byte);
  }
}

TEST_F(CatalogTest, ADamagedSnapshotIsRefusedAndThePreviousOneServesOn) {
  for (const bool truncate : {false, true}) {
    ASSERT_EQ(RunProgram({"index", "build", "--dir", dir_}).exit_status, 0);
    const std::string newest =
        At(RunningServer(dir_).Client().Call("POST", "/v1/recommend", R"({"surface":"home"})")->body, "/snapshot");
    Damage(dir_, truncate);
    RunningServer server(dir_);
    auto client = server.Client();
    const auto answer = client.Call("POST", "/v1/recommend", R"({"surface":"home","user":"u1"})");
    EXPECT_EQ(answer->status, 200);
    EXPECT_NE(At(answer->body, "/snapshot"), newest);
    EXPECT_NE(At(answer->body, "/snapshot"), "");
    EXPECT_FALSE(ItemIds(answer->body).empty());
  }
}

}  // namespace
}  // namespace bowerbird::end_to_end
