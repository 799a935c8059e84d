#include "sim/world/world.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::sim::world {
namespace {

WorldOptions Small(uint64_t seed = 1, Family family = Family::kMixture) {
  WorldOptions options;
  options.seed = seed;
  options.family = family;
  options.items = 600;
  options.users = 150;
  options.days = 10;
  return options;
}

uint64_t HashOfHistory(const WorldOptions& options) {
  World world = *World::Create(options);
  uint64_t hash = 0;
  world.History([&](const Event& event) {
    const Action& action = event.action;
    hash = base::CombineHash(
        hash, base::Hash64(fmt::format("{} {} {} {} {} {} {} {} {}", world.UserId(event.user), event.time_us,
                                       ActionName(action.type), world.ItemAt(action.item).id, action.position,
                                       action.dwell_ms, action.value, event.page, event.device)));
  });
  return hash;
}

uint64_t HashOfCatalog(const World& world) {
  uint64_t hash = 0;
  for (const Item& item : world.Items()) {
    std::string text =
        fmt::format("{} {} {} {} {} {} {} {} {}", item.id, item.title, item.domain, item.topic, item.subtopic,
                    item.colour, item.creator, item.price.value_or(-1), item.created_time_us);
    for (const float value : item.embedding) text += fmt::format(" {}", value);
    hash = base::CombineHash(hash, base::Hash64(text));
  }
  return hash;
}

class WorldFamilyTest : public testing::TestWithParam<Family> {};

TEST_P(WorldFamilyTest, TheSameSeedGivesTheSameHistory) {
  EXPECT_EQ(HashOfHistory(Small(7, GetParam())), HashOfHistory(Small(7, GetParam())));
  EXPECT_NE(HashOfHistory(Small(7, GetParam())), HashOfHistory(Small(8, GetParam())));
}

TEST_P(WorldFamilyTest, HistoryComesInOrderAndOnlyShowsWhatExists) {
  const WorldOptions options = Small(3, GetParam());
  World world = *World::Create(options);
  const int64_t start_us = options.end_time_us - static_cast<int64_t>(options.days * 8.64e10);
  int64_t last_us = start_us;
  std::set<ActionType> types;
  world.History([&](const Event& event) {
    EXPECT_GE(event.time_us, last_us);
    EXPECT_LE(event.time_us, options.end_time_us);
    EXPECT_LE(world.ItemAt(event.action.item).created_time_us, event.time_us);
    EXPECT_LE(world.UserArrivalUs(event.user), event.time_us);
    EXPECT_GE(event.action.position, 1u);
    last_us = event.time_us;
    types.insert(event.action.type);
  });
  EXPECT_EQ(types.size(), 6u);
}

TEST_P(WorldFamilyTest, TheOraclesPageYieldsMoreThanItsReverseAndThanRandom) {
  World world = *World::Create(Small(5, GetParam()));
  double best = 0;
  double random = 0;
  for (uint32_t user = 0; user < world.user_count(); ++user) {
    Session first = world.Begin(UserNumber(user), world.options().end_time_us);
    const std::vector<ItemNumber> page = first.OraclePage(20, {});
    ASSERT_EQ(page.size(), 20u);
    best += first.View(page).utility;
    std::vector<ItemNumber> others;
    for (uint32_t i = 0; i < 20; ++i) others.push_back(ItemNumber((user * 131 + i * 29) % 600));
    random += world.Begin(UserNumber(user), world.options().end_time_us).View(others).utility;
  }
  EXPECT_GT(best, 3 * random);
}

TEST_P(WorldFamilyTest, APagesWorthIsWhatItYieldsOnAverageAndLeavesNoTrace) {
  World world = *World::Create(Small(4, GetParam()));
  world.History([](const Event&) {});
  // Three items, of which patience never runs out: each visit looks at all that chance lets it.
  double worth = 0, yields = 0;
  constexpr int kVisits = 3000;
  const World before = world.Fork();
  for (int number = 0; number < kVisits; ++number) {
    World again = before.Fork();
    const UserNumber user(static_cast<uint32_t>(number % 100));
    const std::vector<ItemNumber> page = {ItemNumber(number % 600), ItemNumber((number + 7) % 600)};
    Session session = again.Begin(user, world.options().end_time_us + int64_t{number} * 1'000'000);
    const double first = session.WorthOf(page);
    EXPECT_EQ(session.WorthOf(page), first);
    worth += first;
    yields += session.View(page).utility;
  }
  EXPECT_GT(worth, 0);
  EXPECT_NEAR(yields / worth, 1, .03);
}

TEST_P(WorldFamilyTest, AForkGoesOnAsTheWorldWouldAndNeitherKnowsOfTheOther) {
  World world = *World::Create(Small(3, GetParam()));
  world.History([](const Event&) {});
  const World before = world.Fork();
  const auto browse = [](World& in, uint32_t step) {
    std::string seen;
    for (uint32_t number = 0; number < 60; ++number) {
      const Visit visit = in.NextVisit();
      Session session = in.Begin(visit.user, visit.time_us);
      std::vector<ItemNumber> page;
      for (uint32_t place = 0; place < 12; ++place) page.push_back(ItemNumber((place * step) % 600));
      const PageOutcome outcome = session.View(page);
      seen += fmt::format("{} {} {} {}, ", visit.user.value, visit.time_us, outcome.actions.size(), outcome.utility);
    }
    return seen;
  };
  World first = before.Fork(), second = before.Fork();
  const std::string of_world = browse(world, 7);
  EXPECT_EQ(browse(first, 7), of_world);
  EXPECT_NE(browse(second, 11), of_world);
  World third = before.Fork();
  EXPECT_EQ(browse(third, 7), of_world);
}

INSTANTIATE_TEST_SUITE_P(Families, WorldFamilyTest,
                         testing::Values(Family::kMixture, Family::kHerding, Family::kContextual),
                         [](const auto& info) { return std::string(FamilyName(info.param)); });

TEST(WorldTest, TheSameSeedGivesTheSameCatalogAndPictures) {
  const World a = *World::Create(Small());
  const World b = *World::Create(Small());
  EXPECT_EQ(HashOfCatalog(a), HashOfCatalog(b));
  EXPECT_NE(HashOfCatalog(a), HashOfCatalog(*World::Create(Small(2))));
  for (uint32_t item = 0; item < 600; item += 37)
    EXPECT_EQ(a.PictureSvg(ItemNumber(item)), b.PictureSvg(ItemNumber(item)));
}

TEST(WorldTest, PicturesAreWholeDocumentsOfTheItemsAspect) {
  const World world = *World::Create(Small());
  const auto count = [](const std::string& text, std::string_view part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  for (uint32_t item = 0; item < 600; ++item) {
    const std::string svg = world.PictureSvg(ItemNumber(item));
    EXPECT_THAT(svg, testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 "));
    EXPECT_THAT(svg, testing::EndsWith("</svg>"));
    EXPECT_EQ(count(svg, "<g "), count(svg, "</g>"));
    EXPECT_EQ(count(svg, "nan"), 0u);
    EXPECT_LT(svg.size(), 150'000u);
  }
}

TEST(WorldTest, ItemsHaveDistinctIdsAndReadableTitles) {
  const World world = *World::Create(Small());
  std::set<std::string> ids;
  std::set<std::string> titles;
  for (const Item& item : world.Items()) {
    ids.insert(item.id);
    titles.insert(item.title);
    EXPECT_THAT(item.title, testing::MatchesRegex("[A-Z0-9].*"));
    EXPECT_EQ(item.domain == "product", item.price.has_value());
    EXPECT_EQ(item.embedding.size(), 32u);
    EXPECT_EQ(world.FindItem(item.id)->value, ids.size() - 1);
  }
  EXPECT_EQ(ids.size(), 600u);
  EXPECT_GT(titles.size(), 590u);
  EXPECT_EQ(world.FindItem("item-99999"), std::nullopt);
}

TEST(WorldTest, UsersSeeWhatIsFirstMoreOftenThanWhatIsLast) {
  World world = *World::Create(Small());
  uint64_t first = 0;
  uint64_t last = 0;
  world.History([&](const Event& event) {
    if (event.action.type != ActionType::kImpression) return;
    first += event.action.position <= 6;
    last += event.action.position > 18 && event.action.position <= 24;
  });
  EXPECT_GT(first, 3 * last);
}

TEST(WorldTest, RepeatsBore) {
  World world = *World::Create(Small());
  double once = 0;
  double again = 0;
  for (uint32_t user = 0; user < world.user_count(); ++user) {
    const int64_t now_us = world.options().end_time_us;
    Session session = world.Begin(UserNumber(user), now_us);
    const std::vector<ItemNumber> page = session.OraclePage(5, {});
    const PageOutcome fresh = session.View(page);
    // A day later nobody is tired of a topic any more, but the items are known.
    const PageOutcome repeated = world.Begin(UserNumber(user), now_us + 86'400'000'000).View(page);
    once += fresh.utility / std::max(1u, fresh.seen);
    again += repeated.utility / std::max(1u, repeated.seen);
  }
  EXPECT_LT(again, .6 * once);
}

TEST(WorldTest, NewItemsAndUsersArriveAfterTheHistory) {
  World world = *World::Create(Small());
  world.History([](const Event&) {});
  const int64_t end_us = world.options().end_time_us;
  const std::vector<ItemNumber> arrived = world.NewItems(end_us, end_us + 5 * int64_t{86'400'000'000});
  EXPECT_GT(arrived.size(), 50u);
  EXPECT_TRUE(world.NewItems(end_us - 1'000'000, end_us).empty());
  bool is_newcomer = false;
  int64_t last_us = end_us;
  for (int visit = 0; visit < 2000; ++visit) {
    const Visit next = world.NextVisit();
    EXPECT_GE(next.time_us, last_us);
    last_us = next.time_us;
    is_newcomer |= next.user.value >= world.user_count();
  }
  EXPECT_TRUE(is_newcomer);
}

TEST(WorldTest, TopicSimilarityIsSymmetricAndHighestForItself) {
  const World world = *World::Create(Small());
  for (uint32_t a = 0; a < 600; a += 17) {
    EXPECT_EQ(world.TopicSimilarity(ItemNumber(a), ItemNumber(a)), 1);
    for (uint32_t b = 0; b < 600; b += 23) {
      EXPECT_EQ(world.TopicSimilarity(ItemNumber(a), ItemNumber(b)),
                world.TopicSimilarity(ItemNumber(b), ItemNumber(a)));
      if (world.TrueTopic(ItemNumber(a)) == world.TrueTopic(ItemNumber(b))) {
        EXPECT_GE(world.TopicSimilarity(ItemNumber(a), ItemNumber(b)), .8);
      }
    }
  }
}

TEST(WorldTest, AnUnknownItemNumberIsABlank) {
  World world = *World::Create(Small());
  const std::vector<ItemNumber> page = {ItemNumber(4'000'000'000u), ItemNumber(4'000'000'001u)};
  const PageOutcome outcome = world.Begin(UserNumber(0), world.options().end_time_us).View(page);
  EXPECT_TRUE(outcome.actions.empty());
  EXPECT_FALSE(outcome.wants_more);
}

struct BadOptions {
  std::string name;
  WorldOptions options;
};

class WorldRefusesTest : public testing::TestWithParam<BadOptions> {};

TEST_P(WorldRefusesTest, OptionsOutOfRangeAndNamesTheField) {
  const auto world = World::Create(GetParam().options);
  EXPECT_EQ(world.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(world.status().message()), testing::HasSubstr(GetParam().name));
}

INSTANTIATE_TEST_SUITE_P(All, WorldRefusesTest,
                         testing::Values(BadOptions{"items", {.items = 0}}, BadOptions{"users", {.users = 2'000'000}},
                                         BadOptions{"days", {.days = 0}}, BadOptions{"end_time_us", {.end_time_us = 5}},
                                         BadOptions{"embedding_dim", {.embedding_dim = 5000}}),
                         [](const auto& info) { return info.param.name; });

TEST(FamilyTest, NamesReadBackAndOthersAreRefused) {
  for (const Family family : {Family::kMixture, Family::kHerding, Family::kContextual}) {
    EXPECT_EQ(*ParseFamily(FamilyName(family)), family);
  }
  EXPECT_THAT(std::string(ParseFamily("dot").status().message()), testing::HasSubstr("mixture, herding or contextual"));
}

TEST_P(WorldFamilyTest, ARehearsedVisitLeavesNoTrace) {
  World world = *World::Create(Small(5, GetParam())), other = *World::Create(Small(5, GetParam()));
  for (World* one : {&world, &other}) one->History([](const Event&) {});
  const int64_t now_us = world.options().end_time_us + 1'000'000;
  const std::vector<ItemNumber> page = {ItemNumber(1), ItemNumber(2), ItemNumber(3), ItemNumber(4)};
  const auto actions = [](const PageOutcome& outcome) {
    std::vector<std::string> told;
    for (const Action& action : outcome.actions)
      told.push_back(fmt::format("{} {} {}", ActionName(action.type), action.item.value, action.dwell_ms));
    return told;
  };
  std::set<std::vector<std::string>> ways;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const auto first = actions(world.Rehearse(UserNumber(3), now_us, seed).View(page));
    EXPECT_EQ(actions(world.Rehearse(UserNumber(3), now_us, seed).View(page)), first);
    ways.insert(first);
  }
  EXPECT_GT(ways.size(), 5u) << "seeds go different ways";
  for (uint32_t user = 0; user < 10; ++user) {
    Session a = world.Begin(UserNumber(user), now_us), b = other.Begin(UserNumber(user), now_us);
    EXPECT_EQ(actions(a.View(page)), actions(b.View(page)));
  }
}

}  // namespace
}  // namespace bowerbird::sim::world
