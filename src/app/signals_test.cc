// Signals through a whole app: stamped at intake, folded, read in a profile, recorded with what is served, made again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "absl/synchronization/notification.h"
#include "app/app.h"
#include "app/check_skew.h"
#include "app/signals_report.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SignalsAppTest : public testing::Test {
 protected:
  SignalsAppTest() {
    fs::remove_all(dir_);
    EXPECT_TRUE(App::InitFolder(dir_, "default", ConfigText("1h")).ok());
  }
  static std::string ConfigText(std::string_view half_life) {
    return config::StarterText() + fmt::format(R"(
[signals.affinity]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "{}"
owner = "growth"
[signals.brands]
kind = "top_k"
of = "item.brand"
on = ["click", "save"]
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
)",
                                               half_life);
  }
  void WriteConfig(const std::string& text) const {
    std::ofstream(App::Folder(dir_, "default") + "/bowerbird.toml") << text;
  }
  std::unique_ptr<App> Open(bool consume = true) const {
    App::Options options;
    options.dir = dir_;
    options.consume = consume;
    auto app = App::Open(options);
    EXPECT_TRUE(app.ok()) << app.status();
    return *std::move(app);
  }
  static void Send(App& app, const v1::Event& event) {
    absl::Notification done;
    app.collector().CollectEvents({event}, collect::Collector::Source::kLive,
                                  [&](const absl::StatusOr<collect::CollectResult>& result) {
                                    EXPECT_TRUE(result.ok() && result->accepted == 1);
                                    done.Notify();
                                  });
    done.WaitForNotification();
  }
  static void Send(App& app, const std::string& user, const std::string& type, const std::string& item) {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item(item);
    Send(app, event);
  }
  static void PutItems(App& app) {
    for (int i = 0; i < 12; ++i) {
      v1::Item item;
      item.set_id(fmt::format("i{}", i));
      item.add_categories(fmt::format("c{}", i % 3));
      (*item.mutable_attributes())["brand"].set_string_value(fmt::format("m{}", i % 2));
      ASSERT_TRUE(app.catalog_intake().Put(item).ok());
    }
  }
  static void Ask(App& app, const std::string& user) {
    absl::Notification current;
    app.WhenUserCurrent(user, [&] { current.Notify(); });
    current.WaitForNotification();
    v1::RecommendRequest request;
    request.set_surface("home");
    request.set_user(user);
    const auto answer = app.engine().Recommend(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
  }
  /// Users act and ask by turns; one of them was anonymous at first.
  static void Live(App& app) {
    for (int turn = 0; turn < 60; ++turn) {
      const std::string user = fmt::format("u{}", turn % 4);
      Send(app, user, turn % 5 == 0 ? "save" : "click", fmt::format("i{}", turn % 12));
      Ask(app, user);
    }
    Send(app, "anon", "click", "i1");
    Ask(app, "anon");
    v1::Event identify;
    identify.set_type("identify");
    identify.set_user("u0");
    identify.set_anonymous("anon");
    Send(app, identify);
    Ask(app, "u0");
    Send(app, "anon", "click", "i2");
    Ask(app, "anon");
    Ask(app, "nobody");
  }
  absl::StatusOr<SkewReport> Skew(std::vector<std::string>* differences) const {
    const auto app = Open(/*consume=*/false);
    return CheckSkew(*app, 0, std::numeric_limits<int64_t>::max(), dir_ + "/skew",
                     [&](const std::string& difference) { differences->push_back(difference); });
  }
  const std::string dir_ = testing::TempDir() + "/signals_app_test";
};

TEST_F(SignalsAppTest, WhatWasServedIsMadeAgainFromTheLogToTheLastBit) {
  {
    const auto app = Open();
    PutItems(*app);
    Live(*app);
  }
  std::vector<std::string> differences;
  const auto report = Skew(&differences);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(differences, IsEmpty());
  EXPECT_EQ(report->requests, 64u);
  EXPECT_EQ(report->compared, 64u * 3);
  EXPECT_GT(report->counted, 180u);
  EXPECT_EQ(report->not_served, 0u);
}

TEST_F(SignalsAppTest, AChangedHalfLifeIsSkew) {
  {
    const auto app = Open();
    PutItems(*app);
    Live(*app);
  }
  WriteConfig(ConfigText("2h"));
  std::vector<std::string> differences;
  const auto report = Skew(&differences);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->differences, 64u);
  EXPECT_THAT(differences, Each(AllOf(HasSubstr("affinity"), HasSubstr("half_life_us=7200000000"))));
}

TEST_F(SignalsAppTest, AProfileSaysThem) {
  const auto app = Open();
  PutItems(*app);
  for (const char* item : {"i0", "i3", "i1"}) Send(*app, "ann", "click", item);
  Ask(*app, "ann");
  v1::ProfileRequest request;
  request.set_id("ann");
  v1::ProfileResponse profile;
  const absl::Status read = app->engine().Profile(request, &profile);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_EQ(profile.lifecycle(), "new");
  ASSERT_EQ(profile.signals_size(), 3);
  const v1::ProfileSignal &affinity = profile.signals(0), &brands = profile.signals(1), &clicks = profile.signals(2);
  EXPECT_EQ(affinity.name(), "affinity");
  EXPECT_FALSE(affinity.has_number());
  ASSERT_EQ(affinity.keys_size(), 2);
  EXPECT_EQ(affinity.keys(0).key(), "c0");
  EXPECT_NEAR(affinity.keys(0).number(), 2, 0.01);
  ASSERT_EQ(brands.items_size(), 2);
  EXPECT_EQ(brands.items(0).value(), "m1");
  EXPECT_EQ(brands.items(0).count(), 2);
  EXPECT_EQ(clicks.number(), 3);
  EXPECT_GT(clicks.newest_us(), 0);
  ASSERT_EQ(profile.short_interests_size(), 2);
  EXPECT_EQ(profile.short_interests(0).category(), "c0");
  EXPECT_EQ(profile.short_interests(0).actions(), 2u);
}

TEST_F(SignalsAppTest, AReportSaysWhoHasAValueAndWhoOwnsIt) {
  const auto app = Open();
  PutItems(*app);
  Send(*app, "ann", "click", "i0");
  Send(*app, "bob", "impression", "i0");
  Ask(*app, "ann");
  Ask(*app, "bob");
  const auto report = ReportSignals(*app);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->users(), 2u);
  EXPECT_EQ(report->sampled_share(), 1);
  ASSERT_EQ(report->signals_size(), 3);
  EXPECT_EQ(report->signals(0).owner(), "growth");
  EXPECT_EQ(report->signals(0).users(), 1u);
  EXPECT_EQ(report->signals(0).null_rate(), 0.5);
  EXPECT_GT(report->signals(0).bytes(), 17u);
  // From one user on, it is an estimate.
  const auto sampled = ReportSignals(*app, 1);
  ASSERT_TRUE(sampled.ok()) << sampled.status();
  EXPECT_LT(sampled->sampled_share(), 1);
}

TEST_F(SignalsAppTest, AnAddedOneNeedsTheAppToBeOpenedAgainAndHasItsHistoryThen) {
  {
    const auto app = Open();
    PutItems(*app);
    Live(*app);
    WriteConfig(ConfigText("1h") + "[signals.saves]\nkind = \"count\"\non = [\"save\"]\nwindow = \"1d\"\n");
    const absl::Status refused = app->ReloadConfig().status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused));
    EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("signals.saves"), Not(HasSubstr("signals.clicks"))));
  }
  const auto app = Open();
  v1::ProfileRequest request;
  request.set_id("u0");
  v1::ProfileResponse profile;
  ASSERT_TRUE(app->engine().Profile(request, &profile).ok());
  EXPECT_EQ(profile.signals(3).number(), 3);
}

}  // namespace
}  // namespace bowerbird::app
