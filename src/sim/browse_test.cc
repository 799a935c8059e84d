#include "sim/browse.h"

#include <algorithm>
#include <map>
#include <set>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sim/browse_report.h"

namespace bowerbird::sim {
namespace {

using world::ItemNumber;

/// A small engine behind the client: items of the categories that the user acted on, best by clicks, never twice. Each
/// fault can be switched on, to see that the browser notices.
class SmallEngine final : public Client {
 public:
  explicit SmallEngine(const world::World& world) {
    for (const world::Item& item : world.Items()) Keep(item);
  }

  void Fold(std::string_view user, std::string_view type, std::string_view item) {
    User& mine = users_[std::string(user)];
    const std::string id(item);
    if (type == "impression") mine.seen.insert(id);
    if (type == "hide") mine.hidden.insert(id);
    const double weight = type == "save" ? 6 : type == "click" ? 1 : type == "impression" ? -.2 : 0;
    mine.subtopics[items_[id].subtopic] += weight;
    mine.topics[items_[id].topic] += weight;
    clicks_[id] += std::max(0.0, weight);
  }

  absl::StatusOr<FeedPage> Recommend(const FeedQuery& query) override {
    ++requests;
    if (fails) return absl::UnavailableError("down");
    User& mine = users_[std::string(query.user)];
    if (query.cursor.empty()) mine.chain.clear();
    std::vector<std::pair<double, std::string>> scored;
    for (const auto& [id, item] : items_) {
      const bool is_seen = mine.seen.contains(id) || mine.chain.contains(id);
      const bool is_barred = mine.hidden.contains(id) || withdrawn.contains(id);
      if (is_seen && !shows_twice) continue;
      if (is_barred && !shows_hidden) continue;
      if (std::find(query.exclude.begin(), query.exclude.end(), id) != query.exclude.end()) continue;
      const double taste = learns ? mine.subtopics[item.subtopic] + .5 * mine.topics[item.topic] : 0;
      scored.push_back({-(is_barred ? 1e9 : 0) - taste - .02 * clicks_[id], id});
    }
    std::sort(scored.begin(), scored.end());
    FeedPage page;
    page.request_id = fmt::format("r{}", requests);
    for (size_t i = 0; i < scored.size() && i < query.n; ++i) {
      page.items.push_back(scored[i].second);
      mine.chain.insert(scored[i].second);
    }
    page.next_cursor = page.request_id;
    return page;
  }
  absl::Status SendEvents(std::span<const SentEvent> events) override {
    for (const SentEvent& event : events) {
      client_ids.insert(event.client_id);
      EXPECT_GT(event.time_us, 0);
      if (event.surface == "home" && event.position > 0 && !event.request_id.empty()) ++attributed;
      Fold(event.user, event.type, event.item);
    }
    received += events.size();
    return absl::OkStatus();
  }
  absl::Status AddItem(const world::Item& item) override {
    Keep(item);
    ++added;
    return absl::OkStatus();
  }
  absl::Status Withdraw(std::string_view item) override {
    withdrawn.insert(std::string(item));
    return absl::OkStatus();
  }

  bool learns = true;
  bool shows_twice = false;
  bool shows_hidden = false;
  bool fails = false;
  uint64_t requests = 0;
  uint64_t received = 0;
  uint64_t attributed = 0;
  uint64_t added = 0;
  std::set<std::string> client_ids;
  std::set<std::string> withdrawn;

 private:
  struct User {
    std::set<std::string> seen;
    std::set<std::string> hidden;
    std::set<std::string> chain;
    std::map<std::string, double> topics;
    std::map<std::string, double> subtopics;
  };
  void Keep(const world::Item& item) { items_[item.id] = item; }
  std::map<std::string, world::Item> items_;
  std::map<std::string, User> users_;
  std::map<std::string, double> clicks_;
};

class BrowseTest : public testing::Test {
 protected:
  BrowseTest()
      : world_(*world::World::Create({.items = 500, .users = 200, .days = 14})), audience_(world_), engine_(world_) {
    world_.History([&](const world::Event& event) {
      audience_.Take(event.user, event.time_us, event.action);
      engine_.Fold(world_.UserId(event.user), world::ActionName(event.action.type),
                   world_.ItemAt(event.action.item).id);
    });
    options_.seconds = 300;
    options_.visits_max = 1200;
    options_.probes = 60;
  }
  BrowseReport Run() { return *Browse(&world_, &audience_, &engine_, &base::SystemClock::Get(), options_); }

  world::World world_;
  Audience audience_;
  SmallEngine engine_;
  BrowseOptions options_;
};

TEST_F(BrowseTest, ALearningEngineGainsAShareOfTheOraclesAdvantage) {
  const BrowseReport report = Run();
  EXPECT_GT(report.sessions, 100);
  EXPECT_GT(report.utility.share, .1);
  EXPECT_LE(report.utility.low, report.utility.share);
  EXPECT_GE(report.utility.high, report.utility.share);
  EXPECT_GE(report.adapted.moved, .5);
  EXPECT_EQ(report.adapted.probes, 60);
  EXPECT_EQ(report.adapted_discovery.probes, 30);
  EXPECT_EQ(report.duplicates, 0);
  EXPECT_EQ(report.hidden_shown, 0);
  EXPECT_EQ(report.failed_requests, 0);
}

TEST_F(BrowseTest, EveryEventIsSentOnceWithAnIdOfItsOwn) {
  const BrowseReport report = Run();
  EXPECT_EQ(report.events_acknowledged, engine_.received);
  EXPECT_EQ(engine_.client_ids.size(), engine_.received);
  EXPECT_GT(engine_.attributed, engine_.received / 10);
  EXPECT_EQ(report.requests, engine_.requests);
  EXPECT_EQ(report.items_added, engine_.added);
  EXPECT_EQ(report.items_withdrawn, engine_.withdrawn.size());
  EXPECT_GT(report.items_withdrawn, 0);
}

TEST_F(BrowseTest, AnEngineThatDoesNotLearnDoesNotAdapt) {
  engine_.learns = false;
  const BrowseReport report = Run();
  EXPECT_LT(report.adapted.moved, .2);
  EXPECT_LT(report.utility.share, .3);
}

TEST_F(BrowseTest, RepeatsWithinAChainAreCounted) {
  engine_.shows_twice = true;
  EXPECT_GT(Run().duplicates, 0);
}

TEST_F(BrowseTest, HiddenAndWithdrawnItemsAreCounted) {
  engine_.shows_hidden = true;
  options_.page = 200;
  EXPECT_GT(Run().hidden_shown, 0);
}

TEST_F(BrowseTest, AnEngineThatIsDownEndsTheRunWithItsError) {
  engine_.fails = true;
  const auto report = Browse(&world_, &audience_, &engine_, &base::SystemClock::Get(), options_);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(BrowseTest, JudgesTheFirstVisitsAndGoesOn) {
  options_.judged_visits = 100;
  options_.visits_max = 300;
  options_.probes = 2;
  const BrowseReport report = Run();
  EXPECT_GT(report.sessions, 200);
  uint64_t judged = 0;
  for (const uint64_t sessions : report.utility.sessions) judged += sessions;
  EXPECT_EQ(judged, 100);
}

TEST_F(BrowseTest, StopsWhenAsked) {
  std::atomic<bool> stop = true;
  options_.stop = &stop;
  options_.seconds = 3600;
  EXPECT_EQ(Run().sessions, 0);
}

JudgedReport Good() {
  JudgedReport report;
  report.events_acknowledged = report.events_in_log = 10;
  report.browse.utility.share = .5;
  report.browse.utility.low = .4;
  report.browse.adapted.moved = .95;
  report.browse.adapted.probes = 100;
  return report;
}

TEST(BrowseReportTest, AGoodReportHasNoShortfall) { EXPECT_THAT(Shortfalls(Good()), testing::IsEmpty()); }

struct Spoiled {
  std::string name;
  void (*spoil)(JudgedReport&);
};

class ShortfallTest : public testing::TestWithParam<Spoiled> {};

TEST_P(ShortfallTest, IsNamed) {
  JudgedReport report = Good();
  GetParam().spoil(report);
  EXPECT_EQ(Shortfalls(report).size(), 1u);
  EXPECT_THAT(ReportJson(report), testing::HasSubstr(Shortfalls(report)[0]));
}

INSTANTIATE_TEST_SUITE_P(All, ShortfallTest,
                         testing::Values(Spoiled{"lost_event", [](JudgedReport& r) { r.events_in_log = 9; }},
                                         Spoiled{"failed", [](JudgedReport& r) { r.browse.failed_requests = 1; }},
                                         Spoiled{"duplicate", [](JudgedReport& r) { r.browse.duplicates = 1; }},
                                         Spoiled{"hidden", [](JudgedReport& r) { r.browse.hidden_shown = 1; }},
                                         Spoiled{"unknown", [](JudgedReport& r) { r.browse.unknown_shown = 1; }},
                                         Spoiled{"share", [](JudgedReport& r) { r.browse.utility.share = .39; }},
                                         Spoiled{"interval", [](JudgedReport& r) { r.browse.utility.low = 0; }},
                                         Spoiled{"adapted", [](JudgedReport& r) { r.browse.adapted.moved = .89; }},
                                         Spoiled{"few_probes", [](JudgedReport& r) { r.browse.adapted.probes = 10; }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::sim
