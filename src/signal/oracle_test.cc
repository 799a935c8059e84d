// Every kind beside a naive recomputation from the list of events.
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "signal/signals_for_test.h"
#include "signal/window_counts.h"

namespace bowerbird::signal {
namespace {

using Naive = std::function<Reading(const std::vector<const Act*>& acts, int64_t as_of_us)>;

bool Is(const Act& act, std::string_view type) { return act.event.type() == type; }

bool InWindow(const Act& act, int64_t window_us, int64_t as_of_us) {
  const int64_t width_us = BucketWidthUs(window_us);
  const int64_t bucket = act.time_us / width_us, last = as_of_us / width_us;
  return bucket <= last && bucket > last - static_cast<int64_t>(kWindowBuckets);
}

double Halved(const Act& act, int64_t half_life_us, int64_t as_of_us) {
  return std::exp2(-static_cast<double>(as_of_us - act.time_us) / static_cast<double>(half_life_us));
}

struct Case {
  const char* name;
  const char* body;
  Naive naive;
  bool exact = true;  ///< else to 1e-9
};

Reading Number(double number) { return {number, {}}; }

const Case kCases[] = {
    {"count", "kind = \"count\"\non = [\"click\", \"save\"]\nwindow = \"2d\"",
     [](const auto& acts, int64_t as_of_us) {
       double count = 0;
       for (const Act* act : acts) count += InWindow(*act, 2 * kDayUs, as_of_us);
       return Number(count);
     }},
    {"decayed_sum", "kind = \"decayed_sum\"\non = [\"click\", \"save\"]\nhalf_life = \"7h\"",
     [](const auto& acts, int64_t as_of_us) {
       double sum = 0;
       for (const Act* act : acts) sum += act->strength * Halved(*act, 7 * kHourUs, as_of_us);
       return Number(sum);
     },
     false},
    {"decayed_count", "kind = \"decayed_sum\"\nof = \"1\"\non = [\"click\", \"save\"]\nhalf_life = \"30d\"",
     [](const auto& acts, int64_t as_of_us) {
       double sum = 0;
       for (const Act* act : acts) sum += Halved(*act, 30 * kDayUs, as_of_us);
       return Number(sum);
     },
     false},
    {"ratio",
     "kind = \"ratio\"\nof = [\"save\"]\non = [\"click\", \"save\"]\nwindow = \"1d\"\nprior = 0.25\nprior_weight = 8",
     [](const auto& acts, int64_t as_of_us) {
       double above = 2, below = 8;
       for (const Act* act : acts) {
         if (!InWindow(*act, kDayUs, as_of_us)) continue;
         above += Is(*act, "save");
         ++below;
       }
       return Number(above / below);
     }},
    {"ratio_ever", "kind = \"ratio\"\nof = \"save\"\non = [\"click\"]",
     [](const auto& acts, int64_t) {
       double above = 0, below = 0;
       for (const Act* act : acts) (Is(*act, "save") ? above : below) += 1;
       return below == 0 ? Reading() : Number(above / below);
     }},
    {"last_n", "kind = \"last_n\"\non = [\"click\", \"save\"]\nn = 12",
     [](const auto& acts, int64_t) {
       std::multiset<std::pair<int64_t, std::string>> newest;
       for (const Act* act : acts) newest.emplace(-(act->time_us / 1000), act->event.item());
       Reading reading;
       for (const auto& [time_ms, item] : newest) {
         if (reading.items.size() < 12) reading.items.push_back({item, 0, -time_ms * 1000});
       }
       return reading;
     }},
    {"top_k", "kind = \"top_k\"\nof = \"item.creator\"\non = [\"click\", \"save\"]\nn = 4\nwindow = \"3d\"",
     [](const auto& acts, int64_t as_of_us) {
       std::map<std::string, double> counts;
       for (const Act* act : acts) {
         if (InWindow(*act, 3 * kDayUs, as_of_us)) {
           ++counts[act->event.item_attributes().at("creator").string_value()];
         }
       }
       Reading reading;
       for (const auto& [value, count] : counts) reading.items.push_back({value, count, 0});
       std::ranges::stable_sort(reading.items, [](const auto& a, const auto& b) { return a.number > b.number; });
       if (reading.items.size() > 4) reading.items.resize(4);
       return reading;
     }},
    {"distinct", "kind = \"distinct\"\nof = \"item.id\"\non = [\"click\", \"save\"]",
     [](const auto& acts, int64_t) {
       std::set<std::string> items;
       for (const Act* act : acts) items.insert(act->event.item());
       return Number(static_cast<double>(items.size()));
     }},
    {"time_since", "kind = \"time_since\"\non = [\"click\", \"save\"]",
     [](const auto& acts, int64_t as_of_us) {
       int64_t newest_us = 0;
       for (const Act* act : acts) newest_us = std::max(newest_us, act->time_us);
       return Number(static_cast<double>(as_of_us - newest_us) * 1e-6);
     }},
};

void ExpectNear(const Reading& found, const Reading& expected, bool exact, const std::string& where) {
  if (exact) {
    EXPECT_EQ(found.number, expected.number) << where;
    EXPECT_EQ(found.items, expected.items) << where;
    return;
  }
  ASSERT_TRUE(found.number.has_value()) << where;
  EXPECT_NEAR(*found.number, *expected.number, 1e-9 * std::abs(*expected.number)) << where;
}

class OracleTest : public testing::TestWithParam<Case> {};

TEST_P(OracleTest, SaysWhatTheListOfEventsSays) {
  const Case& it = GetParam();
  const Set set = Only(it.body);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<Act> acts = RandomActs(seed, 150, 60);
    std::string value;
    std::vector<const Act*> counted;
    int64_t now_us = 0;
    for (const Act& act : acts) {
      now_us = std::max(now_us, act.time_us);
      if (!Is(act, "click") && !Is(act, "save")) continue;
      EXPECT_TRUE(set[0].Fold(act.input(), &value));
      counted.push_back(&act);
      ASSERT_TRUE(set[0].Check(value).ok());
      for (const int64_t later_us : {int64_t{0}, 3 * kHourUs, 50 * kDayUs}) {
        const SignalReading reading = set[0].Read(value, now_us + later_us);
        ASSERT_EQ(reading.keys.size(), 1u);
        ExpectNear(reading.keys[0].reading, it.naive(counted, now_us + later_us), it.exact,
                   fmt::format("seed {}, {} events, {} us later", seed, counted.size(), later_us));
      }
    }
  }
}

TEST_P(OracleTest, SaysItByKeyToo) {
  const Case& it = GetParam();
  const Set set = Only(fmt::format("{}\nby = \"item.category\"", it.body));
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<Act> acts = RandomActs(seed, 200, 60);
    const std::string value = FoldAll(set, acts);
    ASSERT_TRUE(set[0].Check(value).ok());
    std::map<std::string, std::vector<const Act*>> by_category;
    int64_t now_us = 0;
    for (const Act& act : acts) {
      now_us = std::max(now_us, act.time_us);
      if (!Is(act, "click") && !Is(act, "save")) continue;
      for (const std::string& category :
           std::set<std::string>(act.event.item_categories().begin(), act.event.item_categories().end())) {
        by_category[category].push_back(&act);
      }
    }
    const SignalReading reading = set[0].Read(value, now_us);
    EXPECT_EQ(reading.keys.size(), by_category.size());
    for (const KeyReading& key : reading.keys) {
      ExpectNear(key.reading, it.naive(by_category.at(key.key), now_us), it.exact,
                 fmt::format("seed {}, {}", seed, key.key));
    }
  }
}

TEST_P(OracleTest, TwoHistoriesMergedAreTheHistoryOfBoth) {
  const Case& it = GetParam();
  for (const char* by : {"", "by = \"item.category\""}) {
    const Set set = Only(fmt::format("{}\n{}", it.body, by));
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      const std::vector<Act> acts = RandomActs(seed, 200, 60);
      const auto middle = acts.begin() + static_cast<ptrdiff_t>(seed * 9);
      std::string merged = FoldAll(set, {acts.begin(), middle});
      set[0].Merge(FoldAll(set, {middle, acts.end()}), &merged);
      ASSERT_TRUE(set[0].Check(merged).ok());
      const std::string whole = FoldAll(set, acts);
      if (it.exact) {
        EXPECT_EQ(merged, whole) << "seed " << seed;
        continue;
      }
      const int64_t now_us = acts.back().time_us + 2 * kDayUs;
      const SignalReading a = set[0].Read(merged, now_us), b = set[0].Read(whole, now_us);
      ASSERT_EQ(a.keys.size(), b.keys.size());
      for (size_t i = 0; i < a.keys.size(); ++i) ExpectNear(a.keys[i].reading, b.keys[i].reading, false, a.keys[i].key);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, OracleTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bowerbird::signal
