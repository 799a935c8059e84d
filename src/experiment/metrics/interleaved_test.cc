#include "experiment/metrics/interleaved.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "bowerbird/v1/served.pb.h"
#include "experiment/metrics/events_for_test.h"
#include "lake/lake_for_test.h"

namespace bowerbird::experiment::metrics {
namespace {

using testing::HasSubstr;

constexpr int64_t kSecondUs = 1'000'000;
constexpr const char* kArms[] = {"control", "green", "blue"};

struct Told {
  v1::Event event;
  size_t page = 0;
  std::string item;
  bool counts = false;  ///< it is of the page's person, said once, and not by a program
};

/// Pages of some users, drafted out of three arms, and what was done on them.
struct World {
  std::vector<v1::ServedRecord> pages;
  std::vector<Told> events;
  std::map<std::string, std::string> becomes;
  std::set<std::string> marked;

  std::string PersonOf(const std::string& user) const {
    const auto at = becomes.find(user);
    return at == becomes.end() ? user : at->second;
  }
};

class WorldMaker {
 public:
  explicit WorldMaker(uint64_t seed) : rng_(seed) {}

  World Make() {
    for (int n = 0; n < 60; ++n) AddUser(fmt::format("user-{}", n));
    for (int n = 0; n < 15; ++n) {
      const std::string visitor = fmt::format("visitor-{}", n);
      AddUser(visitor);
      world_.becomes[visitor] = fmt::format("user-{}", n);
    }
    for (const char* user : {"user-3", "user-33", "visitor-7"}) world_.marked.insert(user);
    return std::move(world_);
  }

 private:
  void AddUser(const std::string& user) {
    for (uint64_t n = rng_.Below(5); n > 0; --n) AddPage(user);
  }

  void AddPage(const std::string& user) {
    v1::ServedRecord& page = world_.pages.emplace_back();
    page.set_request_id(fmt::format("page-{}", world_.pages.size()));
    page.set_kind("recommend");
    page.set_user_key(TestKey(user));
    page.mutable_request()->set_user(user);
    // Some are of before and after.
    page.set_time_us(kTestBeginUs - kTestDayUs / 4 +
                     static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(8 * kTestDayUs))));
    if (!rng_.Bernoulli(0.05)) page.mutable_draft()->set_experiment(rng_.Bernoulli(0.05) ? "another" : "buttons");
    for (uint32_t place = 1; place <= 6; ++place) {
      v1::ServedCandidate* candidate = page.add_candidates();
      candidate->set_item(fmt::format("item-{}", rng_.Below(8) + 10 * place));
      candidate->set_position(place);
      if (rng_.Bernoulli(0.8) && page.has_draft()) candidate->set_team(kArms[rng_.Below(3)]);
    }
    page.add_candidates()->set_item("item-unshown");
    const size_t index = world_.pages.size() - 1;
    for (uint64_t n = rng_.Below(6); n > 0; --n) AddAction(user, index);
  }

  void AddAction(const std::string& user, size_t index) {
    const v1::ServedRecord& page = world_.pages[index];
    Told told;
    told.page = index;
    told.item = page.candidates(static_cast<int>(rng_.Below(6))).item();
    static constexpr const char* kTypes[] = {"click", "click", "purchase", "save"};
    told.event.set_type(kTypes[rng_.Below(4)]);
    told.event.set_event_time_us(page.time_us() + static_cast<int64_t>(rng_.Below(100)) * kSecondUs);
    told.event.set_receive_time_us(told.event.event_time_us() + kSecondUs);
    told.event.set_item(told.item);
    told.event.set_request_id(page.request_id());
    told.event.set_surface("home");
    if (told.event.type() == "purchase") told.event.set_value(static_cast<double>(1 + rng_.Below(1000)) / 8);
    told.event.set_dedupe_print(++prints_);
    told.counts = true;
    std::string by = user;
    if (rng_.Bernoulli(0.05)) told.event.set_agent("bot/"), told.counts = false;
    if (rng_.Bernoulli(0.05)) by = "somebody-else", told.counts = false;
    if (rng_.Bernoulli(0.05)) told.event.clear_request_id(), told.counts = false;
    if (rng_.Bernoulli(0.05)) told.event.set_item("item-unshown"), told.counts = false;
    told.event.set_user(by);
    told.event.set_user_key(TestKey(by));
    world_.events.push_back(told);
    if (!rng_.Bernoulli(0.2)) return;
    told.event.set_value(2 * told.event.value());
    told.counts = false;
    world_.events.push_back(std::move(told));
  }

  base::Rng rng_;
  uint64_t prints_ = 0;
  World world_;
};

/// Per page and arm, each metric's amount.
using Earned = std::map<size_t, std::map<std::string, double>>;

double Quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

class InterleavedMetricsTest : public lake::LakeTest {
 protected:
  void SetUp() override {
    clock_.Set(kTestBeginUs - 2 * kTestDayUs);
    experiment_.clear_metrics();
    for (const char* metric : {"clicks", "spend", "buyers", "ctr"}) experiment_.add_metrics()->set_name(metric);
    config_ = config::Parse(TestConfigText(), "test.toml").config;
    question_.experiment = &experiment_;
    question_.config = config_.get();
    question_.metrics = *MetricsOf(experiment_, *config::ParseMetrics(TestConfigText(), "test.toml"));
    question_.end_us = kTestBeginUs + 7 * kTestDayUs;
  }

  void Write(const World& world) {
    clock_.Set(kTestBeginUs);
    for (const v1::ServedRecord& page : world.pages)
      Append(log::Topic::kServed, 0, page.request().user(), page.SerializeAsString());
    for (const Told& told : world.events)
      Append(log::Topic::kEvents, 0, told.event.user(), told.event.SerializeAsString());
    for (const auto& [id, user] : world.becomes) {
      v1::Event event;
      event.set_type("identify");
      event.set_user(id);
      event.set_user_key(TestKey(id));
      event.set_becomes(user);
      event.set_becomes_key(TestKey(user));
      event.set_event_time_us(kTestBeginUs);
      Append(log::Topic::kEvents, 0, id, event.SerializeAsString());
    }
    for (const std::string& user : world.marked) {
      v1::Event event;
      event.set_user(user);
      event.set_user_key(TestKey(user));
      event.mutable_mark()->set_reason("by_hand");
      Append(log::Topic::kEvents, 0, user, event.SerializeAsString());
    }
  }

  bool IsOfExperiment(const v1::ServedRecord& page) const {
    return page.draft().experiment() == "buttons" && page.time_us() >= kTestBeginUs &&
           page.time_us() < question_.end_us;
  }
  static std::string TeamOf(const v1::ServedRecord& page, const std::string& item) {
    for (const v1::ServedCandidate& candidate : page.candidates()) {
      if (candidate.position() > 0 && candidate.item() == item) return candidate.team();
    }
    return "";
  }

  /// What `amount` says that the events of each page and team earned.
  template <typename Amount>
  Earned EarnedBy(const World& world, bool yes_or_no, double winsorize, const Amount& amount) const {
    Earned earned;
    for (const Told& told : world.events) {
      if (!told.counts || !IsOfExperiment(world.pages[told.page])) continue;
      if (told.event.event_time_us() >= question_.end_us) continue;
      if (IsMarkedPerson(world, world.PersonOf(told.event.user()))) continue;
      const std::string team = TeamOf(world.pages[told.page], told.item);
      if (team.empty()) continue;
      double& sum = earned[told.page][team];
      sum = yes_or_no ? std::max(sum, amount(told.event)) : sum + amount(told.event);
    }
    std::vector<double> values;
    for (const auto& [page, teams] : earned) {
      for (const auto& [team, value] : teams) {
        if (value != 0) values.push_back(value);
      }
    }
    if (winsorize == 1 || values.empty()) return earned;
    const double cap = Quantile(values, winsorize);
    for (auto& [page, teams] : earned) {
      for (auto& [team, value] : teams) value = std::min(value, cap);
    }
    return earned;
  }

  /// Any of a person's ids that were shown a page is marked.
  bool IsMarkedPerson(const World& world, const std::string& person) const {
    return std::ranges::any_of(world.pages, [&](const v1::ServedRecord& page) {
      const std::string& user = page.request().user();
      return IsOfExperiment(page) && world.PersonOf(user) == person && HasTeam(page) &&
             (world.marked.contains(user) || world.marked.contains(person));
    });
  }
  static bool HasTeam(const v1::ServedRecord& page) {
    return std::ranges::any_of(page.candidates(), [](const v1::ServedCandidate& candidate) {
      return candidate.position() > 0 && !candidate.team().empty();
    });
  }

  PairedMoments Plain(const World& world, const Earned& earned, const std::string& arm) const {
    struct Sums {
      double control = 0, treatment = 0, pages = 0;
    };
    std::map<std::string, Sums> persons;
    for (size_t p = 0; p < world.pages.size(); ++p) {
      const v1::ServedRecord& page = world.pages[p];
      const std::string person = world.PersonOf(page.request().user());
      if (!IsOfExperiment(page) || !HasTeam(page) || IsMarkedPerson(world, person)) continue;
      Sums& sums = persons[person];
      sums.pages += 1;
      const auto found = earned.find(p);
      if (found == earned.end()) continue;
      const auto of = [&](const std::string& team) {
        const auto at = found->second.find(team);
        return at == found->second.end() ? 0.0 : at->second;
      };
      sums.control += of("control");
      sums.treatment += of(arm);
    }
    PairedMoments pair;
    pair.persons = persons.size();
    const auto n = static_cast<double>(persons.size());
    for (const auto& [person, sums] : persons) {
      pair.pages += static_cast<uint64_t>(sums.pages);
      pair.control += sums.control / sums.pages / n;
      pair.treatment += sums.treatment / sums.pages / n;
      pair.persons_for += sums.treatment > sums.control + 1e-9;
      pair.persons_against += sums.control > sums.treatment + 1e-9;
    }
    for (const auto& [person, sums] : persons) {
      const double c = sums.control / sums.pages - pair.control, t = sums.treatment / sums.pages - pair.treatment;
      pair.control_variance += c * c;
      pair.treatment_variance += t * t;
      pair.covariance += c * t;
    }
    return pair;
  }

  static void ExpectSame(const PairedMoments& found, const PairedMoments& expected, const std::string& what) {
    EXPECT_EQ(found.persons, expected.persons) << what;
    EXPECT_EQ(found.pages, expected.pages) << what;
    EXPECT_EQ(found.persons_for, expected.persons_for) << what;
    EXPECT_EQ(found.persons_against, expected.persons_against) << what;
    EXPECT_NEAR(found.control, expected.control, 1e-9) << what;
    EXPECT_NEAR(found.treatment, expected.treatment, 1e-9) << what;
    EXPECT_NEAR(found.control_variance, expected.control_variance, 1e-6) << what;
    EXPECT_NEAR(found.treatment_variance, expected.treatment_variance, 1e-6) << what;
    EXPECT_NEAR(found.covariance, expected.covariance, 1e-6) << what;
  }

  void Compare(const World& world, const InterleavedStatistics& found) {
    const auto clicks = [](const v1::Event& event) { return event.type() == "click" ? 1.0 : 0.0; };
    const auto spend = [](const v1::Event& event) {
      return event.type() == "purchase" && event.value() > 2.5 ? event.value() : 0.0;
    };
    const auto buyers = [](const v1::Event& event) {
      return event.type() == "purchase" && event.value() != 1 && event.value() != 2 ? 1.0 : 0.0;
    };
    const Earned earned[] = {EarnedBy(world, false, 0.999, clicks), EarnedBy(world, false, 0.9, spend),
                             EarnedBy(world, true, 1, buyers)};
    Earned placed;
    for (size_t p = 0; p < world.pages.size(); ++p) {
      for (const v1::ServedCandidate& candidate : world.pages[p].candidates()) {
        if (candidate.position() > 0 && !candidate.team().empty()) placed[p][candidate.team()] += 1;
      }
    }
    for (size_t arm = 1; arm < 3; ++arm) {
      ExpectSame(found.placed.at(arm), Plain(world, placed, kArms[arm]), fmt::format("items of {}", kArms[arm]));
      for (size_t m = 0; m < 3; ++m)
        ExpectSame(found.earned.at({m, arm}), Plain(world, earned[m], kArms[arm]),
                   fmt::format("{} of {}", question_.metrics[m].name, kArms[arm]));
      EXPECT_FALSE(found.earned.contains({3, arm})) << "a ratio is nothing that an item earns";
    }
    EXPECT_GT(found.earned.at({0, 1}).persons_for, 0u);
    EXPECT_GT(found.marked, 0u);
  }

  v1::Experiment experiment_ = TestExperiment();
  std::shared_ptr<const config::Config> config_;
  StatisticsQuestion question_;
};

uint64_t Seed() {
  const char* seed = std::getenv("ORACLE_SEED");
  return seed == nullptr ? std::random_device()() : std::strtoull(seed, nullptr, 10);
}

TEST_F(InterleavedMetricsTest, CountsWhatThePlainCountCounts) {
  const uint64_t seed = Seed();
  SCOPED_TRACE(fmt::format("ORACLE_SEED={}", seed));
  const World world = WorldMaker(seed).Make();
  Write(world);
  const auto found = MeasureInterleaved(lake_.get(), question_, {});
  ASSERT_TRUE(found.ok()) << found.status();
  Compare(world, *found);
}

TEST_F(InterleavedMetricsTest, SparkCountsTheSame) {
  const char* spark = std::getenv("BOWERBIRD_SPARK");
  if (spark == nullptr) GTEST_SKIP() << "run by ./dev test --label spark";
  const uint64_t seed = Seed();
  SCOPED_TRACE(fmt::format("ORACLE_SEED={}", seed));
  const World world = WorldMaker(seed).Make();
  Write(world);
  MeasureOptions options;
  options.engine = lake::Engine::kSpark;
  options.spark_program = spark;
  options.limits.seconds = 3000;
  const auto found = MeasureInterleaved(lake_.get(), question_, options);
  ASSERT_TRUE(found.ok()) << found.status();
  Compare(world, *found);
}

TEST_F(InterleavedMetricsTest, WithoutAPageOrAMetricThereAreZeros) {
  EXPECT_THAT(MeasureInterleaved(lake_.get(), question_, {}).status().message(), HasSubstr("no answers"));
  v1::ServedRecord page;
  page.set_request_id("page");
  page.set_time_us(kTestBeginUs);
  Append(log::Topic::kServed, 0, "user", page.SerializeAsString());
  question_.metrics.clear();
  const auto found = MeasureInterleaved(lake_.get(), question_, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->placed.at(1).persons, 0u);
  EXPECT_TRUE(found->earned.empty());
}

TEST_F(InterleavedMetricsTest, IsNotAskedBySegment) {
  question_.segment = "surface";
  EXPECT_THAT(InterleavedSql(question_, lake::Engine::kDuckDb).status().message(), HasSubstr("segment: found"));
  question_.segment.clear();
  question_.others = {"banner"};
  EXPECT_THAT(InterleavedSql(question_, lake::Engine::kDuckDb).status().message(), HasSubstr("others: found"));
}

}  // namespace
}  // namespace bowerbird::experiment::metrics
