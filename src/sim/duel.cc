#include "sim/duel.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::sim {

using world::ItemNumber;

Duel::Duel(world::World* world, Client* client, Options options)
    : world_(*world), client_(*client), options_(std::move(options)), world_now_us_(world->options().end_time_us) {}

absl::Status Duel::Run(int64_t until_us, const std::vector<std::string>& surfaces, bool judged) {
  while (true) {
    if (!next_.has_value()) next_ = world_.NextVisit();
    if (next_->time_us >= until_us) {
      options_.advance_to(until_us);
      return absl::OkStatus();
    }
    const world::Visit visit = *std::exchange(next_, std::nullopt);
    options_.advance_to(visit.time_us);
    for (const ItemNumber item : world_.NewItems(world_now_us_, visit.time_us))
      RETURN_IF_ERROR(client_.AddItem(world_.ItemAt(item)));
    world_now_us_ = std::max(world_now_us_, visit.time_us);
    const uint64_t first = base::CombineHash(options_.seed, visit.user.value);
    const std::string& surface = surfaces[(first + turns_[visit.user.value]++) % surfaces.size()];
    double utility = 0;
    RETURN_IF_ERROR(Visit(visit, surface, &utility));
    ++visits_;
    if (!judged) continue;
    Total& total = totals_[surface][visit.user.value];
    total.utility += utility;
    ++total.sessions;
  }
}

absl::Status Duel::Visit(const world::Visit& visit, const std::string& surface, double* utility) {
  world::Session session = world_.Begin(visit.user, visit.time_us);
  const int64_t begun_us = options_.now_us();
  FeedPage page;
  bool wants_more = true;
  for (uint32_t number = 0; wants_more && number < kPagesMax; ++number) {
    if (number > 0 && page.next_cursor.empty()) break;
    const std::string cursor = std::move(page.next_cursor);
    ASSIGN_OR_RETURN(page, client_.Recommend({.user = world_.UserId(visit.user),
                                              .surface = surface,
                                              .n = options_.page,
                                              .cursor = cursor,
                                              .exclude = {},
                                              .device = session.device()}));
    std::vector<ItemNumber> items;
    for (const std::string& id : page.items) {
      const std::optional<ItemNumber> item = world_.FindItem(id);
      if (!item.has_value()) return absl::InternalError(fmt::format("served item {} is not of the world", id));
      items.push_back(*item);
    }
    if (items.empty()) break;
    const world::PageOutcome outcome = session.View(items);
    *utility += outcome.utility;
    wants_more = outcome.wants_more;
    std::vector<SentEvent> events;
    int64_t last_us = options_.now_us();
    for (const world::Action& action : outcome.actions) {
      SentEvent& event = events.emplace_back();
      event.type = world::ActionName(action.type);
      event.user = world_.UserId(visit.user);
      event.item = world_.ItemAt(action.item).id;
      event.client_id = fmt::format("d{}", ++events_);
      event.surface = surface;
      event.request_id = page.request_id;
      event.position = action.position;
      event.time_us = last_us = std::max(last_us, begun_us + action.offset_us / kSpeed);
      event.dwell_ms = action.dwell_ms;
      event.value = action.value;
    }
    options_.advance_to(last_us + 1);
    if (!events.empty()) RETURN_IF_ERROR(client_.SendEvents(events));
  }
  return absl::OkStatus();
}

Duel::Outcome Duel::Of(const std::string& surface) const {
  Outcome outcome;
  const auto of_surface = totals_.find(surface);
  if (of_surface == totals_.end()) return outcome;
  for (const auto& [user, total] : of_surface->second) {
    outcome.sessions += total.sessions;
    outcome.utility += total.utility;
  }
  if (outcome.sessions > 0) outcome.utility /= static_cast<double>(outcome.sessions);
  return outcome;
}

Duel::Difference Duel::Compare(const std::string& a, const std::string& b) const {
  struct Pair {
    Total a, b;
  };
  std::vector<Pair> pairs;
  const auto of_a = totals_.find(a), of_b = totals_.find(b);
  if (of_a == totals_.end() || of_b == totals_.end()) return {};
  for (const auto& [user, total] : of_a->second) {
    const auto other = of_b->second.find(user);
    if (other != of_b->second.end()) pairs.push_back({total, other->second});
  }
  if (pairs.empty()) return {};
  const auto difference = [&](const auto& pick) {
    Total sum_a, sum_b;
    for (size_t i = 0; i < pairs.size(); ++i) {
      const Pair& pair = pairs[pick(i)];
      sum_a.utility += pair.a.utility;
      sum_a.sessions += pair.a.sessions;
      sum_b.utility += pair.b.utility;
      sum_b.sessions += pair.b.sessions;
    }
    return sum_a.utility / static_cast<double>(sum_a.sessions) - sum_b.utility / static_cast<double>(sum_b.sessions);
  };
  constexpr size_t kResamples = 2000;
  base::Rng rng(options_.seed ^ 0x6475656cULL);
  std::vector<double> resampled;
  for (size_t r = 0; r < kResamples; ++r)
    resampled.push_back(difference([&](size_t) { return rng.Below(pairs.size()); }));
  std::sort(resampled.begin(), resampled.end());
  return {pairs.size(), difference([](size_t i) { return i; }), resampled[kResamples / 40],
          resampled[kResamples - 1 - kResamples / 40]};
}

}  // namespace bowerbird::sim
