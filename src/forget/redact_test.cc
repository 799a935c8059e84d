// Users leave a real log, state, catalog and lake. The oracle is the replay: what is stored was folded from the log as
// it was, and must be what the redacted log gives.
#include "forget/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "forget/traces.h"
#include "lake/log_with_history.h"
#include "log/rocks_log.h"
#include "state/events_for_test.h"
#include "state/fold.h"
#include "state/item_signals_for_test.h"
#include "store/file.h"

namespace bowerbird::forget {
namespace {

using log::Topic;
using state::kHourUs;
using state::kSecondUs;
using state::kStartUs;
using state::TestEvent;
using state::TestHasher;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

constexpr uint32_t kPartitions = 4;
constexpr char kFolderVariable[] = "BOWERBIRD_REDACT_CRASH_FOLDER";

/// The stores of an app in one folder.
class Opened {
 public:
  explicit Opened(const std::string& folder) : folder_(folder) {
    // Signals per item of all kinds: what they read of an event is needed when it is folded again.
    config_ = state::ConfigWithSignals(state::ItemSignalsOfAllKinds());
    fs::create_directories(folder);
    log::RocksLogOptions log_options;
    log_options.user_partitions = kPartitions;
    log_options.segment_bytes = 64 << 10;  // so that there are many
    auto log = log::RocksLog::Open(folder + "/log", log_options);
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    auto catalog = catalog::Catalog::Open(folder + "/catalog", config_, TestHasher(), {});
    EXPECT_TRUE(catalog.ok()) << catalog.status();
    catalog_ = *std::move(catalog);
    lake::Lake::Options lake_options;
    lake_options.folder = folder + "/lake";
    lake_options.log = log_.get();
    lake_ = std::make_unique<lake::Lake>(lake_options);
    history_ = std::make_unique<lake::LogWithHistory>(log_.get(), lake_.get());
    auto state = state::State::Open(folder + "/state", config_, history_.get(), &base::SystemClock::Get(), {});
    EXPECT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
    EXPECT_TRUE(state_->CatchUp().ok());
  }

  Stores stores() {
    Stores stores;
    stores.config = config_;
    stores.hasher = TestHasher();
    stores.log = log_.get();
    stores.history = history_.get();
    stores.lake = lake_.get();
    stores.state = state_.get();
    stores.catalog = catalog_.get();
    stores.folder = folder_;
    stores.audit_log = folder_ + "/audit.log";
    return stores;
  }
  log::RocksLog& log() { return *log_; }
  state::State& state() { return *state_; }
  lake::Lake& lake() { return *lake_; }
  catalog::Catalog& catalog() { return *catalog_; }

  void Append(v1::Event event) {
    ASSERT_TRUE(log_->Append({state::ToRecord(event, kPartitions)}).ok());
    ASSERT_TRUE(state_->CatchUp().ok());
  }
  /// As App::ForgetUser.
  void Forget(const std::string& id, int64_t now_us) {
    ASSERT_TRUE(state_->CatchUp().ok());
    const auto people = state_->Identities(TestHasher().User(id), id);
    ASSERT_TRUE(people.ok());
    std::vector<log::AppendRecord> records;
    for (const state::State::Person& person : *people) {
      records.push_back(ForgetRecord(person.key, person.id, now_us, kPartitions));
      records.push_back({Topic::kUsers, catalog::PartitionOf(person.key, kPartitions), person.id, ""});
    }
    ASSERT_TRUE(log_->Append(std::move(records)).ok());
    ASSERT_TRUE(state_->CatchUp().ok());
  }
  /// An answer to the user, made of the state as it is.
  void Serve(const std::string& id) {
    v1::ServedRecord served;
    const catalog::UserKey key = TestHasher().User(id);
    served.set_request_id("r-" + id);
    served.mutable_request()->set_user(id);
    served.mutable_request()->set_surface("home");
    served.set_user_key(key.value);
    served.set_user_offset(state_->FoldedOffset(catalog::PartitionOf(key, kPartitions)));
    v1::ServedCandidate* shown = served.add_candidates();
    shown->set_item("item1");
    shown->set_position(1);
    shown->add_features(0.5);
    ASSERT_TRUE(
        log_->Append({{Topic::kServed, catalog::PartitionOf(key, kPartitions), id, served.SerializeAsString()}}).ok());
  }
  absl::StatusOr<RedactReport> Run() { return Redact(stores()); }
  /// Closes the state; what is stored must be what a replay of the log gives.
  void ExpectVerified() {
    ASSERT_TRUE(state_->Flush().ok());
    state_ = nullptr;
    const auto report = state::VerifyByReplay(folder_ + "/state", folder_ + "/scratch", config_, history_.get(),
                                              &base::SystemClock::Get());
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->difference_count, 0u) << testing::PrintToString(report->differences);
    const auto verified = log_->Verify();
    ASSERT_TRUE(verified.ok());
    EXPECT_TRUE(verified->ok()) << testing::PrintToString(verified->problems);
    auto state = state::State::Open(folder_ + "/state", config_, history_.get(), &base::SystemClock::Get(), {});
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }

 private:
  const std::string folder_;
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<log::RocksLog> log_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<lake::Lake> lake_;
  std::unique_ptr<lake::LogWithHistory> history_;
  std::unique_ptr<state::State> state_;
};

std::vector<std::string> PlacesOf(Opened& opened, const std::string& id) {
  const auto traces = FindTraces(opened.stores(), id);
  EXPECT_TRUE(traces.ok()) << traces.status();
  EXPECT_THAT(traces->problems, IsEmpty());
  std::vector<std::string> places;
  for (const auto& [place, count] : traces->found) places.push_back(place);
  return places;
}

/// The bytes of every file of a folder, as they are.
std::vector<std::string> FilesNaming(const std::string& folder, const std::string& id) {
  std::vector<std::string> found;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    if (store::ReadFile(file.path().string())->find(id) != std::string::npos) found.push_back(file.path().string());
  }
  return found;
}

class RedactTest : public testing::Test {
 protected:
  state::TempFolder temp_{"redact_test"};
  const std::string folder_ = temp_ / "app";
};

TEST_F(RedactTest, MarkedTrafficCountsForNoItemAfterwardsEither) {
  Opened opened(folder_);
  const std::string bot = "bot-of-the-harbour", crawler = "crawler-of-the-harbour";
  for (const char* user : {"ben", "bot-of-the-harbour"}) {
    opened.Append(TestEvent("click", user, "item1", "", kStartUs));
  }
  opened.Append(state::MarkEvent(bot, TestHasher().User(bot), {state::MarkReason::kByHand}, kStartUs + kSecondUs));
  for (int i = 0; i < 20; ++i) {
    v1::Event crawled = TestEvent("click", crawler, fmt::format("item{}", i % 3), "", kStartUs + i * kSecondUs);
    crawled.set_agent("bot/");
    opened.Append(crawled);
    opened.Append(
        TestEvent("save", bot, fmt::format("item{}", i % 3), fmt::format("c{}", i), kStartUs + i * kSecondUs));
  }
  // A mark that a rule made came behind the forgetting that it knew nothing of.
  v1::Event late =
      state::MarkEvent(bot, TestHasher().User(bot), {state::MarkReason::kRate, kStartUs, kStartUs + kHourUs}, kStartUs);
  late.mutable_mark()->set_first_time_us(kStartUs);
  ASSERT_TRUE(opened.lake().CatchUp().ok());
  opened.Forget(bot, kStartUs + 40 * kSecondUs);
  opened.Append(late);
  opened.Forget(crawler, kStartUs + 40 * kSecondUs);
  const auto report = opened.Run();
  ASSERT_TRUE(report.ok()) << report.status();
  for (const std::string& id : {bot, crawler}) {
    EXPECT_THAT(PlacesOf(opened, id), IsEmpty());
    EXPECT_THAT(FilesNaming(folder_, id), IsEmpty());
  }
  const auto table = opened.state().PublishItemTable(kStartUs + kHourUs, 0);
  EXPECT_EQ(table->Find(TestHasher().Item("item1"))->actions, 2u) << "ben's, and the bot's before the mark";
  EXPECT_EQ(table->Find(TestHasher().Item("item0")), nullptr);
  opened.ExpectVerified();
}

TEST_F(RedactTest, NothingNamesTheUserAnyMoreAndItemsCountAsBefore) {
  Opened opened(folder_);
  const std::string ann = "ann-of-the-harbour";
  for (int i = 0; i < 200; ++i) {
    v1::Event event = TestEvent(i % 4 == 0 ? "save" : "rating", i % 5 == 0 ? "ben" : ann, fmt::format("item{}", i % 9),
                                fmt::format("client-{}", i / 2), kStartUs + i * kSecondUs);
    event.set_value(i % 6);
    event.set_query("what " + event.user() + " looks for");
    event.add_item_categories("lamps");
    opened.Append(event);
  }
  opened.Serve(ann);
  opened.Serve("ben");
  v1::DeadLetter letter;
  letter.set_topic("events_in");
  letter.set_value("{\"user\":\"" + ann + "\",");
  v1::UserRecord attributes;
  attributes.set_user_key(TestHasher().User(ann).value);
  attributes.mutable_user()->set_id(ann);
  ASSERT_TRUE(opened.log()
                  .Append({{Topic::kDeadLetters, 1, "events_in/0/1", letter.SerializeAsString()},
                           {Topic::kUsers, catalog::PartitionOf(TestHasher().User(ann), kPartitions), ann,
                            attributes.SerializeAsString()}})
                  .ok());
  ASSERT_TRUE(opened.lake().CatchUp().ok());
  fs::create_directories(folder_ + "/imports");
  std::ofstream(folder_ + "/imports/rows.csv_rejected.tsv") << "3\trating: found x\t" << ann << ",item1,x\n";
  std::ofstream(folder_ + "/audit.log") << R"({"action":"POST /v1/sql","detail":"where user = ')" << ann
                                        << R"('","status":200})"
                                        << "\n";
  EXPECT_GE(PlacesOf(opened, ann).size(), 5u);
  const auto before = opened.state().PublishItemTable(kStartUs + kHourUs, 0);
  opened.Forget(ann, kStartUs + kHourUs);
  EXPECT_EQ((*opened.state().Get(TestHasher().User(ann), ann))->events, 0u);
  EXPECT_GE(PlacesOf(opened, ann).size(), 5u);

  const auto report = opened.Run();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ids, 1u);
  EXPECT_EQ(report->log_records, 160u + 1 + 1 + 2);  // events, an answer, a dead letter, attributes and their end
  EXPECT_EQ(report->lake_rows, 160u + 1 + 1);
  EXPECT_THAT(PlacesOf(opened, ann), IsEmpty());
  EXPECT_THAT(FilesNaming(folder_, ann), IsEmpty());
  EXPECT_FALSE(PlacesOf(opened, "ben").empty());

  // Items count as before, in what runs and in what a replay gives.
  for (int i = 0; i < 9; ++i) {
    const catalog::ItemKey item = TestHasher().Item(fmt::format("item{}", i));
    const auto now = opened.state().PublishItemTable(kStartUs + kHourUs, 0);
    EXPECT_EQ(now->Find(item)->actions, before->Find(item)->actions);
    EXPECT_EQ(now->Find(item)->weight, before->Find(item)->weight);
  }
  opened.ExpectVerified();
  const auto problems = opened.lake().Verify();
  ASSERT_TRUE(problems.ok());
  EXPECT_THAT(*problems, IsEmpty());
  // The table has the records of the log.
  uint64_t rows = 0;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    ASSERT_TRUE(opened.lake()
                    .Read("events", p, 0, 1000,
                          [&](const log::Record& row) {
                            const auto read = opened.log().Read(Topic::kEvents, p, row.offset, 1, 1);
                            EXPECT_EQ(read->records[0].value, row.value);
                            EXPECT_EQ(read->records[0].key, row.key);
                            ++rows;
                            return absl::OkStatus();
                          })
                    .ok());
  }
  EXPECT_EQ(rows, 200u);
  // There is nothing to do any more.
  EXPECT_EQ(opened.Run()->ids, 0u);
}

TEST_F(RedactTest, WhatTheLogHasDroppedIsRedactedInTheLakeAndCountsAsBefore) {
  Opened opened(folder_);
  const std::string ann = "ann-of-the-harbour";
  for (int i = 0; i < 300; ++i) {
    // Every third is sent twice, and one may lie on each side of where the log will begin.
    opened.Append(TestEvent(i % 4 == 0 ? "save" : "click", i % 5 == 0 ? "ben" : ann, fmt::format("item{}", i % 9),
                            fmt::format("client-{}", i % 3 == 0 ? i % 60 : i), kStartUs + i * kSecondUs));
  }
  ASSERT_TRUE(opened.lake().CatchUp().ok());
  for (uint32_t p = 0; p < kPartitions; ++p) {
    const log::Offset end = *opened.log().EndOffset(Topic::kEvents, p);
    ASSERT_TRUE(opened.log().Truncate(Topic::kEvents, p, end / 2).ok());
  }
  opened.Forget(ann, kStartUs + kHourUs);
  const auto report = opened.Run();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_LT(report->log_records, 240u);
  EXPECT_EQ(report->lake_rows, 240u);
  EXPECT_THAT(PlacesOf(opened, ann), IsEmpty());
  EXPECT_THAT(FilesNaming(folder_, ann), IsEmpty());
  opened.ExpectVerified();
}

TEST_F(RedactTest, IdsThatBecameTheUserGoWithItAndOthersKeepWhatIsTheirs) {
  Opened opened(folder_);
  opened.Append(TestEvent("click", "anonymous-phone", "a", "", kStartUs));
  opened.Append(TestEvent("click", "shared-tablet", "b", "", kStartUs));
  ASSERT_TRUE(opened.log()
                  .Append(state::IdentifyRecords("anonymous-phone", "annabel", "", kStartUs + kSecondUs, kPartitions))
                  .ok());
  ASSERT_TRUE(opened.log()
                  .Append(state::IdentifyRecords("shared-tablet", "annabel", "", kStartUs + kSecondUs, kPartitions))
                  .ok());
  ASSERT_TRUE(opened.state().CatchUp().ok());
  opened.Append(TestEvent("click", "shared-tablet", "c", "", kStartUs + 2 * kSecondUs));
  ASSERT_TRUE(
      opened.log()
          .Append(state::IdentifyRecords("shared-tablet", "benjamin", "", kStartUs + 3 * kSecondUs, kPartitions))
          .ok());
  ASSERT_TRUE(opened.state().CatchUp().ok());
  opened.Append(TestEvent("click", "shared-tablet", "d", "", kStartUs + 4 * kSecondUs));
  ASSERT_TRUE(opened.lake().CatchUp().ok());
  opened.Forget("annabel", kStartUs + kHourUs);
  ASSERT_TRUE(opened.Run().ok());
  EXPECT_THAT(PlacesOf(opened, "annabel"), IsEmpty());
  EXPECT_THAT(PlacesOf(opened, "anonymous-phone"), IsEmpty());
  EXPECT_FALSE(PlacesOf(opened, "shared-tablet").empty());
  EXPECT_EQ((*opened.state().Get(TestHasher().User("benjamin"), "benjamin"))->actions.size(), 1u);
  opened.ExpectVerified();
}

TEST_F(RedactTest, WhoComesBackIsKeptAndAnAnswerToSomebodyUnknownIsNot) {
  Opened opened(folder_);
  for (const char* user : {"returning", "for-good"}) {
    opened.Append(TestEvent("click", user, "a", "c1", kStartUs));
    opened.Serve(user);
    opened.Forget(user, kStartUs + kSecondUs);
    opened.Serve(user);  // whoever asks makes nobody known
  }
  opened.Append(TestEvent("click", "returning", "b", "c2", kStartUs + kHourUs));
  opened.Serve("returning");
  ASSERT_TRUE(opened.Run().ok());
  EXPECT_THAT(PlacesOf(opened, "for-good"), IsEmpty());
  EXPECT_EQ((*opened.state().Get(TestHasher().User("returning"), "returning"))->events, 1u);
  uint64_t answers = 0;
  for (uint32_t p = 0; p < kPartitions; ++p) {
    const log::ReadResult read = *opened.log().Read(Topic::kServed, p, 0, 100, 1 << 20);
    for (const log::Record& record : read.records) answers += record.key == "returning";
  }
  EXPECT_EQ(answers, 2u);  // that of the second life, and the one between, which cannot be told from it
  opened.ExpectVerified();
  opened.Forget("returning", kStartUs + 2 * kHourUs);
  ASSERT_TRUE(opened.Run().ok());
  EXPECT_THAT(PlacesOf(opened, "returning"), IsEmpty());
  opened.ExpectVerified();
}

TEST_F(RedactTest, ADamagedFileOfTheLakeLeavesTheWorkUndone) {
  Opened opened(folder_);
  opened.Append(TestEvent("click", "somebody", "a", "c1", kStartUs));
  ASSERT_TRUE(opened.lake().CatchUp().ok());
  opened.Forget("somebody", kStartUs + kSecondUs);
  std::string part;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(folder_ + "/lake/events"))
    if (file.path().extension() == ".parquet") part = file.path();
  const std::string whole = *store::ReadFile(part);
  std::string damaged = whole;
  damaged[damaged.size() / 2] ^= 1;
  std::ofstream(part, std::ios::binary) << damaged;
  const auto refused = opened.Run();
  EXPECT_TRUE(absl::IsDataLoss(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(part));
  std::ofstream(part, std::ios::binary) << whole;
  fs::last_write_time(part, fs::file_time_type::clock::now() + std::chrono::seconds(5));
  ASSERT_TRUE(opened.Run().ok());
  EXPECT_THAT(PlacesOf(opened, "somebody"), IsEmpty());
}

/// Users who come, become others, leave, and come back; all of them leave by way of the log.
void AppendLives(Opened& opened, base::Rng& rng, state::RandomEvents& events, std::set<std::string>* forgotten) {
  for (int turn = 0; turn < 25; ++turn) {
    state::AppendRandom(&events, rng.Below(60), &opened.log());
    const std::string user = fmt::format("user{}", rng.Below(10));
    const std::string account = fmt::format("account{}", rng.Below(4));
    if (rng.Bernoulli(0.4)) {
      ASSERT_TRUE(opened.log().Append(state::IdentifyRecords(user, account, "", events.now_us(), kPartitions)).ok());
    }
    if (!rng.Bernoulli(0.4)) continue;
    const std::string leaving = rng.Bernoulli(0.5) ? user : account;
    opened.Forget(leaving, events.now_us());
    forgotten->insert(leaving);
  }
  ASSERT_TRUE(opened.state().CatchUp().ok());
}

TEST_F(RedactTest, TheStateOfRandomLivesIsWhatTheRedactedLogGivesWhereverTheWorkStops) {
  const uint64_t seed = static_cast<uint64_t>(base::MonotonicUs()) % 1000;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  base::Rng rng(seed);
  state::RandomEvents events(seed, 10, 30);
  auto opened = std::make_unique<Opened>(folder_);
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    std::set<std::string> forgotten;
    AppendLives(*opened, rng, events, &forgotten);
    ASSERT_TRUE(opened->lake().CatchUp().ok());
    opened->ExpectVerified();
    // Stopped at some step, some times; then to the end.
    for (int stop = 0; stop < 3; ++stop) {
      Stores stores = opened->stores();
      uint64_t steps = rng.Below(60);
      stores.cancelled = [&]() -> absl::Status {
        return steps-- == 0 ? absl::CancelledError("stopped") : absl::OkStatus();
      };
      (void)Redact(stores).status();
      opened->ExpectVerified();
      if (rng.Bernoulli(0.5)) {
        opened = nullptr;
        opened = std::make_unique<Opened>(folder_);
      }
    }
    ASSERT_TRUE(opened->Run().ok());
    opened->ExpectVerified();
  }
  // All leave: nothing is left of anybody.
  for (int i = 0; i < 10; ++i) opened->Forget(fmt::format("user{}", i), events.now_us());
  for (int i = 0; i < 4; ++i) opened->Forget(fmt::format("account{}", i), events.now_us());
  ASSERT_TRUE(opened->Run().ok());
  opened->ExpectVerified();
  for (int i = 0; i < 4; ++i) EXPECT_THAT(PlacesOf(*opened, fmt::format("account{}", i)), IsEmpty());
  for (int i = 0; i < 10; ++i) EXPECT_THAT(PlacesOf(*opened, fmt::format("user{}", i)), IsEmpty());
}

// Run by the test below in a process of its own.
TEST(RedactCrashChild, DISABLED_RedactsUntilKilled) {
  const char* folder = std::getenv(kFolderVariable);
  if (folder == nullptr) GTEST_SKIP() << "run by RedactTest";
  Opened opened(folder);
  Stores stores = opened.stores();
  std::ofstream(std::string(folder) + "/../begun").put('x');
  (void)Redact(stores).status();
}

TEST_F(RedactTest, AKilledProcessLosesNothingAndTheNextRunEndsTheWork) {
  const std::string user = "somebody-who-leaves";
  uint64_t events = 0;
  {
    Opened opened(folder_);
    base::Rng rng(7);
    state::RandomEvents random(7, 5, 30);
    for (int i = 0; i < 40; ++i) {
      state::AppendRandom(&random, 50, &opened.log());
      std::vector<log::AppendRecord> batch;
      for (int k = 0; k < 20; ++k) {
        v1::Event event = TestEvent("click", user, fmt::format("item{}", rng.Below(30)),
                                    fmt::format("c{}-{}", i, k % 15), random.now_us());
        event.set_query(std::string(200, 'q'));
        batch.push_back(state::ToRecord(event, kPartitions));
      }
      ASSERT_TRUE(opened.log().Append(std::move(batch)).ok());
    }
    ASSERT_TRUE(opened.state().CatchUp().ok());
    ASSERT_TRUE(opened.lake().CatchUp().ok());
    opened.Forget(user, random.now_us());
    ASSERT_TRUE(opened.state().Flush().ok());
    for (const std::vector<log::PartitionStats> stats = *opened.log().Stats(); const log::PartitionStats& one : stats)
      events += one.topic == Topic::kEvents ? one.end : 0;
  }
  base::Rng rng(static_cast<uint64_t>(base::MonotonicUs()));
  for (int kill = 0; kill < 4; ++kill) {
    fs::remove(temp_ / "begun");
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      setenv(kFolderVariable, folder_.c_str(), 1);
      const std::string self = fs::read_symlink("/proc/self/exe");
      execl(self.c_str(), self.c_str(), "--gtest_also_run_disabled_tests",
            "--gtest_filter=RedactCrashChild.DISABLED_RedactsUntilKilled", nullptr);
      _exit(127);
    }
    while (!fs::exists(temp_ / "begun") && waitpid(child, nullptr, WNOHANG) == 0) state::SleepMs(2);
    state::SleepMs(rng.Below(120));
    ::kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    Opened opened(folder_);
    opened.ExpectVerified();
  }
  Opened opened(folder_);
  ASSERT_TRUE(opened.Run().ok());
  EXPECT_THAT(PlacesOf(opened, user), IsEmpty());
  EXPECT_THAT(FilesNaming(folder_, user), IsEmpty());
  opened.ExpectVerified();
  uint64_t after = 0;
  for (const std::vector<log::PartitionStats> stats = *opened.log().Stats(); const log::PartitionStats& one : stats)
    after += one.topic == Topic::kEvents ? one.end : 0;
  EXPECT_EQ(after, events);
}

TEST_F(RedactTest, RedactsBesideAppendsAndReads) {
  Opened opened(folder_);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(opened.log()
                    .Append({state::ToRecord(TestEvent("click", fmt::format("leaver{}", i % 3), "a",
                                                       fmt::format("c{}", i), kStartUs + i * kSecondUs),
                                             kPartitions)})
                    .ok());
  }
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> appended = 0;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      EXPECT_TRUE(
          opened.log()
              .Append({state::ToRecord(
                  TestEvent("click", fmt::format("stayer{}", i % 50), "b", "", kStartUs + kHourUs + i), kPartitions)})
              .ok());
      ++appended;
    }
  });
  std::thread reader([&] {
    while (!stop) {
      for (uint32_t p = 0; p < kPartitions; ++p) {
        log::Offset at = 0;
        const log::Offset end = *opened.log().EndOffset(Topic::kEvents, p);
        while (at < end) {
          const auto read = opened.log().Read(Topic::kEvents, p, at, 100, 1 << 20);
          ASSERT_TRUE(read.ok()) << read.status();
          ASSERT_EQ(read->records.front().offset, at);
          at = read->next_offset;
        }
      }
    }
  });
  for (int i = 0; i < 3; ++i) {
    opened.Forget(fmt::format("leaver{}", i), kStartUs + 2 * kHourUs);
    ASSERT_TRUE(opened.Run().ok());
  }
  stop = true;
  writer.join();
  reader.join();
  ASSERT_TRUE(opened.state().CatchUp().ok());
  const auto table = opened.state().PublishItemTable(kStartUs + 3 * kHourUs, 0);
  EXPECT_EQ(table->Find(TestHasher().Item("a"))->actions, 300u);
  EXPECT_EQ(table->Find(TestHasher().Item("b"))->actions, appended.load());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(PlacesOf(opened, fmt::format("leaver{}", i)), IsEmpty());
  opened.ExpectVerified();
}

}  // namespace
}  // namespace bowerbird::forget
