// What the log has dropped, in a whole app: it is in the lake before it goes, and what is made again has it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <fstream>

#include "absl/synchronization/notification.h"
#include "app/app.h"
#include "app/history.h"
#include "contract/manual_clock.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;
using log::Topic;
using testing::HasSubstr;

constexpr int64_t kHourUs = 3'600'000'000;

class PastTest : public testing::Test {
 protected:
  PastTest() {
    fs::remove_all(dir_);
    clock_.Set(1'800'000'000'000'000);
    EXPECT_TRUE(App::InitFolder(dir_, "default", kConfig).ok());
    Open();
  }
  ~PastTest() override { app_.reset(); }

  static inline const std::string kConfig = config::StarterText() + R"(
[signals.clicks]
kind = "count"
on = ["click"]
window = "30d"
)";
  void Open(bool consume = true) {
    app_.reset();
    App::Options options;
    options.dir = dir_;
    options.clock = &clock_;
    options.consume = consume;
    auto app = App::Open(options);
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  void WriteConfig(const std::string& text) const {
    std::ofstream(App::Folder(dir_, "default") + "/bowerbird.toml") << text;
  }
  void Send(const std::string& user, const std::string& type, const std::string& item, const std::string& id) {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item(item);
    event.set_client_id(id);
    absl::Notification done;
    app_->collector().CollectEvents({event}, collect::Collector::Source::kLive,
                                    [&](const absl::StatusOr<collect::CollectResult>& result) {
                                      EXPECT_TRUE(result.ok() && result->accepted == 1);
                                      done.Notify();
                                    });
    done.WaitForNotification();
  }
  /// Five users, of whom each clicks twice as often as the one before.
  void Live(int from) {
    for (int i = from; i < from + 62; ++i) {
      const std::string user = fmt::format("u{}", std::bit_width(static_cast<unsigned>(i - from + 2)) - 2);
      Send(user, i % 7 == 0 ? "save" : "click", fmt::format("i{}", i % 9), fmt::format("{}", i / 2));
      clock_.Set(clock_.NowUs() + 1'000'000);
    }
    ASSERT_TRUE(app_->state().CatchUp().ok());
  }
  void DropAll() {
    for (uint32_t p = 0; p < app_->log().PartitionCount(Topic::kEvents); ++p)
      ASSERT_TRUE(app_->log().Truncate(Topic::kEvents, p, *app_->log().EndOffset(Topic::kEvents, p)).ok());
  }
  uint64_t Held(Topic topic) {
    uint64_t records = 0;
    for (uint32_t p = 0; p < app_->log().PartitionCount(topic); ++p)
      records += *app_->log().EndOffset(topic, p) - *app_->log().BeginOffset(topic, p);
    return records;
  }
  double Number(const std::string& user, const std::string& signal) {
    v1::ProfileRequest request;
    request.set_id(user);
    v1::ProfileResponse profile;
    const absl::Status read = app_->engine().Profile(request, &profile);
    EXPECT_TRUE(read.ok()) << read;
    for (const v1::ProfileSignal& one : profile.signals()) {
      if (one.name() == signal) return one.number();
    }
    ADD_FAILURE() << "no signal " << signal;
    return -1;
  }
  /// What is stored is what a replay of log and lake gives.
  void ExpectVerified() {
    Open(/*consume=*/false);
    ASSERT_TRUE(app_->CloseState().ok());
    const std::string folder = App::Folder(dir_, "default");
    const auto report = state::VerifyByReplay(folder + "/state/events", dir_ + "/verify", app_->config(),
                                              &app_->history(), &app_->clock());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
    EXPECT_GT(report->events, 0u);
  }

  const std::string dir_ = testing::TempDir() + "/past_test";
  log::ManualClock clock_;
  std::unique_ptr<App> app_;
};

TEST_F(PastTest, RetentionDropsNothingThatTheLakeDoesNotHave) {
  std::string text = kConfig;
  const std::string for_ever = "retention = \"0s\"";
  ASSERT_NE(text.find(for_ever), std::string::npos);
  WriteConfig(text.replace(text.find(for_ever), for_ever.size(), "retention = \"1h\""));
  Open();
  Live(0);
  clock_.Set(clock_.NowUs() + kHourUs / 2);
  Live(100);
  clock_.Set(clock_.NowUs() + 3 * kHourUs / 4);
  EXPECT_EQ(Held(Topic::kEvents), 124u);
  // Nobody has brought the lake up to here.
  const absl::Status applied = app_->ApplyRetention();
  ASSERT_TRUE(applied.ok()) << applied;
  EXPECT_EQ(Held(Topic::kEvents), 62u);
  uint64_t reached = 0;
  for (uint32_t p = 0; p < app_->log().PartitionCount(Topic::kEvents); ++p)
    reached += *app_->history().EndOffset(Topic::kEvents, p) - *app_->history().BeginOffset(Topic::kEvents, p);
  EXPECT_EQ(reached, 124u);
  ExpectVerified();
}

TEST_F(PastTest, StateThatIsLostIsMadeAgainFromTheLakeToTheLastBit) {
  Live(0);
  ASSERT_TRUE(app_->RunLake().ok());
  DropAll();
  Live(100);
  ExpectVerified();
  Open();
  const double before = Number("u4", "clicks");
  EXPECT_GT(before, 10);
  app_.reset();
  fs::remove_all(App::Folder(dir_, "default") + "/state/events");
  Open();
  EXPECT_EQ(Number("u4", "clicks"), before);
  ExpectVerified();
  // Training sees all of it, too.
  const auto actions = ReadActions(app_->history(), *app_->config(), 0, 2);
  ASSERT_TRUE(actions.ok()) << actions.status();
  EXPECT_EQ(actions->events, 124u);
  const auto left = ReadActions(app_->log(), *app_->config(), 0, 2);
  EXPECT_EQ(left->events, 62u);
  const int64_t second_half_us = 1'800'000'000'000'000 + 31'000'000;
  EXPECT_EQ(ReadActions(app_->history(), *app_->config(), second_half_us, 2)->events, 93u);
}

TEST_F(PastTest, AnAddedSignalHasTheHistoryThatTheLogHasDropped) {
  Live(0);
  ASSERT_TRUE(app_->RunLake().ok());
  DropAll();
  Live(100);
  const double clicks = Number("u3", "clicks");
  WriteConfig(kConfig + "[signals.added]\nkind = \"count\"\non = [\"click\"]\nwindow = \"30d\"\n");
  Open();
  EXPECT_EQ(Number("u3", "added"), clicks);
  EXPECT_EQ(Number("u4", "added"), Number("u4", "clicks"));
  ExpectVerified();
}

TEST_F(PastTest, WhereHistoryHasAHoleStateIsKeptAndTheFileIsNamed) {
  Live(0);
  ASSERT_TRUE(app_->RunLake().ok());
  DropAll();
  const double before = Number("u4", "clicks");
  std::string file;
  for (const auto& entry : fs::recursive_directory_iterator(App::Folder(dir_, "default") + "/lake/events")) {
    if (entry.path().extension() == ".parquet") file = entry.path().lexically_normal();
  }
  fs::resize_file(file, fs::file_size(file) / 2);
  Open();
  EXPECT_EQ(Number("u4", "clicks"), before);
  Open(/*consume=*/false);
  ASSERT_TRUE(app_->CloseState().ok());
  const std::string folder = App::Folder(dir_, "default");
  const absl::Status verified = state::VerifyByReplay(folder + "/state/events", dir_ + "/verify", app_->config(),
                                                      &app_->history(), &app_->clock())
                                    .status();
  EXPECT_EQ(verified.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(verified.message()), HasSubstr(file));
}

}  // namespace
}  // namespace bowerbird::app
