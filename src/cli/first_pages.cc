#include "cli/first_pages.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/hash.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "sim/client.h"

namespace bowerbird::cli {
namespace {

using sim::world::ActionType;
using sim::world::ItemNumber;
using sim::world::UserNumber;

/// Answers that are appended together: one sync of the disk.
constexpr size_t kAnswersABatch = 64;
/// Longer than any window.
constexpr int64_t kAfterUs = 86'400'000'000;

class FixedClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us_; }
  void Set(int64_t now_us) { now_us_ = now_us; }

 private:
  int64_t now_us_ = 0;
};

}  // namespace

FirstPages::FirstPages(SimulatedApp* simulated, const sim::world::World* world,
                       std::vector<config::EventObjective> objectives, const Options& options)
    : simulated_(*simulated), world_(*world), objectives_(std::move(objectives)), options_(options) {
  // By the number alone, so that the halves do not depend on the seed of what they are asked.
  for (uint32_t user = 0; user < world->user_count(); ++user)
    halves_[base::CombineHash(world->options().seed, user) & 1].push_back(UserNumber(user));
}

std::vector<FirstPages::Asked> FirstPages::Draw(Half half, uint64_t requests, uint64_t seed) const {
  const std::vector<UserNumber>& users = halves_[static_cast<size_t>(half)];
  base::Rng rng(seed);
  std::vector<Asked> asked(users.empty() ? 0 : requests);
  for (size_t i = 0; i < asked.size(); ++i) {
    asked[i].user = users[rng.Below(users.size())];
    asked[i].time_us =
        options_.begin_us + static_cast<int64_t>(i) * (options_.span_us / static_cast<int64_t>(requests));
    asked[i].seed = rng();
  }
  return asked;
}

std::unique_ptr<serve::Engine> FirstPages::MakeEngine(std::shared_ptr<const config::Config> config,
                                                      const base::Clock* clock, uint64_t seed,
                                                      std::function<void(v1::ServedRecord)> served) const {
  app::App& app = simulated_.app();
  serve::Engine::Sources sources;
  sources.config = [config] { return config; };
  sources.view = [&app] { return app.live().View(); };
  sources.user = [&app](catalog::UserKey key, std::string_view id) { return app.AnsweringUser(key, id); };
  sources.item_table = [&app] { return app.state().item_table(); };
  sources.served = std::move(served);
  return std::make_unique<serve::Engine>(std::move(sources), clock,
                                         serve::Engine::Options{.hasher = app.hasher(), .seed = seed});
}

absl::StatusOr<FirstPages::Seen> FirstPages::Serve(serve::Engine& engine, const Asked& asked) const {
  sim::world::Session session = world_.Rehearse(asked.user, asked.time_us, asked.seed);
  v1::RecommendRequest request;
  request.set_surface(options_.surface);
  request.set_user(world_.UserId(asked.user));
  request.set_n(options_.page);
  request.mutable_context()->set_device(std::string(session.device()));
  ASSIGN_OR_RETURN(const serve::Answer answer, engine.Recommend(request));
  std::vector<ItemNumber> items;
  for (const serve::AnswerItem& item : answer.items) {
    const std::optional<ItemNumber> number = world_.FindItem(item.id);
    if (!number.has_value()) return absl::InternalError(fmt::format("served item {} is not of the world", item.id));
    items.push_back(*number);
  }
  return Seen{answer.request_id, session.View(items)};
}

/// As rows::Objectives has it: an objective counts once for an item.
double FirstPages::Earned(const sim::world::PageOutcome& outcome) const {
  std::map<uint32_t, uint64_t> met;  // objectives by position
  for (const sim::world::Action& action : outcome.actions) {
    for (size_t i = 0; i < objectives_.size(); ++i) {
      const std::vector<std::string>& on = objectives_[i].on;
      if (std::ranges::find(on, sim::world::ActionName(action.type)) != on.end())
        met[action.position] |= uint64_t{1} << i;
    }
  }
  double earned = 0;
  for (const auto& [position, objectives] : met) {
    for (size_t i = 0; i < objectives_.size(); ++i) earned += (objectives >> i & 1) != 0 ? objectives_[i].weight : 0;
  }
  return earned;
}

absl::Status FirstPages::Log(Half half, uint64_t requests, uint64_t seed) {
  FixedClock clock;
  app::App& app = simulated_.app();
  std::vector<log::AppendRecord> answers;
  const auto engine = MakeEngine(app.config(), &clock, seed, [&](v1::ServedRecord record) {
    const uint32_t partition = catalog::PartitionOf(catalog::UserKey(record.user_key()), app.config()->partitions);
    answers.push_back({log::Topic::kServed, partition, record.request().user(), record.SerializeAsString()});
  });
  std::vector<sim::SentEvent> events;
  for (const Asked& asked : Draw(half, requests, seed)) {
    simulated_.AdvanceTo(asked.time_us);
    clock.Set(simulated_.now_us());
    ASSIGN_OR_RETURN(const Seen seen, Serve(*engine, asked));
    if (answers.size() == kAnswersABatch) RETURN_IF_ERROR(app.log().Append(std::exchange(answers, {})).status());
    events.clear();
    for (const sim::world::Action& action : seen.outcome.actions) {
      if (action.type == ActionType::kHide) continue;
      sim::SentEvent& event = events.emplace_back();
      event.type = sim::world::ActionName(action.type);
      event.user = world_.UserId(asked.user);
      event.item = world_.ItemAt(action.item).id;
      event.client_id = fmt::format("p{}", ++events_);
      event.surface = options_.surface;
      event.request_id = seen.request_id;
      event.position = action.position;
      event.time_us = simulated_.now_us() + static_cast<int64_t>(events.size());
      event.dwell_ms = action.dwell_ms;
      event.value = action.value;
    }
    if (!events.empty()) RETURN_IF_ERROR(simulated_.SendEvents(events));
  }
  if (!answers.empty()) RETURN_IF_ERROR(app.log().Append(std::move(answers)).status());
  // Somebody does something later: what comes after the windows have closed, the log has.
  simulated_.AdvanceTo(options_.begin_us + options_.span_us + kAfterUs);
  sim::SentEvent later;
  later.type = sim::world::ActionName(ActionType::kImpression);
  later.user = "afterwards";
  later.item = world_.Items().front().id;
  later.client_id = fmt::format("p{}", ++events_);
  later.time_us = simulated_.now_us();
  return simulated_.SendEvents({&later, 1});
}

absl::StatusOr<experiment::ope::Contributions> FirstPages::Deploy(std::shared_ptr<const config::Config> config,
                                                                  Half half, uint64_t requests, uint64_t seed) const {
  FixedClock clock;
  const auto engine = MakeEngine(std::move(config), &clock, seed, nullptr);
  experiment::ope::Contributions earned;
  for (const Asked& asked : Draw(half, requests, seed)) {
    clock.Set(asked.time_us);
    ASSIGN_OR_RETURN(const Seen seen, Serve(*engine, asked));
    earned.terms.push_back({0, Earned(seen.outcome), 1});
    earned.EndRequest(uint64_t{asked.user.value} + 1);
  }
  return earned;
}

}  // namespace bowerbird::cli
