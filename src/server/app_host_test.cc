#include "server/app_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "config/config.h"

namespace bowerbird::server {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

class AppHostTest : public testing::Test {
 protected:
  AppHostTest() {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  AppHost::Options Options() const { return {.dir = dir_, .pipeline = false}; }
  const std::string dir_ = testing::TempDir() + "/app_host_test";
};

auto Is(const std::string& name, const std::string& status) {
  return AllOf(Field(&AppHost::Listed::name, name), Field(&AppHost::Listed::status, status));
}

TEST_F(AppHostTest, AnAppThatCannotBeOpenedLeavesTheOthersAlone) {
  for (const char* name : {"a", "b"}) ASSERT_TRUE(app::App::InitFolder(dir_, name, config::StarterText()).ok());
  std::ofstream(dir_ + "/apps/a/bowerbird.toml") << "[app]\ncolour = 1\n";
  AppHost host(Options());
  host.OpenAll();
  EXPECT_THAT(host.List(), ElementsAre(Is("a", "failed"), Is("b", "open")));
  EXPECT_THAT(host.List()[0].detail, HasSubstr("bowerbird.toml:2: app.colour"));
  EXPECT_TRUE(host.Find("b").ok());
  EXPECT_TRUE(absl::IsUnavailable(host.Find("a").status()));
  EXPECT_TRUE(absl::IsNotFound(host.Find("c").status()));
}

TEST_F(AppHostTest, WithoutANameItIsDefaultOrTheOnlyOne) {
  AppHost host(Options());
  ASSERT_TRUE(host.Create("b", "").ok());
  EXPECT_EQ((*host.Find(""))->name(), "b");
  ASSERT_TRUE(host.Create("c", "").ok());
  EXPECT_TRUE(absl::IsNotFound(host.Find("").status()));
  ASSERT_TRUE(host.Create("default", "").ok());
  EXPECT_EQ((*host.Find(""))->name(), "default");
}

TEST_F(AppHostTest, RefusesToMakeWhatIsThereOrHasNoProperNameOrConfig) {
  AppHost host(Options());
  EXPECT_TRUE(absl::IsInvalidArgument(host.Create("../x", "")));
  EXPECT_TRUE(absl::IsInvalidArgument(host.Create("", "")));
  const absl::Status refused = host.Create("a", "[app]\ncolour = 1\n");
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("bowerbird.toml:2"));
  EXPECT_FALSE(fs::exists(dir_ + "/apps/a"));
  ASSERT_TRUE(host.Create("a", "").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(host.Create("a", "")));
}

TEST_F(AppHostTest, ARemovalLetsWhoeverUsesTheAppFinish) {
  AppHost host(Options());
  ASSERT_TRUE(host.Create("a", "").ok());
  std::shared_ptr<HostedApp> in_use = *host.Find("a");
  absl::StatusOr<AppHost::Removed> removed = absl::UnknownError("not removed yet");
  std::atomic<bool> moved = false;
  std::thread removing([&] {
    removed = host.Remove("a", false, [&] {
      moved = true;
      return absl::OkStatus();
    });
  });
  while (host.Find("a").ok()) std::this_thread::yield();
  EXPECT_THAT(host.List(), ElementsAre(Is("a", "closing")));
  EXPECT_TRUE(in_use->app().Health().ok());
  EXPECT_FALSE(moved);
  in_use.reset();
  removing.join();
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_TRUE(fs::exists(removed->moved_to + "/bowerbird.toml"));
  EXPECT_FALSE(fs::exists(dir_ + "/apps/a"));
  EXPECT_TRUE(host.List().empty());
  EXPECT_TRUE(host.Create("a", "").ok());
}

TEST_F(AppHostTest, ARemovalThatUsersOutlastIsTakenUpAgain) {
  AppHost::Options options = Options();
  options.drain_us = 1'000;
  AppHost host(options);
  ASSERT_TRUE(host.Create("a", "").ok());
  std::shared_ptr<HostedApp> in_use = *host.Find("a");
  EXPECT_TRUE(absl::IsUnavailable(host.Remove("a", false).status()));
  EXPECT_TRUE(fs::exists(dir_ + "/apps/a"));
  in_use.reset();
  EXPECT_TRUE(host.Remove("a", true).ok());
  EXPECT_TRUE(fs::is_empty(dir_ + "/removed"));
}

TEST_F(AppHostTest, AnAppThatFailedCanBeRemoved) {
  ASSERT_TRUE(app::App::InitFolder(dir_, "a", "not a config").ok());
  AppHost host(Options());
  host.OpenAll();
  EXPECT_TRUE(host.Remove("a", false).ok());
  EXPECT_TRUE(host.List().empty());
}

TEST_F(AppHostTest, AReloadOpensWhatFailedAndReopensOnlyWhenAsked) {
  ASSERT_TRUE(app::App::InitFolder(dir_, "a", "not a config").ok());
  AppHost host(Options());
  host.OpenAll();
  EXPECT_TRUE(absl::IsInvalidArgument(host.Reload("a", false).status()));
  std::ofstream(dir_ + "/apps/a/bowerbird.toml") << config::StarterText();
  EXPECT_TRUE(*host.Reload("a", false));
  EXPECT_THAT(host.List(), ElementsAre(Is("a", "open")));
  // A weight of events is part of what state means.
  std::ofstream(dir_ + "/apps/a/bowerbird.toml") << config::StarterText() << "\n[events.click]\nweight = 9\n";
  EXPECT_TRUE(absl::IsFailedPrecondition(host.Reload("a", false).status()));
  EXPECT_TRUE(*host.Reload("a", true));
  EXPECT_EQ((*host.Find("a"))->app().config()->FindEventType("click")->weight, 9);
  // A file with a problem closes nothing.
  std::ofstream(dir_ + "/apps/a/bowerbird.toml") << "[app]\ncolour = 1\n";
  EXPECT_TRUE(absl::IsInvalidArgument(host.Reload("a", true).status()));
  EXPECT_TRUE((*host.Find("a"))->app().Health().ok());
  EXPECT_TRUE(absl::IsNotFound(host.Reload("b", false).status()));
}

}  // namespace
}  // namespace bowerbird::server
