#include "serve/segments.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "features/table_for_test.h"
#include "signal/signals_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNowUs = signal::kStartUs + 10 * signal::kDayUs;

class SegmentsTest : public testing::Test {
 protected:
  /// Whether a user who clicked on these (item, category) is in a segment of that condition.
  bool In(std::string_view where, const std::vector<std::pair<std::string, std::string>>& clicks,
          int64_t now_us = kNowUs) {
    const auto config = signal::ParseConfig(fmt::format(R"(
[segments.chosen]
where = '''{}'''
[signals.clicks]
kind = "count"
on = ["click"]
window = "7d"
[signals.interests]
kind = "decayed_sum"
of = "1"
on = ["click"]
by = "item.category"
half_life = "1d"
[signals.recent]
kind = "last_n"
on = ["click"]
n = 2
[signals.save_rate]
kind = "ratio"
of = "save"
on = ["click"]
prior = 0.25
prior_weight = 4
[signals.bare_rate]
kind = "ratio"
of = "save"
on = ["click"]
[signals.since]
kind = "time_since"
on = ["click"]
)",
                                                        where));
    const auto set = std::make_shared<const signal::Set>(*config);
    state::UserState user;
    user.signal_set = set;
    user.events = 1 + clicks.size();
    user.first_time_us = user.last_time_us = kNowUs - signal::kDayUs;
    if (!clicks.empty()) {
      auto values = std::make_shared<std::vector<std::string>>(set->size());
      for (const auto& [item, category] : clicks) {
        const v1::Event event = signal::MakeEvent("click", item, {category});
        for (size_t slot = 0; slot < set->size(); ++slot) {
          (*set)[slot].Fold({&event, kNowUs - signal::kDayUs, 1}, &(*values)[slot]);
        }
      }
      user.signals = values;
    }
    const bool in = InSegment(config->user_segments[0], user, now_us, nullptr);
    EXPECT_THAT(SegmentsOf(*config, user, now_us, nullptr),
                in ? testing::Matcher<std::vector<std::string_view>>(ElementsAre("chosen")) : IsEmpty());
    return in;
  }
};

TEST_F(SegmentsTest, ReadSignalsAsOfNow) {
  EXPECT_TRUE(In("signals.clicks >= 2", {{"a", "lamps"}, {"b", "desks"}}));
  EXPECT_FALSE(In("signals.clicks >= 2", {{"a", "lamps"}, {"b", "desks"}}, kNowUs + 30 * signal::kDayUs))
      << "outside of the window";
  EXPECT_TRUE(In("signals.interests.lamps > 0.9", {{"a", "lamps"}, {"b", "lamps"}}));
  EXPECT_FALSE(In("signals.interests.lamps > 1.1", {{"a", "lamps"}, {"b", "lamps"}})) << "halved since";
  EXPECT_TRUE(In("signals.interests contains \"desks\"", {{"b", "desks"}}));
  EXPECT_TRUE(In("signals.recent contains \"b\"", {{"b", "lamps"}}));
  EXPECT_FALSE(In("signals.recent contains \"b\"", {{"a", "lamps"}}));
  EXPECT_TRUE(
      In("signals.since < 90000 and last_time > now - 2d and lifecycle == \"new\" and events == 2", {{"a", "lamps"}}));
}

TEST_F(SegmentsTest, KnowWhatNothingCountedMeans) {
  EXPECT_TRUE(In("signals.clicks == 0 and signals.interests.lamps == 0", {}));
  EXPECT_TRUE(In("signals.save_rate == 0.25", {}));
  EXPECT_FALSE(In("signals.bare_rate < 1 or signals.since > 0 or signals.recent contains \"a\"", {}));
}

TEST_F(SegmentsTest, ReadTablesOfOtherTeamsOfThisUserAlone) {
  const catalog::KeyHasher hasher{base::HashSeed{5}};
  const auto config = signal::ParseConfig("[segments.leaving]\nwhere = \"user.features.taste.churn > 0.5\"\n");
  features::Values tables(
      features::SetOf({features::Named("taste", features::MakeTable(hasher, features::Entity::kUser, {{"churn", 0}},
                                                                    {{"ann", {0.75}}, {"bob", {0.25}}}))}),
      hasher);
  state::UserState user;
  user.events = 1;
  const auto leaving = [&](const char* id) {
    tables.SetUser(id);
    return InSegment(config->user_segments[0], user, kNowUs, &tables);
  };
  EXPECT_TRUE(leaving("ann"));
  EXPECT_FALSE(leaving("bob"));
  EXPECT_FALSE(leaving("eve")) << "a comparison with what is absent is false";
  EXPECT_TRUE(leaving("ann"));
  EXPECT_FALSE(InSegment(config->user_segments[0], user, kNowUs, nullptr)) << "no tables at all";
  const auto negated = signal::ParseConfig("[segments.staying]\nwhere = \"not (user.features.taste.churn > 0.5)\"\n");
  tables.SetUser("eve");
  EXPECT_TRUE(InSegment(negated->user_segments[0], user, kNowUs, &tables));
}

TEST_F(SegmentsTest, HoldNobodyWithoutEvents) {
  const auto config = signal::ParseConfig("[segments.everybody]\nwhere = \"true\"\n");
  EXPECT_FALSE(InSegment(config->user_segments[0], {}, kNowUs, nullptr));
}

}  // namespace
}  // namespace bowerbird::serve
