#include "app/app.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/synchronization/notification.h"
#include "app/cf_artifact.h"
#include "app/history.h"
#include "app/replay_answer.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

class AppTest : public testing::Test {
 protected:
  AppTest() {
    fs::remove_all(dir_);
    EXPECT_TRUE(App::InitFolder(dir_, "default", config::StarterText()).ok());
  }
  std::unique_ptr<App> Open() {
    App::Options options;
    options.dir = dir_;
    auto app = App::Open(options);
    EXPECT_TRUE(app.ok()) << app.status();
    return *std::move(app);
  }
  static void Send(App& app, const std::string& user, const std::string& type, const std::string& item,
                   const std::string& client_id = "") {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item(item);
    event.set_client_id(client_id);
    absl::Notification done;
    app.collector().CollectEvents({event}, collect::Collector::Source::kLive,
                                  [&](absl::StatusOr<collect::CollectResult> result) {
                                    EXPECT_TRUE(result.ok() && result->accepted == 1);
                                    done.Notify();
                                  });
    done.WaitForNotification();
  }
  static void PutItems(App& app, int count) {
    for (int i = 0; i < count; ++i) {
      v1::Item item;
      item.set_id(fmt::format("i{}", i));
      item.set_title(fmt::format("Item {}", i));
      item.add_categories(i % 2 == 0 ? "even" : "odd");
      ASSERT_TRUE(app.catalog_intake().Put(item).ok());
    }
  }
  const std::string dir_ = testing::TempDir() + "/app_test";
};

TEST_F(AppTest, HistoryLeavesOutRepeatsAndWhatWasHidden) {
  const auto app = Open();
  Send(*app, "a", "click", "x", "1");
  Send(*app, "a", "click", "x", "1");
  Send(*app, "a", "click", "y", "2");
  Send(*app, "a", "hide", "y", "3");
  Send(*app, "a", "unhide", "x", "4");
  Send(*app, "b", "hide", "x", "0");
  Send(*app, "b", "unhide", "x", "3");
  Send(*app, "b", "save", "x", "1");
  Send(*app, "b", "impression", "z", "2");
  const auto history = ReadActions(app->log(), *app->config(), 0, 2);
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(history->events, 9u);
  EXPECT_EQ(history->user_count, 2u);
  EXPECT_EQ(history->item_keys.size(), 1u);
  EXPECT_EQ(history->users.size(), 2u);
}

TEST_F(AppTest, MarkedTrafficTeachesNothing) {
  const auto app = Open();
  Send(*app, "person", "click", "x", "1");
  Send(*app, "bot", "click", "y", "1");
  Send(*app, "was", "click", "z", "1");
  Send(*app, "anon", "click", "v", "1");
  const auto items = [&](int64_t from_us, const MarkedUsers& before) {
    const auto history = ReadActions(app->log(), *app->config(), from_us, 2, before);
    EXPECT_TRUE(history.ok()) << history.status();
    std::set<std::string> names;
    for (const catalog::ItemKey item : history->item_keys) {
      for (const char* name : {"v", "x", "y", "z"}) {
        if (app->hasher().Item(name) == item) names.insert(name);
      }
    }
    return names;
  };
  EXPECT_EQ(items(0, {}), (std::set<std::string>{"v", "x", "y", "z"}));
  ASSERT_TRUE(app->MarkUser("bot", state::MarkReason::kByHand).ok());
  ASSERT_TRUE(app->MarkUser("was", state::MarkReason::kByHand).ok());
  ASSERT_TRUE(app->MarkUser("was", state::MarkReason::kRules).ok());
  EXPECT_EQ(items(0, {}), (std::set<std::string>{"v", "x", "z"}));
  EXPECT_TRUE((*app->state().Get(app->hasher().User("bot"), "bot"))->mark.Covers(0));
  // What the log said before the window is known to state.
  EXPECT_EQ(items(1, {{app->hasher().User("person"), {state::MarkReason::kByHand}}}),
            (std::set<std::string>{"v", "z"}));
  // What an id did is its user's.
  v1::Event identify;
  identify.set_type("identify");
  identify.set_user("bot");
  identify.set_anonymous("anon");
  absl::Notification collected;
  app->collector().CollectEvents({identify}, collect::Collector::Source::kLive,
                                 [&](const absl::StatusOr<collect::CollectResult>&) { collected.Notify(); });
  collected.WaitForNotification();
  EXPECT_EQ(items(0, {}), (std::set<std::string>{"x", "z"}));
  EXPECT_TRUE(absl::IsInvalidArgument(app->MarkUser("", state::MarkReason::kByHand)));
}

TEST_F(AppTest, WhoWasForgottenTeachesNothingBeforeTheLogIsRedactedNorAfter) {
  auto app = Open();
  Send(*app, "a", "click", "x", "1");
  Send(*app, "a", "hide", "y", "2");
  Send(*app, "b", "click", "z", "1");
  const auto forgotten = app->ForgetUser("a");
  ASSERT_TRUE(forgotten.ok()) << forgotten.status();
  EXPECT_EQ(*forgotten, 1u);
  Send(*app, "a", "click", "y", "3");  // a new user, who has hidden nothing
  const auto check = [&] {
    const auto history = ReadActions(app->log(), *app->config(), 0, 2);
    ASSERT_TRUE(history.ok());
    EXPECT_EQ(history->user_count, 2u);
    std::vector<catalog::ItemKey> items = {app->hasher().Item("y"), app->hasher().Item("z")};
    std::ranges::sort(items);
    EXPECT_EQ(history->item_keys, items);
  };
  check();
  const auto report = app->Redact();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ids, 1u);
  EXPECT_EQ(report->log_records, 3u);  // two events, and the end of attributes that were never there
  check();
  app = nullptr;
  app = Open();
  check();
  EXPECT_EQ((*app->state().Get(app->hasher().User("a"), "a"))->events, 1u);
  EXPECT_TRUE(absl::IsInvalidArgument(app->ForgetUser("").status()));
}

TEST_F(AppTest, AnIdentifiedIdLearnsAndAnswersAsItsUser) {
  const auto app = Open();
  PutItems(*app, 4);
  Send(*app, "anon", "click", "i0");
  Send(*app, "user", "click", "i1");
  v1::Event identify;
  identify.set_type("identify");
  identify.set_user("user");
  identify.set_anonymous("anon");
  absl::Notification collected;
  app->collector().CollectEvents({identify}, collect::Collector::Source::kLive,
                                 [&](const absl::StatusOr<collect::CollectResult>& result) {
                                   EXPECT_TRUE(result.ok() && result->accepted == 1);
                                   collected.Notify();
                                 });
  collected.WaitForNotification();
  // Whoever asks as the user next sees what the id had done.
  absl::Notification merged;
  app->WhenUserCurrent("user", [&] { merged.Notify(); });
  merged.WaitForNotification();
  EXPECT_TRUE(app->UserCurrent("user"));
  v1::ProfileRequest as_user;
  as_user.set_id("user");
  v1::ProfileResponse of_user;
  ASSERT_TRUE(app->engine().Profile(as_user, &of_user).ok());
  EXPECT_EQ(of_user.sequence_size(), 2);

  Send(*app, "anon", "click", "i2");
  // All three are of one user, in the order of their times.
  const auto history = ReadActions(app->log(), *app->config(), 0, 2);
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(history->user_count, 1u);
  EXPECT_EQ(history->users.size(), 3u);
  EXPECT_TRUE(std::is_sorted(history->times_us.begin(), history->times_us.end()));

  absl::Notification current;
  app->WhenUserCurrent("anon", [&] { current.Notify(); });
  current.WaitForNotification();
  ASSERT_TRUE(app->state().CatchUp().ok());
  ASSERT_TRUE(app->state().CatchUp().ok());
  v1::ProfileRequest as_anonymous;
  as_anonymous.set_id("anon");
  v1::ProfileResponse profile;
  const absl::Status answered = app->engine().Profile(as_anonymous, &profile);
  ASSERT_TRUE(answered.ok()) << answered;
  EXPECT_EQ(profile.id(), "user");
  EXPECT_EQ(profile.sequence_size(), 3);
  v1::RecommendRequest request;
  request.set_surface("home");
  request.set_user("anon");
  const auto answer = app->engine().Recommend(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  // What an answer is made again from names the user.
  auto served = FindServed(app->log(), answer->request_id);
  while (absl::IsNotFound(served.status())) served = FindServed(app->log(), answer->request_id);  // written meanwhile
  ASSERT_TRUE(served.ok()) << served.status();
  EXPECT_EQ(served->request().user(), "user");
  EXPECT_EQ(served->user_key(), app->hasher().User("user").value);
}

TEST_F(AppTest, CfArtifactReadsBackAsWritten) {
  index::CfModel model;
  model.items = {catalog::ItemKey(3), catalog::ItemKey(9)};
  model.dim = 2;
  model.factors = {1, 2, 3, 4};
  model.gramian = {10, 14, 14, 20};
  model.objective.regularization = 0.25f;
  model.item_counts = {5, 6};
  model.neighbor_offsets = {0, 1, 2};
  model.neighbors = {1, 0};
  model.neighbor_scores = {0.5f, 0.5f};
  fs::create_directories(dir_ + "/cf");
  ASSERT_TRUE(WriteCfArtifact(model, dir_ + "/cf").ok());
  registry::Artifact artifact;
  artifact.folder = dir_ + "/cf";
  artifact.manifest.version = "000007";
  const auto read = ReadCfArtifact(artifact);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->version, "000007");
  EXPECT_EQ(read->items, model.items);
  EXPECT_EQ(read->factors, model.factors);
  EXPECT_EQ(read->gramian, model.gramian);
  EXPECT_EQ(read->objective, model.objective);
  EXPECT_EQ(read->neighbors, model.neighbors);
  fs::resize_file(dir_ + "/cf/lists.bin", 40);
  EXPECT_EQ(ReadCfArtifact(artifact).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(AppTest, TrainsIndexesAndServesThenGoesOnAfterAReopen) {
  std::string snapshot;
  {
    const auto app = Open();
    EXPECT_EQ(app->TrainCf({}).status().code(), absl::StatusCode::kFailedPrecondition);
    PutItems(*app, 40);
    for (int u = 0; u < 20; ++u) {
      for (int k = 0; k < 6; ++k)
        Send(*app, fmt::format("u{}", u), "click", fmt::format("i{}", ((u + k * 3) % 20) * 2 + u % 2));
    }
    TrainOptions train;
    train.factors = 8;
    ASSERT_TRUE(app->TrainCf(train).ok());
    const auto built = app->BuildIndex();
    ASSERT_TRUE(built.ok()) << built.status();
    snapshot = built->version;
  }
  const auto app = Open();
  EXPECT_EQ(app->live().View()->snapshot_version(), snapshot);
  v1::RecommendRequest request;
  request.set_surface("home");
  request.set_user("u1");
  request.set_n(10);
  absl::Notification current;
  app->WhenUserCurrent("u1", [&] { current.Notify(); });
  current.WaitForNotification();
  const auto answer = app->engine().Recommend(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->items.size(), 10u);
  EXPECT_EQ(answer->snapshot, snapshot);
}

TEST_F(AppTest, ThePipelinePublishesOnlyWhenThereIsNews) {
  const auto app = Open();
  const auto turn = [&] {
    const auto published = app->RunPipeline();
    EXPECT_TRUE(published.ok()) << published.status();
    std::vector<std::string> names;
    for (const JobResult& result : *published) names.push_back(result.artifact);
    return names;
  };
  EXPECT_THAT(turn(), testing::ElementsAre("snapshot/default"));
  EXPECT_THAT(turn(), testing::IsEmpty());
  PutItems(*app, 4);
  EXPECT_THAT(turn(), testing::ElementsAre("snapshot/default"));
  EXPECT_THAT(turn(), testing::IsEmpty());
  Send(*app, "a", "impression", "i1");
  EXPECT_THAT(turn(), testing::IsEmpty());  // nothing to learn from
  for (const char* item : {"i1", "i2"}) Send(*app, "a", "click", item);
  EXPECT_THAT(turn(), testing::ElementsAre("cf/default", "snapshot/default"));
  EXPECT_THAT(turn(), testing::IsEmpty());
}

TEST_F(AppTest, NoJobBeginsOnceTheyAreCancelled) {
  const auto app = Open();
  PutItems(*app, 4);
  Send(*app, "a", "click", "i1");
  app->CancelJobs();
  EXPECT_EQ(app->TrainCf({}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(app->BuildIndex().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(app->registry().List("snapshot", "default")->empty());
}

TEST_F(AppTest, ADamagedSnapshotIsWarnedOf) {
  std::string version;
  {
    const auto app = Open();
    PutItems(*app, 4);
    version = app->BuildIndex()->version;
  }
  fs::resize_file(dir_ + "/apps/default/artifacts/snapshot/default/" + version + "/snapshot.bb", 100);
  std::vector<std::string> warnings;
  App::Options options;
  options.dir = dir_;
  options.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  const auto app = App::Open(options);
  ASSERT_TRUE(app.ok()) << app.status();
  EXPECT_THAT(warnings, testing::ElementsAre(testing::HasSubstr("snapshot.bb")));
  EXPECT_EQ((*app)->live().View()->size(), 4u);  // the log still has every item
}

TEST_F(AppTest, AnAnswerWhoseCatalogHasLeftTheLogIsNotRunAgainOverAnother) {
  const auto app = Open();
  PutItems(*app, 4);
  v1::RecommendRequest request;
  request.set_surface("home");
  const auto answer = app->engine().Recommend(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  auto record = FindServed(app->log(), answer->request_id);
  while (absl::IsNotFound(record.status())) record = FindServed(app->log(), answer->request_id);  // written meanwhile
  ASSERT_TRUE(record.ok()) << record.status();
  const auto report = ReplayAnswer(*app, *record, dir_ + "/scratch");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->equal);
  ASSERT_TRUE(app->log().Truncate(log::Topic::kCatalog, 0, 2).ok());
  const absl::Status gone = ReplayAnswer(*app, *record, dir_ + "/scratch").status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(gone.message()), testing::HasSubstr("have left the log"));
}

TEST_F(AppTest, TwoAppsOfOneProcessShareNothing) {
  ASSERT_TRUE(App::InitFolder(dir_, "other", config::StarterText()).ok());
  const auto first = Open();
  App::Options options;
  options.dir = dir_;
  options.name = "other";
  const auto second = App::Open(options);
  ASSERT_TRUE(second.ok()) << second.status();
  PutItems(*first, 3);
  EXPECT_EQ(first->live().View()->size(), 3u);
  EXPECT_EQ((*second)->live().View()->size(), 0u);
  EXPECT_NE(first->hasher().User("u"), (*second)->hasher().User("u"));
}

TEST_F(AppTest, AFolderIsOwnedByOneAtATime) {
  const auto app = Open();
  App::Options options;
  options.dir = dir_;
  EXPECT_EQ(App::Open(options).status().code(), absl::StatusCode::kUnavailable);
}

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

TEST_F(AppTest, AReloadedConfigIsInForceForWhatBeginsAfterIt) {
  const auto app = Open();
  PutItems(*app, 4);
  const std::string path = App::Folder(dir_, "default") + "/bowerbird.toml";
  const std::string former = app->config()->version;
  v1::RecommendRequest request;
  request.set_surface("home");
  EXPECT_EQ(app->engine().Recommend(request)->config_version, former);
  EXPECT_FALSE(*app->ReloadConfig());
  std::ofstream(path) << Replaced(config::StarterText(), "seen = \"exclude\"",
                                  "filter = \"categories contains \\\"odd\\\"\"")
                      << "\n[collect]\nid_bytes_max = 4\n";
  const auto reloaded = app->ReloadConfig();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_TRUE(*reloaded);
  const auto answer = app->engine().Recommend(request);
  EXPECT_EQ(answer->items.size(), 2u);
  EXPECT_EQ(answer->config_version, app->config()->version);
  EXPECT_NE(answer->config_version, former);
  // Intake of events and of items checks by it, too.
  v1::Item item;
  item.set_id("too-long");
  EXPECT_TRUE(absl::IsInvalidArgument(app->catalog_intake().Put(item).status()));
  absl::Notification done;
  v1::Event event;
  event.set_type("click");
  event.set_user("too-long");
  event.set_item("i1");
  app->collector().CollectEvents({event}, collect::Collector::Source::kLive,
                                 [&](absl::StatusOr<collect::CollectResult> result) {
                                   EXPECT_EQ(result->rejected, 1u);
                                   done.Notify();
                                 });
  done.WaitForNotification();
  // Whatever names the version can find its text.
  EXPECT_EQ(app->registry().List("config", "default")->size(), 2u);
}

TEST_F(AppTest, ARefusedConfigLeavesTheFormerInForceAndSaysWhatIsWrong) {
  const auto app = Open();
  const std::string path = App::Folder(dir_, "default") + "/bowerbird.toml", former = app->config()->version;
  std::ofstream(path) << config::StarterText() << "\n[pipeline]\nfactors = 0\nepoch = 3\n";
  absl::Status refused = app->ReloadConfig().status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()),
              testing::AllOf(testing::HasSubstr("pipeline.factors"), testing::HasSubstr("pipeline.epoch")));
  std::ofstream(path) << Replaced(config::StarterText(), "weight = 5.0", "weight = 6.0")
                      << "\n[state]\nsequence_max = 5\n[surfaces.more]\ngenerators = [\"fresh\"]\n";
  refused = app->ReloadConfig().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()),
              testing::AllOf(testing::HasSubstr("events.purchase"), testing::HasSubstr("state.sequence_max: found 5"),
                             testing::HasSubstr("surfaces: found"), testing::HasSubstr("opened again")));
  EXPECT_EQ(app->config()->version, former);
}

TEST(FixedWhileOpenTest, NamesEveryKeyThatStateOrItemsWereLaidDownWith) {
  const auto parse = [](const std::string& more) { return config::Parse(config::StarterText() + more, "x").config; };
  const auto open = parse("");
  const auto differs = [&](const std::string& more) {
    const auto wanted = parse(more);
    EXPECT_NE(wanted, nullptr) << more;
    return wanted == nullptr ? std::vector<std::string>() : FixedWhileOpen(*open, *wanted);
  };
  for (const char* free :
       {"\n[pipeline]\ninterval = \"1h\"\n", "\n[served]\nl2_sample = 1.0\n", "\n[state]\nread_your_writes = \"1s\"\n",
        "\n[generators.fresh]\ncount = 7\n", "\n[users.attributes]\nage = \"number\"\n",
        "\n[events.click]\nattributes = { colour = \"string\" }\n"}) {
    EXPECT_THAT(differs(free), testing::IsEmpty()) << free;
  }
  for (const auto& [more, key] : std::vector<std::pair<std::string, std::string>>{
           {"\n[state]\nitem_bucket = \"2h\"\n", "state.item_bucket"},
           {"\n[state]\ncache_bytes = 2000000\n", "state.cache_bytes"},
           {"\n[collect]\nage_max = \"1d\"\n", "collect.age_max"},
           {"\n[events.wave]\n", "events.wave"},
           {"\n[events.click]\nweight = 9\n", "events.click"},
           {"\n[items]\ndomains = [\"a\", \"b\"]\n", "items.domains"},
           {"\n[signals.gap]\nkind = \"time_since\"\non = [\"click\"]\n", "signals.gap"}}) {
    EXPECT_THAT(differs(more), testing::ElementsAre(testing::StartsWith(key))) << more;
  }
}

}  // namespace
}  // namespace bowerbird::app
