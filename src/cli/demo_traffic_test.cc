// The people of the simulated world are no bots, by the bounds that there are by default; bots among them are.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "catalog/keys.h"
#include "cli/demo_world.h"
#include "config/config.h"
#include "sim/world/world.h"
#include "state/fold.h"

namespace bowerbird::cli {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

/// The fold of users alone, which notes what the rules say.
class Judged {
 public:
  explicit Judged(const config::Config& config) : policy_(config) {}

  void Take(const std::string& user, std::string_view type, const std::string& item, int64_t time_us) {
    v1::Event event;
    event.set_type(std::string(type));
    event.set_user(user);
    event.set_user_key(hasher_.User(user).value);
    event.set_item(item);
    event.set_item_key(hasher_.Item(item).value);
    event.set_schema(1);
    event.set_event_time_us(time_us);
    event.set_receive_time_us(time_us);
    event.set_dedupe_print(hasher_.DedupePrint(hasher_.User(user), std::to_string(++events_)));
    state::UserRecord& record = users_[user];
    if (policy_.Judge(event, record, &change_) != state::Verdict::kCounted) return;
    state::ApplyUserOp(policy_.user_layout(), change_.user, &record, nullptr);
    const auto mark = policy_.MarkOf(event, record, change_);
    if (mark.has_value()) ++marks_[user][mark->mark->reason];
  }
  std::map<std::string, std::map<state::MarkReason, int>>& marks() { return marks_; }
  uint64_t events() const { return events_; }
  size_t users() const { return users_.size(); }

 private:
  const catalog::KeyHasher hasher_{base::HashSeed{7}};
  const state::FoldPolicy policy_;
  state::Change change_;
  std::map<std::string, state::UserRecord> users_;
  std::map<std::string, std::map<state::MarkReason, int>> marks_;
  uint64_t events_ = 0;
};

std::shared_ptr<const config::Config> WithRules() {
  const auto parsed = config::Parse(DemoConfigText(32) + "\n[traffic]\nenabled = true\n", "demo");
  EXPECT_NE(parsed.config, nullptr);
  return parsed.config;
}

TEST(DemoTrafficTest, PeopleOfTheSimulatedWorldAreNotMarked) {
  const auto config = WithRules();
  for (const auto family :
       {sim::world::Family::kMixture, sim::world::Family::kHerding, sim::world::Family::kContextual}) {
    SCOPED_TRACE(sim::world::FamilyName(family));
    sim::world::WorldOptions options;
    options.family = family;
    options.items = 1200;
    options.users = 600;
    auto world = sim::world::World::Create(options);
    ASSERT_TRUE(world.ok()) << world.status();
    Judged judged(*config);
    world->History([&](const sim::world::Event& event) {
      judged.Take(std::string(world->UserId(event.user)), sim::world::ActionName(event.action.type),
                  world->Items()[event.action.item.value].id, event.time_us);
    });
    EXPECT_GT(judged.events(), 100'000u);
    EXPECT_GT(judged.users(), 500u);
    for (const auto& [user, reasons] : judged.marks()) {
      for (const auto& [reason, count] : reasons)
        ADD_FAILURE() << user << ": " << state::MarkReasonName(reason) << " " << count;
    }
  }
}

TEST(DemoTrafficTest, BotsAmongThemAre) {
  const auto config = WithRules();
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> latency(0.05, 0.25);
  Judged judged(*config);
  const int64_t start_us = 1'760'000'000 * kSecondUs;
  const auto act = [&](const std::string& user, std::string_view type, int count, double pause_s) {
    double at_s = 0;
    for (int i = 0; i < count; ++i) {
      at_s += pause_s + latency(random);
      judged.Take(user, type, std::to_string(i % 500), start_us + static_cast<int64_t>(at_s * kSecondUs));
    }
  };
  act("scraper", "impression", 1000, 0);     // as fast as pages come
  act("clicker", "click", 1000, 0.01);       // as fast as answers come
  act("patient", "click", 200, 10);          // one every ten seconds
  act("more patient", "closeup", 200, 240);  // one every four minutes
  EXPECT_EQ(judged.marks().size(), 4u);
  EXPECT_GT(judged.marks()["clicker"][state::MarkReason::kRate], 0);
  EXPECT_EQ(judged.marks()["patient"].count(state::MarkReason::kEntropy), 1u);
}

}  // namespace
}  // namespace bowerbird::cli
